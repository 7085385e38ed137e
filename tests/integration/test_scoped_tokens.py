"""Tokens that narrow: what is made with one ends with it, and no call of any service does more with it than its scope says."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from domain_sdk import AccessDenied, InvalidRequest, Mesh, MeshError, PurposeNotHeld, Unauthenticated
from domainmesh.v1 import principal_pb2
from domainmesh.v1.access_request_service_pb2 import CreateAccessRequestRequest
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from domainmesh.v1.principal_service_pb2 import ListTokensRequest
from domainmesh.v1.principal_service_pb2_grpc import TokenServiceStub
from governance_server.bootstrap import ensure_token_owners
from governance_server.journal.command import Command, Outcome, Transaction
from governance_server.journal.journal import Journal
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.engine import open_database
from tests.integration.mesh_setup import contract, raw_mesh
from tests.servers import RunningServer
from tests.shared_data import ROOT

pytestmark = pytest.mark.slow

OWNED, FORBIDDEN = "finance.ledger", "zebra.herd"
ROWS = pl.DataFrame({"amount": [1, 2, 3]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Its one administrator owns two domains: there is nothing that it may not do."""
    running = RunningServer(tmp_path_factory.mktemp("scoped") / "mesh")
    with running.admin() as admin:
        admin.admin.create_purpose("analytics")
        admin.admin.create_purpose("forecasting", parent="analytics")
        admin.admin.update_principal("user:admin", purposes=["analytics"])
        for domain in ("finance", "zebra"):
            admin.admin.create_domain(domain, owners=["user:admin"])
        for product in (OWNED, FORBIDDEN):
            text = contract(product, {"entries": ["amount: integer"]})
            admin.domain(product.partition(".")[0]).product(product.partition(".")[2], contract=text).publish(
                entries=ROWS, progress=False
            )
    yield running
    running.stop()


