"""The mesh as any gRPC client sees it: reflection, health, metadata and errors, without the SDK and without generated code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from domainmesh.v1 import error_reason_pb2
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

CONTROL = {
    "AccessRequestService", "ApprovalRuleService", "AuditService", "BreakGlassService", "ChangeSetService",
    "ContractChangeService", "DecisionService", "DomainService", "ExpectationService", "GrantService", "GuardrailService",
    "InboxService", "JournalService", "LineageService", "MaintenanceService", "MentionService", "OpenLineageService",
    "PrincipalService", "ProductService", "PublicationService", "QualityService", "QuestionService", "ServerService",
    "TagService", "TokenService",
}  # fmt: skip
GATEWAY = {"AskService", "ConversationService", "ReadService", "RetrievalService", "SqlService"}
PACKAGE = "domainmesh.v1."
EVENTS = "ops.events.events"


class ReflectedClient:
    """A client that knows an address and nothing else: everything it sends is built from what reflection tells it."""

    def __init__(self, address: str, token: str = "", *, reflected_with: str = "") -> None:
        self.reflection = (("authorization", f"Bearer {reflected_with or token}"),)
        self.channel = grpc.insecure_channel(address)
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._pool = descriptor_pool.DescriptorPool()
        self._files: set[str] = set()

    def close(self) -> None:
        self.channel.close()

    def _ask(self, request: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        return next(
            iter(
                reflection_pb2_grpc.ServerReflectionStub(self.channel).ServerReflectionInfo(
                    iter([request]), metadata=self.reflection
                )
            )
        )

    def services(self) -> set[str]:
        reply = self._ask(reflection_pb2.ServerReflectionRequest(list_services=""))
        return {service.name for service in reply.list_services_response.service}

    def _learn(self, **request: str) -> None:
        reply = self._ask(reflection_pb2.ServerReflectionRequest(**request))
        for data in reply.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            if file.name in self._files:
                continue
            for needed in file.dependency:
                if needed not in self._files:
                    self._learn(file_by_filename=needed)
            self._pool.Add(file)
            self._files.add(file.name)

    def method(self, service: str, rpc: str, /) -> tuple[Any, Any]:
        """The callable and the class of its request."""
        self._learn(file_containing_symbol=PACKAGE + service)
        found = self._pool.FindServiceByName(PACKAGE + service).methods_by_name[rpc]
        request, response = (message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type))
        make = self.channel.unary_stream if found.server_streaming else self.channel.unary_unary
        path = f"/{PACKAGE}{service}/{rpc}"
        return make(path, request_serializer=request.SerializeToString, response_deserializer=response.FromString), request

    def call(self, service: str, rpc: str, /, *metadata: tuple[str, str], **fields: Any) -> tuple[Any, dict[str, Any]]:
        """The reply (a list for a stream) and the trailing metadata."""
        method, request = self.method(service, rpc)
        if hasattr(method, "with_call"):
            reply, call = method.with_call(request(**fields), metadata=(*self.metadata, *metadata), timeout=20)
        else:
            call = method(request(**fields), metadata=(*self.metadata, *metadata), timeout=20)
            reply = list(call)
        return reply, dict(call.trailing_metadata())

    def fails(self, service: str, rpc: str, /, *metadata: tuple[str, str], **fields: Any) -> tuple[str, str]:
        """The status code's and the documented reason's name."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(service, rpc, *metadata, **fields)
        trailing = dict(caught.value.trailing_metadata() or ())
        detail = error_reason_pb2.ErrorDetail.FromString(trailing["mesh-error-bin"])
        assert detail.message == caught.value.details()
        assert detail.request_id
        assert "Traceback" not in detail.message
        return caught.value.code().name, error_reason_pb2.ErrorReason.Name(detail.reason).removeprefix("ERROR_REASON_")


