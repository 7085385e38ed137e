"""The change feed is exactly the difference between two governed reads, whatever was published and whatever may be seen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidRequest, Mesh, NotFound
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.stock
name: stock
version: 1.0.0
status: active
schema:
  - name: rows
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, required: true}
      - {name: code, logicalType: string}
      - {name: amount, logicalType: integer}
"""
PORT = "shop.stock.rows"
Rows = Counter[tuple[object, ...]]


def rows(*ids: int, region: str = "EU", code: str = "x", amount: int | None = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": ids, "region": [region] * len(ids), "code": [f"{code}{it}" for it in ids], "amount": [amount] * len(ids)},
        schema={"id": pl.Int64, "region": pl.String, "code": pl.String, "amount": pl.Int64},
    )


class Shop:
    """A table, and three who see all of it, some of it, and some columns of some rows under masks."""

    def __init__(self, server: RunningServer, name: str) -> None:
        self.port = f"shop.{name}.rows"
        self.owner = server.user("user:olga")
        self.product = self.owner.domain("shop").product(name, contract=CONTRACT.replace("stock", name))
        self.readers = {who: server.user(f"user:{who}-{name}") for who in ("all", "some", "masked")}
        self.versions: list[int] = []

    def share(self) -> None:
        given = {"actions": ["read", "discover"]}
        name = self.port.split(".")[1]
        self.owner.grant(f"user:all-{name}", self.port, **given)
        self.owner.grant(f"user:some-{name}", self.port, rows="region = 'EU'", **given)
        masks = {"code": "show-first-4", "id": "sha-256-global"}
        self.owner.grant(
            f"user:masked-{name}",
            self.port,
            rows="region = 'EU' AND amount > 0",
            columns=["region", "code"],
            masks={"code": "mask-alphanum"},
            **given,
        )
        assert masks

    def publish(self, frame: pl.DataFrame, mode: str = "overwrite", **more: object) -> int:
        self.versions.append(self.product.publish(rows=frame, mode=mode, progress=False, **more).version)
        return self.versions[-1]

    def close(self) -> None:
        for mesh in (self.owner, *self.readers.values()):
            mesh.close()


@pytest.fixture(scope="module")
def domain(server: RunningServer) -> None:
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])


