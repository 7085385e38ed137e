"""What a model's query may give: what the tables hold and what is computed of it, under names that say what it is.

A result is a source that sentences are held against. A query that gives words or numbers of its own (`SELECT 'refunds within 400
days' AS rule`), or calls a column what it is not, would make its writer a source of itself: documents can tell a model to do so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from governance_server.gateway.sql_query import DIALECT, InvalidQuery, query_tree
from mesh_core.answers.wording import stem

if TYPE_CHECKING:
    from sqlglot import exp

    from mesh_core.answers.tables import TableModel

__all__ = ["check_invents_nothing", "stems_of", "words_of_tables"]

_WORD = re.compile(r"[^\W\d_]+")
_TIME_FORMAT = re.compile(r"(?:%-?[A-Za-z]|[-/:. TZQ])*\Z")
_PLAIN = frozenset(
    map(stem, _WORD.findall("""a all and any at average avg between by cnt count difference diff distinct each earliest first
    for from grand group has highest in is last latest lowest max maximum mean median min minimum n no num number of on or
    overall part per percent percentage pct position quantity rank ratio rate result row rows share since sum the to top total
    value with without"""))
)  # fmt: skip
"""Stems of words that a column may be called by whatever it holds."""
_TIMES = frozenset(map(stem, _WORD.findall("day month quarter week year date time")))
"""Those by which it may be called if times are cut or compared in the query."""
_MAKES_NAMES = frozenset({"alias", "columns", "struct_pack", "row", "map", "map_from_entries"})


def check_invents_nothing(sql: str, known: frozenset[str]) -> None:
    """Returns if the query gives nothing but what the tables hold, under words that are known.

    Args:
        sql: The query.
        known: Stems of the words of the question and of the contracts of the tables.

    Raises:
        ValueError: it does not; the message says what to write instead.
        InvalidQuery: it cannot be understood.
    """
    from sqlglot import exp

    tree = query_tree(sql)
    try:
        nodes = list(tree.walk())
        for node in nodes:
            if isinstance(node, exp.Literal | exp.RawString | exp.National | exp.HexString | exp.BitString | exp.ByteString):
                if not _is_asked_with(node):
                    raise ValueError(
                        f"{node.sql(dialect=DIALECT)[:60]} would be your own words: give columns, and compare with it."
                    )
            elif isinstance(node, exp.Struct | exp.Map | exp.Pivot) or _name_of(node) in _MAKES_NAMES:
                raise ValueError("Nothing that names values itself can be used: give plain columns.")
            elif isinstance(node, exp.Select) and any(not _is_computed(it) for it in node.expressions):
                raise ValueError("Every column of the result must be made of a column of a table.")
        words = known | _PLAIN | (_TIMES if any(map(_is_of_times, nodes)) else frozenset())
        for name in _given_names(nodes):
            if strange := [it for it in _WORD.findall(name) if len(it) > 1 and stem(it) not in words]:
                raise ValueError(
                    f"{name[:60]!r}: {', '.join(strange)[:60]} stands neither in the question nor in the tables. "
                    f"Call a column by their words, or leave AS out."
                )
    except RecursionError:
        raise InvalidQuery("The SQL is nested too deeply: name parts of it with WITH.") from None


def stems_of(text: str) -> frozenset[str]:
    """Stems of all its words."""
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


def _is_asked_with(literal: exp.Expr) -> bool:
    """True if the literal is compared with, or says how something is computed; its value is then not given."""
    from sqlglot import exp

    compared = (exp.Predicate, exp.Interval, exp.Limit, exp.Offset, exp.Fetch, exp.WindowSpec, exp.HistoricalData)
    inner, outer = literal, literal.parent
    while isinstance(outer, exp.Paren | exp.Cast | exp.Tuple | exp.Neg | exp.Lower | exp.Upper | exp.Trim | exp.Date):
        inner, outer = outer, outer.parent
    if isinstance(outer, exp.TimeToStr) or _name_of(outer) == "strftime":
        return _TIME_FORMAT.match(literal.name) is not None
    if isinstance(outer, compared) and not isinstance(outer, exp.SubqueryPredicate):
        return True
    if _is_of_times(outer):
        return True
    return isinstance(literal, exp.Literal) and not literal.is_string and _is_small_change(literal, inner, outer)


def _is_small_change(number: exp.Literal, inner: exp.Expr, outer: exp.Expr | None) -> bool:
    """True for numbers that bring a value into form: places and positions, fractions, percent, one for each row."""
    from sqlglot import exp

    if isinstance(outer, exp.Round | exp.Group | exp.Ordered):
        return outer.this is not inner or isinstance(outer, exp.Ordered)
    try:
        value = Decimal(number.name)
    except InvalidOperation:
        return False
    if isinstance(outer, exp.Quantile | exp.PercentileCont | exp.PercentileDisc | exp.ApproxQuantile):
        return 0 <= value <= 1
    if isinstance(outer, exp.Mul | exp.Div):
        other = outer.expression if outer.this is inner else outer.this
        return value in (1, 100, 1000) and other.find(exp.Column, exp.Count) is not None
    return value in (0, 1) and isinstance(outer, exp.If | exp.Case | exp.Nullif | exp.Coalesce | exp.Count | exp.Sum)


def _is_computed(given: exp.Expr) -> bool:
    """True if there is a column in it, or rows are counted."""
    from sqlglot import exp

    made = given.find(exp.Column, exp.Star, exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank)
    inside = given.find(exp.Select)
    return made is not None or inside is not None


def _is_of_times(node: exp.Expr | None) -> bool:
    """True for what cuts a time to a grain, says a part of it or compares two."""
    from sqlglot import exp

    timed = (
        exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.DateDiff, exp.TimestampDiff, exp.DateAdd, exp.DateSub, exp.TimeToStr,
        exp.Year, exp.Month, exp.Quarter, exp.Week, exp.Day,
    )  # fmt: skip
    return isinstance(node, timed) or _name_of(node) in ("date_trunc", "date_diff", "datediff", "date_part", "strftime")


def _name_of(node: exp.Expr | None) -> str:
    from sqlglot import exp

    if not isinstance(node, exp.Func):
        return ""
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _given_names(nodes: list[exp.Expr]) -> Iterator[str]:
    """What the query calls columns."""
    from sqlglot import exp

    for node in nodes:
        if isinstance(node, exp.Alias | exp.PropertyEQ):
            yield node.alias_or_name
        elif isinstance(node, exp.TableAlias):
            yield from (it.name for it in node.args.get("columns") or ())
