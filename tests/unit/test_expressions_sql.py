"""What a filter's text may say, how it is refused, and that rendering and parsing are inverse."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.expressions.errors import InvalidExpression, Unsupported
from mesh_core.expressions.limits import MAX_DEPTH, MAX_NODES
from mesh_core.expressions.sql import parse_filter, to_sql
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or, Subject
from tests.expression_cases import EXPRESSIONS, FLOATS, LOGICAL_TYPES, typed

A = Column("a")
ONE = Compare("=", A, Literal(1))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = 1", ONE),
        ("a <> 1", Compare("!=", A, Literal(1))),
        ("1 >= a", Compare(">=", Literal(1), A)),
        ("a BETWEEN 1 AND -2", And((Compare(">=", A, Literal(1)), Compare("<=", A, Literal(-2))))),
        ("a NOT BETWEEN 1 AND 2", Not(And((Compare(">=", A, Literal(1)), Compare("<=", A, Literal(2)))))),
        ("a IN ('x', NULL)", In(A, (Literal("x"), Literal(None)))),
        ("a NOT IN (1)", Not(In(A, (Literal(1),)))),
        ("a LIKE 'x_%'", Like(A, "x_%")),
        ("a NOT LIKE 'x'", Not(Like(A, "x"))),
        ("a IS NULL", IsNull(A)),
        ("a IS NOT NULL", Not(IsNull(A))),
        ("NOT a = 1 AND b", And((Not(ONE), Column("b")))),
        ("a = 1 OR b AND c", Or((ONE, And((Column("b"), Column("c")))))),
        ("(a = 1 OR b) AND c", And((Or((ONE, Column("b"))), Column("c")))),
        ("region = subject.region", Compare("=", Column("region"), Subject("region"))),
        ('subject."cost center" = a', Compare("=", Subject("cost center"), A)),
        ('"Last ""Name""" = \'O\'\'Hara\'', Compare("=", Column('Last "Name"'), Literal("O'Hara"))),
        ("date >= DATE '2027-01-31'", Compare(">=", Column("date"), Literal(date(2027, 1, 31)))),
        ("a = TIMESTAMP '2027-01-31 10:00:00'", Compare("=", A, Literal(datetime(2027, 1, 31, 10)))),
        ("a = TIMESTAMPTZ '2027-01-31 10:00:00+02:00'", Compare("=", A, Literal(datetime(2027, 1, 31, 8, tzinfo=UTC)))),
        ("a = 1.50", Compare("=", A, Literal(Decimal("1.50")))),
        ("a = 15e-1", Compare("=", A, Literal(1.5))),
        ("TRUE", Literal(True)),
        (r"a = 'a\n'", Compare("=", A, Literal(r"a\n"))),
    ],
)
def test_an_allowed_filter_parses_to_its_tree(sql: str, expected: Expression) -> None:
    assert typed(parse_filter(sql)) == typed(expected)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("upper(a) = 'X'", "function call"),
        ("read_csv('/etc/passwd') = 'X'", "function call"),
        ("count(*) > 1", "function call"),
        ("CAST(a AS int) = 1", "function call"),
        ("a::int = 1", "a cast"),
        ("a = (SELECT 1)", "a subquery"),
        ("a IN (SELECT 1)", "a subquery"),
        ("EXISTS (SELECT 1)", "a subquery"),
        ("a = 1; DROP TABLE x", "a second statement"),
        ("a = 1 -- and b = 2", "comment"),
        ("a /* hidden */ = 1", "comment"),
        ("a + 1 = 2", "arithmetic"),
        ("a = - - 1", "arithmetic"),
        ("a || 'x' = 'y'", "string concatenation"),
        ("a = current_date", "current_date"),
        ("a = ?", "a parameter"),
        ("CASE WHEN a THEN b END", "CASE"),
        ("a ILIKE 'x'", "ILIKE"),
        ("a LIKE 'x' ESCAPE '!'", "'!'|ESCAPE"),
        ("a IS DISTINCT FROM b", "IS DISTINCT FROM"),
        ("a IS TRUE", "TRUE"),
        ("a = INTERVAL '1' DAY", "an interval"),
        ("a = e'x'", "escape string"),
        ("a = $$x$$", "dollar-quoted"),
        ("a = 'x' 'y'", "'y'"),
        ("a = 0x1F", "x1F"),
        ("a = [1]", "an array"),
        ("other.a = 1", "qualified name"),
        ('"subject".a = 1', "qualified name"),
        ("subject.a.b = 1", "qualified name"),
        ("a LIKE b", "pattern in quotes"),
        ("(a = 1) = b", "applied to a condition"),
        ("(a = 1) IS NULL", "applied to a condition"),
        ("a = b = c", "'='"),
        ("a IN (b)", "IN lists something other"),
        ("a IN ()", "'\\)'"),
        ("a AS b", "'AS'"),
        ("'x' OR a", "'x' stands where a condition is needed"),
        ("a = DATE '2027-02-30'", "DATE '2027-02-30' is not valid"),
        ("a = 1e999", "out of range"),
        ("a = " + "9" * 39, "38 digits"),
        ("a = 'open", "close it"),
        ("", "empty"),
        ("a =", "ends too early"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name(sql: str, named: str) -> None:
    with pytest.raises(InvalidExpression, match=named):
        parse_filter(sql)


@given(EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_rendered_text_parses_back_to_the_same_expression(expression: Expression) -> None:
    assert typed(parse_filter(to_sql(expression))) == typed(expression)


@given(FLOATS)
def test_a_double_keeps_every_bit_in_text(value: float) -> None:
    found = parse_filter(to_sql(Compare("=", A, Literal(value))))
    assert isinstance(found, Compare)
    assert repr(found.right) == repr(Literal(value))


@given(st.text(max_size=30))
@settings(max_examples=200)
def test_any_text_is_parsed_or_refused_and_nothing_else(sql: str) -> None:
    with contextlib.suppress(InvalidExpression):
        assert parse_filter(sql) == parse_filter(to_sql(parse_filter(sql)))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_name_or_value_can_leave_its_quotes(name: str, value: str) -> None:
    expression = And((Compare("=", Column(name), Literal(value)), Compare("=", Subject(name), Literal(1))))
    assert parse_filter(to_sql(expression)) == expression


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1_000, 4_900])
@pytest.mark.parametrize("template", ["({}{}a", "NOT ({}a", "NOT {}a", "(b = 2 AND {}a"])
def test_deep_nesting_is_refused_quickly_without_exhausting_the_stack(template: str, levels: int) -> None:
    opening = template.partition("{")[0]
    sql = opening * levels + "a = 1" + ")" * (levels * opening.count("("))
    started = time.process_time()
    with pytest.raises(InvalidExpression, match=r"nested deeper|characters"):
        parse_filter(sql)
    assert time.process_time() - started < 5


