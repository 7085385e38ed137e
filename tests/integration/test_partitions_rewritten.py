"""A partitioned table of which some partitions were compacted, sorted or erased from is, to everybody, like one that was not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from domain_sdk import ContractViolated, ExpectationStatus, Mesh, MeshError, Product
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.NAME
name: NAME
version: 1.0.0
status: active
schema:
  - name: rows
    logicalType: object
    physicalType: table
    properties:
      - {name: region, logicalType: string, partitioned: true, partitionKeyPosition: 1}
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 2}
      - {name: mail, logicalType: string, unique: true, tags: [pii.email]}
      - {name: amount, logicalType: integer}
    quality:
      - {type: sql, query: "select count(*) from {object} where amount < 0 and region is not null", mustBe: 0}
      - {type: sql, query: "select count(distinct region) from {object}", mustBeLessThan: 9}
"""
ORDERS = """
kind: DataContract
apiVersion: v3.1.0
id: shop.NAME
name: NAME
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: customer, logicalType: integer, relationships: [{to: PORT.id}]}
      - {name: place, logicalType: string, relationships: [{to: PORT.region}]}
"""
SCHEMA = {"region": pl.String, "id": pl.Int64, "day": pl.Date, "mail": pl.String, "amount": pl.Int64}
ODD, DAY = "a b/%c=é", date(2026, 1, 2)
_numbers = itertools.count(1)
Row = tuple[object, ...]


def row(number: int, region: str | None = "EU", amount: int = 1) -> Row:
    return (region, number, DAY, f"m{number}@x.example", amount)


def frame(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


@dataclass
class Shop:
    """A table in which `EU` lies in two files and each other partition in one, and what every version holds."""

    owner: Mesh
    server: RunningServer
    name: str
    held: dict[int, set[Row]] = field(default_factory=dict)

    @property
    def port(self) -> str:
        return f"shop.{self.name}.rows"

    @property
    def product(self) -> Product:
        return self.owner.domain("shop").product(self.name, contract=CONTRACT.replace("NAME", self.name))

    def publish(self, rows: pl.DataFrame, held: set[Row], mode: Any = "append", **more: Any) -> None:
        version = self.product.publish(rows=rows, mode=mode, progress=False, **more).version
        self.held[version] = held

    @property
    def now(self) -> set[Row]:
        return self.held[max(self.held)]

    def stored(self) -> list[Path]:
        return list((self.server.home / "warehouse" / "shop" / self.name / "rows").rglob("*.parquet"))

    def rewrite(self, way: str) -> None:
        if way in ("compacted", "compacted and erased"):
            (done,) = self.product.upkeep.compact()
            assert (done.files_before, done.files_after) == (4, 3)
            assert self.product.upkeep.compact() == []
        elif way == "sorted":
            self.product.upkeep.compact(z_order=["amount", "day"])
        if way in ("erased", "compacted and erased"):
            self.owner.admin.erase("pii.email", "m5@x.example", reason="asked", products=[f"shop.{self.name}"])
            version = max(self.held) + 1
            self.held = {version: self.now - {row(5)}}

    def assert_all_reads(self) -> None:
        for version, held in self.held.items():
            for via in ("stream", "files"):
                assert set(self.owner.scan(self.port, via=via, version=version).collect().rows()) == held, (version, via)
        for before, after in itertools.pairwise(sorted(self.held)):
            feed = self.owner.changes(self.port, since=before, version=after).collect().rows()
            state = Counter(self.held[before])
            for *values, kind, _ in feed:
                state[tuple(values)] += 1 if kind in ("insert", "update_postimage") else -1
            assert state + Counter() == Counter(self.held[after]), (before, after)


@pytest.fixture(scope="module")
def owner(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])
    with server.user("user:olga") as mesh:
        yield mesh


@pytest.fixture(params=["compacted", "sorted", "erased", "compacted and erased"])
def shop(owner: Mesh, server: RunningServer, request: pytest.FixtureRequest) -> Shop:
    made = Shop(owner, server, f"p{next(_numbers)}")
    first = {row(1), row(2), row(3, ODD), row(4, None)}
    made.publish(frame(*first), first, "overwrite")
    made.publish(frame(row(5)), first | {row(5)})
    made.rewrite(request.param)
    return made


def test_every_file_says_all_of_its_rows_and_lies_in_the_tables_folder(shop: Shop) -> None:
    for path in shop.stored():
        if "_delta_log" not in path.parts:
            assert path.parent.name == "rows"
            assert set(pq.read_schema(path).names) == set(SCHEMA)


def test_it_reads_as_before_as_stream_as_files_in_sql_and_to_those_who_see_a_part(shop: Shop) -> None:
    shop.assert_all_reads()
    assert set(shop.owner.sql(f"select region, id, day, mail, amount from {shop.port}").rows()) == shop.now
    by_region = shop.owner.sql(f"select region, count(*) n from {shop.port} where day = date '2026-01-02' group by region")
    assert dict(by_region.rows()) == Counter(it[0] for it in shop.now)
    who = f"user:ana{shop.name}"
    with shop.server.user(who) as ana:
        shop.owner.grant(who, shop.port, rows="region = 'EU'", masks={"mail": "replace-with-null"}, actions=["read", "discover"])
        wanted = {(*it[:3], None, it[4]) for it in shop.now if it[0] == "EU"}
        for via in ("stream", "files"):
            assert set(ana.scan(shop.port, via=via).collect().rows()) == wanted
        assert ana.scan(shop.port).filter(pl.col("region") == ODD).collect().is_empty()


