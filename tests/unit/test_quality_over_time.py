"""What is usual comes from medians, ages from the contract's words."""

from __future__ import annotations

import pytest

from governance_server.rules.anomalies import usual
from mesh_core.contract import load_contract
from mesh_core.contract.freshness import age_limits, age_words

HEAD = "kind: DataContract\napiVersion: v3.1.0\nid: x\nversion: 1.0.0\nstatus: active\n"
SCHEMA = (
    "schema:\n- name: a\n  properties: [{name: at, logicalType: timestamp}, {name: x, logicalType: integer}]\n"
    "- name: b\n  properties: [{name: day, logicalType: date}]\n"
)


def test_nothing_is_unusual_before_five_releases() -> None:
    assert usual([1, 1000, 1, 1000]) is None


@pytest.mark.parametrize(
    ("history", "least", "most"),
    [
        ([100] * 5, 80, 120),  # no spread: a fifth of the median
        ([10, 20, 30, 40, 50], 0, 30 + 3.5 * 1.4826 * 10),  # deviations 20, 10, 0, 10, 20: their median is 10
        ([100, 100, 100, 100, 9999], 80, 120),  # one bad day does not widen it
        ([0, 0, 0, 0, 0], 0, 0),
    ],
)
def test_the_bounds_are_medians_and_deviations(history: list[float], least: float, most: float) -> None:
    found = usual(history)
    assert found is not None
    assert (found.least, found.most) == (pytest.approx(least), pytest.approx(most))
    assert not found.is_suspicious(found.median)
    assert found.is_suspicious(found.most + 1)


@pytest.mark.parametrize(
    ("sla", "limits"),
    [
        ("{property: latency, value: 4, unit: d, element: a.at}", [("a", "at", 345600)]),
        ("{property: LY, value: 90, unit: minutes, element: 'a.at, b.day'}", [("a", "at", 5400), ("b", "day", 5400)]),
        ("{property: freshness, value: 2h}", [("a", "", 7200), ("b", "", 7200)]),
        ("{property: freshness, value: 1, unit: y, element: a.x}", [("a", "", 31536000)]),
        ("{property: latency, value: 1.5, unit: hours, element: nothing.at}", []),
        ("{property: latency, value: soon, unit: d}", []),
        ("{property: latency, value: 3, unit: furlongs}", []),
        ("{property: retention, value: 3, unit: y}", []),
    ],
)
def test_the_limits_of_age_are_read_in_any_usual_unit(sla: str, limits: list[tuple[str, str, int]]) -> None:
    found = age_limits(load_contract(f"{HEAD}slaProperties: [{sla}]\n{SCHEMA}"))
    assert [(it.port, it.column, it.seconds) for it in found] == limits


def test_ages_are_told_in_the_largest_unit_that_says_something() -> None:
    assert [age_words(it) for it in (0, 119, 120, 7199, 7200, 172799, 172800)] == [
        "0 seconds", "119 seconds", "2 minutes", "119 minutes", "2 hours", "47 hours", "2 days",
    ]  # fmt: skip
