"""Columns of an output read from the query that its job says it ran, where nobody declared them.

A query only tells more exactly what inputs and outputs tell already: it adds no dataset. It counts if it is one statement that
reads just the run's inputs and writes the output; then a column has the sources the query shows, and what it does not show is
unknown. Schemas are those that the event's datasets bring; else, of a port whose columns the sender may know, the catalog's as it
was when the event came. Both are part of the run, so that what is read depends on its events alone, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from governance_server.lineage.run_state import CATALOG, DatasetState, RunState
from mesh_core.dataset_names import parse_node
from mesh_core.lineage import Basis, InputVersion, PortLineage
from mesh_core.sql_text import SqlNotUnderstood

__all__ = ["inferred_lineage"]

_MOST_COLUMNS = 2000
"""Of all inputs together."""
_MOST_EDGES = 20_000
_DIALECTS = {
    "awsathena": "athena", "googlesql": "bigquery", "mssql": "tsql", "postgresql": "postgres", "spark_sql": "spark",
    "sparksql": "spark", "sqlserver": "tsql", "synapse": "tsql", "zetasql": "bigquery",
}  # fmt: skip
_Name = tuple[str, ...]


def inferred_lineage(state: RunState, target: str) -> PortLineage | None:
    """The output's lineage by the run's query; None if there is none, or it does not explain the run."""
    told = state.sql.value if state.sql is not None else None
    if told is None or not state.inputs:
        return None
    query, hint = told
    schemas = {node: _schema(facets) or _schema(facets, CATALOG) for node, facets in state.inputs.items()}
    if sum(len(columns or ()) for columns in schemas.values()) > _MOST_COLUMNS:
        return None
    try:
        return _read(state, target, query, _dialect(hint, target), schemas)
    except SqlNotUnderstood:
        return None


def _read(state: RunState, target: str, query: str, dialect: str, schemas: Mapping[str, list[str] | None]) -> PortLineage | None:
    from mesh_core.sql_lineage.queries import statement_lineage, to_port_lineage
    from mesh_core.sql_lineage.relations import Relation, of_table

    read: set[str] = set()

    def table(parts: _Name) -> Relation:
        node = _named(parts, state.inputs)
        read.add(node)
        columns = schemas[node]
        return Relation(None, ports=frozenset({node})) if columns is None else of_table(node, columns)

    written, relation = statement_lineage(query, dialect=dialect, table=table)
    if read != state.inputs.keys() or relation.columns is None:
        return None  # the run read more than the query shows
    if _named(written.table, state.outputs) != target if written.table else len(state.outputs) != 1:
        return None
    if written.has_star and written.is_by_place:
        return None  # producers send schemas with some of the columns only, and one left out would move the others
    columns = _schema(state.outputs[target])
    own = None if written.is_by_place else [name for name, _ in relation.columns]
    names = _spelled(written.columns or own or columns or (), columns)
    if not names or len(names) != len(relation.columns):
        return None
    found = to_port_lineage(relation, target_port=target, names=names)
    if not found.edges or len(found.edges) + len(found.row_edges) > _MOST_EDGES:
        return None
    inputs = tuple(sorted(state.inputs))
    is_partial = (written.has_star and not _is_whole(state, columns)) or bool(set(columns or ()) - set(names))
    return replace(
        found,
        inputs=tuple(InputVersion(node, 0) for node in inputs),
        unknown_inputs=inputs if is_partial else found.unknown_inputs,
        basis=Basis.INFERRED,
    )


def _dialect(hint: str, target: str) -> str:
    """The dialect as the facet names it, else that of the system which the output lies in; empty if neither is known."""
    from sqlglot.dialects.dialect import Dialect

    for word in (hint, parse_node(target).namespace.partition(":")[0]):
        name = _DIALECTS.get(word.casefold(), word.casefold())
        if name and name.isidentifier() and Dialect.get(name) is not None:
            return name
    return ""


def _named(parts: _Name, datasets: Mapping[str, DatasetState]) -> str:
    """The dataset that a statement means by the name. Raises: SqlNotUnderstood, if it may be none or several."""
    wanted = tuple(part.casefold() for part in parts)
    names = {node: set(_names(node, facets)) for node, facets in datasets.items()}
    exact = [node for node, known in names.items() if wanted in known]
    found = exact or [node for node, known in names.items() if any(_is_end(wanted, name) for name in known)]
    if len(found) != 1:
        raise SqlNotUnderstood("A table of the query is none of the run's datasets, or may be several.")
    return found[0]


def _names(node: str, facets: DatasetState) -> Iterator[_Name]:
    """What tables the dataset may be called; a path is no table's name."""
    held = facets.get("symlinks")
    others = [name for _, name in held.value or ()] if held is not None else []
    for name in (parse_node(node).name, *others):
        if "/" not in name:
            yield tuple(part.strip('"`[]').casefold() for part in name.split("."))


def _is_end(one: _Name, other: _Name) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


def _is_whole(state: RunState, columns: list[str] | None) -> bool:
    """True if a `*` leaves nothing unknown: the catalog tells what is read, the run what it made of that."""
    return columns is not None and all(_schema(facets) is None and CATALOG in facets for facets in state.inputs.values())


def _schema(facets: DatasetState, name: str = "schema") -> list[str] | None:
    import orjson

    held = facets.get(name)
    columns: Any = orjson.loads(held.value) if held is not None and held.value is not None else None
    return columns or None


def _spelled(names: Iterable[str], columns: list[str] | None) -> list[str]:
    """The names as the output's schema writes them, if it has one; empty if it does not have them all."""
    if columns is None:
        return list(names)
    alike: dict[str, str] = {}
    for column in columns:
        alike.setdefault(column.casefold(), column)
    known = set(columns)
    spelled = [name if name in known else alike.get(name.casefold(), "") for name in names]
    return spelled if all(spelled) else []
