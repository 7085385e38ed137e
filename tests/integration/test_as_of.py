"""The past can be asked, followed and proven: as_of, the change feed, rebuild and verify."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import Change, Mesh
from domainmesh.v1 import decision_service_pb2 as decisions
from domainmesh.v1 import domain_service_pb2 as domains
from domainmesh.v1 import grant_service_pb2 as grants
from domainmesh.v1 import lineage_service_pb2 as lineage
from domainmesh.v1 import product_service_pb2 as products
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.domain_service_pb2_grpc import DomainServiceStub
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub
from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from tests.integration.mesh_setup import RawMesh, contract, detail_of, raw_mesh, token_of
from tests.servers import RunningServer

PORT = "ops.events.events"
COLUMNS = ["id: integer, required: true", "kind: string", "host: 'string', tags: [net.host]"]


@dataclass(frozen=True)
class History:
    """What happened, as revisions: each is the newest one when that was done."""

    owner: RawMesh
    reader: RawMesh
    empty: int
    published: int
    granted: int
    narrowed: int
    revoked: int
    derived: int
    republished: int


@pytest.fixture(scope="module")
def history(server: RunningServer) -> Iterator[History]:
    with server.admin() as admin:
        admin.admin.create_domain("ops", owners=["user:olga"], description="Operations")
        admin.admin.create_principal("user:ana")
    frame = pl.DataFrame({"id": [1, 2], "kind": ["a", "b"], "host": ["h1", "h2"]})
    with server.user("user:olga") as olga, server.user("user:ana") as ana:

        def now() -> int:
            olga.status()
            return olga.revision

        empty = now()
        product = olga.domain("ops").product("events", contract("ops.events", {"events": COLUMNS}))
        product.publish(events=frame, progress=False)
        published = now()
        wide = olga.grant("user:ana", "ops.events")
        granted = now()
        olga.revoke(wide.id)
        narrow = olga.grant("user:ana", PORT, rows="kind = 'a'", columns=["id"])
        narrowed = now()
        olga.revoke(narrow.id)
        revoked = now()

        @olga.domain("ops").transform(inputs=[PORT], output="hosts", contract=contract("ops.hosts", {"hosts": ["name: string"]}))
        def hosts(events: pl.LazyFrame) -> pl.LazyFrame:
            return events.select(name="host")

        hosts.run(progress=False)
        derived = now()
        more = contract("ops.events", {"events": [*COLUMNS, "size: integer"]}, version="1.1.0")
        olga.domain("ops").product("events", more).publish(events=frame.with_columns(size=pl.lit(1, pl.Int64)), progress=False)
        republished = now()
        assert not ana.check("read", PORT)
    with raw_mesh(server, token_of(server, "user:olga")) as owner, raw_mesh(server, token_of(server, "user:ana")) as reader:
        yield History(owner, reader, empty, published, granted, narrowed, revoked, derived, republished)


def may_read(history: History, revision: int) -> bool:
    asked = decisions.CheckRequest(action="read", resource=PORT, principal="user:ana", as_of=revision)
    reply = history.owner.control(DecisionServiceStub).Check(asked, metadata=history.owner.metadata)
    assert revision in (0, reply.revision)
    return bool(reply.is_allowed)


def test_a_check_in_the_past_knows_the_grants_of_then(history: History) -> None:
    moments = (history.published, history.granted, history.narrowed, history.revoked, history.republished, 0)
    assert [may_read(history, moment) for moment in moments] == [False, True, True, False, False, False]


def test_many_checks_in_the_past_are_decided_at_that_revision(history: History) -> None:
    items = [decisions.CheckRequest(action=action, resource=PORT) for action in ("read", "discover", "write")]
    stub = history.reader.control(DecisionServiceStub)
    for moment, wanted in ((history.granted, [True, True, False]), (history.revoked, [False, False, False])):
        reply = stub.CheckMany(decisions.CheckManyRequest(checks=items, as_of=moment), metadata=history.reader.metadata)
        assert [result.is_allowed for result in reply.results] == wanted
        assert reply.revision == moment


def test_an_explanation_of_the_past_shows_the_plan_of_then(history: History) -> None:
    def explained(moment: int) -> decisions.ExplainResponse:
        asked = decisions.ExplainRequest(port=PORT, principal="user:ana", as_of=moment)
        return history.owner.control(DecisionServiceStub).Explain(asked, metadata=history.owner.metadata)

    wide, narrow, none = (explained(moment) for moment in (history.granted, history.narrowed, history.revoked))
    assert [column.name for column in wide.plan.columns] == ["id", "kind", "host"]
    assert not wide.plan.row_filter
    assert [column.name for column in narrow.plan.columns] == ["id"]
    assert "kind" in narrow.plan.row_filter
    assert not none.is_allowed


def test_the_catalog_of_the_past_is_the_one_of_then(history: History) -> None:
    stub, metadata = history.owner.control(ProductServiceStub), history.owner.metadata

    def product(moment: int) -> tuple[int, str, list[str]]:
        found = stub.GetProduct(products.GetProductRequest(name="ops.events", as_of=moment), metadata=metadata)
        return found.version, found.contract_version, [column.name for column in found.ports[0].columns]

    assert product(history.published) == (1, "1.0.0", ["id", "kind", "host"])
    assert product(history.republished) == product(0) == (2, "1.1.0", ["id", "kind", "host", "size"])
    listed = [
        [found.name for found in stub.ListProducts(products.ListProductsRequest(as_of=moment), metadata=metadata).products]
        for moment in (history.empty, history.published, history.derived)
    ]
    assert listed == [[], ["ops.events"], ["ops.events", "ops.hosts"]]
    texts = [
        stub.GetContract(products.GetContractRequest(product="ops.events", as_of=m), metadata=metadata).version
        for m in (history.published, 0)
    ]
    assert texts == ["1.0.0", "1.1.0"]
    with pytest.raises(grpc.RpcError) as caught:
        product(history.empty)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.RpcError) as caught:
        product(10**9)
    assert "newest revision" in detail_of(caught.value).message


def test_domains_and_grants_of_the_past_are_those_of_then(history: History) -> None:
    metadata = history.owner.metadata
    found = history.owner.control(DomainServiceStub).GetDomain(
        domains.GetDomainRequest(name="ops", as_of=history.empty), metadata=metadata
    )
    assert found.description == "Operations"
    stub = history.owner.control(GrantServiceStub)

    def live(moment: int) -> int:
        listed = stub.ListGrants(grants.ListGrantsRequest(as_of=moment), metadata=metadata).grants
        return sum(not grant.HasField("revoke_time") for grant in listed)

    assert [live(m) for m in (history.published, history.granted, history.narrowed, history.revoked)] == [0, 1, 1, 0]


def test_lineage_and_its_tags_of_the_past_are_those_of_then(history: History) -> None:
    def nodes(moment: int) -> dict[str, list[str]]:
        asked = lineage.GetLineageRequest(name=f"{PORT}.host", as_of=moment)
        reply = history.owner.control(LineageServiceStub).GetLineage(asked, metadata=history.owner.metadata)
        return {node.id: list(node.tags) for node in reply.nodes}

    assert nodes(history.revoked) == {f"{PORT}#host": ["net.host"]}
    assert nodes(history.derived)["ops.hosts.hosts#name"] == ["net.host"]
    assert nodes(0) == nodes(history.republished)


class Watcher:
    """Collects the changes of one call to watch until it is closed."""

    def __init__(self, mesh: Mesh, after: int) -> None:
        self.seen: list[Change] = []
        self._mesh = mesh
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(after,), daemon=True)
        self._thread.start()

    def _run(self, after: int) -> None:
        try:
            for change in self._mesh.audit.watch(after=after):
                with self._arrived:
                    self.seen.append(change)
                    self._arrived.notify_all()
        except Exception:  # noqa: BLE001 # ended by closing the mesh under it
            return

    def until(self, revision: int) -> list[Change]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: bool(self.seen) and self.seen[-1].revision >= revision, 30)
            return list(self.seen)

    def close(self) -> None:
        self._mesh.close()
        self._thread.join(10)


def test_a_watcher_gets_every_change_once_and_in_order_also_across_reconnects(server: RunningServer, history: History) -> None:
    with server.admin() as admin, server.user("user:olga") as olga:
        admin.status()
        received: list[Change] = []
        for _ in range(3):
            watcher = Watcher(server.admin(), received[-1].revision if received else 0)
            writers = [
                threading.Thread(target=lambda: [olga.grant("user:ana", PORT, reason="watch") for _ in range(5)])
                for _ in range(2)
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            admin.status()
            received += watcher.until(admin.revision)
            watcher.close()
        revisions = [change.revision for change in received]
        assert revisions == list(range(1, revisions[-1] + 1))
        assert [change.hash for change in received] == [change.hash for change in admin.audit.changes()][: len(received)]
        assert all(later.previous_hash == earlier.hash for earlier, later in itertools.pairwise(received))
        assert history.republished in revisions


def run_rebuild(home: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "governance_server", "rebuild"],
        env={**os.environ, "MESH_HOME": str(home)}, check=True, stdout=subprocess.PIPE, text=True, timeout=50,
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def tables_of(home: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "mesh.db") as database:
        rows = database.execute("select * from resource order by kind, name, from_revision").fetchall()
    database.close()
    return rows


def test_the_tables_are_rebuilt_from_the_journal_and_a_flipped_byte_is_found(
    new_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    server = new_server("original")
    with server.admin() as admin:
        admin.admin.create_domain("ops", owners=["user:olga"])
        assert admin.audit.verify().is_intact
    frame = pl.DataFrame({"id": [1], "kind": ["a"], "host": ["h"]})
    with server.user("user:olga") as olga:
        olga.domain("ops").product("events", contract("ops.events", {"events": COLUMNS})).publish(events=frame, progress=False)
        olga.grant("user:ana", "ops.events")
    server.stop()
    before = tables_of(server.home)
    assert run_rebuild(server.home)["differences"] == []
    assert tables_of(server.home) == before
    with sqlite3.connect(server.home / "mesh.db") as database:
        database.execute("delete from resource where kind = 'grant'")
    database.close()
    report = run_rebuild(server.home)
    assert report["differences"]
    assert tables_of(server.home) == before
    spoiled = tmp_path / "spoiled"
    shutil.copytree(server.home, spoiled)
    with sqlite3.connect(spoiled / "mesh.db") as database:
        revision, body = database.execute(
            "select revision, body from payload where length(body) > 40 order by revision desc"
        ).fetchone()
        flipped = bytes([*body[:20], body[20] ^ 1, *body[21:]])
        database.execute("update payload set body = ? where revision = ?", (flipped, revision))
    database.close()
    bad = RunningServer(spoiled)
    try:
        with bad.admin() as admin:
            proof = admin.audit.verify()
            assert not proof.is_intact
            assert any(str(revision) in str(problem) for problem in proof.problems)
    finally:
        bad.stop()
    server.start()
    with server.admin() as admin:
        assert admin.audit.verify().is_intact
    with server.user("user:ana") as ana:
        assert ana.read(PORT).height == 1
