"""Good rows are published, bad rows go to a port beside them with the reasons, in one release, for the owning domain only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from domain_sdk import AccessDenied, ContractViolated, Mesh
from domain_sdk.release import QualityStatus
from tests.servers import RunningServer

CONTRACT = """kind: DataContract
apiVersion: v3.2.0
id: x
version: 1.0.0
schema:
- name: entries
  customProperties: [{property: quarantine, value: true}]
  quality: [{metric: rowCount, mustBeGreaterThan: 1}]
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: day, logicalType: date, required: true}
  - {name: amount, logicalType: number, physicalType: 'decimal(10,2)', logicalTypeOptions: {minimum: 0}}
  - {name: email, logicalType: string, tags: [pii.email], logicalTypeOptions: {format: email}}
  - {name: kind, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0}]}
  - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 3}, quality: [{metric: nullValues, mustBeLessThan: 9}]}
- name: plain
  properties: [{name: x, logicalType: integer, required: true}]
"""
DAY = dt.date(2026, 1, 1)
ROWS = pl.DataFrame(
    [
        (1, DAY, 1.0, "a@b.c", "a", "ok"),
        (1, DAY, 2.0, "a@b.c", "a", None),
        (2, None, -3.0, "a@b.c", "b", "ok"),
        (3, DAY, 1.239, "a@b.c", "a", "ok"),
        (4, DAY, 4.0, "nobody", "z", "long note"),
        (None, DAY, 5.0, None, "a", "ok"),
        (2, DAY, 6.0, "a@b.c", "b", "ok"),
        (5, DAY, 7.0, "a@b.c", None, None),
    ],
    schema=["id", "day", "amount", "email", "kind", "note"],
    orient="row",
)
PLAIN = pl.DataFrame({"x": [1]})


@pytest.fixture(scope="module")
def ann(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("books", owners=["user:ann"])
    with server.user("user:ann") as mesh:
        yield mesh


def test_good_rows_are_served_and_bad_ones_lie_beside_them_with_every_reason(ann: Mesh) -> None:
    """Of the two rows with key 2 the first is bad for other reasons, so the second is the first good one and stays."""
    release = ann.domain("books").product("ledger", CONTRACT).publish(entries=ROWS, plain=PLAIN, progress=False)
    assert ann.read("books.ledger.entries")["id"].to_list() == [1, 2, 5]
    bad = ann.read("books.ledger.entries__quarantine")
    assert bad.select("id", "_reasons").rows() == [
        (1, "primaryKey"),
        (2, "day.required; amount.minimum"),
        (3, "amount.type"),
        (4, "email.format; kind.quality[0]; note.maxLength"),
        (None, "primaryKey"),
    ]
    assert bad.columns == [*ROWS.columns, "_reasons"]
    (told,) = [it for it in release.quality if it.check == "quarantine"]
    assert (told.failing_rows, told.total_rows, told.is_blocking, told.status) == (5, 8, False, QualityStatus.FAILED)
    assert {port.port: port.row_count for port in release.ports} == {
        "books.ledger.entries": 3, "books.ledger.plain": 1, "books.ledger.entries__quarantine": 5,
    }  # fmt: skip


def test_the_next_release_replaces_the_quarantine_and_older_ones_stay_readable(ann: Mesh) -> None:
    product = ann.domain("books").product("mended", CONTRACT)
    product.publish(entries=ROWS, plain=PLAIN, progress=False)
    release = product.publish(entries=ROWS.head(1).vstack(ROWS.tail(1)), plain=PLAIN, progress=False)
    assert next(it for it in release.quality if it.check == "quarantine").status is QualityStatus.PASSED
    assert ann.read("books.mended.entries__quarantine").is_empty()
    assert ann.read("books.mended.entries__quarantine", version=1).height == 5


def test_a_stream_in_batches_is_split_as_a_frame_is(ann: Mesh) -> None:
    product = ann.domain("books").product("streamed", CONTRACT)
    batches = pl.concat([ROWS.slice(at, 3) for at in range(0, 8, 3)], rechunk=False)
    product.publish(entries=batches.to_arrow().to_reader(max_chunksize=3), plain=PLAIN, progress=False)
    assert ann.read("books.streamed.entries")["id"].to_list() == [1, 2, 5]


def test_what_is_about_the_whole_port_still_stops_the_release_and_nothing_of_it_is_seen(ann: Mesh) -> None:
    product = ann.domain("books").product("strict", CONTRACT)
    with pytest.raises(ContractViolated, match="rowCount"):
        product.publish(entries=ROWS.head(2), plain=PLAIN, progress=False)
    with pytest.raises(ContractViolated, match=r"plain: x\.required"):
        product.publish(entries=ROWS, plain=pl.DataFrame({"x": [None]}, schema={"x": pl.Int64}), progress=False)
    with pytest.raises(ContractViolated, match="surplus"):
        product.publish(entries=ROWS.with_columns(surplus=1), plain=PLAIN, progress=False)
    with pytest.raises(AccessDenied):
        ann.read("books.strict.entries__quarantine")


def test_a_preview_tells_what_would_be_set_aside(ann: Mesh) -> None:
    preview = ann.domain("books").product("looked", CONTRACT).preview(entries=ROWS, plain=PLAIN, progress=False)
    assert preview.is_ok
    assert next(it for it in preview.quality if it.check == "quarantine").failing_rows == 5


def test_the_quarantine_is_read_by_the_owning_domain_only_whatever_is_granted(ann: Mesh, server: RunningServer) -> None:
    ann.domain("books").product("kept", CONTRACT).publish(entries=ROWS, plain=PLAIN, progress=False)
    with server.user("user:eve") as eve:
        ann.grant("user:eve", "books.kept")
        ann.grant("user:eve", "books")
        assert eve.read("books.kept.entries").height == 3
        for attempt in (
            lambda: eve.read("books.kept.entries__quarantine"),
            lambda: eve.sql("select 1 from books.kept.entries__quarantine"),
        ):
            with pytest.raises(AccessDenied):
                attempt()
        assert not eve.explain("books.kept.entries__quarantine").is_allowed
    with server.admin() as admin:
        admin.admin.update_domain("books", members=["user:kim"])
    with server.user("user:kim") as kim:
        assert kim.read("books.kept.entries__quarantine").height == 5


def test_columns_of_the_quarantine_carry_the_tags_of_their_source(ann: Mesh) -> None:
    ann.domain("books").product("tagged", CONTRACT).publish(entries=ROWS, plain=PLAIN, progress=False)
    columns = {it.name: it.tags for it in ann.show("books.tagged.entries__quarantine").columns}
    assert columns["email"] == ("pii.email",)


def test_additions_at_the_same_time_all_succeed_with_what_each_set_aside(ann: Mesh) -> None:
    """Appends and merges are put on top of each other, the bad rows of each with them."""
    product = ann.domain("books").product("daily", CONTRACT)
    product.publish(entries=ROWS, plain=PLAIN, progress=False)
    held = ann.read("books.daily.entries__quarantine").height

    def add(number: int) -> int:
        first = ROWS.head(1)
        rows = pl.concat([first.with_columns(id=pl.lit(10 * number + last, pl.Int64)) for last in (0, 1)])
        rows = rows.with_columns(amount=pl.when(pl.col("id") % 10 == 1).then(-1.0).otherwise(1.0))
        return product.publish(entries=rows, mode="append" if number % 2 else "merge", progress=False).version

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(add, range(1, 7)))
    assert len(set(versions)) == 6
    assert ann.read("books.daily.entries")["id"].sort().to_list() == [1, 2, 5, 10, 20, 30, 40, 50, 60]
    bad = ann.read("books.daily.entries__quarantine")
    assert bad.height == held + 6
    assert set(bad["id"].to_list()) >= {11, 21, 31, 41, 51, 61}
