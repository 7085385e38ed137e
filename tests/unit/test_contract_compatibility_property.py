"""Compatibility means what it says: held against every small set of data, judged without any of our comparison.

A universe of values is small enough to try every table of two rows. `is_valid` is a judge of its own (ODCS 3.2, in plain Python);
a sample of the same pairs is judged by the checks that run at publishing, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from governance_server.publishing.contract_step import stored_type
from governance_server.rules.contract_diff import diff
from mesh_core.contract import Column, Contract, Port, Rule
from mesh_core.quality import Checker

WHOLE: tuple[Any, ...] = (None, 0, 1, 2, 3, 4, 6, -1, -200, 200, 2**31)
TEXTS: tuple[Any, ...] = (None, "", "a", "ab", "b1", "abc", "xyz9", "xyz99")
RANGES = {"i8": (-128, 127), "u8": (0, 255), "i32": (-(2**31), 2**31 - 1), "i64": (-(2**63), 2**63 - 1)}


@dataclass(frozen=True)
class Promise:
    """One column, named `a`, and the port's rules about it; `is_there` is False when the contract has no such column."""

    logical: str = "integer"
    options: tuple[tuple[str, Any], ...] = ()
    required: bool = False
    unique: bool = False
    enum: tuple[Any, ...] = ()
    rules: tuple[tuple[str, str, Any, str], ...] = ()
    """Metric, operator, threshold, severity."""
    is_there: bool = True

    def contract(self) -> Contract:
        """As it is loaded from a document; made by hand, as judging a document takes longer than all the rest."""
        rules = tuple(
            Rule("library", metric, operator, threshold, "rows", {}, severity, None, None, {})
            for metric, operator, threshold, severity in self.rules
        )
        column = Column(
            "a", self.logical, options=dict(self.options), required=self.required, unique=self.unique, enum=self.enum,
            quality=rules,
        )  # fmt: skip
        columns = (Column("k", "string"), *([column] if self.is_there else ()))
        document = {"schema": [{"name": "t"}]}
        return Contract(
            "v3.2.0",
            "x",
            "1.0.0",
            None,
            None,
            "active",
            (),
            (Port("t", columns=columns),),
            {},
            (),
            {},
            text="",
            document=document,
        )


def is_valid(promise: Promise, rows: tuple[Any, ...]) -> bool:
    """Whether a table whose column `a` holds these values keeps the promise."""
    if not promise.is_there:
        return True
    values = [row for row in rows if row is not None]
    if promise.required and len(values) < len(rows):
        return False
    repeats = len(values) - len(set(values))
    if promise.unique and repeats:
        return False
    if not all(_fits(promise, value) for value in values):
        return False
    counts = {"nullValues": len(rows) - len(values), "duplicateValues": repeats}
    return all(
        _holds(operator, threshold, counts[metric])
        for metric, operator, threshold, severity in promise.rules
        if severity != "info"
    )


def _fits(promise: Promise, value: Any) -> bool:
    options = dict(promise.options)
    if promise.enum and value not in promise.enum:
        return False
    if promise.logical == "string":
        too_short, too_long = len(value) < options.get("minLength", 0), len(value) > options.get("maxLength", 99)
        return not too_short and not too_long and ("pattern" not in options or re.search(options["pattern"], value) is not None)
    low, high = RANGES[options.get("format", "i64")]
    within = low <= value <= high and options.get("minimum", low) <= value <= options.get("maximum", high)
    above = options.get("exclusiveMinimum") is None or value > options["exclusiveMinimum"]
    return within and above and value % options.get("multipleOf", 1) == 0


def _holds(operator: str, threshold: Any, count: int) -> bool:
    if operator == "mustBeBetween":
        return bool(threshold[0] <= count <= threshold[1])
    return {
        "mustBe": count == threshold, "mustNotBe": count != threshold, "mustBeLessThan": count < threshold,
        "mustBeGreaterThan": count > threshold, "mustBeLessOrEqualTo": count <= threshold,
    }[operator]  # fmt: skip


def tables(promise: Promise) -> list[tuple[Any, ...]]:
    universe = WHOLE if promise.logical == "integer" else TEXTS
    # Counting rules up to 2 tell nulls from repeats with up to four of each; the order of rows tells nothing.
    larger = (
        [rows for size in range(3, 10) for rows in combinations_with_replacement(universe[:4], size)] if promise.rules else []
    )
    return [rows for size in range(3) for rows in combinations_with_replacement(universe, size)] + larger


def goes_on(reader: Promise, writer: Promise, *, fills_absent: bool) -> bool:
    """Whether everything valid under the writer's promise keeps the reader's: the definition, tried table by table."""
    if not reader.is_there:
        return True
    if not writer.is_there:
        return fills_absent and all(is_valid(reader, (None,) * size) for size in range(4))
    sized = writer if writer.rules else replace(writer, rules=reader.rules)
    return all(is_valid(reader, rows) for rows in tables(sized) if is_valid(writer, rows))


