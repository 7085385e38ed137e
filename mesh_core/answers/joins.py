"""Columns of other tables that figures may be told apart by, along references that contracts declare: `orders of gold customers`.

Only from many rows to one: the table refers by one column to a key of the other, so every row of it meets one row at most and its
measures are computed at their own grain. The other way round, or where no contract declares a reference, nothing is joined, and
why is said. What a joined column is called, `customer_tier`, is named for what refers to it. Pure words, and one tree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mesh_core.answers.keys import Given, is_key, key_noun, listed_values, nouns_of, singular
from mesh_core.answers.measure_filters import asked_columns, numeric_columns
from mesh_core.answers.references import identities, targets
from mesh_core.answers.tables import TableModel
from mesh_core.answers.terms import best_matches
from mesh_core.contract.model import Column, Port
from mesh_core.contract.semantics import Dimension

if TYPE_CHECKING:
    from sqlglot import exp

    from mesh_core.answers.terms import Word

__all__ = ["Join", "joined_table", "joins_of", "used_joins", "why_not_joined", "with_joined", "without_doubles"]


@dataclass(frozen=True, slots=True)
class Join:
    """A table that another refers to.

    Attributes:
        port: Its three-part name.
        key: Its key.
        reference: The column that refers to it.
        role: What the reference is called: `customer` of `customer_id`.
        columns: Its columns by the names that they have beside those of the referring table.
        names: What the table itself may be called.
        hidden: What the asker sees masked of them, the reference and the key included, by those names.
        is_filtered: Policy may withhold rows of it.
    """

    port: str
    key: str
    reference: str
    role: str
    columns: Mapping[str, str]
    names: tuple[str, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    is_filtered: bool = False

    @property
    def words(self) -> str:
        """How it is joined, in words."""
        return f"with {self.port} by {self.reference}"


def joins_of(table: TableModel, tables: Mapping[str, TableModel]) -> list[Join]:
    """The tables that the table's columns refer to, each reference once: what is referred to itself comes first."""
    found: list[Join] = []
    port = table.definition
    taken = {*(it.name for it in port.columns), *(it.name for it in port.dimensions), *(it.name for it in port.measures)}
    for column in port.columns:
        referred = targets(column)
        ports = {to.rpartition(".")[0] for to in referred}
        for name in sorted(tables, key=lambda it: (it not in ports, it)) if referred else ():
            other = tables[name]
            key = next((it for it in other.definition.columns if _is_referred(it, other, referred)), None)
            if key is not None and other.port != table.port and (join := _join(table, column, other, key, taken)).columns:
                found.append(join)
                taken |= join.columns.keys()
    return found


def _is_referred(key: Column, table: TableModel, referred: Sequence[str]) -> bool:
    return is_key(table.definition, key) and not identities(key, table.port).isdisjoint(referred)


def _join(table: TableModel, reference: Column, other: TableModel, key: Column, taken: set[str]) -> Join:
    role = "_".join(key_noun(table.definition, reference).split())
    port = other.definition
    numbers = {it.name for it in numeric_columns(port)}
    asked = [it for it in asked_columns(port) if it is not key and it.name not in numbers and not it.relationships]
    columns = {f"{role}_{it.name}": it.name for it in asked if it.name.isidentifier() and f"{role}_{it.name}" not in taken}
    hidden = {alias: f"{role}_{name}" for alias, name in columns.items() if name in other.masked}
    if reference.name in table.masked or key.name in other.masked:
        hidden = dict.fromkeys(columns, reference.name)
    names = tuple(it for name in (port.name, *port.synonyms) for it in (name, singular(name)))
    return Join(other.port, key.name, reference.name, role, columns, names, hidden, other.is_filtered)


def with_joined(port: Port, joins: Sequence[Join], ports: Mapping[str, Port]) -> Port:
    """The port with the joined columns as its own, to be asked for by their names as long as no other column has these."""
    own = {noun for it in port.columns for noun in nouns_of(port, it)}
    added: list[Column] = []
    for join in joins:
        known = {it.name: it for it in ports[join.port].columns}
        alone = sum(it.port == join.port for it in joins) == 1
        for alias, name in join.columns.items():
            plain = [name, *known[name].synonyms]
            said = [f"{join.role} {it}" for it in plain] + [f"{it} {noun}" for it in join.names for noun in plain if alone]
            said += [it for it in plain if alone and it not in own and not _is_elsewhere(it, join, joins, ports)]
            synonyms = tuple(dict.fromkeys(said))
            added.append(replace(known[name], name=alias, synonyms=synonyms, primary_key_position=None, unique=False))
    dimensions = [Dimension(it.name, logical_type=it.logical_type or "", synonyms=it.synonyms) for it in added]
    kept = (*port.dimensions, *(dimensions if any(not it.expression for it in port.dimensions) else ()))
    return replace(port, columns=(*port.columns, *added), dimensions=kept)


