"""What checks found is kept release by release; odd volumes, late data and missing releases are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from domain_sdk import AccessDenied, Mesh
from domain_sdk.cli.app import build
from domain_sdk.release import QualityStatus
from tests.servers import RunningServer

CONTRACT = """kind: DataContract
apiVersion: v3.2.0
id: x
version: 1.0.0
slaProperties:
- {property: latency, value: 2, unit: d, element: events.at}
- {property: Freshness, value: 1, unit: hours, element: other}
- {property: retention, value: 3, unit: y}
schema:
- name: events
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: at, logicalType: timestamp, logicalTypeOptions: {timezone: true}}
  - name: kind
    logicalType: string
    quality: [{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0, severity: info}]
- name: other
  properties: [{name: x, logicalType: integer}]
"""
COUNTS = [100, 104, 98, 101, 99, 102, 500]


def events(rows: int, at: datetime) -> pl.DataFrame:
    kinds = ["a"] * (rows - rows % 10) + ["b"] * (rows % 10)
    return pl.DataFrame({"id": range(rows), "at": [at] * rows, "kind": kinds}, schema_overrides={"at": pl.Datetime("us", "UTC")})


@pytest.fixture(scope="module")
def tom(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("ops", owners=["user:tom"])
    with server.user("user:tom") as mesh:
        product = mesh.domain("ops").product("log", CONTRACT)
        old = datetime.now(UTC) - timedelta(days=9, hours=1)
        for count in COUNTS:
            product.publish(events=events(count, old), other=pl.DataFrame({"x": [1]}), progress=False)
        yield mesh


def test_a_release_with_an_odd_volume_warns_and_those_before_it_do_not(tom: Mesh) -> None:
    """The median of 100, 104, 98, 101, 99, 102 is 100.5; a fifth of it more than covers their spread."""
    found = {}
    for record in tom.domain("ops").product("log").quality_history(port="ops.log.events", check="history.rowCount"):
        found[record.version] = [(it.status, it.is_blocking) for it in record.results]
    passed, odd = [(QualityStatus.PASSED, False)], [(QualityStatus.FAILED, False)]
    assert found == {1: [], 2: [], 3: [], 4: [], 5: [], 6: passed, 7: odd}
    (result,) = [
        it for it in tom.domain("ops").product("log").release().quality if it.check == "history.rowCount" and "events" in it.port
    ]
    assert result.message == "500 rows; the median of 6 releases is 100.5, 80 to 121 are usual"


def test_the_history_of_a_check_has_its_counts_release_by_release(tom: Mesh) -> None:
    records = tom.domain("ops").product("log").quality_history(check="kind.quality[0]")
    assert [record.version for record in records] == [7, 6, 5, 4, 3, 2, 1]
    assert [record.results[0].failing_rows for record in reversed(records)] == [0, 4, 8, 1, 9, 2, 0]
    assert [record.row_counts["ops.log.events"] for record in reversed(records)] == COUNTS
    assert len(tom.domain("ops").product("log").quality_history(limit=2)) == 2


def test_data_older_than_promised_is_told_at_read_and_in_status(tom: Mesh) -> None:
    late = "promised is latency 2 d; the newest at is 9 days old"
    warnings = {(it.resource, it.kind): it.message for it in tom.domain("ops").product("log").quality_warnings()}
    assert warnings["ops.log.events", "freshness"] == late
    assert ("ops.log.other", "freshness") not in warnings
    assert "500 rows" in warnings["ops.log.events", "history.rowCount"]
    assert tom._source("ops.log.events").planned().warnings == (late,)
    assert tom._source("ops.log.other").planned().warnings == ()


def test_sql_tells_of_data_older_than_promised_and_of_its_age_only_to_who_sees_all_of_it(
    tom: Mesh, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    late = "ops.log.events: promised is latency 2 d; the newest at is 9 days old"
    query = "SELECT count(*) AS n FROM ops.log.events e, ops.log.other o"
    assert tom.plan_sql(query).warnings == (late,)
    assert tom.sql(query).item() == 500
    assert [record.getMessage() for record in caplog.records if "stale" in record.getMessage()] == [f"stale port={late}"]
    tom.grant("user:partly", "ops.log.events", rows="kind = 'b'")
    tom.grant("user:columns", "ops.log.events", columns=["id"])
    for name in ("user:partly", "user:columns"):
        with server.user(name) as mesh:
            told = "promised is latency 2 d; the data is older"
            assert mesh.plan_sql("SELECT count(*) FROM ops.log.events").warnings == (f"ops.log.events: {told}",)
            assert mesh._source("ops.log.events").planned().warnings == (told,)


def test_fresh_data_ends_the_warning(tom: Mesh) -> None:
    product = tom.domain("ops").product("fresh", CONTRACT)
    product.publish(events=events(3, datetime.now(UTC)), other=pl.DataFrame({"x": [1]}), progress=False)
    assert tom._source("ops.fresh.events").planned().warnings == ()
    assert [it for it in product.quality_warnings() if it.kind == "freshness"] == []


def test_who_may_not_discover_the_product_learns_nothing(tom: Mesh, server: RunningServer) -> None:
    with server.user("user:nosy") as nosy:
        with pytest.raises(AccessDenied):
            nosy.domain("ops").product("log").quality_history()
        assert nosy.domain("ops").product("log").quality_warnings() == []
        tom.grant("user:nosy", "ops.log.other", actions=["discover"])
        tom.grant("user:nosy", "ops.log", actions=["discover"], columns=[])
        tom.grant("user:nosy", "ops.log.events", actions=["discover"], deny=True)
        records = nosy.domain("ops").product("log").quality_history()
        assert {it.port for record in records for it in record.results} == {"ops.log.other"}
        assert {it.resource for it in nosy.domain("ops").product("log").quality_warnings()} <= {"ops.log", "ops.log.other"}
        assert all(not it.samples for record in records for it in record.results)


def test_the_command_draws_the_history_and_has_it_as_json(
    tom: Mesh, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_URL", server.url)
    monkeypatch.setenv("MESH_TOKEN", tom._transport._token())
    monkeypatch.setenv("COLUMNS", "160")
    shown = CliRunner().invoke(build(), ["quality", "ops.log.events", "--history"])
    assert shown.exit_code == 0, shown.output
    assert "▂▂▂▂▂▂█" in shown.output
    told = json.loads(CliRunner().invoke(build(), ["quality", "ops.log", "--json"]).output)
    assert told["records"][0]["version"] == 7
    status = json.loads(CliRunner().invoke(build(), ["status", "--json"]).output)
    assert any(it["kind"] == "freshness" for it in status["warnings"])
