"""`mesh.scan` over real gRPC: what is pushed to the gateway, and that results never depend on it."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import Mesh, errors
from domain_sdk.read import governed_scans
from domainmesh.v1.read_service_pb2 import ReadRequest
from tests.integration.sdk_fakes import FakeGateway, ScriptedServer, serving

FRAME = pl.DataFrame(
    {
        "id": range(100),
        "region": ["EU", "US", None, "EU"] * 25,
        "amount": [i / 4 for i in range(100)],
        "email": [f"u{i}@x.eu" for i in range(100)],
    }
)
PORT = "finance.ledger.entries"
Query = Callable[[pl.LazyFrame], pl.LazyFrame]


@contextmanager
def reading(gateway: FakeGateway) -> Iterator[Mesh]:
    def register(server: Any) -> None:
        gateway.register(server)
        ScriptedServer.register(control, server)

    control = ScriptedServer()
    with serving(register) as address:
        control.gateway = address
        with Mesh.connect(address, "token") as mesh:
            yield mesh


QUERIES: list[Query] = [
    lambda f: f,
    lambda f: f.select("amount", "id"),
    lambda f: f.select(pl.len()),
    lambda f: f.head(13),
    lambda f: f.head(0),
    lambda f: f.filter(pl.col("region") == "EU"),
    lambda f: f.filter(pl.col("region").is_null()).select("id"),
    lambda f: f.filter((pl.lit("US") == pl.col("region")) & (pl.col("id") > 50)).select("region", "id"),
    lambda f: f.filter((pl.col("region") == "US") & (pl.col("region") == "EU")),
    lambda f: f.filter(pl.col("region") == "US").select(pl.len()),
    lambda f: f.filter((pl.col("id") > 20) & (pl.col("amount").round(1) < 20)).select("email"),
    lambda f: f.filter(pl.col("id") < 0),
    lambda f: f.filter(pl.col("id") > 90).head(3),
    lambda f: f.sort("amount", descending=True).head(3).select("id"),
    lambda f: f.group_by("region").agg(pl.col("amount").sum()).sort("region"),
    lambda f: f.join(f.select("id", other="amount"), on="id").filter(pl.col("other") > 3),
    lambda f: f.slice(95, 50),
    lambda f: f.tail(3),
]


def test_a_read_takes_sql_text_and_pushes_it_like_the_expression() -> None:
    gateway = FakeGateway(FRAME)
    with reading(gateway) as mesh:
        by_text = mesh.read(PORT, columns=["id"], where="region = 'EU' AND id > 90")
        by_expression = mesh.read(PORT, columns=["id"], where=(pl.col("region") == "EU") & (pl.col("id") > 90))
    assert by_text["id"].to_list() == [i for i in range(91, 100) if i % 4 in (0, 3)]
    assert by_text.equals(by_expression)
    assert gateway.reads[0].HasField("predicate")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_a_scan_gives_what_the_same_query_gives_on_the_frame(query: Query, engine: Any) -> None:
    with reading(FakeGateway(FRAME)) as mesh:
        result = query(mesh.scan(PORT)).collect(engine=engine)
    expected = query(FRAME.lazy()).collect()
    assert result.sort(result.columns).equals(expected.sort(expected.columns))
    assert result.schema == expected.schema


def _requested(query: Query, *, engine: Any = "in-memory") -> ReadRequest:
    gateway = FakeGateway(FRAME)
    with reading(gateway) as mesh:
        query(mesh.scan(PORT, purpose="forecasting")).collect(engine=engine)
    (request,) = gateway.reads
    assert (request.port, request.purpose, request.version) == (PORT, "forecasting", 7)
    return request


def test_only_the_needed_columns_are_asked_for() -> None:
    assert list(_requested(lambda f: f.select("email", "id")).columns) == ["id", "email"]
    assert list(_requested(lambda f: f.filter(pl.col("region") > "EU").select("id")).columns) == ["id", "region"]
    assert list(_requested(lambda f: f.select(pl.len())).columns) == ["id"]


def test_a_text_that_the_filter_says_is_not_sent() -> None:
    is_eu = pl.col("region") == "EU"
    assert list(_requested(lambda f: f.filter(is_eu & (pl.col("id") > 3)).select("id", "region")).columns) == ["id"]
    assert list(_requested(lambda f: f.filter(is_eu).select("region")).columns) == ["id"]
    assert list(_requested(lambda f: f.filter(is_eu | (pl.col("id") > 3)).select("region")).columns) == ["id", "region"]


def test_a_column_that_only_the_gateway_looks_at_is_not_sent() -> None:
    in_part = (pl.col("region") == "EU") & (pl.col("amount").round(1) < 20)
    gateway = FakeGateway(FRAME)
    with reading(gateway) as mesh:
        assert mesh.read(PORT, columns=["id"], where=pl.col("region") == "EU").height == 50
        assert mesh.read(PORT, columns=["id"], where=in_part).height == 40
    assert [list(request.columns) for request in gateway.reads] == [["id"], ["id", "region", "amount"]]


def test_a_limit_is_pushed_only_if_nothing_is_left_to_filter_here() -> None:
    assert _requested(lambda f: f.head(13)).limit == 13
    assert _requested(lambda f: f.filter(pl.col("amount").round(1) < 4).head(13)).limit == 0


def test_a_translatable_predicate_travels_and_the_rest_stays_here() -> None:
    request = _requested(lambda f: f.filter((pl.col("id") > 20) & (pl.col("amount").round(1) < 20)))
    assert request.HasField("predicate")
    assert "id" in str(request.predicate)
    assert "amount" not in str(request.predicate)
    assert not _requested(lambda f: f.filter(pl.col("amount").round(1) < 20)).HasField("predicate")


def test_nothing_is_asked_before_the_frame_is_used() -> None:
    gateway = FakeGateway(FRAME)
    with reading(gateway) as mesh:
        frame = mesh.scan(PORT).filter(pl.col("id") > 3)
        assert (gateway.plans, gateway.reads) == ([], [])
        assert frame.collect_schema() == FRAME.schema
        assert gateway.reads == []


def test_one_scan_stays_at_the_version_it_was_planned_at() -> None:
    gateway = FakeGateway(FRAME)
    with reading(gateway) as mesh:
        frame = mesh.scan(PORT)
        frame.collect()
        frame.filter(pl.col("id") > 3).collect()
        mesh.scan(PORT, version=3).collect()
    assert [plan.version for plan in gateway.plans] == [0, 3]
    assert [read.version for read in gateway.reads] == [7, 7, 3]


def test_a_read_that_needs_no_more_rows_cancels_the_call() -> None:
    gateway = FakeGateway(pl.select(id=pl.int_range(2_000_000), region=pl.lit("EU")), batch_rows=500)
    with reading(gateway) as mesh:
        result = mesh.scan(PORT).filter(pl.col("id") % 2 == 1).head(1).collect(engine="streaming")
        assert result["id"].to_list() == [1]
        assert gateway.has_ended.wait(30)
    assert gateway.sent_batches < 4000


def test_a_gateway_that_came_back_elsewhere_is_found_by_the_next_call() -> None:
    control, gateway = ScriptedServer(), FakeGateway(FRAME)
    with serving(control.register) as address, Mesh.connect(address, "token") as mesh:
        with serving(gateway.register) as control.gateway:
            assert mesh.read(PORT, limit=1).height == 1
        with serving(gateway.register) as control.gateway:
            with pytest.raises(errors.ServerUnreachable):
                mesh.read(PORT, limit=1)
            assert mesh.read(PORT, limit=1).height == 1


def test_read_gives_columns_in_the_order_asked_for() -> None:
    with reading(FakeGateway(FRAME)) as mesh:
        result = mesh.read(PORT, columns=["amount", "id"], where=pl.col("region") == "US", limit=2)
    assert result.rows() == [(0.25, 1), (1.25, 5)]
    assert result.columns == ["amount", "id"]


def test_reading_a_column_that_is_not_visible_names_those_that_are() -> None:
    with reading(FakeGateway(FRAME)) as mesh, pytest.raises(errors.InvalidRequest, match=r"salary.*id, region, amount, email"):
        mesh.read(PORT, columns=["id", "salary"])


def test_an_unknown_way_to_read_is_refused() -> None:
    with reading(FakeGateway(FRAME)) as mesh, pytest.raises(errors.InvalidRequest, match="stream or files"):
        mesh.scan(PORT, via="carrier-pigeon")  # type: ignore[arg-type]


def test_the_scans_in_a_plan_are_found_with_version_and_masked_columns() -> None:
    with reading(FakeGateway(FRAME, masked=("email",))) as mesh:
        left, right = mesh.scan(PORT), mesh.scan("finance.ledger.accounts", version=2).select("id")
        plan = left.join(right, on="id").filter(pl.col("id") > 3).join(FRAME.lazy().select("id"), on="id")
        found = {it.scan.port: it.scan for it in governed_scans(plan)}
        assert set(found) == {PORT, "finance.ledger.accounts"}
        assert found[PORT].planned().masked_columns == {"email"}
        assert found["finance.ledger.accounts"].planned().version == 2
        assert not found[PORT].was_read
        plan.collect()
        assert found[PORT].was_read


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    class Ranges(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (tmp_path / self.path.lstrip("/")).read_bytes()
            asked = re.match(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            first, last = 0, len(content) - 1
            if asked:
                first = int(asked[1]) if asked[1] else max(0, len(content) - int(asked[2]))
                last = min(int(asked[2]), last) if asked[1] and asked[2] else last
            self.send_response(206 if asked else 200)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content[first : last + 1])

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_a_large_unfiltered_read_goes_by_files_and_a_selective_one_does_not(folder: tuple[Path, str], engine: Any) -> None:
    path, url = folder
    FRAME.head(60).write_parquet(path / "0.parquet")
    FRAME.tail(40).write_parquet(path / "1.parquet")
    gateway = FakeGateway(FRAME, row_count_hint=1_000_000)
    gateway.urls = [f"{url}/0.parquet", f"{url}/1.parquet"]
    with reading(gateway) as mesh:
        assert mesh.scan(PORT).collect(engine=engine).equals(FRAME)
        assert mesh.scan(PORT).select("email", "id").collect(engine=engine).equals(FRAME.select("email", "id"))
        assert (len(gateway.prepared), len(gateway.reads)) == (2, 0)
        assert mesh.scan(PORT).filter(pl.col("id") > 97).collect(engine=engine).height == 2
        assert mesh.scan(PORT).head(2).collect(engine=engine).height == 2
        assert mesh.scan(PORT, via="stream").collect(engine=engine).equals(FRAME)
        assert (len(gateway.prepared), len(gateway.reads)) == (2, 3)
        by_files = mesh.scan(PORT, via="files").filter(pl.col("id") > 55, pl.col("amount").round(2) > 16).head(3)
        assert by_files.collect(engine=engine)["id"].to_list() == [65, 66, 67]
        gateway.urls = []
        assert mesh.scan(PORT).collect(engine=engine).equals(FRAME.clear())
