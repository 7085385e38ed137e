"""Schemas change with releases: each kind of change end to end, each version read under its own schema and today's policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from domain_sdk import AccessDenied, ContractViolated, IncompatibleContract, Mesh
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer
from tests.shared_data import shared_data


@dataclass
class Shop:
    server: RunningServer
    owner: Mesh
    ana: Mesh

    def publish(self, product: str, version: str, columns: list[str], frame: pl.DataFrame) -> int:
        text = contract(f"shop.{product}", {"rows": ["id: integer", *columns]}, version=version)
        handle = self.owner.domain("shop").product(product, text)
        return handle.publish(rows=frame.with_row_index("id").cast({"id": pl.Int64}), progress=False).version

    def read(self, product: str, version: int, **arguments: Any) -> pl.DataFrame:
        return self.ana.read(f"shop.{product}.rows", version=version, **arguments).drop("id", strict=False)


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Iterator[Shop]:
    with server.user("user:olga") as owner, server.user("user:ana") as ana:
        with server.admin() as admin:
            admin.admin.create_domain("shop", owners=["user:olga"])
        owner.grant("user:ana", "shop")
        yield Shop(server, owner, ana)


def series(values: list[Any], dtype: pl.DataType | type[pl.DataType] | None = None) -> pl.DataFrame:
    return pl.DataFrame({"a": pl.Series(values, dtype=dtype)})


INT32, INT64 = "a: integer, physicalType: int", "a: integer"
CHANGES: list[tuple[str, list[str], pl.DataFrame, list[str], pl.DataFrame, str]] = [
    ("added", [INT64], series([1]), [INT64, "b: string"], series([1]).with_columns(b=pl.lit("x")), "1.1.0"),
    ("dropped", [INT64, "b: string"], series([1]).with_columns(b=pl.lit("x")), [INT64], series([1]), "2.0.0"),
    ("renamed", ["a: integer, id: amount"], series([1]), ["b: integer, id: amount"], pl.DataFrame({"b": [2]}), "2.0.0"),
    ("int_to_long", [INT32], series([1], pl.Int32), [INT64], series([2**40]), "2.0.0"),
    ("long_to_int", [INT64], series([2**40]), [INT32], series([1], pl.Int32), "1.1.0"),
    ("float_to_double", ["a: number, logicalTypeOptions: {format: f32}"], series([1.5], pl.Float32),
     ["a: number"], series([0.1]), "2.0.0"),
    ("decimal", ['a: number, physicalType: "decimal(6,2)"'], series([Decimal("1.25")], pl.Decimal(6, 2)),
     ['a: number, physicalType: "decimal(12,4)"'], series([Decimal("12345678.0625")], pl.Decimal(12, 4)), "2.0.0"),
    ("int_to_decimal", [INT32], series([7], pl.Int32), ['a: number, physicalType: "decimal(12,2)"'],
     series([Decimal("7.25")], pl.Decimal(12, 2)), "2.0.0"),
    ("date_to_timestamp", ["a: date"], series([date(2026, 1, 2)]), ["a: timestamp"], series([datetime(2026, 1, 2, 3)]), "2.0.0"),
    ("number_to_text", [INT64], series([1]), ["a: string"], series(["one"]), "2.0.0"),
    ("field_added", ["a: object, properties: [{name: x, logicalType: integer}]"], series([{"x": 1}]),
     ["a: object, properties: [{name: x, logicalType: integer}, {name: y, logicalType: string}]"],
     series([{"x": 1, "y": "z"}]), "1.1.0"),
    ("items_widened", ["a: array, items: {logicalType: integer, physicalType: int}"], series([[1]], pl.List(pl.Int32)),
     ["a: array, items: {logicalType: integer}"], series([[2**40]]), "2.0.0"),
    ("null_allowed", ["a: integer, required: true"], series([1]), [INT64], series([None], pl.Int64), "2.0.0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "before", "new", "after", "version"), CHANGES, ids=[case[0] for case in CHANGES])
def test_a_change_is_carried_out_and_each_version_keeps_its_own_schema(
    shop: Shop, name: str, old: list[str], before: pl.DataFrame, new: list[str], after: pl.DataFrame, version: str
) -> None:
    first = shop.publish(name, "1.0.0", old, before)
    if version.startswith("2"):
        with pytest.raises(IncompatibleContract, match=r"to 2\.0\.0"):
            shop.publish(name, "1.9.0", new, after)
    second = shop.publish(name, version, new, after)
    for via in ("stream", "files"):
        assert shop.read(name, first, via=via).equals(before)
        assert shop.read(name, second, via=via).equals(after)
    newest = DeltaTable(next((shop.server.home / "warehouse").rglob(f"{name}/rows")))
    assert [field.name for field in newest.schema().fields] == ["id", *after.columns]  # the log says what the contract says
    assert newest.protocol().writer_features is None or "columnMapping" not in newest.protocol().writer_features


def test_a_value_that_does_not_fit_the_new_type_is_refused_and_nothing_changes(shop: Shop) -> None:
    shop.publish("narrow", "1.0.0", [INT64], series([2**40]))
    with pytest.raises(ContractViolated):
        shop.publish("narrow", "1.1.0", [INT32], series([2**40]))
    assert shop.read("narrow", 0).equals(series([2**40]))


def test_a_column_that_is_gone_is_read_in_its_version_under_the_rules_that_are_left_for_it(shop: Shop) -> None:
    frame = pl.DataFrame({"mail": ["alice@example.org", "bruno@example.org"], "region": ["EU", "US"]})
    first = shop.publish("gone", "1.0.0", ["mail: string, tags: [pii.email]", "region: string"], frame)
    with shop.server.user("user:bo") as bo, shop.server.user("user:cy") as cy, shop.server.admin() as admin:
        shop.owner.grant("user:bo", "shop.gone", masks={"mail": "show-last-4"})
        shop.owner.grant("user:cy", "shop.gone", rows="region = 'EU'", columns=["id", "region"])
        shop.publish("gone", "2.0.0", ["n: integer"], pl.DataFrame({"n": [1, 2]}))
        seen = bo.read("shop.gone.rows", version=first)
        assert seen["mail"].to_list() != frame["mail"].to_list()
        assert seen["region"].to_list() == ["EU", "US"]
        with pytest.raises(AccessDenied):  # its filter can no longer be told, so its grant gives nothing
            cy.read("shop.gone.rows", version=first)
        admin.admin.create_guardrail("no-mail", "tag:pii.*", mask="replace-with-null")
        assert bo.read("shop.gone.rows", version=first)["mail"].null_count() == 2
        admin.admin.delete_guardrail("no-mail")


def test_a_filter_on_a_new_column_gives_nothing_of_versions_without_it(shop: Shop) -> None:
    first = shop.publish("late", "1.0.0", [INT64], series([1]))
    shop.publish("late", "1.1.0", [INT64, "region: string"], series([1]).with_columns(region=pl.lit("EU")))
    with shop.server.user("user:di") as di:
        shop.owner.grant("user:di", "shop.late", rows="region = 'EU'")
        assert di.read("shop.late.rows").height == 1
        with pytest.raises(AccessDenied):
            di.read("shop.late.rows", version=first)


@pytest.mark.parametrize("table", ["dv"])
def test_why_renames_are_not_done_by_column_mapping(table: str) -> None:
    """What ADR 0021 rests on: our writer has no way to map columns, and our reader does not read a table that maps them."""
    alter = {name for name in dir(DeltaTable.alter.fget(DeltaTable.__new__(DeltaTable))) if not name.startswith("_")}  # type: ignore[attr-defined]
    assert not [name for name in alter if "rename" in name or name == "drop_columns"]
    path = shared_data("delta_spark", table)
    with pytest.raises(Exception, match=r"(?i)column ?mapping|deletion ?vector|unsupported"):
        pl.scan_delta(str(path)).collect()