@pytest.fixture
def owner(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as mesh:
        yield mesh


def test_a_scoped_token_reads_what_its_scope_names_and_nothing_else(server: RunningServer, owner: Mesh) -> None:
    secret = owner.admin.create_token(scope=["discover,read:finance.ledger"]).secret
    with Mesh.connect(server.url, secret) as mesh:
        assert mesh.read("finance.ledger.entries").height == 3
        assert [product.name for product in mesh.products()] == [OWNED]
        assert mesh.whoami().name == "user:admin"
        for attempt in (
            lambda: mesh.read("zebra.herd.entries"),
            lambda: mesh.show(FORBIDDEN),
            lambda: mesh.grant("user:eve", OWNED),
            lambda: mesh.admin.create_principal("user:eve"),
            lambda: mesh.admin.create_token("user:ria"),
        ):
            with pytest.raises(AccessDenied):
                attempt()
        assert not mesh.check("read", "zebra.herd.entries")
        assert mesh.check("read", "finance.ledger.entries")


def test_a_token_for_a_purpose_reads_for_it_only(server: RunningServer, owner: Mesh) -> None:
    secret = owner.admin.create_token(purposes=["forecasting"]).secret
    with Mesh.connect(server.url, secret) as mesh:
        assert mesh.read("finance.ledger.entries", purpose="forecasting").height == 3
        for purpose in (None, "analytics"):
            with pytest.raises(PurposeNotHeld, match="forecasting"):
                mesh.read("finance.ledger.entries", purpose=purpose)


def test_a_token_made_with_another_is_neither_wider_nor_longer(server: RunningServer, owner: Mesh) -> None:
    soon = datetime.now(UTC) + timedelta(days=2)
    parent = owner.admin.create_token(scope=["discover,read:finance"], until=soon)
    with Mesh.connect(server.url, parent.secret) as mesh:
        for wider in (["read:mesh"], ["write:finance.ledger"], ["read:zebra.herd"]):
            with pytest.raises(AccessDenied, match="none made with it"):
                mesh.admin.create_token(scope=wider)
        with pytest.raises(InvalidRequest, match="does not outlive"):
            mesh.admin.create_token(until=soon + timedelta(minutes=1))
        child = mesh.admin.create_token()
        plain = mesh.admin.create_token()
        assert plain.token.scope == ("discover,read:finance",)  # what it is narrowed to, if by its maker's alone
        assert {it.id: it.scope for it in mesh.admin.tokens()}[plain.token.id] == plain.token.scope
        grandchild_scope = mesh.admin.create_token(scope=["read:finance.ledger.entries"])
    assert child.token.expire_time is not None
    assert abs(child.token.expire_time - soon) < timedelta(seconds=1)
    assert (child.token.parent, child.token.creator) == (parent.token.id, "user:admin")
    assert grandchild_scope.token.scope == ("read:finance.ledger.entries",)
    with Mesh.connect(server.url, child.secret) as mesh:
        assert not mesh.check("write", OWNED)
        assert mesh.check("read", "finance.ledger.entries")
        with pytest.raises(AccessDenied):
            mesh.admin.create_token(scope=["grant:finance"])


def test_revoking_a_token_ends_all_that_was_made_with_it(server: RunningServer, owner: Mesh) -> None:
    parent = owner.admin.create_token()
    secret, made = parent.secret, [parent]
    for _ in range(3):
        with Mesh.connect(server.url, secret) as mesh:
            made.append(mesh.admin.create_token())
            secret = made[-1].secret
    owner.admin.revoke_token(made[1].token.id)
    ended = [is_refused(server, each.secret) for each in made]
    assert ended == [False, True, True, True]
    listed = {token.id: token for token in owner.admin.tokens()}
    assert [listed[each.token.id].revoke_time is not None for each in made] == ended


def is_refused(server: RunningServer, secret: str) -> bool:
    with Mesh.connect(server.url, secret) as mesh:
        try:
            mesh.whoami()
        except Unauthenticated:
            return True
    return False


def test_a_chain_of_tokens_has_an_end(server: RunningServer, owner: Mesh) -> None:
    secret = owner.admin.create_token().secret
    for _ in range(7):
        with Mesh.connect(server.url, secret) as mesh:
            secret = mesh.admin.create_token().secret
    with Mesh.connect(server.url, secret) as mesh, pytest.raises(InvalidRequest, match="one with another"):
        mesh.admin.create_token()


def test_a_scoped_token_sees_and_revokes_itself_and_what_it_made_only(server: RunningServer, owner: Mesh) -> None:
    mine = owner.admin.create_token(description="not for the scoped one")
    scoped = owner.admin.create_token(scope=["read:finance.ledger"])
    with Mesh.connect(server.url, scoped.secret) as mesh:
        child = mesh.admin.create_token()
        assert {token.id for token in mesh.admin.tokens()} == {scoped.token.id, child.token.id}
        with pytest.raises(AccessDenied):
            mesh.admin.revoke_token(mine.token.id)
        mesh.admin.revoke_token(child.token.id)
        mesh.admin.revoke_token(scoped.token.id)
        with pytest.raises(Unauthenticated):
            mesh.whoami()
    assert not is_refused(server, mine.secret)


def test_an_administrators_scoped_token_makes_no_token_for_others_beyond_its_scope(server: RunningServer, owner: Mesh) -> None:
    owner.admin.create_principal("service:etl")
    scoped = owner.admin.create_token(scope=["administer:mesh", "read:finance.ledger"])
    with Mesh.connect(server.url, scoped.secret) as mesh:
        with pytest.raises(InvalidRequest, match="give a scope"):
            mesh.admin.create_token("service:etl")
        with pytest.raises(AccessDenied):
            mesh.admin.create_token("service:etl", scope=["read:zebra.herd"])
        made = mesh.admin.create_token("service:etl", scope=["read:finance.ledger"])
    assert (made.token.principal, made.token.parent, made.token.creator) == ("service:etl", "", "user:admin")
    owner.admin.revoke_token(scoped.token.id)
    assert not is_refused(server, made.secret)


def test_the_tokens_of_a_principal_come_in_pages(server: RunningServer, owner: Mesh) -> None:
    owner.admin.create_principal("service:many")
    owner.admin.create_principal("service:many-more")
    made = {owner.admin.create_token("service:many").token.id for _ in range(7)}
    owner.admin.create_token("service:many-more")
    with raw_mesh(server, server.admin_token) as mesh:
        found: list[str] = []
        request = ListTokensRequest(principal="service:many", page_size=3)
        sizes = []
        while True:
            page = mesh.control(TokenServiceStub).ListTokens(request, metadata=mesh.metadata)
            found += [token.id for token in page.tokens]
            sizes.append(len(page.tokens))
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    assert sizes == [3, 3, 1]
    assert found == sorted(made)


def test_a_token_of_a_release_without_keys_goes_on_working_and_is_listed(tmp_path: Path) -> None:
    first = RunningServer(tmp_path / "mesh")
    first.stop()
    secret, token_id = secrets.token_urlsafe(32), secrets.token_hex(8)
    database = open_database(f"sqlite:///{tmp_path}/mesh/mesh.db")
    journal = Journal(database, clock=lambda: datetime.now(UTC))
    token = principal_pb2.Token(id=token_id, principal="user:admin")
    token.expire_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    old = principal_pb2.StoredToken(token=token, secret_sha256=hashlib.sha256(secret.encode()).digest())

    def as_it_was(tx: Transaction) -> Outcome:
        removed = tuple(ResourceWrite(kinds.TOKEN_OWNER, name, None) for name, _ in tx.list(kinds.TOKEN_OWNER))
        return Outcome("x", "x", (*removed, ResourceWrite(kinds.TOKEN, token_id, old.SerializeToString())), b"")

    journal.submit(Command(principal="user:test", request_id="", request_digest=b"", run=as_it_was))
    ensure_token_owners(database, journal)  # once kept, always kept: nothing is done again
    journal.close()
    database.close()
    first.start()
    try:
        with Mesh.connect(first.url, f"mesh_{token_id}_{secret}") as mesh:
            assert mesh.whoami().name == "user:admin"
        assert is_refused(first, f"mesh_{token_id}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}")
    finally:
        first.stop()


# -- every call of every service ---------------------------------------------------------------------------------------

_NAMES = {
    "action": "read", "actions": "read", "subject": "user:other", "principal": "user:other", "reason": "x", "description": "x",
    "request_id": "", "page_token": "", "etag": "", "row_filter": "", "mask": "", "purpose": "", "predicate": "",
    "query": "zebra", "text": "x", "tag": "", "kinds": "",
}  # fmt: skip
_MAKES_OWN_TOKENS = "TokenService.CreateToken"


def every_method() -> list[MethodDescriptor]:
    found = []
    for path in sorted((ROOT / "proto/domainmesh/v1").glob("*_service.proto")):
        module = import_module(f"domainmesh.v1.{path.stem}_pb2")
        found += [method for service in module.DESCRIPTOR.services_by_name.values() for method in service.methods]
    return found


def fill(message: Message, value: str, *, depth: int = 3) -> Message:
    """Every text is the value, save those that need a word of a certain kind; inner messages are filled, too."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        is_list = field.is_repeated
        if field.type == FieldDescriptor.TYPE_STRING:
            text = "" if field.name == "paths" else _NAMES.get(field.name, value)
            if text and is_list:
                getattr(message, field.name).append(text)
            elif text:
                setattr(message, field.name, text)
        elif field.type == FieldDescriptor.TYPE_ENUM and not is_list:
            setattr(message, field.name, 1)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and depth and not field.message_type.full_name.startswith("google."):
            inner = getattr(message, field.name).add() if is_list else getattr(message, field.name)
            fill(inner, value, depth=depth - 1)
            if not is_list:
                inner.SetInParent()
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.name == "FieldMask":
            getattr(message, field.name).paths.append("description")
    return message


def services_of(channel: grpc.Channel) -> set[str]:
    """The services that answer there, by what its health says."""
    names = {method.containing_service.full_name for method in every_method()}
    health, found = HealthStub(channel), set()
    for name in names:
        with suppress(grpc.RpcError):
            health.Check(HealthCheckRequest(service=name), timeout=10)
            found.add(name)
    return found


def told(channel: grpc.Channel, method: MethodDescriptor, request: Message, token: str) -> bytes | None:
    """What the call answered, all of it up to ten messages of a stream; None if it was refused."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer = GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call: Any = kind(path, request_serializer=lambda sent: sent.SerializeToString(), response_deserializer=answer.FromString)
    try:
        said = call(request, metadata=(("authorization", f"Bearer {token}"),), timeout=1 if method.server_streaming else 20)
        if not method.server_streaming:
            return bytes(said.SerializeToString())
        return b"".join(message.SerializeToString() for message, _ in zip(said, range(10), strict=False)) or None
    except grpc.RpcError:
        return None


def test_no_call_of_any_service_does_more_than_the_scope_of_its_token(server: RunningServer, owner: Mesh) -> None:
    with server.user("user:ria") as ria:
        owner.grant("user:ria", FORBIDDEN, actions=["discover", "request"])
        asked = ria.request(FORBIDDEN, reason="zebra", purpose=None).id
    given = owner.grant("user:ria", "zebra", actions=["discover"]).id
    ids = [asked, given, "zebra", FORBIDDEN, f"{FORBIDDEN}.entries", f"{FORBIDDEN}.entries.amount", "mesh", "user:other", ""]
    scoped = owner.admin.create_token(scope=["discover,read:finance.ledger"]).secret
    whole = owner.admin.create_token().secret
    revealing: set[str] = set()
    with raw_mesh(server, scoped) as mesh:
        served = services_of(mesh.gateway_channel)
        assert {"ReadService", "RetrievalService"} <= {name.rpartition(".")[2] for name in served}
        for method in every_method():
            name = f"{method.containing_service.name}.{method.name}"
            channel = mesh.gateway_channel if method.containing_service.full_name in served else mesh.control_channel
            for value in ids:
                request = fill(GetMessageClass(method.input_type)(), value) if value else GetMessageClass(method.input_type)()
                before = owner.status().revision
                said = told(channel, method, request, scoped)
                assert said is None or b"zebra" not in said, f"{name} told of what is outside the scope when sent {request}"
                if name != _MAKES_OWN_TOKENS or value:
                    assert owner.status().revision == before, f"{name} changed the mesh when sent {request}"
                if name.split(".")[1].startswith(("Get", "List", "Discover", "Check", "Explain", "Plan", "Read")):
                    said = told(channel, method, request, whole)
                    revealing |= {name} if said is not None and b"zebra" in said else set()
    assert len(revealing) >= 8, f"the same calls tell an unscoped token too little to prove anything: {sorted(revealing)}"


def test_a_scoped_token_neither_makes_nor_takes_back_requests_outside_its_scope(server: RunningServer, owner: Mesh) -> None:
    scoped = owner.admin.create_token(scope=["discover,request:finance.ledger"]).secret
    with Mesh.connect(server.url, scoped) as mesh, pytest.raises(AccessDenied):
        mesh.request(FORBIDDEN, reason="x")
    with raw_mesh(server, scoped) as mesh:
        request = CreateAccessRequestRequest()
        request.access_request.resource = OWNED
        request.access_request.reason = "x"
        filed = mesh.control(AccessRequestServiceStub).CreateAccessRequest(request, metadata=mesh.metadata)
    other = owner.admin.create_token(scope=["discover:zebra"]).secret
    with Mesh.connect(server.url, other) as mesh, pytest.raises(MeshError):
        mesh.withdraw(filed.id)
