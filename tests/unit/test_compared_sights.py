"""Whether somebody sees more rows or fewer is told of filters however their alternatives are written."""

from __future__ import annotations

import pytest

from governance_server.rules.sights import ColumnSight, Rows, Shown, Sight, compare
from mesh_core.expressions.binding import disjoin
from mesh_core.expressions.sql import parse_filter

_MANY = ", ".join(f"'r{number}'" for number in range(100))


def sight(*filters: str) -> Sight:
    return Sight((ColumnSight("id", Shown.CLEAR, None),), disjoin(map(parse_filter, filters)))


@pytest.mark.parametrize(
    ("before", "after", "rows"),
    [
        (["region = 'EU'"], ["region = 'EU'", "region = 'US'"], Rows.WIDER),
        (["region = 'EU'", "region = 'US'"], ["region = 'US'"], Rows.NARROWER),
        (["region IN ('EU', 'US')"], ["region = 'US'", "region = 'EU'"], Rows.SAME),
        (["region IN ('EU', 'US')"], ["region IN ('US', 'EU', 'UK') AND id > 3"], Rows.UNKNOWN),
        ([f"region IN ({_MANY})"], [f"region IN ({_MANY}, 'EU')"], Rows.WIDER),
        ([f"region IN ({_MANY})"], ["region = 'r7'"], Rows.NARROWER),
        ([f"region IN ({_MANY})"], [f"id IN ({_MANY})".replace("'r", "'")], Rows.UNKNOWN),
    ],
)
def test_lists_and_alternatives_of_one_column_are_compared_value_by_value(
    before: list[str], after: list[str], rows: Rows
) -> None:
    assert compare(sight(*before), sight(*after)).rows is rows
