"""What several approvals give together: never more than any of them, whatever they are."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from domainmesh.v1 import access_request_pb2 as pb
from domainmesh.v1 import grant_pb2
from governance_server.rules.access_requests import shown_state
from governance_server.rules.access_terms import asked_terms, check_within, is_less, strictest
from governance_server.rules.errors import Invalid
from mesh_core.masks import Mask, is_stricter

COLUMNS = ["a", "b", "c", "d"]
FILTERS = ["", "x = 1", "x = 1 OR y = 2", "NOT y = 2"]


@st.composite
def terms(draw: st.DrawFn) -> pb.AccessTerms:
    made = pb.AccessTerms(
        columns=draw(st.lists(st.sampled_from(COLUMNS), unique=True)), row_filter=draw(st.sampled_from(FILTERS))
    )
    for column in draw(st.lists(st.sampled_from(COLUMNS), unique=True, max_size=3)):
        made.masks.add(column=column, mask=draw(st.sampled_from(list(Mask))))
    for field in ("start_time", "expire_time"):
        if draw(st.booleans()):
            getattr(made, field).CopyFrom(Timestamp(seconds=draw(st.integers(1, 1000)), nanos=draw(st.integers(0, 3))))
    return made


def columns_of(found: pb.AccessTerms) -> set[str]:
    return set(found.columns) or set(COLUMNS)


def mask_of(found: pb.AccessTerms, column: str) -> Mask | None:
    return next((Mask(it.mask) for it in found.masks if it.column == column), None)


def moment(stamp: Timestamp) -> tuple[int, int]:
    return (stamp.seconds, stamp.nanos)


@given(st.lists(terms(), min_size=1, max_size=4))
def test_the_strictest_gives_no_more_than_any(several: list[pb.AccessTerms]) -> None:
    try:
        joined = strictest(several)
    except Invalid:
        assert not set.intersection(*(columns_of(it) for it in several))
        return
    assert columns_of(joined) == set.intersection(*(columns_of(it) for it in several))
    for one, column in product(several, columns_of(joined)):
        masks = mask_of(joined, column), mask_of(one, column)
        assert masks[0] == masks[1] or is_stricter(*masks)
    ends = [moment(it.expire_time) for it in several if it.HasField("expire_time")]
    assert joined.HasField("expire_time") == bool(ends)
    assert not ends or moment(joined.expire_time) == min(ends)
    starts = [moment(it.start_time) for it in several if it.HasField("start_time")]
    assert joined.HasField("start_time") == bool(starts)
    assert not starts or moment(joined.start_time) == max(starts)


@given(st.lists(st.sampled_from(FILTERS), min_size=1, max_size=4), st.integers(0, 2), st.integers(0, 2))
def test_a_row_is_given_if_every_filter_gives_it(filters: list[str], x: int, y: int) -> None:
    def keeps(text: str) -> bool:
        python = text.replace("=", "==").replace("AND", "and").replace("OR", "or").replace("NOT", "not ")
        return bool(eval(python, {"x": x, "y": y})) if text else True  # four texts of our own, above

    joined = strictest([pb.AccessTerms(row_filter=text) for text in filters])
    assert keeps(joined.row_filter) == all(keeps(text) for text in filters)


@given(terms())
def test_what_is_given_as_asked_is_not_less_and_any_change_is(asked: pb.AccessTerms) -> None:
    asked.ClearField("start_time")
    request = pb.AccessRequest(columns=asked.columns, row_filter=asked.row_filter, masks=asked.masks)
    if asked.HasField("expire_time"):
        request.expire_time.CopyFrom(asked.expire_time)
    assert asked_terms(request) == asked
    assert not is_less(request, asked)
    less = strictest([asked, pb.AccessTerms(row_filter="z = 3")])
    assert is_less(request, less)


GRANT = grant_pb2.Grant(start_time=Timestamp(seconds=100), expire_time=Timestamp(seconds=200, nanos=900_000_000))
REVOKED = grant_pb2.Grant(revoke_time=Timestamp(seconds=1))


@pytest.mark.parametrize(
    ("at", "grants", "state"),
    [
        (99.999999, [GRANT], pb.ACCESS_REQUEST_STATE_APPROVED),
        (100, [GRANT], pb.ACCESS_REQUEST_STATE_ACTIVE),
        (199.999999, [GRANT], pb.ACCESS_REQUEST_STATE_ACTIVE),
        (200, [GRANT], pb.ACCESS_REQUEST_STATE_EXPIRED),  # fractions of a second are cut, as policy cuts them
        (150, [REVOKED], pb.ACCESS_REQUEST_STATE_REVOKED),
        (150, [], pb.ACCESS_REQUEST_STATE_REVOKED),  # whatever removed the grant, nothing is left of it
        (150, [REVOKED, GRANT], pb.ACCESS_REQUEST_STATE_ACTIVE),
        (250, [grant_pb2.Grant()], pb.ACCESS_REQUEST_STATE_ACTIVE),
    ],
)
def test_where_an_approved_request_stands_follows_from_its_grants(
    at: float, grants: list[grant_pb2.Grant], state: pb.AccessRequestState.ValueType
) -> None:
    asked = pb.AccessRequest(state=pb.ACCESS_REQUEST_STATE_APPROVED)
    assert shown_state(asked, grants, datetime.fromtimestamp(at, UTC)) == state


@pytest.mark.parametrize("state", ["REQUESTED", "DENIED", "WITHDRAWN", "REVOKED"])
def test_every_other_state_is_what_is_stored(state: str) -> None:
    stored = pb.AccessRequestState.Value(f"ACCESS_REQUEST_STATE_{state}")
    assert shown_state(pb.AccessRequest(state=stored), [GRANT], datetime.fromtimestamp(150, UTC)) == stored


def test_an_approval_that_ends_before_what_was_asked_for_begins_is_refused_in_words() -> None:
    asked, terms = pb.AccessRequest(id="r-1", renews="g-1"), pb.AccessTerms()
    terms.start_time.FromJsonString("2030-01-01T00:00:00Z")
    terms.expire_time.FromJsonString("2028-01-01T00:00:00Z")
    with pytest.raises(
        Invalid, match="begins at 2030-01-01 00:00 UTC, when the access that it renews ends: approve it until later"
    ):
        check_within(asked, terms)
    terms.expire_time.FromJsonString("2030-01-01T00:00:01Z")
    check_within(asked, terms)
