"""Governed SQL on a real server: joins over domains, policy before the query, limits, versions, and errors that help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, DeadlineExceeded, InvalidRequest, Mesh, MeshError, NotFound, PurposeNotHeld
from domainmesh.v1 import sql_service_pb2
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_SQL, DecisionRecord
from domainmesh.v1.sql_service_pb2_grpc import SqlServiceStub
from governance_server.storage.engine import open_database
from governance_server.storage.events import EventLog
from tests.integration.mesh_setup import RawMesh, contract, raw_mesh, token_of
from tests.servers import RunningServer

ORDERS = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, 5, 6],
        "customer": [10, 11, 10, 12, 11, 13],
        "region": ["EU", "EU", "US", "US", "EU", None],
        "amount": [5, 7, 11, 13, 17, 19],
        "email": [f"{name}@example.com" for name in "abcdef"],
    }
)
CUSTOMERS = pl.DataFrame({"id": [10, 11, 12, 13], "name": ["Ada", "Bo", "Cy", "Di"]})
ORDER_COLUMNS = ["id: integer", "customer: integer", "region: string", "amount: integer", "email: 'string', tags: [pii.email]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("sql") / "home", MESH_MAX_QUERIES="2")
    with running.admin() as admin:
        for domain, owner in (("sales", "user:sam"), ("crm", "user:cleo")):
            admin.admin.create_domain(domain, owners=[owner])
        admin.admin.create_purpose("forecasting")
        admin.admin.create_guardrail("no-mail", "tag:pii.email", mask="replace-with-null")
    sam, cleo = running.user("user:sam"), running.user("user:cleo")
    sales = sam.domain("sales").product("orders", contract("sales.orders", {"orders": ORDER_COLUMNS}))
    sales.publish(orders=ORDERS.head(3), progress=False)
    sales.publish(orders=ORDERS, progress=False)
    crm = cleo.domain("crm").product("customers", contract("crm.customers", {"customers": ["id: integer", "name: string"]}))
    crm.publish(customers=CUSTOMERS, progress=False)
    running.user("user:ana")
    sam.grant(
        "user:ana", "sales.orders.orders", rows="region = 'EU' or region is null", columns=["id", "customer", "amount", "email"]
    )
    cleo.grant("user:ana", "crm.customers.customers", actions=["read"], purpose="forecasting")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ana(server) -> Mesh:
    return server.user("user:ana")


@pytest.fixture(scope="module")
def sam(server) -> Mesh:
    return server.user("user:sam")


def test_a_query_sees_the_rows_and_columns_that_policy_gives(ana):
    frame = ana.sql("SELECT id, amount, email FROM sales.orders.orders ORDER BY id")
    assert frame.rows() == [(1, 5, None), (2, 7, None), (5, 17, None), (6, 19, None)]


def test_aggregates_and_windows_are_over_visible_rows_only(ana):
    frame = ana.sql("SELECT count(*) AS n, sum(amount) AS total, max(sum(amount)) OVER () AS top FROM sales.orders.orders")
    assert frame.rows() == [(4, 48, 48)]
    assert frame.schema["total"] == pl.Int64


def test_domains_are_joined_for_a_purpose_that_one_of_them_asks_for(ana):
    frame = ana.sql(
        """WITH spent AS (SELECT customer, sum(amount) AS total FROM sales.orders.orders GROUP BY customer)
        SELECT c.name, s.total FROM spent s JOIN crm.customers.customers c ON c.id = s.customer ORDER BY s.total DESC, c.name""",
        purpose="forecasting",
    )
    assert frame.rows() == [("Bo", 24), ("Di", 19), ("Ada", 5)]


def test_without_the_purpose_the_join_is_denied_and_says_which_port(ana):
    with pytest.raises(AccessDenied, match=r"crm\.customers\.customers"):
        ana.sql("SELECT * FROM sales.orders.orders o JOIN crm.customers.customers c ON c.id = o.customer")


def test_a_purpose_that_is_not_held_is_refused(ana):
    with pytest.raises(PurposeNotHeld):
        ana.sql("SELECT 1 FROM sales.orders.orders", purpose="marketing")


def test_a_port_that_does_not_exist_and_one_that_is_forbidden_look_alike(ana, sam):
    with pytest.raises(AccessDenied) as absent:
        sam.sql("SELECT * FROM crm.nothing.nothing")
    with pytest.raises(AccessDenied) as forbidden:
        sam.sql("SELECT * FROM crm.customers.customers")
    assert absent.value.message.replace("nothing", "customers") == forbidden.value.message


def test_a_hidden_column_and_one_that_does_not_exist_look_alike(ana):
    messages = []
    for name in ("region", "legion"):
        with pytest.raises(InvalidRequest) as caught:
            ana.sql(f"SELECT {name} FROM sales.orders.orders")
        messages.append(caught.value.message.replace(name, "…"))
    assert messages[0] == messages[1]


def test_a_star_shows_visible_columns_in_the_order_of_the_port(ana, sam):
    assert ana.sql("SELECT * FROM sales.orders.orders").columns == ["id", "customer", "amount", "email"]
    assert sam.sql("FROM sales.orders.orders").columns == ORDERS.columns


def test_older_versions_are_read_and_compared(sam):
    frame = sam.sql(
        "SELECT count(*) AS now, (SELECT count(*) FROM sales.orders.orders AT (VERSION => 1)) AS then FROM sales.orders.orders"
    )
    assert frame.rows() == [(6, 3)]
    with pytest.raises(NotFound, match="version 9"):
        sam.sql("SELECT 1 FROM sales.orders.orders AT (VERSION => 9)")


def test_the_same_port_twice_in_one_query_is_whole_both_times(sam):
    frame = sam.sql("SELECT count(*) AS n FROM sales.orders.orders a JOIN sales.orders.orders b ON a.id <= b.id")
    assert frame.item() == 21


def test_a_query_without_rows_has_its_columns(sam):
    frame = sam.sql("SELECT id, region FROM sales.orders.orders WHERE id > 100")
    assert frame.schema == {"id": pl.Int64, "region": pl.String}
    assert frame.is_empty()


def test_a_limit_cuts_and_says_so(server, sam):
    assert sam.sql("SELECT id FROM sales.orders.orders ORDER BY id", limit=2).to_series().to_list() == [1, 2]
    with raw_mesh(server, token_of(server, "user:sam")) as raw:
        for limit, is_cut in ((5, True), (6, False), (0, False)):
            request = sql_service_pb2.RunQueryRequest(sql="SELECT id FROM sales.orders.orders", limit=limit)
            parts = list(raw.gateway(SqlServiceStub).RunQuery(request, metadata=raw.metadata))
            assert (parts[-1].end.row_count, parts[-1].end.is_cut) == (limit or 6, is_cut)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("SELEC 1", "understood|not a query"),
        ("DROP TABLE sales.orders.orders", "not a query"),
        ("SELECT * FROM orders", "three parts"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT id / 0 FROM sales.orders.orders; SELECT 1", "2 statements"),
        ("SELECT CAST(region AS INTEGER) FROM sales.orders.orders", "column region"),
        ("SELECT nope FROM sales.orders.orders", "nope"),
        ("SELECT id FROM sales.orders.orders GROUP BY region", "GROUP BY"),
        ("SELECT sum(region) FROM sales.orders.orders", "sum"),
    ],
)
def test_a_query_that_cannot_run_is_told_in_words_of_its_own(sam, query, hint):
    with pytest.raises(InvalidRequest, match=hint) as caught:
        sam.sql(query)
    assert "port_" not in caught.value.message


def test_a_query_is_stopped_when_its_time_is_over_and_the_next_one_runs(sam):
    with pytest.raises(DeadlineExceeded, match="too long"):
        sam.sql("SELECT count(*) FROM range(1000000000000)", timeout_seconds=1)
    assert sam.sql("SELECT 1 AS one").item() == 1


def test_more_queries_than_may_run_at_once_are_refused_at_once(server):
    with raw_mesh(server, token_of(server, "user:sam")) as raw:
        stub = raw.gateway(SqlServiceStub)
        slow = "SELECT count(*) FROM range(1000000000000)"
        running = [_when_there_is_a_place(raw, slow, timeout_seconds=600) for _ in range(2)]
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.RunQuery(sql_service_pb2.RunQueryRequest(sql="SELECT 1"), metadata=raw.metadata))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in running:
            call.cancel()


def test_a_cancelled_call_frees_its_place(server):
    with raw_mesh(server, token_of(server, "user:sam")) as raw:
        for _ in range(3):
            call = _when_there_is_a_place(raw, "SELECT count(*) FROM range(1000000000000)", timeout_seconds=600)
            call.cancel()


def test_answers_that_nobody_takes_hold_neither_memory_nor_places(server):
    big = "SELECT r, repeat('x', 1000) AS x FROM range(100000000) t(r)"
    before = _resident_bytes(server.gateway_pid)
    with raw_mesh(server, token_of(server, "user:sam")) as raw:
        taken = [_when_there_is_a_place(raw, big, timeout_seconds=2) for _ in range(2)]
        third = _when_there_is_a_place(raw, "SELECT 1 AS one", timeout_seconds=60)
        assert _resident_bytes(server.gateway_pid) - before < 200 << 20
        assert [part.end.row_count for part in third][-1] == 1
        for call in taken:
            with pytest.raises(grpc.RpcError) as ended:
                list(call)
            assert ended.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_killed_query_process_is_told_and_takes_no_other_reader_with_it(server, sam):
    with raw_mesh(server, token_of(server, "user:sam")) as raw:
        slow = _when_there_is_a_place(raw, "SELECT count(*) FROM range(1000000000000)", timeout_seconds=60)
        other = _when_there_is_a_place(raw, "SELECT r FROM range(5000000) t(r)", timeout_seconds=60)
        gateway = server.gateway_pid
        while not (workers := _busy_workers(gateway)) or _processor_ticks(workers[-1]) < 300:
            time.sleep(0.05)
        os.kill(workers[-1], signal.SIGSEGV)
        with pytest.raises(grpc.RpcError) as ended:
            list(slow)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert list(other)[-1].end.row_count == 5_000_000
    assert server.gateway_pid == gateway
    assert sam.sql("SELECT count(*) AS n FROM sales.orders.orders").item() == 6


def _busy_workers(gateway: int) -> list[int]:
    """The query processes; last the one that used the processor most."""
    found = []
    for task in Path(f"/proc/{gateway}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return sorted(found, key=_processor_ticks)


def test_an_interrupted_client_ends_its_query_on_the_server(server):
    program = (
        "import sys; from domain_sdk import Mesh; Mesh.connect(sys.argv[1], sys.argv[2]).sql(sys.argv[3], timeout_seconds=600)"
    )
    endless = "SELECT count(*) FROM range(1000000000000)"
    token = token_of(server, "user:sam")
    idle = {pid: _processor_ticks(pid) for pid in _busy_workers(server.gateway_pid)}
    client = subprocess.Popen([sys.executable, "-c", program, server.url, token, endless], stderr=subprocess.DEVNULL)
    try:
        while not (running := [it for it in _busy_workers(server.gateway_pid) if _processor_ticks(it) - idle.get(it, 0) > 150]):
            time.sleep(0.05)
        client.send_signal(signal.SIGINT)
        client.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in running):
            time.sleep(0.05)
    finally:
        client.kill()
        client.wait()


def _processor_ticks(pid: int) -> int:
    try:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
    except FileNotFoundError:
        return 0


def _when_there_is_a_place(raw: RawMesh, sql: str, *, timeout_seconds: int):
    """The query once it runs: what was cancelled before needs a moment to end."""
    request = sql_service_pb2.RunQueryRequest(sql=sql, timeout_seconds=timeout_seconds)
    deadline = time.monotonic() + 50
    while True:
        call = raw.gateway(SqlServiceStub).RunQuery(request, metadata=raw.metadata)
        try:
            next(call)
            return call
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_revoked_grant_ends_the_very_next_query_and_one_that_runs(server, sam):
    bea = server.user("user:bea")
    grant = sam.grant("user:bea", "sales.orders.orders")
    assert bea.sql("SELECT count(*) FROM sales.orders.orders").item() == 6
    failures = []

    def long_query() -> None:
        try:
            bea.sql("SELECT count(*) FROM sales.orders.orders, range(1000000000000)", timeout_seconds=20)
        except MeshError as error:
            failures.append(error)

    running = threading.Thread(target=long_query)
    running.start()
    time.sleep(0.5)
    sam.revoke(grant.id)
    with pytest.raises(AccessDenied):
        bea.sql("SELECT count(*) FROM sales.orders.orders")
    running.join()
    assert [type(failure).__name__ for failure in failures] == ["AccessDenied"]


def test_a_plan_shows_ports_policy_columns_and_the_engines_plan_without_data(ana):
    plan = ana.plan_sql("SELECT customer, sum(amount) AS total FROM sales.orders.orders WHERE id > 1 GROUP BY customer")
    (port,) = plan.ports
    assert (port.plan.port, port.version, port.columns) == ("sales.orders.orders", 2, ("id", "customer", "amount"))
    assert port.plan.row_filter == "restricted"
    assert dict(plan.schema) == {"customer": pl.Int64, "total": pl.Int64}
    assert "GROUP" in plan.engine_plan.upper()


def test_every_port_of_a_query_has_a_record_in_the_decision_log_and_so_has_a_denial(server, ana):
    ana.sql(
        "SELECT o.amount FROM sales.orders.orders o JOIN crm.customers.customers c ON c.id = o.customer", purpose="forecasting"
    )
    with pytest.raises(AccessDenied):
        ana.sql("SELECT 1 FROM crm.customers.customers")
    log = EventLog(open_database(f"sqlite:///{server.home}/mesh.db"), "decisions", clock=lambda: datetime.now(UTC))
    records = [DecisionRecord.FromString(event.body) for event in log.read_events(0, 10_000)]
    found = [record for record in records if record.kind == DECISION_KIND_SQL and record.principal == "user:ana"][-3:]
    assert [(record.resource, list(record.columns), record.rows, record.is_allowed) for record in found] == [
        ("sales.orders.orders", ["id", "customer", "amount"], 4, True),
        ("crm.customers.customers", ["id"], 4, True),
        ("crm.customers.customers", [], 0, False),
    ]


def test_who_only_counts_rows_is_recorded_with_no_column(server, ana):
    counting = "SELECT count(*) AS n FROM sales.orders.orders"
    assert ana.plan_sql(counting).ports[0].columns == ()
    assert ana.sql(counting).item() == 4
    log = EventLog(open_database(f"sqlite:///{server.home}/mesh.db"), "decisions", clock=lambda: datetime.now(UTC))
    records = [DecisionRecord.FromString(event.body) for event in log.read_events(0, 10_000)]
    found = [record for record in records if record.kind == DECISION_KIND_SQL and record.principal == "user:ana"][-1]
    assert (found.resource, list(found.columns), found.rows, found.is_allowed) == ("sales.orders.orders", [], 1, True)


def test_the_command_line_asks_explains_and_writes(server, tmp_path):
    token = token_of(server, "user:sam")

    def mesh(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "import sys; from domain_sdk.cli import main; sys.exit(main())"]
        environment = {
            "MESH_URL": server.url,
            "MESH_TOKEN": token,
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "COLUMNS": "120",
        }
        return subprocess.run(
            [*program, *words], env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    shown = mesh("sql", "SELECT region, sum(amount) AS total FROM sales.orders.orders GROUP BY region ORDER BY total")
    assert shown.returncode == 0, shown.stderr
    assert "29" in shown.stdout
    assert "sales.orders.orders, version 2" in shown.stdout
    answered = json.loads(mesh("sql", "-", "--json", stdin="SELECT max(id) AS top FROM sales.orders.orders").stdout)
    assert answered["rows"] == [{"top": 6}]
    assert "amount" in mesh("sql", "--explain", "SELECT sum(amount) FROM sales.orders.orders").stdout
    written = mesh("sql", "SELECT * FROM sales.orders.orders", "--output", str(tmp_path / "orders.parquet"))
    assert written.returncode == 0, written.stderr
    assert pl.read_parquet(tmp_path / "orders.parquet").height == 6
    refused = mesh("sql", "DROP TABLE sales.orders.orders")
    assert (refused.returncode != 0, "not a query" in refused.stderr) == (True, True)
    assert not list(Path(tmp_path).glob(".*.part"))
