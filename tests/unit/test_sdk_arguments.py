"""Arguments of the wrong kind: one InvalidRequest that names the argument, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import polars as pl
import pytest

from domain_sdk import InvalidExpression, InvalidRequest, Mesh
from domain_sdk._arguments import checked_mapping, checked_names, checked_number, checked_text
from domain_sdk._times import from_timestamp, to_expiry
from domain_sdk._where import to_predicate
from domainmesh.v1.grant_pb2 import Grant

PORT = "finance.ledger.entries"
SCHEMA = pl.Schema({"kilos": pl.Int64, "origin": pl.String, "roasted": pl.Date})
WRONG: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a negative limit of a read": ("limit", lambda mesh: mesh.read(PORT, limit=-1)),
    "a limit in words": ("limit", lambda mesh: mesh.read(PORT, limit="3")),
    "a limit that is a truth value": ("limit", lambda mesh: mesh.read(PORT, limit=True)),
    "one text as columns": (r"columns.*\['origin'\]", lambda mesh: mesh.read(PORT, columns="origin")),
    "a number among columns": ("columns", lambda mesh: mesh.read(PORT, columns=["origin", 3])),
    "a column twice": ("columns.*origin more than once", lambda mesh: mesh.read(PORT, columns=["origin", "origin"])),
    "a port that is a number": ("port.*finance", lambda mesh: mesh.read(5)),
    "no port to scan": ("port", lambda mesh: mesh.scan(None)),
    "a version in words": ("version", lambda mesh: mesh.read(PORT, version="1")),
    "a version below zero": ("version", lambda mesh: mesh.scan(PORT, version=-1)),
    "a question that is none": ("query", lambda mesh: mesh.retrieve(PORT, 5)),
    "a limit of a retrieval in words": ("limit", lambda mesh: mesh.retrieve(PORT, "how?", limit="5")),
    "a negative limit of a search": ("limit", lambda mesh: mesh.discover("x", limit=-1)),
    "a negative limit of a list": ("limit", lambda mesh: mesh.requests(limit=-1)),
    "a negative limit of the journal": ("limit", lambda mesh: mesh.audit.changes(limit=-1)),
    "masks as a list": (r"masks.*\{'email': 'hash'\}", lambda mesh: mesh.approve("r-1", masks=["email"])),
    "a mask that is a number": ("masks", lambda mesh: mesh.grant("*", PORT, masks={"email": 1})),
    "one text as actions": (r"actions.*\['read'\]", lambda mesh: mesh.grant("*", PORT, actions="read")),
    "one text as columns asked for": ("columns", lambda mesh: mesh.request(PORT, columns="origin")),
    "one text as columns approved": ("columns", lambda mesh: mesh.approve("r-1", columns="origin")),
    "a resource that is a number": ("resource", lambda mesh: mesh.request(7)),
    "an end that has passed, asked for": ("until.*2020-01-01.*passed", lambda mesh: mesh.request(PORT, until="2020-01-01")),
    "an end that has passed, approved": ("until", lambda mesh: mesh.approve("r-1", until=date(2020, 1, 1))),
    "an end that has passed, granted": ("until", lambda mesh: mesh.grant("*", PORT, until=datetime(2020, 1, 1, tzinfo=UTC))),
    "an end that has passed, of a token": ("until", lambda mesh: mesh.admin.create_token(until="2020-01-01")),
    "today as an end": ("until", lambda mesh: mesh.request(PORT, until=datetime.now(UTC).date())),
    "an end that is a number": ("point in time", lambda mesh: mesh.request(PORT, until=5)),
}


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    """Connected to nothing: whatever is sent fails otherwise than expected here."""
    with Mesh.connect("http://127.0.0.1:9", "t", timeout_seconds=0.1) as connected:
        yield connected


@pytest.mark.parametrize("what", WRONG)
def test_an_argument_of_the_wrong_kind_is_named_before_anything_is_sent(mesh: Mesh, what: str) -> None:
    pattern, call = WRONG[what]
    with pytest.raises(InvalidRequest, match=pattern):
        call(mesh)


@pytest.mark.parametrize("rows", ["", "  ", 5])
def test_rows_that_say_nothing_are_not_taken_for_all_rows(mesh: Mesh, rows: Any) -> None:
    for call in (lambda: mesh.request("a.b", rows=rows), lambda: mesh.approve("r-1", rows=rows)):
        with pytest.raises(InvalidRequest, match="rows"):
            call()


def test_what_is_right_passes_unchanged() -> None:
    assert checked_number(None, "limit") is None
    assert checked_number(0, "limit") == 0
    assert checked_number(pl.Series([7]).to_numpy()[0], "version") == 7
    assert checked_names((name for name in ("b", "a")), "columns") == ["b", "a"]
    assert checked_mapping(None, "masks", example="") == {}
    assert checked_mapping({"email": "hash"}, "masks", example="") == {"email": "hash"}


def test_sql_text_keeps_the_rows_that_the_same_polars_expression_keeps() -> None:
    rows = {"kilos": [5, 12, None, 40], "origin": ["Peru", "Peru", "Peru", "Kenya"], "roasted": [date(2026, 1, 1)] * 4}
    frame = pl.DataFrame(rows, schema=SCHEMA)
    predicate = to_predicate("kilos > 10 AND origin = 'Peru' AND roasted < DATE '2026-02-01'", SCHEMA, port=PORT)
    assert frame.filter(cast("pl.Expr", predicate))["kilos"].to_list() == [12]
    assert to_predicate(None, SCHEMA, port=PORT) is None
    same = pl.col("kilos") > 10
    assert to_predicate(same, SCHEMA, port=PORT) is same


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("kilo > 10", "kilos"),
        ("kilos >", "where"),
        ('origin = "Peru"', "single quotes"),
        ("origin = subject.region", r"subject\.…"),
        ("", "where"),
    ],
)
def test_sql_text_that_is_no_predicate_is_refused_with_its_reason(sql: str, said: str) -> None:
    with pytest.raises(InvalidExpression, match=said):
        to_predicate(sql, SCHEMA, port=PORT)


@pytest.mark.parametrize("where", [5, ["kilos > 10"], pl.Series([True])])
def test_what_is_neither_text_nor_expression_is_refused(where: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"where.*polars expression.*SQL"):
        to_predicate(where, SCHEMA, port=PORT)


def test_an_end_in_a_moment_is_no_past() -> None:
    end = datetime.now(UTC) + timedelta(minutes=1)
    assert from_timestamp(Grant(expire_time=to_expiry(end)), "expire_time") == end


def test_a_text_with_half_characters_is_refused_before_it_is_sent() -> None:
    for text in ("\udcff park", "a\ud800"):
        with pytest.raises(InvalidRequest, match="no text: write it in UTF-8"):
            checked_text(text, "query")
    assert checked_text("🙂 漢字", "query") == "🙂 漢字"
