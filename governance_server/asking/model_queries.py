"""What a model's query may give: what the tables hold and what is computed of it, under names that say what it is.

A result is a source that sentences are held against. A query that gives words or numbers of its own (`SELECT 'refunds within 400
days' AS rule`), or calls a column what it is not, would make its writer a source of itself: documents can tell a model to do so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from governance_server.asking.query_names import given_names, joined_names
from governance_server.asking.query_values import is_never_given, is_own_value, value_columns
from governance_server.gateway.sql_query import DIALECT, InvalidQuery, query_tree
from mesh_core.answers.wording import stem

if TYPE_CHECKING:
    from sqlglot import exp

    from mesh_core.answers.tables import TableModel

__all__ = ["check_invents_nothing", "stems_of", "words_of_tables"]

_WORD = re.compile(r"[^\W\d_]+|\d+")
_PLAIN = frozenset(
    map(stem, _WORD.findall("""a all and any at average avg between by cnt count difference diff distinct each earliest first
    for from grand group has highest in is last latest lowest max maximum mean median min minimum n no num number of on or
    overall part per percent percentage pct position quantity rank ratio rate result row rows share since sum the to top total
    value with without"""))
)  # fmt: skip
"""Stems of words that a column may be called by whatever it holds."""
_TIMES = frozenset(map(stem, _WORD.findall("day month quarter week year date time")))
"""Those by which it may be called if a select list of the query cuts or compares times."""
_MAKES_NAMES = frozenset({"alias", "columns", "struct_pack", "row", "map", "map_from_entries"})


def check_invents_nothing(sql: str, known: frozenset[str], columns: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
    """Returns if the query gives nothing but what the tables hold, under words that are known.

    Args:
        sql: The query.
        known: Stems of the words, and numbers, of the question and of the contracts of the tables.
        columns: Names of the columns of tables, by the tables' three-part names.

    Raises:
        ValueError: it does not; the message says what to write instead.
        InvalidQuery: it cannot be understood.
    """
    tree = query_tree(sql)
    try:
        nodes = list(tree.walk())
        _check_values(nodes)
        _check_words(nodes, known)
        _check_columns(nodes, columns)
    except RecursionError:
        raise InvalidQuery("The SQL is nested too deeply: name parts of it with WITH.") from None


def _check_values(nodes: list[exp.Expr]) -> None:
    from sqlglot import exp

    for node in nodes:
        if is_own_value(node):
            raise ValueError(
                f"{node.sql(dialect=DIALECT)[:60]} would be your own words: give columns and what is computed of them; "
                f"compare with it in WHERE, HAVING or CASE WHEN."
            )
        names_itself = isinstance(node, exp.Struct | exp.Map | exp.Pivot | exp.ColumnDef | exp.Typeof)
        if names_itself or _name_of(node) in _MAKES_NAMES:
            raise ValueError("Nothing that names values itself can be used: give plain columns.")
        if isinstance(node, exp.Select) and not is_never_given(node) and not all(map(_is_computed, node.expressions)):
            raise ValueError("Every column of the result must be made of a column of a table.")


def _check_words(nodes: list[exp.Expr], known: frozenset[str]) -> None:
    words = known | _PLAIN | (_TIMES if any(map(_cuts_times, nodes)) else frozenset())
    for name in (name for name, _ in given_names(nodes)):
        found = [it for it in _WORD.findall(name) if len(it) > 1 or it.isdecimal()]
        if strange := [it for it in found if stem(it) not in words]:
            raise ValueError(
                f"{name[:60]!r}: {', '.join(strange)[:60]} stands neither in the question nor in the tables. "
                f"Call a column by their words, or leave AS out."
            )


def _check_columns(nodes: list[exp.Expr], columns: Mapping[str, Sequence[str]]) -> None:
    """What is called like a column of a table that is read is made of that column, or of columns of that name, alone."""
    from sqlglot import exp

    read = {".".join(part.name for part in node.parts).lower() for node in nodes if isinstance(node, exp.Table)}
    taken = {_key(name) for table, names in columns.items() if table.lower() in read for name in names}
    for name, given in [*given_names(nodes), *joined_names(nodes)]:
        if _key(name) not in taken:
            continue
        made_of = value_columns(given) if given is not None else []
        if not made_of or any(_key(column.name) != _key(name) for column in made_of):
            raise ValueError(f"{name[:60]!r} is another column of a table: call it something else, or leave AS out.")


def stems_of(text: str) -> frozenset[str]:
    """Stems of all its words, and its numbers."""
    return frozenset(map(stem, _WORD.findall(text)))


def words_of_tables(tables: list[TableModel]) -> frozenset[str]:
    """Stems of what contracts call tables, columns and measures."""
    names = [table.port for table in tables]
    for port in (table.definition for table in tables):
        names += port.synonyms
        for column in port.columns:
            names += (column.name, *column.synonyms)
        for measure in port.measures:
            names += (measure.name, measure.title, *measure.synonyms)
        for dimension in port.dimensions:
            names += (dimension.name, dimension.title, *dimension.synonyms)
    return stems_of(" ".join(filter(None, names)))


def _key(name: str) -> tuple[str, ...]:
    """Equal for names that are read as one: case, plural and what joins their words do not count."""
    return tuple(map(stem, _WORD.findall(name.lower())))


def _is_computed(given: exp.Expr) -> bool:
    """True if there is a column in it, or rows are counted."""
    from sqlglot import exp

    made = given.find(exp.Column, exp.Star, exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank)
    inside = given.find(exp.Select)
    return made is not None or inside is not None


def _cuts_times(node: exp.Expr) -> bool:
    """True for what in a select list cuts a time to a grain, says a part of it or compares two."""
    from sqlglot import exp

    timed = (
        exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.DateDiff, exp.TimestampDiff, exp.DateAdd, exp.DateSub, exp.TimeToStr,
        exp.Year, exp.Month, exp.Quarter, exp.Week, exp.Day, exp.CurrentDate,
    )  # fmt: skip
    as_text = isinstance(node, exp.Substring | exp.Left) and isinstance(node.this, exp.Cast)
    is_named = _name_of(node) in ("date_trunc", "date_diff", "datediff", "date_part", "strftime")
    if not (as_text or is_named or isinstance(node, timed)):
        return False
    return isinstance(node.find_ancestor(exp.Where, exp.Having, exp.Qualify, exp.Join, exp.Select), exp.Select)


def _name_of(node: exp.Expr | None) -> str:
    from sqlglot import exp

    if not isinstance(node, exp.Func):
        return ""
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
