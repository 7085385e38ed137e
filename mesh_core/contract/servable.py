"""Says what keeps a valid contract from being served by the mesh.

Apart from loading on purpose: an ODCS file may be odd and still be read, kept and handed back unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from mesh_core.contract.model import Column, Contract, Port, PortKind, Violation
from mesh_core.contract.roles import role_problems
from mesh_core.contract.semantics import is_stored
from mesh_core.names import InvalidName, check_column, check_port_part, check_tag

__all__ = ["servable_problems"]


def servable_problems(contract: Contract) -> tuple[Violation, ...]:
    """Everything that must change before the contract's ports can be served; empty when they can.

    Port and column names must be valid and distinct without regard to case (Delta and Spark ignore it), tags must be mesh tags,
    a column must say what it is, and a collection needs a column of `logicalType: vector`. Measures and dimensions must be
    computable of the port's columns. What `roles` say about approvers must mean something. A contract without ports has nothing
    to serve.
    """
    if not contract.ports:
        return (Violation("$.schema", "the contract declares no port; add at least one schema object."),)
    found: list[Violation] = list(
        _distinct("$.schema", "port", [port.name for port in contract.ports], range(len(contract.ports)))
    )
    found.extend(_tag_problems("$.tags", contract.tags))
    written = [*contract.document["schema"], *({} for port in contract.ports if port.quarantine_of)]
    for index, (port, entry) in enumerate(zip(contract.ports, written, strict=True)):
        stored = [place for place, it in enumerate(entry.get("properties", ())) if is_stored(it)]
        found.extend(_port_problems(port, f"$.schema[{index}]", stored or range(len(port.columns))))
    found.extend(role_problems(contract.document, [port.name for port in contract.ports]))
    return tuple(found)


def _port_problems(port: Port, path: str, places: Sequence[int]) -> Iterator[Violation]:
    yield from _name_problem(check_port_part, port.name, path)
    yield from _tag_problems(f"{path}.tags", port.tags)
    yield from _columns_problems(port.columns, f"{path}.properties", places)
    has_vector = any(column.logical_type == "vector" for column in port.columns)
    if port.kind is PortKind.COLLECTION and not has_vector:
        yield Violation(
            f"{path}.properties",
            f"collection {port.name!r} has no column of logicalType vector; add its embedding with its dimensions.",
        )


def _columns_problems(columns: tuple[Column, ...], path: str, places: Sequence[int] = ()) -> Iterator[Violation]:
    """Problems of the columns; `places` are their positions in what is written, from 0 on without them."""
    at = places or range(len(columns))
    yield from _distinct(path, "column", [column.name for column in columns], at)
    for index, column in zip(at, columns, strict=True):
        place = f"{path}[{index}]"
        yield from _name_problem(_check_column, column.name, place)
        yield from _column_problems(column, place)


def _column_problems(column: Column, path: str) -> Iterator[Violation]:
    yield from _tag_problems(f"{path}.tags", column.tags)
    if column.logical_type is None and column.physical_type is None:
        yield Violation(f"{path}.logicalType", "neither logicalType nor physicalType says what this holds; add logicalType.")
    yield from _columns_problems(column.columns, f"{path}.properties")
    if column.items is not None:
        yield from _column_problems(column.items, f"{path}.items")


def _check_column(name: str) -> str:
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        raise InvalidName(f"{name!r} is not a valid column name: dataframes read it as a pattern of names; use a plain name.")
    return check_column(name)


def _name_problem(check: Callable[[str], str], name: str, path: str) -> Iterator[Violation]:
    try:
        check(name)
    except InvalidName as error:
        yield Violation(f"{path}.name", str(error))


def _tag_problems(path: str, tags: Iterable[str]) -> Iterator[Violation]:
    for index, tag in enumerate(tags):
        try:
            check_tag(tag)
        except InvalidName as error:
            yield Violation(f"{path}[{index}]", str(error))


def _distinct(path: str, what: str, names: list[str], places: Sequence[int]) -> Iterator[Violation]:
    first: dict[str, int] = {}
    for index, name in zip(places, names, strict=True):
        folded = name.casefold()
        if folded in first:
            yield Violation(
                f"{path}[{index}].name",
                f"{what} {name!r} has the name of {path}[{first[folded]}] (case is ignored); rename one.",
            )
        first.setdefault(folded, index)