def test_the_caps_are_exact() -> None:
    assert parse_filter("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1)) == A
    within = " OR ".join(["a"] * (MAX_NODES - 1))
    assert isinstance(parse_filter(within), Or)
    with pytest.raises(InvalidExpression, match="1000 nodes"):
        parse_filter(within + " OR a")
    with pytest.raises(InvalidExpression, match="10001 characters"):
        parse_filter("a" * 10_001)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("amout > 1", "'amount'"),
        ("born > '2020-01-01'", "DATE '2027-01-31'"),
        ('"Last Name" = 1', "column 'Last Name' of type string with the number 1"),
        ("id IN (1, 'x')", "the string 'x'"),
        ("id LIKE 'x'", "LIKE needs a string"),
        ("id", "A condition needs a boolean"),
        ("NOT id", "A condition needs a boolean"),
        ("id = active", "compares"),
        ("1 = 'x'", "compares"),
        ("place = 1", "only IS NULL"),
        ("subject.x = nowhere", "no column 'nowhere'"),
    ],
)
def test_columns_and_their_types_are_checked_where_they_are_known(sql: str, named: str) -> None:
    with pytest.raises(InvalidExpression, match=named):
        parse_filter(sql, LOGICAL_TYPES | {"place": "object"})


def test_what_fits_the_columns_passes() -> None:
    columns = LOGICAL_TYPES | {"place": "object"}
    sql = "id = 1.5 AND active AND born < TIMESTAMP '2020-01-01 00:00:00' AND place IS NULL AND seen = subject.since OR id = NULL"
    assert parse_filter(sql, columns) == parse_filter(sql)


def test_text_for_an_engine_leaves_nothing_to_the_engine() -> None:
    with pytest.raises(Unsupported, match="bind_subject"):
        to_sql(Compare("=", A, Subject("region")), "datafusion")
    with pytest.raises(Unsupported, match="can raise"):
        to_sql(Compare("=", A, Column("b")), "datafusion")
    assert to_sql(Like(A, "50\\%"), "datafusion") == '"a" LIKE \'50\\\\%\' AND NOT ("a" IS NULL)'