def test_every_mode_goes_on_the_feed_tells_it_and_vacuum_takes_nothing_that_is_needed(shop: Shop) -> None:
    shop.publish(frame(row(6)), shop.now | {row(6)})
    changed = frame(row(1, amount=9), row(3, ODD), row(7, ODD), row(2, ODD)).with_columns(gone=pl.col("id") == 3)
    after = (shop.now - {row(1), row(2), row(3, ODD)}) | {row(1, amount=9), row(7, ODD), row(2, ODD)}
    shop.publish(changed, after, "merge", delete_flag="gone")
    shop.publish(frame(row(8, None)), (shop.now - {row(4, None)}) | {row(8, None)}, "replace-partitions")
    shop.publish(frame(row(9)), {it for it in shop.now if it[0] != "EU"} | {row(9)}, "replace-partitions")
    shop.assert_all_reads()
    shop.product.upkeep.vacuum(grace_hours=0)
    shop.assert_all_reads()
    shop.publish(frame(row(10)), shop.now | {row(10)})
    shop.product.upkeep.compact(z_order=["region"])
    shop.product.upkeep.vacuum(grace_hours=0)
    shop.assert_all_reads()
    shop.publish(frame(row(11, "US")), {row(11, "US")}, "overwrite")
    shop.assert_all_reads()


def test_rules_hold_over_what_was_rewritten(shop: Shop) -> None:
    known = row(1)[3]
    for bad, said in (
        (row(1), "primaryKey"),
        (("US", 20, DAY, known, 1), "unique"),
        (("EU", 20, DAY, None, -1), "sql|quality|select"),
    ):
        with pytest.raises(ContractViolated, match=said):
            shop.publish(frame(bad), set())
    orders = shop.owner.domain("shop").product(
        f"o{shop.name}", ORDERS.replace("NAME", f"o{shop.name}").replace("PORT", shop.port)
    )
    good = pl.DataFrame({"customer": [1, 3, None], "place": ["EU", ODD, None]})
    assert orders.preview(orders=good, progress=False).is_ok
    for bad_order in ({"customer": [99], "place": ["EU"]}, {"customer": [1], "place": ["US"]}):
        with pytest.raises(ContractViolated):
            orders.publish(orders=pl.DataFrame(bad_order), progress=False)


def test_a_consumers_expectation_is_judged_over_the_whole(shop: Shop) -> None:
    who = f"user:eve{shop.name}"
    with shop.server.user(who) as eve:
        shop.owner.grant(who, shop.port, rows="region is not null", actions=["read", "discover"])
        count = sum(it[0] is not None for it in shop.now)
        eve.expect(shop.port, {"metric": "rowCount", "mustBe": count + 1})
        eve.expect(shop.port, "region = 'EU' or region is null")
        found = shop.product.preview(rows=frame(row(12, "US")), mode="append", progress=False).expectations
        assert {it.status for it in found} == {ExpectationStatus.MET, ExpectationStatus.BROKEN}


def test_publications_begun_before_a_compaction_are_committed_after_it(shop: Shop) -> None:
    called, raised = [], list[MeshError]()

    def compact(*_: object) -> None:
        called.append(True)
        try:
            shop.product.upkeep.compact(z_order=["id"])
        except MeshError as error:
            raised.append(error)

    changed = pl.concat([frame(row(1, amount=4)), frame(row(13))])
    version = shop.product.publish(rows=changed, mode="merge", progress=compact).version
    shop.held[version] = (shop.now - {row(1)}) | {row(1, amount=4), row(13)}
    assert called
    assert raised == []
    shop.assert_all_reads()


@pytest.mark.timeout(240, func_only=True)
@pytest.mark.parametrize("mode", ["merge", "append", "replace-partitions"])
def test_a_table_that_an_older_release_compacted_is_published_into_at_once(owner: Mesh, server: RunningServer, mode: str) -> None:
    """That one left delta-rs to it: files in folders of their partition, without the partition's columns."""
    made = Shop(owner, server, f"p{next(_numbers)}")
    first = {row(1), row(2), row(3, ODD), row(4, None)}
    made.publish(frame(*first), first, "overwrite")
    made.publish(frame(row(5)), first | {row(5)})
    DeltaTable(server.home / "warehouse" / "shop" / made.name / "rows").optimize.compact()
    assert any(path.parent.name != "rows" for path in made.stored())
    added = {row(6), row(1, amount=9)} if mode == "merge" else {row(6)}
    gone = {row(1)} if mode == "merge" else {row(1), row(2), row(5)} if mode == "replace-partitions" else set()
    assert made.product.preview(rows=frame(*added), mode=mode, progress=False).is_ok
    made.publish(frame(*added), (made.now - gone) | added, mode)
    made.assert_all_reads()
    made.publish(frame(row(3, ODD, 7)), (made.now - {row(3, ODD)}) | {row(3, ODD, 7)}, "merge")
    made.assert_all_reads()
