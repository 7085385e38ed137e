"""What a table inside a query is to the walk: columns by position with what they depend on, and how names find them.

Knows nothing of sqlglot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mesh_core.frame_lineage import IDENTITY, Dependencies, Dependency, unknown

__all__ = ["Relation", "Scope", "of_table"]

_NOTHING: Dependencies = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or the result of a query.

    Attributes:
        columns: name and dependencies, in order; names may repeat. None if they are not known.
        rows: what decides which rows there are, all of it indirect.
        ports: every port and dataset below.
        own_port: the port itself if this is a whole table whose columns are not known: a column named of it must exist.
    """

    columns: tuple[tuple[str, Dependencies], ...] | None
    rows: Dependencies = _NOTHING
    ports: frozenset[str] = frozenset()
    own_port: str = ""

    def find(self, name: str) -> Dependencies | None:
        """What the column depends on; None if it has none of that name, or nobody can tell. Names are told apart by case last."""
        if self.columns is None:
            return frozenset({Dependency(self.own_port, name, IDENTITY)}) if self.own_port else unknown(self.ports)
        exact = [found for known, found in self.columns if known == name]
        alike = exact or [found for known, found in self.columns if known.casefold() == name.casefold()]
        return frozenset().union(*alike) if alike else None

    def renamed(self, names: list[str]) -> Relation:
        """The same with these names for its first columns."""
        if not names or self.columns is None:
            return self
        left = self.columns[len(names) :]
        return Relation(
            tuple((name, found) for name, (_, found) in zip(names, self.columns, strict=False)) + left, self.rows, self.ports
        )


def of_table(port: str, columns: Iterable[str] | None, masked: frozenset[str] = frozenset()) -> Relation:
    """The table as it is read; columns in `masked` were not readable there."""
    if columns is None:
        return Relation(None, ports=frozenset({port}), own_port=port)
    return Relation(
        tuple((name, frozenset({_source(port, name, is_masked=name in masked)})) for name in columns), ports=frozenset({port})
    )


def _source(port: str, name: str, *, is_masked: bool) -> Dependency:
    from mesh_core.lineage import Subtype, Transformation

    return Dependency(port, name, Transformation.of(Subtype.IDENTITY, masking=True) if is_masked else IDENTITY)


@dataclass(slots=True)
class Scope:
    """The tables that the names of one SELECT can mean; further out lie those of the query around it."""

    outer: Scope | None = None
    tables: dict[str, Relation] = field(default_factory=dict)
    merged: dict[str, Dependencies] = field(default_factory=dict)
    """Columns that a join by USING made one."""
    aliases: dict[str, Dependencies] = field(default_factory=dict)
    """Earlier items of the same SELECT."""

    def add(self, alias: str, relation: Relation) -> None:
        """The relation is known by the alias; of two with one name nobody can say which is meant."""
        key = alias.casefold()
        known = self.tables.get(key)
        if known is None:
            self.tables[key] = relation
        else:
            self.tables[key] = Relation(None, known.rows | relation.rows, known.ports | relation.ports)

    def table(self, alias: str) -> Relation | None:
        """The relation of that alias, here or further out."""
        found = self.tables.get(alias.casefold())
        return found if found is not None or self.outer is None else self.outer.table(alias)

    @property
    def own_ports(self) -> frozenset[str]:
        """Every port below any of the tables here."""
        return frozenset(port for relation in self.tables.values() for port in relation.ports)

    @property
    def ports(self) -> frozenset[str]:
        """Every port below any of the tables, here or further out."""
        return self.own_ports if self.outer is None else self.own_ports | self.outer.ports

    def column(self, name: str) -> Dependencies:
        """What a column named without a table depends on; all that it may mean if nobody can tell which it is."""
        key = name.casefold()
        if key in self.merged:
            return self.merged[key]
        known = [relation for relation in self.tables.values() if relation.columns is not None]
        open_ended = [relation for relation in self.tables.values() if relation.columns is None]
        found = [deps for relation in known if (deps := relation.find(name)) is not None]
        if len(found) == 1 and not open_ended:
            return found[0]
        if found:
            return unknown({d.port for deps in found for d in deps} | {p for r in open_ended for p in r.ports})
        if key in self.aliases:
            return self.aliases[key]
        if open_ended:
            is_certain = len(open_ended) == 1 and self.outer is None
            certain = open_ended[0].find(name) if is_certain else None
            return certain if certain is not None else unknown(self.ports)
        return self.outer.column(name) if self.outer is not None else unknown(self.ports)

    def star(self) -> Iterator[tuple[str, Relation]]:
        """The tables of `*`, in order."""
        return iter(self.tables.items())
