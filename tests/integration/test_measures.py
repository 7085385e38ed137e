"""Measures on a real server: a measure is governed SQL, so rows, masks and purposes of who asks decide what it gives."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from domain_sdk import AccessDenied, IncompatibleContract, InvalidRequest, Mesh
from domain_sdk.cli import main
from domainmesh.v1 import sql_service_pb2
from domainmesh.v1.sql_service_pb2_grpc import SqlServiceStub
from tests.integration.mesh_setup import raw_mesh, token_of
from tests.servers import RunningServer

NET = "shop.orders.orders.net_revenue"
COUNT = "shop.orders.orders.order_count"
BUYERS = "shop.orders.orders.buyers"
FRAME = pl.DataFrame(
    {
        "order_id": ["O-1", "O-2", "O-3", "O-4"],
        "ordered_on": [date(2026, 1, 5), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)],
        "region": ["EU", "EU", "US", "EU"],
        "email": ["a@example.com", "b@example.com", "c@example.com", "a@example.com"],
        "amount": [Decimal("10.00"), Decimal("20.00"), Decimal("40.00"), Decimal("80.00")],
        "status": ["placed", "refunded", "placed", "placed"],
    }
)


def document(version: str = "1.0.0", net: str = "SUM(amount) FILTER (WHERE status = 'placed')") -> dict[str, Any]:
    def computed(name: str, logic: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "logicalType": "number", "semanticType": "measure", "transformLogic": logic, **more}

    return {
        "kind": "DataContract", "apiVersion": "v3.2.0", "id": "shop.orders", "name": "Orders", "version": version,
        "status": "active", "domain": "shop",
        "schema": [{
            "name": "orders", "logicalType": "object", "physicalType": "table",
            "properties": [
                {"name": "order_id", "logicalType": "string", "primaryKey": True, "required": True},
                {"name": "ordered_on", "logicalType": "date", "semanticType": "dimension"},
                {"name": "region", "logicalType": "string", "semanticType": "dimension"},
                {"name": "email", "logicalType": "string", "tags": ["pii.email"]},
                {"name": "amount", "logicalType": "number", "physicalType": "decimal(12,2)"},
                {"name": "status", "logicalType": "string"},
                computed(
                    "net_revenue", net, businessName="Net revenue", synonyms=[{"synonym": "turnover"}],
                    customProperties=[{"property": "unit", "value": "EUR"}],
                ),
                computed("order_count", "COUNT(*)"),
                computed("buyers", "COUNT(DISTINCT email)", description="How many people ordered."),
                {
                    "name": "first_letter", "logicalType": "string", "semanticType": "dimension",
                    "transformLogic": "left(region, 1)",
                },
            ],
        }],
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("measures") / "home")
    with running.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])
        admin.admin.create_purpose("planning")
        admin.admin.create_guardrail("no-mail", "tag:pii.email", mask="replace-with-null", exempt=["domain:shop"])
    olga = running.user("user:olga")
    for name in ("user:ana", "user:ben", "user:cy"):
        running.user(name)
    olga.domain("shop").product("orders", json.dumps(document())).publish(orders=FRAME, progress=False)
    olga.grant("user:ana", "shop.orders.orders", rows="region = 'EU'")
    olga.grant("user:ben", "shop.orders.orders", columns=["order_id", "region", "status"], actions=["discover", "read"])
    olga.grant("user:cy", "shop.orders.orders", actions=["discover"])
    yield running
    running.stop()


@pytest.fixture(scope="module")
def olga(server) -> Mesh:
    return server.user("user:olga")


@pytest.fixture(scope="module")
def ana(server) -> Mesh:
    return server.user("user:ana")


def test_a_measure_is_computed_as_the_contract_defines_it(olga):
    assert olga.measure(NET)["net_revenue"].to_list() == [Decimal("130.00")]
    frame = olga.measure(NET, COUNT, by=["region"])
    assert frame.rows() == [("EU", Decimal("90.00"), 3), ("US", Decimal("40.00"), 1)]
    assert olga.measure(COUNT, by=["month"])["order_count"].to_list() == [2, 2]
    assert olga.measure(COUNT, by=["first_letter"]).rows() == [("E", 3), ("U", 1)]
    assert olga.measure(COUNT, period="January 2026", where="status = 'placed'")["order_count"].to_list() == [1]


def test_rows_that_policy_hides_are_in_no_figure(ana):
    assert ana.measure(NET, by=["region"]).rows() == [("EU", Decimal("90.00"))]
    assert ana.measure(COUNT, where="region = 'US'")["order_count"].to_list() == [0]


def test_a_measure_over_a_masked_column_sees_the_mask(olga, ana):
    assert olga.measure(BUYERS)["buyers"].to_list() == [3]
    assert ana.measure(BUYERS)["buyers"].to_list() == [0]


def test_a_measure_over_a_hidden_column_is_refused_without_its_values(server):
    ben = server.user("user:ben")
    assert ben.measure(COUNT)["order_count"].to_list() == [4]
    with pytest.raises(InvalidRequest, match="amount"):
        ben.measure(NET)
    with pytest.raises(InvalidRequest):
        ben.measure(COUNT, where="amount > 30")
    with pytest.raises(InvalidRequest):
        ben.measure(COUNT, by=["month"])


def test_who_may_only_discover_computes_nothing_and_a_stranger_learns_of_no_measure(server):
    with pytest.raises(AccessDenied):
        server.user("user:cy").measure(NET)
    stranger = server.user("user:stranger")
    with pytest.raises(AccessDenied) as known:
        stranger.measure(NET)
    with pytest.raises(AccessDenied) as unknown:
        stranger.measure("shop.orders.nothing.net_revenue")
    assert known.value.message.replace("orders.orders", "orders.nothing") == unknown.value.message
    with pytest.raises(AccessDenied):
        stranger.measure("shop.orders.orders.no_such_measure")


def test_what_there_is_is_said_to_who_may_read(ana):
    with pytest.raises(InvalidRequest, match="it has net_revenue, order_count, buyers"):
        ana.measure("shop.orders.orders.profit")
    with pytest.raises(InvalidRequest, match="no dimension 'planet'"):
        ana.measure(NET, by=["planet"])
    with pytest.raises(InvalidRequest, match="name measures of one port"):
        ana.measure(NET, "shop.other.other.x")
    with pytest.raises(InvalidRequest, match="period is 'sometime'"):
        ana.measure(NET, period="sometime")


def test_the_catalog_shows_measures_and_finds_them(ana):
    port = ana.show("shop.orders.orders")
    (net, *_) = port.measures
    assert (net.name, net.title, net.unit, net.time_dimension, net.synonyms) == (
        "net_revenue", "Net revenue", "EUR", "ordered_on", ("turnover",),
    )  # fmt: skip
    assert [it.name for it in port.measure_dimensions] == ["ordered_on", "region", "first_letter"]
    assert "net_revenue" not in [column.name for column in port.columns]
    (hit, *_) = ana.discover("turnover")
    assert hit.name == "shop.orders.orders"
    assert hit.matched == ("measure net_revenue",)


def test_the_command_lists_computes_and_explains(server, monkeypatch, capsys):
    monkeypatch.setenv("MESH_URL", server.url)
    monkeypatch.setenv("MESH_TOKEN", token_of(server, "user:ana"))
    assert main(["measure", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [it["name"] for it in listed] == ["net_revenue", "order_count", "buyers"]
    assert main(["measure", NET, "--by", "region,month", "--period", "Q1 2026", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 2
    assert main(["measure", NET, "--explain"]) == 0
    explained = " ".join(capsys.readouterr().out.split())
    assert explained.startswith("SELECT SUM(")
    assert "rows kept by policy" in explained
    assert main(["show", "shop.orders.orders"]) == 0
    assert "net_revenue" in capsys.readouterr().out


def test_a_call_gives_sql_or_measures_and_learns_the_sql(server):
    with raw_mesh(server, token_of(server, "user:ana")) as raw:
        stub = raw.gateway(SqlServiceStub)
        wanted = sql_service_pb2.MeasureQuery(port="shop.orders.orders", measures=["order_count"])
        both = sql_service_pb2.RunQueryRequest(sql="SELECT 1", measure=wanted)
        for request in (both, sql_service_pb2.RunQueryRequest()):
            with pytest.raises(Exception, match="either sql or measure"):
                list(stub.RunQuery(request, metadata=raw.metadata))
        (header, *_) = stub.RunQuery(sql_service_pb2.RunQueryRequest(measure=wanted), metadata=raw.metadata)
        assert header.header.sql.startswith("SELECT COUNT(*)")
        wanted.start_day = "yesterday"
        with pytest.raises(Exception, match="is no day"):
            list(stub.RunQuery(sql_service_pb2.RunQueryRequest(measure=wanted), metadata=raw.metadata))


def test_a_measure_that_means_nothing_is_recorded_with_the_reason_and_not_computed(olga):
    wrong = document(version="1.1.0")
    profit = {"name": "profit", "logicalType": "number", "semanticType": "measure", "transformLogic": "SUM(profit)"}
    wrong["schema"][0]["properties"].append(profit)
    preview = olga.domain("shop").product("orders", json.dumps(wrong)).preview(orders=FRAME, progress=False)
    assert any("schema[0].properties[10]" in it and "profit" in it and "not computed" in it for it in preview.not_enforced)


def test_a_measure_that_means_something_else_needs_a_major_version_and_old_releases_keep_theirs(olga, ana):
    with pytest.raises(IncompatibleContract, match="net_revenue"):
        olga.domain("shop").product("orders", json.dumps(document("1.1.0", "SUM(amount)"))).publish(orders=FRAME, progress=False)
    olga.domain("shop").product("orders", json.dumps(document("2.0.0", "SUM(amount)"))).publish(orders=FRAME, progress=False)
    assert ana.measure(NET)["net_revenue"].to_list() == [Decimal("110.00")]
    assert ana.measure(NET, version=1)["net_revenue"].to_list() == [Decimal("90.00")]