@pytest.fixture(scope="module")
def clients(server: RunningServer) -> Iterator[dict[str, ReflectedClient]]:
    with server.admin() as admin:
        admin.admin.create_domain("ops", owners=["user:olga"])
        admin.admin.create_purpose("audit")
    with server.user("user:olga") as olga:
        text = contract("ops.events", {"events": ["id: integer", "kind: string"]})
        frame = pl.DataFrame({"id": [1, 2, 3], "kind": ["a", "b", "c"]})
        olga.domain("ops").product("events", text).publish(events=frame, progress=False)
    control, gateway = server.url.removeprefix("http://"), str(server.ready["gateway"])
    stranger = token_of(server, "user:sid")
    made = {
        "olga": ReflectedClient(control, token_of(server, "user:olga")),
        "gateway": ReflectedClient(gateway, token_of(server, "user:olga")),
        "admin": ReflectedClient(control, server.admin_token),
        "stranger": ReflectedClient(control, stranger),
        "nobody": ReflectedClient(control, reflected_with=stranger),
        "nobody at the gateway": ReflectedClient(gateway, reflected_with=stranger),
    }
    yield made
    for client in made.values():
        client.close()


def test_whoever_has_a_token_can_list_every_service_of_both_ports(clients: dict[str, ReflectedClient]) -> None:
    for name, wanted in (("nobody", CONTROL), ("nobody at the gateway", GATEWAY)):
        found = {service.removeprefix(PACKAGE) for service in clients[name].services() if service.startswith(PACKAGE)}
        assert found == wanted
        assert "grpc.health.v1.Health" in clients[name].services()


@pytest.mark.parametrize("name", ["nobody", "nobody at the gateway"])
def test_health_is_serving_for_the_whole_and_for_each_service(clients: dict[str, ReflectedClient], name: str) -> None:
    client = clients[name]
    stub = health_pb2_grpc.HealthStub(client.channel)
    for service in ("", *(found for found in client.services() if found.startswith(PACKAGE))):
        assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING


def test_a_client_that_knows_only_reflection_can_grant_check_and_read(
    clients: dict[str, ReflectedClient], server: RunningServer
) -> None:
    grant = {"subject": "user:sid", "resource": "ops.events.events", "actions": ["read"], "effect": 1, "row_filter": "id > 1"}
    made, trailing = clients["olga"].call("GrantService", "CreateGrant", grant=grant, request_id="reflected-1")
    again, _ = clients["olga"].call("GrantService", "CreateGrant", grant=grant, request_id="reflected-1")
    assert made == again
    told, _ = clients["stranger"].call("DecisionService", "Check", action="read", resource="ops.events.events")
    assert told.is_allowed
    reader = ReflectedClient(str(server.ready["gateway"]), clients["stranger"].metadata[0][1].removeprefix("Bearer "))
    parts, _ = reader.call("ReadService", "Read", ("mesh-min-revision", trailing["mesh-revision"]), port="ops.events.events")
    reader.close()
    assert parts[0].header.version == 1
    arrow = b"".join(part.arrow for part in parts[1:])
    assert pl.read_ipc_stream(arrow + b"\xff\xff\xff\xff\x00\x00\x00\x00").rows() == [(2, "b"), (3, "c")]


def test_every_successful_answer_says_the_revision_it_reflects(clients: dict[str, ReflectedClient]) -> None:
    olga, gateway, admin = clients["olga"], clients["gateway"], clients["admin"]
    answers = [
        olga.call("ServerService", "GetServerInfo"),
        olga.call("ProductService", "GetProduct", name="ops.events"),
        olga.call("DecisionService", "Check", action="read", resource="ops"),
        admin.call("JournalService", "ListChanges"),
        gateway.call("ReadService", "PlanRead", port="ops.events.events"),
        gateway.call("ReadService", "Read", port="ops.events.events"),
    ]
    revisions = [int(trailing["mesh-revision"]) for _, trailing in answers]
    assert min(revisions) == max(revisions) == answers[0][0].revision > 0
    olga.call("GrantService", "CreateGrant", grant={"subject": "user:x", "resource": "ops", "actions": ["discover"], "effect": 1})
    after = olga.call("ServerService", "GetServerInfo")
    assert int(after[1]["mesh-revision"]) == after[0].revision == revisions[0] + 1


@pytest.mark.parametrize("name", ["olga", "gateway"])
def test_a_client_is_never_answered_from_before_the_revision_it_demands(clients: dict[str, ReflectedClient], name: str) -> None:
    client = clients[name]
    call = ("ReadService", "Read") if name == "gateway" else ("ProductService", "GetProduct")
    fields = {"port": "ops.events.events"} if name == "gateway" else {"name": "ops.events"}
    _, trailing = client.call(*call, **fields)
    now = int(trailing["mesh-revision"])
    client.call(*call, ("mesh-min-revision", str(now)), **fields)
    assert client.fails(*call, ("mesh-min-revision", str(now + 1)), **fields) == ("UNAVAILABLE", "REVISION_NOT_REACHED")
    for wrong in ("x", "-1", "1.5", "9" * 40):
        assert client.fails(*call, ("mesh-min-revision", wrong), **fields) == ("INVALID_ARGUMENT", "INVALID")


