"""What is taken back at one server is gone at the next question to another one: two servers on one database."""

from __future__ import annotations

import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from domain_sdk import AccessDenied, Mesh, NotFound, Unauthenticated
from domainmesh.v1 import error_reason_pb2
from domainmesh.v1.decision_service_pb2 import CheckRequest
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.read_service_pb2 import PrepareFilesRequest
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from domainmesh.v1.retrieval_service_pb2 import RetrieveRequest
from domainmesh.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from tests.integration.crash_shop import until
from tests.integration.mesh_setup import detail_of, raw_mesh
from tests.integration.replica_rights import ANA, interleave
from tests.integration.replicas import ORDERS, PAGES, Replicas, has_answer, orders, publish_guide, publish_orders, replicas_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROUNDS = 100


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two servers with a table and a collection; `user:ben` may read both for ever."""
    folder = tmp_path_factory.mktemp("replicas")
    with replicas_on(request.param, folder) as pair:
        olga = pair.user("user:olga", 0)
        publish_orders(olga, orders("public"))
        publish_guide(olga, folder, "public")
        olga.grant("user:ben", "shop")
        olga.grant("group:staff", "shop")
        olga.admin.update_domain("shop", roles={"role:clerk": []})
        olga.grant("role:clerk", "shop")
        pair.token(ANA)
        yield pair


def test_no_interleaving_of_two_servers_answers_from_the_past(pair: Replicas) -> None:
    chance = random.Random(20261123)
    done, refused = threading.Event(), []

    def read_all_the_time() -> None:
        """Somebody whose right nobody touches, so that caches are warm and locks are taken."""
        while not done.wait(0.02):
            for side in range(2):
                if not has_answer("check", pair.user("user:ben", side)):
                    refused.append(side)

    other = threading.Thread(target=read_all_the_time)
    other.start()
    try:
        wrong = [found for _ in range(ROUNDS) if (found := interleave(pair, chance))]
    finally:
        done.set()
        other.join()
    assert wrong == []
    assert refused == []
    assert not has_answer("check", pair.user(ANA, 0))


def test_a_call_that_waited_for_a_revision_is_refused_if_its_token_ended_meanwhile(pair: Replicas) -> None:
    given = pair.user("user:olga", 0).grant(ANA, "shop")
    admin = pair.admin(0)
    token = admin.admin.create_token(ANA).secret
    later = str(admin.revision + 2)
    with raw_mesh(pair.servers[1], token) as raw:
        metadata = (*raw.metadata, ("mesh-min-revision", later))
        question = CheckRequest(action="read", resource=ORDERS)
        check = raw.control(DecisionServiceStub).Check.future(question, metadata=metadata)
        passages = RetrieveRequest(port=PAGES, query="sending goods back")
        retrieve = raw.gateway(RetrievalServiceStub).Retrieve.future(passages, metadata=metadata)
        time.sleep(0.5)
        admin.admin.revoke_token(token.split("_")[1])
        pair.user("user:olga", 0).revoke(pair.user("user:olga", 0).grant("user:nobody", "shop").id)
        for call in (check, retrieve):
            with pytest.raises(grpc.RpcError) as caught:
                call.result()
            assert detail_of(caught.value).reason == error_reason_pb2.ERROR_REASON_UNAUTHENTICATED
    pair.user("user:olga", 0).revoke(given.id)


def test_what_one_server_acknowledged_another_one_answers_at_or_after(pair: Replicas) -> None:
    olga = [pair.user("user:olga", side) for side in range(2)]
    for turn in range(10):
        given = olga[turn % 2].grant(ANA, "shop")
        acknowledged = olga[turn % 2].revision
        decision = olga[1 - turn % 2].check("read", ORDERS, principal=ANA)
        assert decision.is_allowed
        assert decision.revision >= acknowledged
        assert olga[1 - turn % 2].revision >= acknowledged
        olga[turn % 2].revoke(given.id)


def test_a_revision_that_no_server_has_reached_is_refused_and_not_answered(pair: Replicas) -> None:
    with raw_mesh(pair.servers[1], pair.token(ANA)) as raw:
        metadata = (*raw.metadata, ("mesh-min-revision", str(10**9)))
        with pytest.raises(grpc.RpcError) as caught:
            raw.control(DecisionServiceStub).Check(CheckRequest(action="read", resource=ORDERS), metadata=metadata)
    assert detail_of(caught.value).reason == error_reason_pb2.ERROR_REASON_REVISION_NOT_REACHED


def test_addresses_of_files_from_one_server_die_with_a_revocation_at_the_other(pair: Replicas) -> None:
    for side in range(2):
        given = pair.user("user:olga", side).grant(ANA, "shop")
        with raw_mesh(pair.servers[side], pair.token(ANA)) as raw:
            prepared = raw.gateway(ReadServiceStub).PrepareFiles(PrepareFilesRequest(port=ORDERS), metadata=raw.metadata)
        with urllib.request.urlopen(prepared.files[0].url, timeout=10) as reply:
            assert reply.status == 200
        pair.user("user:olga", 1 - side).revoke(given.id)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(prepared.files[0].url, timeout=10)
        caught.value.close()
        assert caught.value.code == 403


def test_a_tag_that_a_publication_at_one_server_derives_masks_the_next_read_at_the_other(pair: Replicas) -> None:
    admin = pair.admin(1).admin
    admin.create_guardrail("no-mail", "tag:pii.*", mask="replace-with-null")
    pair.user("user:olga", 0).grant("user:ben", "shop")
    for turn in range(3):
        side = turn % 2
        publish_orders(pair.user("user:olga", side), orders("public"), mail_tags="pii.email")
        assert pair.user("user:ben", 1 - side).read(ORDERS)["mail"].null_count() == 20
        admin.release_tag(f"{ORDERS}#mail", "pii.email", reason="a test")
        publish_orders(pair.user("user:olga", side), orders("public"))
        assert pair.user("user:ben", 1 - side).read(ORDERS)["mail"].null_count() == 0
        admin.withdraw_tag_release(f"{ORDERS}#mail", "pii.email")
    admin.delete_guardrail("no-mail")


def end_by(pair: Replicas, how: str, name: str, grant: str) -> None:
    """What the principal may read ends, at the first server."""
    if how == "grant revoked":
        pair.user("user:olga", 0).revoke(grant)
    elif how == "token revoked":
        pair.admin(0).admin.revoke_token(pair.token(name).split("_")[1])
    elif how == "disabled":
        pair.admin(0).admin.update_principal(name, is_disabled=True)
    else:
        pair.admin(0).admin.update_principal(name, attributes={"region": "nowhere"})


@pytest.mark.parametrize("how", ["grant revoked", "attribute changed", "token revoked", "disabled"])
def test_a_version_published_after_a_revocation_is_never_seen_under_the_old_right(
    pair: Replicas, how: str, tmp_path: Path
) -> None:
    """The "new enemy": readers ask the other server all the time, also for the version that does not exist yet."""
    olga = pair.user("user:olga", 0)
    for turn in range(2):
        secret = publish_orders(olga, orders("public")) + 1
        publish_guide(olga, tmp_path, "public")
        name = f"user:{how.replace(' ', '-')}-{turn}"
        reader = pair.user(name, 1, attributes={"region": "EMEA"})
        given = olga.grant(name, ORDERS, rows="region = subject.region")
        pages = olga.grant(name, PAGES)
        versions = (None, secret)
        kinds = ("table",) if how == "attribute changed" else ("table", "pages")  # pages hang on no attribute
        seen: dict[tuple[str, int | None], list[str]] = {(kind, version): [] for kind in kinds for version in versions}
        done = threading.Event()
        readers = [threading.Thread(target=ask_until, args=(reader, *what, done, seen[what])) for what in seen]
        for thread in readers:
            thread.start()
        assert until(lambda: all(seen[kind, None] for kind in kinds), seconds=50)  # noqa: B023
        end_by(pair, how, name, given.id)
        if how == "grant revoked":
            olga.revoke(pages.id)
        publish_orders(olga, orders("secret", ("EMEA",)))
        publish_guide(olga, tmp_path, "secret")
        time.sleep(0.1)
        done.set()
        for thread in readers:
            thread.join()
        assert {epoch for epochs in seen.values() for epoch in epochs} == {"public"}


def ask_until(mesh: Mesh, kind: str, version: int | None, done: threading.Event, seen: list[str]) -> None:
    """Every epoch that any answer told is in `seen`."""
    while not done.is_set():
        with suppress(AccessDenied, Unauthenticated, NotFound):
            if kind == "table":
                seen.extend(set(mesh.read(ORDERS, version=version)["epoch"]))
            else:
                hits = mesh.retrieve(PAGES, "goods", version=version)
                seen.extend(hit.text.partition("epoch=")[2].split()[0] for hit in hits)