def _is_elsewhere(noun: str, join: Join, joins: Sequence[Join], ports: Mapping[str, Port]) -> bool:
    others = (it for it in joins if it.port != join.port)
    return any(noun in (column.name, *column.synonyms) for it in others for column in ports[it.port].columns)


def joined_table(table: exp.Select, join: Join, *, compared: Collection[str], grouped: Collection[str]) -> exp.Select:
    """The query with the table joined, of which every row of the query meets one row at most; as it is if none is named.

    Args:
        table: The query of the referring table.
        join: The other one.
        compared: Names in conditions; a condition on a joined column holds only for rows that meet one.
        grouped: Names that rows are grouped by; rows that meet none are a group of their own.
    """
    from sqlglot import exp

    from mesh_core.answers.measure_sql import table_of

    def named(name: str) -> exp.Column:
        return exp.column(exp.to_identifier(name, quoted=True))

    key = f"{join.role}_{join.key}__key"
    wanted = [it for it in join.columns if it in compared or it in grouped]
    if not wanted:
        return table
    columns = [
        exp.alias_(named(name), alias, quoted=True)
        for alias, name in ((key, join.key), *((it, join.columns[it]) for it in wanted))
    ]
    source = exp.select(*columns).from_(table_of(join.port, 0)).subquery(exp.to_identifier(f"{join.role}__joined", quoted=True))
    kind = "inner" if any(it in compared for it in wanted) else "left"
    return table.join(source, on=exp.EQ(this=named(join.reference), expression=named(key)), join_type=kind)


def why_not_joined(words: Sequence[Word], name: str, ports: Mapping[str, Port], joins: Sequence[Join]) -> str:
    """Why words that another table alone explains say nothing of the port's figures; empty if no table explains them."""
    own = _explained(ports[name], words)
    foreign = [it for it in words if it not in own]
    for other, port in ports.items():
        explained = _explained(port, foreign) if other != name and not any(it.port == other for it in joins) else []
        if not explained:
            continue
        listed = ", ".join(f"“{it.text}”" for it in explained)
        if any(_refers(column, ports[name], name) for column in port.columns):
            return f"{listed}: {other} has several rows for one of {name}: joined, its figures would count more than once."
        return (
            f"{listed}: that is of {other}, and no contract says how {name} refers to it (`relationships`): they are not joined."
        )
    return ""


def _refers(column: Column, other: Port, name: str) -> bool:
    referred = targets(column)
    return any(is_key(other, it) and not identities(it, name).isdisjoint(referred) for it in other.columns)


def _explained(port: Port, words: Sequence[Word]) -> list[Word]:
    """The words that name the port, a column that rows are told apart by, or a value that one lists."""
    names = [it for name in (port.name, *port.synonyms) for it in (name, singular(name))]
    columns = asked_columns(port)
    named = best_matches(list(words), [*names, *(it for column in columns for it in (column.name, *column.synonyms))])
    values = {str(it).casefold() for column in columns for it in listed_values(column)}
    return [it for at, it in enumerate(words) if it.folded in values or any(m.first <= at < m.last for m in named)]


def used_joins(joins: Sequence[Join], names: Collection[str]) -> list[Join]:
    """The joins of which one of the columns is named."""
    return [it for it in joins if not it.columns.keys().isdisjoint(names)]


def without_doubles(given: Sequence[Given], joins: Sequence[Join]) -> list[Given]:
    """What each word says, once: of the table's own column, else of the one that more words name, else of what is joined first.

    What may as well be of a second reference to the same table is left out.
    """
    place = {alias: at for at, join in enumerate(joins, start=1) for alias in join.columns}
    kept: list[Given] = []
    for it in sorted(given, key=lambda it: (bool(place.get(it.column)), it.first - it.last, place.get(it.column, 0))):
        same = [other for other in kept if it.column in place and it.first < other.last and other.first < it.last]
        if not same:
            kept.append(it)
        elif any(_are_one_table(it, other, joins) and it.last - it.first == other.last - other.first for other in same):
            kept = [other for other in kept if other not in same]
    return sorted(kept, key=lambda it: it.first)


def _are_one_table(one: Given, other: Given, joins: Sequence[Join]) -> bool:
    ports = [next((it.port for it in joins if given.column in it.columns), "") for given in (one, other)]
    return one.column != other.column and bool(ports[0]) and ports[0] == ports[1]
