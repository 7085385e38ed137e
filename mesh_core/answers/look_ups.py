"""Look-ups: rows by the keys that a question gives, rows that refer to them, and the rows that these refer to in turn.

A reference is one that the contract declares (`relationships`); nothing is joined because names look alike. Every date comes with
its age in days, so that rules about time can be held against it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from mesh_core.answers.answer import Figure
from mesh_core.answers.keys import Given, given_values, is_key, plain_key, singular
from mesh_core.answers.measure_sql import table_of
from mesh_core.answers.references import identities, targets
from mesh_core.answers.row_conditions import InvalidMeasure, Values, among
from mesh_core.answers.tables import FigureQuery, LookUp, TableModel
from mesh_core.answers.terms import term_words, words_of
from mesh_core.contract.model import Column, Port
from mesh_core.contract.semantic_check import DIALECT

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["AGE", "look_ups", "matching_ports", "values_without_rows"]

AGE = "days_since_"
"""What the age of a date column is called in a look-up."""
_MOST_ROWS = 5
_MOST_COLUMNS = 40
_SIMPLE = ("string", "integer", "number", "boolean", "date", "timestamp", "time")


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of a table whose column has given values."""

    table: TableModel
    column: Column
    given: Given

    @property
    def only(self) -> Values:
        return Values(self.column.name, self.given.values)

    @property
    def is_own(self) -> bool:
        """A value of the column is of one row."""
        return is_key(self.table.definition, self.column)

    @property
    def look_up(self) -> LookUp:
        table = self.table
        return LookUp(table.port, table.definition, table.masked, self.is_own, self.column.name, self.given.values)

    @property
    def words(self) -> str:
        return f"{self.table.port} where {self.column.name} is {' or '.join(self.given.values)}"


def look_ups(question: str, tables: Mapping[str, TableModel], *, today: date) -> list[FigureQuery]:
    """The queries: rows of the keys that are given first, then what those refer to, then what refers to them.

    Rows of a table that refer to a given key are looked up unless the question names rows of that table by their own.
    """
    found = list(_found(question, tables))
    own = [it for it in found if it.is_own]
    told = {it.table.port for it in found}
    named = {it.table.port for it in own}
    referring = [it for it in found if not it.is_own and it.table.port not in named]
    referring += [it for it in _referring(own, tables) if not it.is_own and it.table.port not in told]
    given = {(it.table.port, it.column.name, it.given.values) for it in own}
    made = [_query(it.table, _condition(it), it.words, today, of=_own(it, found)) for it in own]
    made += [query for it in own for query in _referred(it, given, tables, today)]
    made += [_query(it.table, _condition(it), it.words, today, of=it.look_up) for it in referring]
    return list({it.sql: it for it in made}.values())


def values_without_rows(
    asked: Sequence[FigureQuery], found: Sequence[tuple[FigureQuery, Figure | None]], crowded: Collection[str]
) -> list[str]:
    """What look-ups were asked for and no look-up has a row of, like `order id O-004711`; values with a digit, once each.

    Args:
        asked: The look-ups that the question is about.
        found: Every look-up that was run, with its rows.
        crowded: The SQL of those that have too many rows to be given.
    """
    known = {(it.look_up.by, value) for it, figure in found if it.look_up for value in _values_of(it, figure, crowded)}
    run = {it.sql for it, _ in found}
    looked = [it.look_up for it in asked if it.look_up and it.look_up.by and it.sql in run]
    wanted = [(it.by, value) for it in looked for value in it.values if any(letter.isdigit() for letter in value)]
    return list(dict.fromkeys(f"{by.replace('_', ' ')} {value}" for by, value in wanted if (by, plain_key(value)) not in known))


def _values_of(query: FigureQuery, figure: Figure | None, crowded: Collection[str]) -> Iterator[str]:
    """The values that rows were found of; of too many rows, all that were asked for."""
    look_up = query.look_up
    if look_up is None or not look_up.by:
        return
    if query.sql in crowded:
        yield from map(plain_key, look_up.values)
    elif figure is not None and look_up.by in figure.columns:
        place = figure.columns.index(look_up.by)
        yield from (plain_key(row[place]) for row in figure.rows)


def matching_ports(question: str, ports: Mapping[str, Port]) -> list[str]:
    """The ports that hold, by their contracts, rows of the keys that the question gives; in words, by name."""
    tables = {name: TableModel(name, 0, port) for name, port in sorted(ports.items())}
    return list(dict.fromkeys(it.words for it in _found(question, tables)))


