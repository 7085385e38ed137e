"""Ends of validity: dates, datetimes and ISO text become instants in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_sdk._times import from_timestamp, to_instant, to_timestamp
from domain_sdk.errors import InvalidRequest
from domainmesh.v1.grant_pb2 import Grant

FIRST_OF_2027 = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "until",
    [
        date(2027, 1, 1),
        "2027-01-01",
        "2027-01-01T00:00:00Z",
        "2027-01-01T02:00:00+02:00",
        datetime(2027, 1, 1),
        datetime(2027, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_the_first_instant_of_2027_can_be_said_in_many_ways(until: date | datetime | str) -> None:
    assert to_instant(until) == FIRST_OF_2027
    assert to_instant(until).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "01.01.2027"])
def test_text_that_is_no_point_in_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="2027-01-01"):
        to_instant(text)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30)))
def test_an_instant_comes_back_from_the_wire_unchanged(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert from_timestamp(Grant(expire_time=to_timestamp(instant)), "expire_time") == instant


def test_no_time_stays_no_time() -> None:
    assert to_timestamp(None) is None
    assert from_timestamp(Grant(), "expire_time") is None