FAILURES: dict[str, tuple[str, str, str, dict[str, Any], tuple[str, str]]] = {
    "no token": ("nobody", "ServerService", "GetServerInfo", {}, ("UNAUTHENTICATED", "UNAUTHENTICATED")),
    "no token for a stream": (
        "nobody at the gateway", "ReadService", "Read", {"port": "a.b.c"}, ("UNAUTHENTICATED", "UNAUTHENTICATED"),
    ),
    "denied": ("stranger", "ProductService", "GetProduct", {"name": "ops.other"}, ("PERMISSION_DENIED", "ACCESS_DENIED")),
    "denied stream": ("stranger", "JournalService", "WatchChanges", {}, ("PERMISSION_DENIED", "ACCESS_DENIED")),
    "purpose": (
        "gateway", "ReadService", "Read", {"port": "ops.events.events", "purpose": "audit"},
        ("PERMISSION_DENIED", "PURPOSE_NOT_HELD"),
    ),
    "not found": ("olga", "ProductService", "GetContract", {"product": "ops.events", "version": 9}, ("NOT_FOUND", "NOT_FOUND")),
    "name": ("olga", "ProductService", "GetProduct", {"name": "../etc"}, ("INVALID_ARGUMENT", "INVALID")),
    "exists": ("admin", "DomainService", "CreateDomain", {"domain": {"name": "ops"}}, ("ALREADY_EXISTS", "ALREADY_EXISTS")),
    "stale": (
        "admin", "DomainService", "UpdateDomain",
        {"domain": {"name": "ops", "title": "x", "etag": "stale"}, "update_mask": {"paths": ["title"]}}, ("ABORTED", "CONFLICT"),
    ),
    "contract": ("olga", "ProductService", "ValidateContract", {"text": "x"}, ("INVALID_ARGUMENT", "INVALID_CONTRACT")),
    "filter": (
        "olga", "GrantService", "CreateGrant",
        {"grant": {"subject": "*", "resource": EVENTS, "actions": ["read"], "effect": 1, "row_filter": "drop table x"}},
        ("INVALID_ARGUMENT", "INVALID_EXPRESSION"),
    ),
    "predicate": (
        "gateway", "ReadService", "Read",
        {"port": EVENTS, "predicate": {"compare": {"left": {"column": "id"}, "right": {"literal": {"int_value": 1}}}}},
        ("INVALID_ARGUMENT", "INVALID_EXPRESSION"),
    ),
    "too many": (
        "olga", "DecisionService", "CheckMany", {"checks": [{"action": "read", "resource": "ops"}] * 1001},
        ("RESOURCE_EXHAUSTED", "TOO_LARGE"),
    ),
    "incompatible": (
        "olga", "PublicationService", "BeginPublication",
        {"product": "ops.events", "contract_text": contract("ops.events", {"events": ["id: integer"]})},
        ("FAILED_PRECONDITION", "INCOMPATIBLE_CONTRACT"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_each_failure_has_its_status_and_its_documented_reason(clients: dict[str, ReflectedClient], case: str) -> None:
    who, service, method, fields, wanted = FAILURES[case]
    assert clients[who].fails(service, method, **fields) == wanted


def test_a_request_id_used_for_something_else_is_refused(clients: dict[str, ReflectedClient]) -> None:
    grant = {"subject": "user:a", "resource": "ops", "actions": ["discover"], "effect": 1}
    clients["olga"].call("GrantService", "CreateGrant", grant=grant, request_id="reused")
    assert clients["olga"].fails("GrantService", "CreateGrant", grant={**grant, "subject": "user:b"}, request_id="reused") == (
        "ALREADY_EXISTS", "REQUEST_ID_REUSED",
    )  # fmt: skip


def test_what_is_committed_twice_or_without_files_fails_with_its_reason(clients: dict[str, ReflectedClient]) -> None:
    text = contract("ops.spare", {"spare": ["id: integer, required: true"]})
    begun, _ = clients["olga"].call("PublicationService", "BeginPublication", product="ops.spare", contract_text=text)
    missing = [{"port": "ops.spare.spare", "files": [{"name": "nothing.parquet", "size_bytes": 4, "row_count": 1}]}]
    assert clients["olga"].fails("PublicationService", "CommitPublication", id=begun.id, ports=missing) == (
        "FAILED_PRECONDITION", "CONTRACT_VIOLATED",
    )  # fmt: skip
    clients["olga"].call("PublicationService", "AbortPublication", id=begun.id)
    assert clients["olga"].fails("PublicationService", "CommitPublication", id=begun.id, ports=missing) == (
        "FAILED_PRECONDITION", "WRONG_STATE",
    )  # fmt: skip


@pytest.mark.parametrize(
    "token", ["", "mesh_", "x" * 10_000, "mesh_0123456789abcdef_" + "A" * 43], ids=["empty", "prefix", "long", "foreign"]
)
def test_a_token_that_is_none_is_refused(server: RunningServer, token: str) -> None:
    for address in (server.url.removeprefix("http://"), str(server.ready["gateway"])):
        client = ReflectedClient(address, token)
        service = "ReadService" if address == server.ready["gateway"] else "ServerService"
        method = "PlanRead" if service == "ReadService" else "GetServerInfo"
        with pytest.raises(grpc.RpcError) as caught:
            client.channel.unary_unary(f"/{PACKAGE}{service}/{method}")(b"", metadata=client.metadata, timeout=10)
        assert caught.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        client.close()


def test_an_unknown_method_is_unimplemented_and_a_large_message_refused(clients: dict[str, ReflectedClient]) -> None:
    olga = clients["olga"]
    with pytest.raises(grpc.RpcError) as caught:
        olga.channel.unary_unary(f"/{PACKAGE}ProductService/DropEverything")(b"", metadata=olga.metadata, timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "docs/api.md" in (caught.value.details() or "")
    with pytest.raises(grpc.RpcError) as caught:
        olga.call("ProductService", "ValidateContract", text="x" * (100 << 20))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    olga.call("ServerService", "GetServerInfo")


@pytest.mark.parametrize(("client", "call"), [("olga", "AskService/Ask"), ("gateway", "ProductService/GetProduct")])
def test_a_call_to_the_other_port_is_told_which_services_are_where(
    clients: dict[str, ReflectedClient], client: str, call: str
) -> None:
    channel, metadata = clients[client].channel, clients[client].metadata
    with pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream(f"/{PACKAGE}{call}")(b"", metadata=metadata, timeout=10))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    told = caught.value.details() or ""
    named = {word.strip(",.:;") for word in told.split() if word.strip(",.:;").endswith("Service")}
    assert named == GATEWAY
    assert "GetServerInfo" in told
    told_in_docs = (Path(__file__).parents[2] / "docs" / "api.md").read_text().partition("## Services")[0]
    assert set(re.findall(r"`(\w+Service)`", told_in_docs)) == GATEWAY


def test_a_request_id_is_short_enough_for_every_database(clients: dict[str, ReflectedClient]) -> None:
    grant = {"subject": "user:a", "resource": "ops", "actions": ["discover"], "effect": 1}
    clients["olga"].call("GrantService", "CreateGrant", grant=grant, request_id="\N{GRINNING FACE}" * 500)
    assert clients["olga"].fails("GrantService", "CreateGrant", grant=grant, request_id="x" * 501) == (
        "INVALID_ARGUMENT",
        "INVALID",
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"query": " "}, "The query is empty"),
        ({"query": "x" * 4001}, "The query has 4,001 characters: send at most 4,000."),
        ({"query": "x", "limit": 101}, "limit is 101: ask for at most 100 passages, or 0 for 5."),
    ],
)
def test_a_wrong_retrieval_is_told_which_field_is_wrong(
    clients: dict[str, ReflectedClient], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        clients["gateway"].call("RetrievalService", "Retrieve", port="ops.events.events", **fields)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert said in (caught.value.details() or "")


@pytest.mark.parametrize(
    ("question", "said"),
    [(" ", "The question is empty"), ("x" * 4001, "The question has 4,001 characters: ask one of at most 4,000.")],
)
def test_a_question_that_is_none_is_told_why(clients: dict[str, ReflectedClient], question: str, said: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        clients["gateway"].call("AskService", "Ask", question=question)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert said in (caught.value.details() or "")
