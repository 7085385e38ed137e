"""The subset rule, cell by cell: what is let through gives no cell, moment or purpose that its grantor does not hold.

The oracle reads a grant a second time, in plain Python: who may know what of which cell of four rows, when, for which purpose.
Mutants of the rule show that the oracle would notice.
"""

from __future__ import annotations

import inspect
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from governance_server.rules import delegation
from governance_server.rules.delegation import Holding
from governance_server.rules.row_conditions import all_of
from mesh_core.expressions.tree import Column, Compare, Literal

NAMES = ("a", "b", "mail")
ROWS = [dict(zip(("a", "b"), values, strict=True)) for values in itertools.product((0, 1), repeat=2)]
FILTERS = {name: next(iter(all_of([Compare("=", Column(name), Literal(1))]))) for name in ("a", "b")}
MASKS: dict[str, frozenset[str]] = {
    "": frozenset({"value", "beginning", "length"}),
    "show-first-4": frozenset({"beginning", "length"}),
    "mask-alphanum": frozenset({"length"}),
    "replace-with-null": frozenset(),
}
"""What a reader learns of a value under each mask."""
ABOVE = {"": frozenset[str](), "analytics": frozenset({"analytics"}), "forecasting": frozenset({"forecasting", "analytics"})}
TIMES = ["0000", "2026-01", "2026-02", "2026-03", "9999"]
RESOURCES = ["shop", "shop.orders", "shop.orders.orders", "shop.orders.returns"]
NOW = "2026-02"
Shortfalls = Callable[..., tuple[str, ...]]


def learned(holding: Holding, resource: str, row: dict[str, int], column: str, purpose: str, time: str) -> frozenset[str]:
    """What the holding shows of one cell of one table."""
    is_there = resource == holding.resource or resource.startswith(f"{holding.resource}.")
    is_for = not holding.purpose or holding.purpose in ABOVE[purpose]
    is_then = holding.start <= time < holding.end
    has_row = all(row[name] == 1 for name, atom in FILTERS.items() if atom in holding.filters)
    has_column = holding.columns is None or column in holding.columns
    return MASKS[holding.masks.get(column, "")] if is_there and is_for and is_then and has_row and has_column else frozenset()


def excess(held: Holding, wanted: Holding, veiled: frozenset[str]) -> Iterator[object]:
    """What the wanted grant gives and the held one does not, from now on."""
    tables = [name for name in RESOURCES if name.count(".") == 2]
    for table, row, column, purpose in itertools.product(tables, ROWS, NAMES, ABOVE):
        for time in TIMES[TIMES.index(NOW) : -1]:
            more = learned(wanted, table, row, column, purpose, time) - learned(held, table, row, column, purpose, time)
            if more:
                yield table, row, column, purpose, time, more
    for name, atom in FILTERS.items():
        is_clear = (held.columns is None or name in held.columns) and not held.masks.get(name) and name not in veiled
        if atom in wanted.filters - held.filters and not is_clear:
            yield "a filter tells of", name


def drawn(chance: random.Random, rule: str) -> Holding:
    shown = chance.choice([None, None, frozenset(chance.sample(NAMES, 2)), frozenset(chance.sample(NAMES, 1))])
    times = sorted(chance.sample(TIMES, 2))
    return Holding(
        rule=rule,
        resource=chance.choice(RESOURCES),
        columns=shown,
        filters=frozenset(atom for atom in FILTERS.values() if chance.random() < 0.4),
        masks={name: chance.choice([*MASKS][1:]) for name in NAMES if chance.random() < 0.3},
        purpose=chance.choice(["", "", "analytics", "forecasting"]),
        start=times[0],
        end=times[1],
    )