INTEGER_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(["i8", "u8", "i32", "i64"]),
        "minimum": st.sampled_from([-1, 0, 1, 2]),
        "maximum": st.sampled_from([3, 4, 6, 200]),
        "exclusiveMinimum": st.sampled_from([0, 1]),
        "multipleOf": st.sampled_from([1, 2, 3, 6]),
    },
)
TEXT_OPTIONS = st.fixed_dictionaries(
    {},
    optional={"minLength": st.integers(0, 2), "maxLength": st.integers(2, 4), "pattern": st.sampled_from(["^a", "[0-9]$"])},
)
RULES = st.lists(
    st.tuples(
        st.sampled_from(["nullValues", "duplicateValues"]),
        st.sampled_from(["mustBe", "mustNotBe", "mustBeLessThan", "mustBeGreaterThan", "mustBeLessOrEqualTo"]),
        st.integers(0, 2),
        st.sampled_from(["error", "info"]),
    ),
    max_size=1,
).map(tuple)


def promises(logical: str) -> st.SearchStrategy[Promise]:
    values = (0, 1, 2, 6) if logical == "integer" else ("a", "ab", "b1")
    return st.builds(
        Promise,
        logical=st.just(logical),
        options=(INTEGER_OPTIONS if logical == "integer" else TEXT_OPTIONS).map(lambda found: tuple(sorted(found.items()))),
        required=st.booleans(),
        unique=st.booleans(),
        enum=st.one_of(st.just(()), st.sets(st.sampled_from(values), min_size=1, max_size=3).map(lambda it: tuple(sorted(it)))),
        rules=RULES,
        is_there=st.sampled_from([True, True, True, False]),
    )


PAIRS = st.sampled_from(["integer", "string"]).flatmap(lambda logical: st.tuples(promises(logical), promises(logical)))


@cache
def verdict(old: Promise, new: Promise) -> tuple[bool, bool]:
    """What our rules say: is backward compatible, is forward compatible."""
    changes = diff(old.contract(), new.contract(), stored_type)
    return not any(change.breaks_backward for change in changes), not any(change.breaks_forward for change in changes)


@settings(max_examples=80, deadline=None)
@given(PAIRS)
def test_what_is_called_compatible_breaks_no_reader(pair: tuple[Promise, Promise]) -> None:
    old, new = pair
    backward, forward = verdict(old, new)
    if backward:
        assert goes_on(old, new, fills_absent=False)
    if forward:
        assert goes_on(new, old, fills_absent=True)


ONE_OPTION = ("format", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "maxLength")


@st.composite
def single_changes(draw: st.DrawFn) -> tuple[Promise, Promise]:
    """Two promises that differ in one thing, and otherwise promise nothing that could hide the difference."""
    logical = draw(st.sampled_from(["integer", "string"]))
    one, other = draw(promises(logical)), draw(promises(logical))
    bare = Promise(logical)
    aspect = draw(st.sampled_from(["required", "unique", "enum", "is_there", "rules", "options"]))
    if aspect != "options":
        return replace(bare, **{aspect: getattr(one, aspect)}), replace(bare, **{aspect: getattr(other, aspect)})
    name = draw(st.sampled_from([it for it in ONE_OPTION if (it in ("minLength", "maxLength")) == (logical == "string")]))
    parts = [tuple((key, value) for key, value in it.options if key == name) for it in (one, other)]
    return replace(bare, options=parts[0]), replace(bare, options=parts[1])


@settings(max_examples=80, deadline=None)
@given(single_changes())
def test_what_is_called_breaking_breaks_a_reader_of_some_table(pair: tuple[Promise, Promise]) -> None:
    """Of one change at a time: of several, one may hide another, and then the rules err on the side of the reader.

    Of contracts that some table keeps: of the tables of one that none keeps (fewer than 0 nulls) anything is true.
    """
    old, new = pair
    assume(all(any(is_valid(promise, rows) for rows in tables(promise)) for promise in pair))
    backward, forward = verdict(old, new)
    assert backward == goes_on(old, new, fills_absent=False)
    assert forward == goes_on(new, old, fills_absent=True)


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.data())
def test_data_that_keeps_the_new_contract_passes_the_checks_of_the_old_one(
    pair: tuple[Promise, Promise], data: st.DataObject
) -> None:
    old, new = pair
    if not (old.is_there and new.is_there and verdict(old, new)[0]):
        return
    rows = data.draw(st.lists(st.sampled_from(WHOLE if new.logical == "integer" else TEXTS), max_size=5))
    if passes(new, rows):
        assert passes(old, rows)


def passes(promise: Promise, rows: list[Any]) -> bool:
    """By the checks that run when a release is published."""
    dtype = pl.Int64 if promise.logical == "integer" else pl.String
    checker = Checker(promise.contract().ports[0])
    checker.observe(pl.DataFrame({"k": ["x"] * len(rows), "a": pl.Series(rows, dtype=dtype)}))
    return checker.finish().is_ok


@pytest.mark.parametrize(("rows", "is_kept"), [((1, 2), True), ((1, 1), False), ((None, None), True), ((200,), False)])
def test_the_judge_of_these_tests_agrees_with_the_checks(rows: tuple[Any, ...], is_kept: bool) -> None:
    promise = Promise(options=(("format", "i8"),), unique=True)
    assert (is_valid(promise, rows), passes(promise, list(rows))) == (is_kept, is_kept)
