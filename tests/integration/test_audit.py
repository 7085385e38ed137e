"""The audit on real servers: what was read is in the log, who may see it, and what a report says."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, MeshError, NotFound
from domain_sdk.cli import main
from domainmesh.v1 import decision_service_pb2, question_service_pb2, read_service_pb2, retrieval_service_pb2
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.question_service_pb2_grpc import QuestionServiceStub
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from domainmesh.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from tests.integration.audit_shop import ORDERS, Shop, opened_shop
from tests.integration.mesh_setup import raw_mesh
from tests.integration.replicas import PAGES, publish_guide
from tests.servers import RunningServer

MESH = Path(sys.executable).with_name("mesh")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        server = RunningServer(tmp_path_factory.mktemp("shop") / "mesh", MESH_EMBEDDER="hashing")
        with opened_shop(server) as shop:
            yield shop
        server.stop()


def granted(shop: Shop, name: str, **grant: object) -> Mesh:
    mesh = shop.enter(name)
    shop.owner.grant(name, ORDERS, actions=["discover", "read"], **grant)  # type: ignore[arg-type]
    return mesh


def test_a_read_is_logged_with_who_what_why_and_how_much(shop: Shop) -> None:
    ann = granted(shop, "user:ann", columns=["id", "mail"], masks={"mail": "mask-alphanum"}, rows="id < 10")
    assert ann.read(ORDERS, columns=["id"], where=pl.col("mail") != "x", via="stream").height == 10
    (record,) = shop.decisions(principal="user:ann", kinds=("read",))
    (grant,) = shop.owner.grants(subject="user:ann")
    assert (record.end, record.is_allowed, record.resource, record.action) == ("complete", True, ORDERS, "read")
    assert (record.columns, record.masked_columns, record.rules) == (("id", "mail"), ("mail",), (grant.id,))
    assert (record.rows, record.version, record.revision > 0, record.bytes > 100) == (10, 1, True, True)
    assert record.call_id
    assert record.duration_seconds > 0


def test_refused_reads_are_logged_also_of_what_does_not_exist_and_long_names_are_cut(shop: Shop) -> None:
    cid = shop.enter("user:cid")
    for port in (ORDERS, "shop.nothing.orders", f"shop.orders.{'x' * 300}"):
        with pytest.raises(MeshError):
            cid.read(port)
    found = shop.decisions(principal="user:cid", only_denied=True)
    assert [it.resource for it in found[:2]] == [ORDERS, "shop.nothing.orders"]
    assert {it.reason for it in found[:2]} == {"access_denied"}
    assert all(len(it.resource.encode()) <= 256 for it in shop.decisions(principal="user:cid"))


def test_files_are_logged_when_announced_when_first_served_and_when_refused(shop: Shop) -> None:
    dan = granted(shop, "user:dan")
    token = shop.server.admin().admin.create_token("user:dan").secret
    with raw_mesh(shop.server, token) as raw:
        request = read_service_pb2.PrepareFilesRequest(port=ORDERS)
        (file,) = raw.gateway(ReadServiceStub).PrepareFiles(request, metadata=raw.metadata).files
    for _ in range(3):
        assert urllib.request.urlopen(file.url).status == 200
    (grant,) = shop.owner.grants(subject="user:dan")
    shop.owner.revoke(grant.id)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(file.url)
    found = shop.decisions(principal="user:dan", kinds=("files", "file"))
    assert [(it.kind, it.end, it.rows) for it in found] == [
        ("files", "complete", 1000), ("file", "complete", 1000), ("file", "denied", 0),
    ]  # fmt: skip
    assert len({it.call_id for it in found}) == 1
    dan.close()


def test_checks_are_logged_singly_and_many_in_one_record(shop: Shop) -> None:
    eve = shop.enter("user:eve")
    eve.check("read", ORDERS)
    token = shop.server.admin().admin.create_token("user:eve").secret
    many = decision_service_pb2.CheckManyRequest()
    for number in range(1000):
        many.checks.add(action="read", resource=f"shop.orders.port{number}")
    with raw_mesh(shop.server, token) as raw:
        raw.control(DecisionServiceStub).CheckMany(many, metadata=raw.metadata)
    found = shop.decisions(principal="user:eve", kinds=("check", "check_many"), at_least=2)
    assert [(it.kind, it.end, it.is_allowed) for it in found] == [("check", "denied", False), ("check_many", "denied", False)]
    assert found[1].questions[0] == "read shop.orders.port0"
    assert 100 < len(found[1].questions) < 1000  # bounded: the rest is counted and covered by a digest
    assert found[1] in shop.decisions(resource="shop.orders", principal="user:eve")


def test_a_retrieval_that_is_refused_is_logged(shop: Shop) -> None:
    token = shop.server.admin().admin.create_token("user:olga").secret
    request = retrieval_service_pb2.RetrieveRequest(port=ORDERS, query="words")
    with raw_mesh(shop.server, token) as raw:
        retrieve = raw.gateway(RetrievalServiceStub).Retrieve
        with pytest.raises(grpc.RpcError, match="table"):
            retrieve(request, metadata=raw.metadata)
    (record,) = shop.decisions(principal="user:olga", kinds=("retrieval",))
    assert (record.end, record.reason, record.rows) == ("failed", "invalid", 0)


def test_a_retrieval_and_every_port_of_a_query_are_logged(shop: Shop, tmp_path: Path) -> None:
    publish_guide(shop.owner, tmp_path, "one")
    passages = shop.owner.retrieve(PAGES, "sending goods back")
    begun, record = [it for it in shop.decisions(resource=PAGES, kinds=("retrieval",)) if it.end in ("begun", "complete")]
    assert (begun.end, begun.rows, record.end) == ("begun", 0, "complete")
    assert (record.rows, record.version, record.columns) == (len(passages), 1, ("text", "document", "title", "heading"))
    shop.owner.sql(f"select count(amount) as n from {ORDERS} where id < 5")
    (record,) = shop.decisions(resource=ORDERS, principal="user:olga", kinds=("sql",))
    assert (record.end, record.is_allowed, sorted(record.columns), record.rows) == ("complete", True, ["amount", "id"], 1)


def test_questions_about_many_are_logged(shop: Shop) -> None:
    token = shop.server.admin().admin.create_token("user:olga").secret
    with raw_mesh(shop.server, token) as raw:
        request = question_service_pb2.ListReadersRequest(resource=ORDERS)
        raw.control(QuestionServiceStub).ListReaders(request, metadata=raw.metadata)
    found = shop.decisions(principal="user:olga", resource=ORDERS, kinds=("question",))
    assert {(it.action, it.resource, it.is_allowed) for it in found} == {("who", ORDERS, True)}, found


def test_neither_values_nor_filters_nor_tokens_are_in_the_log(shop: Shop) -> None:
    fay = granted(shop, "user:fay", rows="mail = 'secret-filter@x.eu'")
    fay.read(ORDERS, where=pl.col("mail") == "probed-value@x.eu", via="stream")
    stored = b"".join(path.read_bytes() for path in shop.server.home.glob("mesh.db*"))
    with shop.server.admin() as admin:
        secret = admin.admin.create_token("user:fay").secret
    Mesh.connect(shop.server.url, secret).read(ORDERS, via="stream")
    bodies = json.dumps([str(it) for it in shop.decisions(principal="user:fay")])
    assert "probed-value" not in bodies
    assert b"probed-value" not in stored
    assert "secret-filter" not in bodies
    assert secret.rpartition("_")[2] not in bodies


def test_a_report_says_who_read_what_by_whose_grant_and_what_was_refused(shop: Shop) -> None:
    gus = shop.enter("user:gus")
    with suppress(AccessDenied):
        gus.read(ORDERS)
    shop.owner.grant("user:gus", ORDERS, actions=["discover", "request"])
    request = gus.request(ORDERS, reason="work")
    shop.owner.approve(request.id)
    for _ in range(2):
        gus.read(ORDERS, columns=["amount"], via="stream")
    report = shop.owner.audit.report(f"{ORDERS}.amount")
    (use,) = [it for it in report.uses if it.principal == "user:gus"]
    assert (use.port, use.kind, use.count, use.rows, use.columns) == (ORDERS, "read", 2, 2000, ("amount",))
    (grant,) = [it for it in report.grants if it.subject == "user:gus"]
    assert (grant.id, grant.grantor, grant.decider) == (use.rules[0], "user:olga", "user:olga")
    assert [(it.action, it.count) for it in report.denials if it.principal == "user:gus"] == [("read", 1)]
    assert {"access_request.approved", "grant.created"} <= {it.kind for it in report.changes}
    mail = shop.owner.audit.report(f"{ORDERS}.mail")
    assert "user:gus" not in {it.principal for it in mail.uses}
    own = gus.audit.report(principal="user:gus")
    assert {it.principal for it in own.uses} == {"user:gus"}
    assert {it.principal for it in own.denials} == {"user:gus"}


def test_reports_are_for_administrators_for_grantors_and_for_oneself(shop: Shop) -> None:
    ida = granted(shop, "user:ida")
    for call in (
        lambda: ida.audit.report(),
        lambda: ida.audit.report(ORDERS),
        lambda: ida.audit.report(principal="user:olga"),
        lambda: ida.audit.decisions(resource="shop.nothing"),
        lambda: ida.audit.verify(),
        lambda: ida.audit.checkpoints(),
        lambda: ida.audit.create_checkpoints(),
        lambda: ida.audit.keys(),
        lambda: shop.owner.audit.report(),
        lambda: shop.owner.audit.report("finance.ledger"),
        lambda: shop.owner.audit.report(principal="user:ida"),
    ):
        with pytest.raises(AccessDenied):
            call()
    assert shop.owner.audit.report("shop", principal="user:ida").resource == "shop"
    assert ida.audit.report(principal="user:ida").principal == "user:ida"
    assert shop.admin.audit.report().revision > 0
    for name in ("shop.nobody", "shop.orders.orderz"):
        with pytest.raises(NotFound, match="nothing is recorded about it"):
            shop.admin.audit.report(name)


def test_an_export_of_checkpoints_goes_on_with_a_file_and_overwrites_none(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESH_URL", shop.server.url)
    monkeypatch.setenv("MESH_TOKEN", shop.server.admin_token)
    file = tmp_path / "kept.jsonl"
    export = ["audit", "checkpoints", "--now", "--export", str(file)]
    assert main(export) == 0
    first = file.read_text()
    shop.owner.read(ORDERS, via="stream")
    assert main(export) == 0
    assert file.read_text().startswith(first)
    other = file.read_text().replace('"journal"', '"fork"', 1)
    file.write_text(other)
    assert main(export) == 2
    assert "so it is kept" in re.sub(r"[│\s]+", " ", capsys.readouterr().err)
    assert file.read_text() == other


def test_the_proof_works_on_a_stopped_server_with_what_was_kept_elsewhere(new_server: object, tmp_path: Path) -> None:
    server = new_server("other", MESH_EMBEDDER="hashing")  # type: ignore[operator]
    with opened_shop(server) as shop:
        shop.owner.read(ORDERS, via="stream")
        shop.admin.audit.create_checkpoints()
        assert shop.admin.audit.verify().is_intact
        keys = {id: key.hex() for id, key in shop.admin.audit.keys().items()}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    server.stop()
    kept = tmp_path / "kept.jsonl"
    kept.write_text((server.home / "checkpoints.jsonl").read_text())
    causes = [json.loads(line)["cause"] for line in kept.read_text().splitlines()]
    assert causes[-1] in {"shutdown", "requested"}

    def verified() -> tuple[int, dict[str, object]]:
        command = [MESH, "audit", "verify", "--home", server.home, "--checkpoints", kept, "--keys", tmp_path / "keys.json"]
        ended = subprocess.run([*map(str, command), "--json"], capture_output=True, text=True, check=False)
        return ended.returncode, json.loads(ended.stdout)

    status, proof = verified()
    assert (status, proof["is_intact"]) == (0, True), proof
    with sqlite3.connect(server.home / "mesh.db") as connection:
        connection.execute("UPDATE event SET body = x'00' WHERE stream = 'decisions' AND sequence = 2")
    connection.close()
    status, proof = verified()
    assert (status, proof["is_intact"]) == (1, False)
    assert {"stream": "decisions", "sequence": 2, "text": "event 2 of decisions is not what was received"} in proof["problems"]  # type: ignore[operator]


def test_a_database_that_cannot_be_verified_is_told_as_json_where_json_was_asked_for(tmp_path: Path) -> None:
    command = [MESH, "audit", "verify", "--home", tmp_path / "none", "--json"]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(tmp_path / "none") in json.loads(ended.stderr)["error"]["message"]