def _found(question: str, tables: Mapping[str, TableModel]) -> Iterator[_Found]:
    words = words_of(question)
    for table in tables.values():
        port = table.definition
        for column in port.columns:
            if column.name in table.masked or not (is_key(port, column) or column.relationships):
                continue
            for given in given_values(question, words, port, column):
                yield _Found(table, column, given)


def _referring(own: Sequence[_Found], tables: Mapping[str, TableModel]) -> Iterator[_Found]:
    """The columns of other tables that refer to a key that is given, with its values: the key may be told by its shape alone."""
    for it in own:
        named = identities(it.column, it.table.port)
        for table in tables.values():
            for column in table.definition.columns:
                if table.port != it.table.port and column.name not in table.masked and not named.isdisjoint(targets(column)):
                    yield _Found(table, column, it.given)


def _own(found: _Found, others: Sequence[_Found]) -> LookUp:
    """With what the question says of the same rows beside their key."""
    same = [it for it in others if it.table.port == found.table.port and it.column.name != found.column.name]
    beside = tuple(dict.fromkeys((it.column.name, it.given.values) for it in same))
    return replace(found.look_up, beside=beside)


def _condition(found: _Found) -> exp.Expr:
    return among(found.table.definition, found.only)


def _referred(
    found: _Found, given: Collection[tuple[str, str, tuple[str, ...]]], tables: Mapping[str, TableModel], today: date
) -> Iterator[FigureQuery]:
    """The rows that the found ones refer to, and those of the same key in other tables that refer to it, too.

    Rows whose key is `given` (port, column, values) are looked up by it already.
    """
    from sqlglot import exp

    for column in found.table.definition.columns:
        referred = targets(column) if column.name not in found.table.masked else []
        for table in tables.values() if referred else ():
            for key in table.definition.columns:
                if key.name in table.masked or not is_key(table.definition, key):
                    continue
                if identities(key, table.port).isdisjoint(referred):
                    continue
                if column is found.column and (table.port, key.name, found.given.values) in given:
                    continue
                named = exp.column(exp.to_identifier(column.name, quoted=True))
                inner = exp.select(named).from_(table_of(found.table.port, 0)).where(_condition(found))
                condition = exp.In(this=exp.column(exp.to_identifier(key.name, quoted=True)), query=exp.Subquery(this=inner))
                words = f"{table.port} that {found.words} refers to by {column.name}"
                of = LookUp(table.port, table.definition, table.masked, is_own=False, referred_by=found.words)
                yield _query(table, condition, words, today, of=of)


def _query(table: TableModel, condition: exp.Expr, words: str, today: date, *, of: LookUp) -> FigureQuery:
    from sqlglot import exp

    columns = [it for it in table.definition.columns if it.logical_type in _SIMPLE and it.name.isidentifier()][:_MOST_COLUMNS]
    if not columns:
        raise InvalidMeasure(f"{table.port} has no column that can be said.")
    selected: list[exp.Expr] = []
    for column in columns:
        named = exp.column(exp.to_identifier(column.name, quoted=True))
        selected.append(named)
        if _has_age(table, column):
            day = exp.cast(exp.Literal.string(today.isoformat()), "date")
            age = exp.Anonymous(this="date_diff", expressions=[exp.Literal.string("day"), exp.cast(named.copy(), "date"), day])
            selected.append(exp.alias_(age, f"{AGE}{column.name}", quoted=True))
    places = [exp.Literal.number(1)]
    built = exp.select(*selected).from_(table_of(table.port, 0)).where(condition).order_by(*places).limit(_MOST_ROWS + 1)
    return FigureQuery(built.sql(dialect=DIALECT), tuple(_sentences(table, columns)), words, _MOST_ROWS, of)


def _has_age(table: TableModel, column: Column) -> bool:
    return column.is_dated and column.name not in table.masked


def _sentences(table: TableModel, columns: list[Column]) -> Iterator[str]:
    """One of all that every row has, and one for each column that may be empty."""
    port = table.definition
    keys = [it for it in port.primary_key if it in columns] or columns[:1]
    noun = " ".join(term_words(singular(port.name)))
    which = f"{noun[:1].upper()}{noun[1:]} {' '.join(f'{{{it.name}}}' for it in keys)}"
    sure = [it for it in columns if it not in keys and it.required and it.name not in table.masked]
    if sure:
        yield f"{which}: {', '.join(_said(table, it) for it in sure)}."
    yield from (f"{which}: {_said(table, it)}." for it in columns if it not in keys and it not in sure)


def _said(table: TableModel, column: Column) -> str:
    unit = column.unit
    age = f", {{{AGE}{column.name}}} days ago" if _has_age(table, column) else ""
    return f"{column.name.replace('_', ' ')} {{{column.name}}}{f' {unit}' if unit else ''}{age}"
