"""Foreign keys of a contract: which columns refer to which, in this contract or in another product.

A reference is written by names (`customers.id`, `sales.orders.orders.id`: the four-part form reaches another product) or by ids
(`/schema/customers/properties/id`). What cannot be resolved says why. Knows nothing of data.
Source: ODCS 3.1 "Relationships".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mesh_core.contract.model import Contract, Port
from mesh_core.names import InvalidName, parse_port

__all__ = ["ForeignKey", "Target", "foreign_key", "with_references"]

_DEPTHS = {"properties", "items"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference names: a port (of this contract by its name, of another product by three parts) and a path in it."""

    port: str
    path: tuple[str, ...]

    @property
    def is_elsewhere(self) -> bool:
        """True if the port is one of another product."""
        return "." in self.port


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values must exist in other columns.

    Attributes:
        port: The referring port's name in the contract.
        columns: Paths in it, from a column on.
        target: The port referred to, as in `Target.port`.
        target_columns: As many paths in it.
    """

    port: str
    columns: tuple[tuple[str, ...], ...]
    target: str
    target_columns: tuple[tuple[str, ...], ...]


def foreign_key(
    entry: Mapping[str, Any], contract: Contract, *, product: str, port: str, path: tuple[str, ...] = ()
) -> ForeignKey | str:
    """The foreign key that an entry of `relationships` is, or why it cannot be understood.

    Args:
        entry: The entry as written.
        contract: What it stands in.
        product: The product's name, `domain.product`.
        port: The port it stands in.
        path: The property it stands at; empty for an entry of the port.
    """
    sources = [Target(port, path)] if path else [_resolved(text, contract, product) for text in _listed(entry.get("from"))]
    targets = [_resolved(text, contract, product) for text in _listed(entry.get("to"))]
    problems = [found for found in (*sources, *targets) if isinstance(found, str)]
    if problems:
        return problems[0]
    known = [found for found in sources if isinstance(found, Target)], [found for found in targets if isinstance(found, Target)]
    if len(known[0]) != len(known[1]):
        return f"{len(known[0])} columns cannot refer to {len(known[1])}"
    if len({it.port for it in known[0]}) != 1 or len({it.port for it in known[1]}) != 1:
        return "the columns of one key are of several ports"
    return ForeignKey(known[0][0].port, tuple(it.path for it in known[0]), known[1][0].port, tuple(it.path for it in known[1]))


def with_references(port: Port, contract: Contract, *, product: str) -> Port:
    """The port with what each of its columns refers to at that column, in four parts: `domain.product.port.column`.

    However the contract writes it: at the column or at the schema object, by names or by ids. Keys of several columns, fields of
    objects and what cannot be resolved are left out.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    entries = [((), it) for it in port.relationships]
    for path, entry in [*entries, *(((column.name,), it) for column in port.columns for it in column.relationships)]:
        key = foreign_key(entry, contract, product=product, port=port.name, path=path)
        if isinstance(key, str) or key.port != port.name or [*map(len, (*key.columns, *key.target_columns))] != [1, 1]:
            continue
        target = key.target if "." in key.target else f"{product}.{key.target}"
        found.setdefault(key.columns[0][0], []).append({"to": f"{target}.{key.target_columns[0][0]}"})
    columns = tuple(replace(it, relationships=tuple(found.get(it.name, ()))) for it in port.columns)
    return replace(port, columns=columns)


def _listed(written: object) -> list[str]:
    return [str(item) for item in written] if isinstance(written, list) else [str(written)]


def _resolved(text: str, contract: Contract, product: str) -> Target | str:
    return _by_id(text, contract) if "/" in text or "#" in text else _by_name(text, contract, product)


def _by_name(text: str, contract: Contract, product: str) -> Target | str:
    parts = text.split(".")
    for port in contract.ports:
        if port.name == parts[0]:
            return Target(port.name, tuple(parts[1:]))
    domain, _, own = product.partition(".")
    if len(parts) >= 4:
        wanted, rest = parts[:3], parts[3:]
    elif len(parts) == 3:
        wanted, rest = [domain, *parts[:2]], parts[2:]
    else:
        return f"{text!r} names no port of the contract; another product's column is written domain.product.port.column"
    try:
        name = parse_port(".".join(wanted))
    except InvalidName:
        return f"{text!r} names no port"
    if name.product_name == f"{domain}.{own}":
        known = any(port.name == name.port for port in contract.ports)
        return Target(name.port, tuple(rest)) if known else f"the contract has no port {name.port!r}"
    return Target(str(name), tuple(rest))


def _by_id(text: str, contract: Contract) -> Target | str:
    """A reference by ids within the contract, where a name stands for an id that nothing has."""
    file, _, place = text.rpartition("#")
    if file:
        return f"{file!r} is a file, which the mesh does not read; write domain.product.port.column"
    steps = place.strip("/").split("/")
    if len(steps) < 4 or steps[0] != "schema":
        return f"{text!r} is no path like /schema/customers/properties/id"
    port = _entry(contract.document.get("schema") or (), steps[1])
    if port is None:
        return f"the contract has no schema object with the id {steps[1]!r}"
    entry: Mapping[str, Any] = port
    names: list[str] = []
    for word, id in zip(steps[2::2], steps[3::2], strict=False):
        found = _entry(entry.get(word) or (), id) if word in _DEPTHS else None
        if found is None:
            return f"{text!r}: there is no {word}/{id}"
        entry = found
        names.append(str(found.get("name")))
    return Target(str(port["name"]), tuple(names))


def _entry(entries: Sequence[Mapping[str, Any]], id: str) -> Mapping[str, Any] | None:
    return next((it for it in entries if it.get("id") == id), next((it for it in entries if it.get("name") == id), None))