@pytest.fixture
def shop(server: RunningServer, domain: None, request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(server, "s" + str(abs(hash(request.node.name)) % 10**6))
    yield made
    made.close()


def seen(mesh: Mesh, port: str, version: int) -> Rows:
    return Counter(mesh.read(port, version=version).rows())


def changes(mesh: Mesh, port: str, since: int, version: int | None = None) -> list[tuple[object, ...]]:
    return mesh.changes(port, since=since, version=version).collect().rows()


def replayed(before: Rows, feed: list[tuple[object, ...]]) -> Rows:
    """The rows after the feed was applied, row by row."""
    state = Counter(before)
    for *values, kind, _ in feed:
        state[tuple(values)] += 1 if kind in ("insert", "update_postimage") else -1
    assert min(state.values(), default=0) >= 0
    return +state


def test_each_mode_is_told_in_its_own_way(shop: Shop) -> None:
    shop.publish(rows(1, 2, 3))
    shop.share()
    shop.publish(rows(4), "append")
    shop.publish(pl.concat([rows(1, 9, amount=5), rows(2)]).with_columns(gone=pl.col("id") == 2), "merge", delete_flag="gone")
    shop.publish(rows(7))
    mesh = shop.readers["all"]
    kinds = [(row[0], *row[-2:]) for row in changes(mesh, shop.port, 1, 3)]
    assert kinds == [(4, "insert", 2), (2, "delete", 3), (9, "insert", 3), (1, "update_preimage", 3), (1, "update_postimage", 3)]
    whole = Counter((row[-2], row[-1]) for row in changes(mesh, shop.port, 3))
    assert whole == {("delete", 4): 4, ("insert", 4): 1}
    assert Counter(row[-2] for row in changes(mesh, shop.port, 0, 1)) == {"insert": 3}
    assert changes(mesh, shop.port, 4) == []


def test_the_feed_of_everybody_is_the_difference_of_what_they_read(shop: Shop) -> None:
    chance = random.Random(11)
    shop.publish(pl.concat([rows(*range(40)), rows(*range(40, 60), region="US")]))
    shop.share()
    for step in range(8):
        mode = chance.choice(["append", "merge", "merge", "merge", "overwrite"])
        ids = chance.sample(range(100 if mode == "merge" else 1000 + step * 100), 10)
        frame = pl.concat(
            [
                rows(it, region=chance.choice(["EU", "US"]), code=chance.choice("xy"), amount=chance.choice([0, 1, None]))
                for it in ids
            ]
        )
        if mode == "append":
            frame = frame.with_columns(id=pl.col("id") + 2000 + step * 2000)
        more = {}
        if mode == "merge":
            frame, more = frame.with_columns(gone=pl.Series([chance.random() < 0.3 for _ in ids])), {"delete_flag": "gone"}
        shop.publish(frame, mode, **more)
    for who, mesh in shop.readers.items():
        for since in (1, 4):
            before, after = seen(mesh, shop.port, since), seen(mesh, shop.port, shop.versions[-1])
            assert replayed(before, changes(mesh, shop.port, since)) == after, who
        for version in shop.versions[1:]:
            feed = changes(mesh, shop.port, version - 1, version)
            assert replayed(seen(mesh, shop.port, version - 1), feed) == seen(mesh, shop.port, version), who


def test_a_row_that_leaves_the_filter_is_deleted_and_one_that_enters_is_inserted(shop: Shop) -> None:
    shop.publish(pl.concat([rows(1, 2), rows(3, region="US")]))
    shop.share()
    shop.publish(pl.concat([rows(1, region="US"), rows(3), rows(2, amount=9)]), "merge")
    kinds = {(row[0], row[-2]) for row in changes(shop.readers["some"], shop.port, 1)}
    assert kinds == {(1, "delete"), (3, "insert"), (2, "update_preimage"), (2, "update_postimage")}


def test_a_change_that_cannot_be_seen_is_none(shop: Shop) -> None:
    """Who sees region and a masked code learns nothing of amounts, or of codes that look the same under the mask."""
    shop.publish(rows(1, 2))
    shop.share()
    shop.publish(pl.concat([rows(1, amount=2), rows(2, code="y")]), "merge")
    assert changes(shop.readers["masked"], shop.port, 1) == []
    assert len(changes(shop.readers["all"], shop.port, 1)) == 4


def test_columns_rows_and_limits_are_the_consumers_own_afterwards(shop: Shop) -> None:
    shop.publish(rows(1, 2))
    shop.share()
    shop.publish(rows(1, 2, amount=3), "merge")
    feed = shop.readers["all"].changes(shop.port, since=1)
    assert feed.filter(pl.col("_change_type") == "update_postimage").select("id", "amount").collect().rows() == [(1, 3), (2, 3)]
    assert feed.select("region").collect().height == 4
    assert feed.head(1).collect().height == 1


def test_who_may_not_read_gets_no_changes_and_versions_must_exist(shop: Shop, server: RunningServer) -> None:
    shop.publish(rows(1))
    shop.share()
    with server.user("user:stan") as stranger, pytest.raises((AccessDenied, pl.exceptions.ComputeError)):
        changes(stranger, shop.port, 0)
    reader = shop.readers["all"]
    for since, kind in ((5, InvalidRequest), (-1, InvalidRequest)):
        with pytest.raises((kind, pl.exceptions.ComputeError)):
            changes(reader, shop.port, since)
    with pytest.raises((NotFound, pl.exceptions.ComputeError)):
        changes(reader, shop.port, 0, 9)
