"""What one can get wrong in policy, lists and updates: one clear error each, no state changed, nothing told to strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import grpc
import pytest

from domain_sdk import (
    AccessDenied,
    AlreadyExists,
    Conflict,
    InvalidExpression,
    InvalidRequest,
    MeshError,
    NotFound,
    PurposeNotHeld,
    RequestIdReused,
    TooLarge,
)
from domain_sdk.product import Product
from domainmesh.v1 import (
    access_request_service_pb2,
    domain_pb2,
    domain_service_pb2,
    grant_pb2,
    grant_service_pb2,
    journal_service_pb2,
    principal_service_pb2,
    product_service_pb2,
    publication_service_pb2,
)
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from domainmesh.v1.domain_service_pb2_grpc import DomainServiceStub
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub, GuardrailServiceStub
from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub
from domainmesh.v1.principal_service_pb2_grpc import PrincipalServiceStub, TokenServiceStub
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from tests.integration.bad_input_market import CONTRACT, Market, refused
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

PORT = "sales.orders.orders"
ODD_NAMES = ["../sales", "a'b", 'a"b', "sales\0", "Żółć", "x" * 100_000, "", ".", "a b", "sales;", "..", "\n"]
CHANGES = {"grant.created", "grant.revoked", "domain.created", "domain.updated"}
PAGE_TOKENS = ["made up", "!!!!", "4Bad", "=", "é", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "x" * 50_000, "AA=="]


@pytest.fixture(scope="module")
def opened(server: RunningServer) -> Iterator[Market]:
    market = Market(server)
    yield market
    market.close()


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    with opened.server.admin() as admin:
        before = len(admin.audit.changes())
    yield opened
    with opened.server.admin() as admin:
        changed = [change.kind for change in admin.audit.changes()[before:]]
    assert set(changed) <= CHANGES, changed
    opened.assert_unharmed()


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("salary > 10", "salary"),
        ("region = (select region from sales.orders.orders limit 1)", ""),
        ("id in (select id from other)", ""),
        ("exists (select 1)", ""),
        ("upper(region) = 'EMEA'", "upper"),
        ("getenv('HOME') = 'x'", "getenv"),
        ("region = 'EMEA'; drop table orders", ""),
        ("region = 'EMEA' -- and more", ""),
        ("region = 'EMEA' /* and more */", ""),
        ("1 = 1 union select 1", ""),
        ("region = 'EMEA' order by 1", ""),
        ("case when id = 1 then true else false end", ""),
        ("cast(region as integer) = 1", ""),
        ("region = subject.", ""),
        ("region = 5", "region"),
        ("id", ""),
        ("region = 'unclosed", ""),
        ("((id = 1)", ""),
        ("= 1", ""),
    ],
)
def test_a_row_filter_that_is_no_predicate_over_known_columns_is_refused(market: Market, rows: str, word: str) -> None:
    before = len(market.owner.grants())
    with refused(InvalidExpression, word, PORT):
        market.owner.grant("user:stan", PORT, rows=rows)
    assert len(market.owner.grants()) == before
    with pytest.raises(AccessDenied):
        market.stranger.read(PORT)


def test_deep_and_huge_filters_are_refused_quickly(market: Market) -> None:
    for rows in (
        "(" * 5000 + "id = 1" + ")" * 5000,
        "not " * 5000 + "id = 1",
        " or ".join(f"id = {number}" for number in range(20_000)),
        f"id in ({', '.join(map(str, range(5_000)))})",
        "region = '" + "x" * 1_000_000 + "'",
        "id = " + "9" * 5000,
    ):
        with refused(InvalidExpression, PORT):
            market.owner.grant("user:stan", PORT, rows=rows)


def test_everything_wrong_with_a_grant_is_said_at_once(market: Market) -> None:
    with refused(InvalidRequest, "stan", "fly", "salary", "rot13", PORT):
        market.owner.grant(
            "stan",
            PORT,
            actions=["read", "fly"],  # type: ignore[list-item]
            columns=["salary"],
            masks={"email": "rot13"},
        )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_resources_subjects_and_ids_are_refused(market: Market, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: market.owner.grant("user:stan", name),
        lambda: market.owner.grant(f"user:{name}", PORT),
        lambda: market.owner.grant("user:stan", f"sales.{name}"),
        lambda: market.owner.grant("user:stan", f"sales.orders.{name}"),
        lambda: market.owner.grant("user:stan", PORT, purpose=name or "."),
        lambda: market.owner.grant("user:stan", PORT, columns=[name]),
        lambda: market.owner.request(name),
        lambda: market.owner.revoke(name),
        lambda: market.owner.read(name),
        lambda: market.owner.read(f"sales.orders.{name}"),
        lambda: market.owner.retrieve(f"sales.{name}.orders", "anything"),
        lambda: market.owner.lineage(name),
        lambda: market.owner.explain(name),
        lambda: market.owner.admin.create_domain(name),
        lambda: market.owner.admin.create_principal(f"user:{name}"),
    ]
    for call in calls:
        with pytest.raises(MeshError) as caught:
            call()
        assert type(caught.value) in {InvalidRequest, AccessDenied, PurposeNotHeld, NotFound, InvalidExpression}, caught.value
        assert caught.value.reason != "INTERNAL"
        assert len(str(caught.value)) < 20_000
    with market.server.admin() as admin:
        for create in (admin.admin.create_domain, lambda it: admin.admin.create_principal(f"user:{it}")):
            with refused(InvalidRequest):
                create(name)


def test_the_forbidden_and_the_nonexistent_get_the_same_answer(market: Market) -> None:
    stranger = market.stranger
    grant = market.owner.grant("user:rita", PORT, actions=["discover"])
    one_name: dict[str, Callable[[str], object]] = {
        "read": stranger.read,
        "show": stranger.show,
        "explain": stranger.explain,
        "grant": lambda port: stranger.grant("user:stan", port),
        "request": stranger.request,
        "lineage": stranger.lineage,
        "retrieve": lambda port: stranger.retrieve(port, "what"),
        "check others": lambda port: stranger.check("read", port, principal="user:rita"),
    }
    two_names: dict[str, tuple[Callable[[str], object], str, str]] = {
        **{what: (call, PORT, "no.such.port") for what, call in one_name.items()},
        "show product": (stranger.show, "sales.orders", "no.such"),
        "show domain": (stranger.show, "sales", "nowhere"),
        "revoke": (stranger.revoke, grant.id, "g-0000000000000000"),
        "release": (lambda name: Product(stranger, name, None).release(), "sales.orders", "no.such"),
        "update domain": (lambda name: stranger.admin.update_domain(name, description="x"), "sales", "nowhere"),
        "tokens": (stranger.admin.tokens, "user:rita", "user:nobody"),
        "revoke token": (stranger.admin.revoke_token, market.server.admin_token[5:21], "0" * 16),
    }
    differences = {}
    for what, (call, exists, absent) in two_names.items():
        answers = [answer(call, exists), answer(call, absent)]
        if answers[0] != answers[1] or not answers[0]:
            differences[what] = answers
    assert differences == {}
    market.owner.revoke(grant.id)


def answer(call: Callable[[str], object], name: str) -> str:
    """The error in words, with the name that was asked for left out."""
    error = error_of(partial(call, name))
    product = name.rpartition(".")[0] if name.count(".") == 2 else name
    return f"{type(error).__name__}: {error.message.replace(name, 'IT').replace(product, 'IT')}" if error else ""


def test_a_stale_etag_conflicts_and_changes_nothing(market: Market) -> None:
    with market.server.admin() as admin:
        first = market.owner.show("sales")
        admin.admin.update_domain("sales", description="second", etag=first.etag)
        with refused(Conflict, "sales"):
            admin.admin.update_domain("sales", description="third", etag=first.etag)
        with refused(Conflict, "sales"):
            admin.admin.update_domain("sales", description="third", etag="made up")
        assert market.owner.show("sales").description == "second"


@pytest.mark.parametrize("token", PAGE_TOKENS)
def test_page_tokens_made_up_are_refused_or_harmless(market: Market, token: str) -> None:
    lists = [
        (DomainServiceStub, "ListDomains", domain_service_pb2.ListDomainsRequest(page_token=token)),
        (ProductServiceStub, "ListProducts", product_service_pb2.ListProductsRequest(page_token=token)),
        (ProductServiceStub, "Discover", product_service_pb2.DiscoverRequest(page_token=token)),
        (ProductServiceStub, "ListReleases", product_service_pb2.ListReleasesRequest(product="sales.orders", page_token=token)),
        (GrantServiceStub, "ListGrants", grant_service_pb2.ListGrantsRequest(page_token=token)),
        (GuardrailServiceStub, "ListGuardrails", grant_service_pb2.ListGuardrailsRequest(page_token=token)),
        (TokenServiceStub, "ListTokens", principal_service_pb2.ListTokensRequest(page_token=token)),
        (PrincipalServiceStub, "ListPurposes", principal_service_pb2.ListPurposesRequest(page_token=token)),
        (AccessRequestServiceStub, "ListAccessRequests", access_request_service_pb2.ListAccessRequestsRequest(page_token=token)),
    ]
    for stub, method, request in lists:
        assert_refused_or_harmless(partial(market.sent, getattr(market.stub(stub), method), request))
    with market.server.admin() as admin:
        changes = journal_service_pb2.ListChangesRequest(page_token=token)
        assert_refused_or_harmless(partial(market.sent, market.stub(JournalServiceStub, admin).ListChanges, changes, admin))


def assert_refused_or_harmless(call: Callable[[], object]) -> None:
    error = error_of(call)
    assert error is None or (type(error) is InvalidRequest and "page_token" in str(error)), repr(error)


def error_of(call: Callable[[], object]) -> MeshError | None:
    try:
        call()
    except MeshError as error:
        return error
    return None


def test_odd_page_sizes_are_refused_or_capped(market: Market) -> None:
    with refused(InvalidRequest, "page_size"):
        market.sent(market.stub(DomainServiceStub).ListDomains, domain_service_pb2.ListDomainsRequest(page_size=-1))
    market.sent(market.stub(DomainServiceStub).ListDomains, domain_service_pb2.ListDomainsRequest(page_size=2**31 - 1))


def test_unknown_enum_values_are_refused(market: Market) -> None:
    grant = grant_pb2.Grant(subject="user:stan", resource=PORT, actions=["read"], effect=77)  # type: ignore[arg-type]
    with refused(InvalidRequest, "effect"):
        market.sent(market.stub(GrantServiceStub).CreateGrant, grant_service_pb2.CreateGrantRequest(grant=grant))
    grant.effect = grant_pb2.EFFECT_UNSPECIFIED
    with refused(InvalidRequest, "effect"):
        market.sent(market.stub(GrantServiceStub).CreateGrant, grant_service_pb2.CreateGrantRequest(grant=grant))
    request = access_request_service_pb2.ListAccessRequestsRequest(state=99)  # type: ignore[arg-type]
    assert not market.sent(market.stub(AccessRequestServiceStub).ListAccessRequests, request).access_requests


def test_times_and_revisions_out_of_range_are_refused(market: Market) -> None:
    grant = grant_pb2.Grant(subject="user:stan", resource=PORT, actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    grant.expire_time.seconds = 2**62
    with refused(InvalidRequest, "expire_time"):
        market.sent(market.stub(GrantServiceStub).CreateGrant, grant_service_pb2.CreateGrantRequest(grant=grant))
    for as_of in (10**15, 2**63 - 1, 2**64 - 1):
        with refused(InvalidRequest, "as_of"):
            market.sent(
                market.stub(ProductServiceStub).GetProduct,
                product_service_pb2.GetProductRequest(name="sales.orders", as_of=as_of),
            )
    for version in (10**6, 2**63, 2**64 - 1):
        with pytest.raises((NotFound, InvalidRequest)):
            market.sent(
                market.stub(ProductServiceStub).GetRelease,
                product_service_pb2.GetReleaseRequest(product="sales.orders", version=version),
            )
        with pytest.raises((NotFound, InvalidRequest)):
            market.reader.read(PORT, version=version)


def test_a_message_of_a_hundred_megabytes_is_refused_and_the_next_call_works(market: Market) -> None:
    with refused(TooLarge):
        market.owner.grant("user:stan", PORT, reason="x" * 100_000_000)
    huge = grant_service_pb2.CreateGrantRequest(grant=grant_pb2.Grant(reason="x" * 100_000_000))
    options = [("grpc.max_send_message_length", -1)]
    metadata = (("authorization", f"Bearer {market.server.admin_token}"),)
    with grpc.insecure_channel(market.server.url.removeprefix("http://"), options=options) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            GrantServiceStub(channel).CreateGrant(huge, metadata=metadata, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        DomainServiceStub(channel).ListDomains(domain_service_pb2.ListDomainsRequest(), metadata=metadata, timeout=10)


def test_a_repeated_request_id_gets_the_stored_reply_and_another_body_is_refused(market: Market) -> None:
    stub = market.stub(GrantServiceStub)

    def request(reason: str) -> grant_service_pb2.CreateGrantRequest:
        grant = grant_pb2.Grant(
            subject="user:stan", resource=PORT, actions=["discover"], effect=grant_pb2.EFFECT_ALLOW, reason=reason
        )
        return grant_service_pb2.CreateGrantRequest(grant=grant, request_id="the-same")

    first = market.sent(stub.CreateGrant, request("one"))
    before = len(market.owner.grants())
    assert market.sent(stub.CreateGrant, request("one")) == first
    assert len(market.owner.grants()) == before
    with refused(RequestIdReused, "the-same"):
        market.sent(stub.CreateGrant, request("two"))
    revoke = grant_service_pb2.RevokeGrantRequest(id=first.id, request_id="the-same-revocation")
    assert market.sent(stub.RevokeGrant, revoke) == market.sent(stub.RevokeGrant, revoke)
    with market.server.admin() as admin:
        create = domain_service_pb2.CreateDomainRequest(domain=domain_pb2.Domain(name="once"), request_id="the-same")
        created = market.sent(market.stub(DomainServiceStub, admin).CreateDomain, create, admin)
        assert market.sent(market.stub(DomainServiceStub, admin).CreateDomain, create, admin) == created
        create.request_id = "another"
        with refused(AlreadyExists, "once"):
            market.sent(market.stub(DomainServiceStub, admin).CreateDomain, create, admin)
        other_kind = domain_service_pb2.UpdateDomainRequest(domain=domain_pb2.Domain(name="once"), request_id="the-same")
        other_kind.update_mask.paths.append("title")
        with refused(RequestIdReused, "the-same"):
            market.sent(market.stub(DomainServiceStub, admin).UpdateDomain, other_kind, admin)


def test_a_request_id_is_the_callers_own(market: Market) -> None:
    request = publication_service_pb2.BeginPublicationRequest(
        product="sales.orders", contract_text=CONTRACT, request_id="shared", validate_only=True
    )
    market.sent(market.stub(PublicationServiceStub).BeginPublication, request)
    with pytest.raises(AccessDenied):
        market.sent(market.stub(PublicationServiceStub, market.stranger).BeginPublication, request, market.stranger)