def close_to(chance: random.Random, held: Holding) -> Holding:
    """A grant that is the held one but for one or two of its parts, so that it often may be given."""
    other = drawn(chance, "wanted")
    changed = chance.sample(["resource", "columns", "filters", "masks", "purpose", "start", "end"], chance.choice([0, 1, 1, 2]))
    parts = {name: getattr(other if name in changed else held, name) for name in Holding.__slots__ if name != "is_office"}
    return Holding(**{**parts, "rule": "wanted"})


def first_excess(shortfalls: Shortfalls, *, pairs: int, seed: int = 7) -> object | None:
    """The first thing that a grant let through gives too much."""
    chance = random.Random(seed)
    for _ in range(pairs):
        held = drawn(chance, "held")
        wanted = close_to(chance, held)
        veiled = frozenset(name for name in NAMES if chance.random() < 0.1)
        let_through = not shortfalls("read", held, wanted, wider=ABOVE[wanted.purpose], veiled=veiled, now=NOW)
        found = next(excess(held, wanted, veiled), None) if let_through else None
        if found is not None:
            return held, wanted, found
    return None


def test_a_grant_that_is_let_through_gives_nothing_its_grantor_does_not_hold() -> None:
    assert first_excess(delegation.shortfalls, pairs=3_000) is None


def test_a_grant_of_exactly_what_is_held_is_let_through() -> None:
    chance = random.Random(3)
    for _ in range(500):
        held = drawn(chance, "held")
        assert delegation.shortfalls("read", held, held, wider=ABOVE[held.purpose], now=NOW) == () or held.start > NOW


_PURPOSE = "held.purpose and held.purpose not in wider"
_COLUMNS = "not (wanted.columns is not None and wanted.columns <= held.columns)"
_FILTERS = "not held.filters <= wanted.filters"
_GIVEN = "is_given = wanted.columns is None or column in wanted.columns"
_STRICT = "is_stricter(Mask(mask), Mask(other))"
MUTANTS = {
    "any resource": ("not contains(held.resource, wanted.resource)", "False"),
    "a wider resource": ("contains(held.resource, wanted.resource)", "contains(wanted.resource, held.resource)"),
    "what is before its start": ("held.start > max(now, wanted.start)", "False"),
    "what is beyond its end": ("held.end < wanted.end", "False"),
    "what is beyond its end while it holds now": ("held.end < wanted.end", "held.end <= now"),
    "what is beyond its end, but not for ever": ("held.end < wanted.end", 'wanted.end == "9999" and held.end < wanted.end'),
    "any purpose": (_PURPOSE, "False"),
    "no purpose instead of one": (_PURPOSE, f"wider and {_PURPOSE}"),
    "all columns": (_COLUMNS, "wanted.columns is not None and not wanted.columns <= held.columns"),
    "one of its columns": ("wanted.columns <= held.columns", "wanted.columns & held.columns"),
    "any rows": (_FILTERS, "False"),
    "rows of one filter of two": (_FILTERS, "held.filters and not held.filters & wanted.filters"),
    "no mask": ('is_given and not _is_as_strict(wanted.masks.get(column, ""), mask)', "False"),
    "masks of named columns only": (_GIVEN, "is_given = wanted.columns is not None and column in wanted.columns"),
    "any mask for another": (f"return mask == other or {_STRICT}", "return True"),
    "a weaker mask": (_STRICT, "is_stricter(Mask(other), Mask(mask))"),
    "a filter by a veiled column": ("further & veiled | ", ""),
    "a filter by a masked column": (" | further & held.masks.keys()", ""),
    "a filter by a hidden column": ("(further - held.columns if held.columns is not None else set())", "set()"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_rule_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, replacement = MUTANTS[name]
    source = inspect.getsource(delegation)
    assert source.count(text) == 1
    mutant = ModuleType("mutant_of_delegation")
    monkeypatch.setitem(sys.modules, mutant.__name__, mutant)
    exec(compile(source.replace(text, replacement), "mutant", "exec"), mutant.__dict__)
    assert first_excess(mutant.shortfalls, pairs=20_000) is not None, f"nothing tells of a grantor that gives {name}"
