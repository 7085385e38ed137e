"""Access tokens of a real OpenID provider: who they prove, whom they never prove, and what follows from their groups and keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidRequest, Mesh, Unauthenticated, WrongState
from domainmesh.v1.journal_service_pb2 import WatchChangesRequest
from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub
from domainmesh.v1.principal_service_pb2 import GetPrincipalRequest
from domainmesh.v1.principal_service_pb2_grpc import PrincipalServiceStub
from domainmesh.v1.read_service_pb2 import PlanReadRequest
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from tests.integration.crash_shop import until
from tests.integration.forged_tokens import forged_tokens, signed
from tests.integration.mesh_setup import contract, detail_of, raw_mesh
from tests.integration.oidc_server import AUDIENCE, OidcProvider, SigningKey, running_provider
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

PORT = "finance.ledger.entries"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        running.change(accounts={"ana": {"groups": ["analysts"]}, "bo": {"groups": []}})
        yield running


@pytest.fixture(scope="module")
def server(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A mesh that trusts the provider; analysts may read its one product."""
    running = RunningServer(
        tmp_path_factory.mktemp("oidc") / "mesh", MESH_OIDC_ISSUER=provider.issuer, MESH_OIDC_AUDIENCE=AUDIENCE,
        MESH_OIDC_GROUPS_CLAIM="groups", MESH_OIDC_LEEWAY_SECONDS="2",
    )  # fmt: skip
    with running.admin() as admin:
        admin.admin.create_domain("finance", owners=["user:admin"])
        text = contract("finance.ledger", {"entries": ["amount: integer"]})
        admin.domain("finance").product("ledger", contract=text).publish(entries=pl.DataFrame({"amount": [1, 2]}), progress=False)
        admin.grant("group:analysts", "finance.ledger")
    yield running
    running.stop()


def connected(server: RunningServer, token: str) -> Mesh:
    return Mesh.connect(server.url, token)


def test_a_person_who_logs_in_with_a_browser_is_a_user_with_the_groups_of_the_provider(
    server: RunningServer, provider: OidcProvider
) -> None:
    with connected(server, provider.user_token("ana")) as mesh:
        assert mesh.whoami().name == "user:ana"
        assert mesh.read(PORT).height == 2
        assert not mesh.check("write", "finance.ledger")
        with pytest.raises(AccessDenied):
            mesh.admin.principals()


def test_a_client_that_speaks_for_itself_is_a_service_without_rights(server: RunningServer, provider: OidcProvider) -> None:
    with connected(server, provider.client_token()) as mesh:
        assert mesh.whoami().name == "service:etl"
        with pytest.raises(AccessDenied):
            mesh.read(PORT)


def test_somebody_without_the_group_is_known_and_may_nothing(server: RunningServer, provider: OidcProvider) -> None:
    with connected(server, provider.user_token("bo")) as mesh:
        assert mesh.whoami().name == "user:bo"
        with pytest.raises(AccessDenied):
            mesh.read(PORT)


def test_the_scheme_is_bearer_in_any_case_and_no_other(server: RunningServer, provider: OidcProvider) -> None:
    good = signed(provider.claims(), provider.keys[0])
    with raw_mesh(server, "") as mesh:
        call = mesh.control(PrincipalServiceStub).GetPrincipal
        for header in (f"bearer {good}", f"BEARER {good}", f"Bearer  {good}"):  # RFC 9110 section 11.4
            call(GetPrincipalRequest(), metadata=(("authorization", header),))
        for header in (good, f"bearer{good}", f"DPoP {good}", f"Bearer {good} {good}", "Bearer ", "Bearer"):
            with pytest.raises(grpc.RpcError) as caught:
                call(GetPrincipalRequest(), metadata=(("authorization", header),), timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_other_accepted_algorithms_work_with_keys_of_their_own(
    server: RunningServer, provider: OidcProvider, algorithm: str
) -> None:
    before = provider.keys
    key = SigningKey(algorithm)
    provider.change(keys=[*before, key], alg=algorithm)
    try:
        with connected(server, provider.client_token()) as mesh:
            assert mesh.whoami().name == "service:etl"
    finally:
        provider.change(keys=before, alg="RS256")


def test_names_that_are_none_here_become_names_that_nobody_else_gets(server: RunningServer, provider: OidcProvider) -> None:
    subjects = [
        "auth0|5f7c",
        "auth0-5f7c",
        "José",
        "Jose\u0301",
        "x+auth0-5f7c+00",
        "ana@example.com",
        "-",
        "a b",
        "user:ana",
        "ana/../admin",
    ]
    names = []
    for subject in subjects:
        with connected(server, signed(provider.claims(sub=subject), provider.keys[0])) as mesh:
            names.append(mesh.whoami().name)
    assert len(set(names)) == len(subjects)
    assert names[5] == "user:ana@example.com"
    assert names[1] == "user:auth0-5f7c"
    assert all(
        name.startswith("user:x+") for name, subject in zip(names, subjects, strict=True) if subject in ("auth0|5f7c", "José")
    )


def test_a_subject_never_becomes_a_principal_that_exists_already(server: RunningServer, provider: OidcProvider) -> None:
    token = signed(provider.claims(sub="admin"), provider.keys[0])
    with connected(server, token) as mesh, pytest.raises(Unauthenticated):
        mesh.whoami()
    assert "link them" in server.log.read_text()


def test_the_central_team_says_which_principal_a_subject_is_and_takes_it_back(
    server: RunningServer, provider: OidcProvider
) -> None:
    token = signed(provider.claims(sub="u-4711", groups=["analysts"]), provider.keys[0])
    with server.admin() as admin:
        admin.admin.create_principal("user:kim")
        admin.admin.link_identity("user:kim", "u-4711")
        with connected(server, token) as mesh:
            assert mesh.whoami().name == "user:kim"
            assert mesh.read(PORT).height == 2
            admin.admin.unlink_identity("u-4711")
            with pytest.raises(Unauthenticated):
                mesh.whoami()


def test_who_links_a_subject_may_be_behind_it_and_so_may_who_made_the_token_to_link_with(
    server: RunningServer, provider: OidcProvider
) -> None:
    token = signed(provider.claims(sub="u-4712"), provider.keys[0])
    with server.admin() as admin:
        admin.admin.create_principal("user:lou")
        admin.admin.link_identity("user:lou", "u-4712")
        with connected(server, token) as mesh:
            assert mesh.status().token_makers == ("user:admin",)
            assert mesh.admin.create_token().token.makers == ("user:admin",)
        handed_out = admin.admin.create_token("user:lou").secret
        with connected(server, handed_out) as mesh:
            own = mesh.admin.activate_token().secret  # a login that another linked is not its own yet
        with connected(server, own) as mesh, pytest.raises(AccessDenied):
            mesh.admin.link_identity("user:lou", "u-4712")  # it administers nothing


def test_who_logs_in_at_the_provider_has_a_login_of_its_own_and_exchanges_nothing(
    server: RunningServer, provider: OidcProvider
) -> None:
    with connected(server, signed(provider.claims(sub="mia"), provider.keys[0])) as mesh, server.admin() as admin:
        assert mesh.status().token_makers == ()
        secret = admin.admin.create_token("user:mia").secret
        with connected(server, secret) as handed_out, pytest.raises(WrongState, match="login --oidc"):
            handed_out.admin.activate_token()
        with pytest.raises(WrongState, match="nothing to exchange"):
            mesh.admin.activate_token()


def test_a_disabled_principal_is_refused_from_the_next_call_on(server: RunningServer, provider: OidcProvider) -> None:
    with server.admin() as admin, connected(server, signed(provider.claims(sub="leaver"), provider.keys[0])) as mesh:
        assert mesh.whoami().name == "user:leaver"
        admin.admin.update_principal("user:leaver", is_disabled=True)
        with pytest.raises(Unauthenticated):
            mesh.whoami()
        with (
            connected(server, signed(provider.claims(sub="leaver", jti="new"), provider.keys[0])) as again,
            pytest.raises(Unauthenticated),
        ):
            again.whoami()


def test_groups_follow_the_newest_token_and_an_older_one_never_brings_one_back(
    server: RunningServer, provider: OidcProvider
) -> None:
    now, key = int(time.time()), provider.keys[0]

    def token(age: int, *groups: str) -> str:
        return signed(provider.claims(sub="mover", iat=now - age, groups=list(groups)), key)

    old, new, between = token(60, "analysts"), token(30), token(45, "analysts", "others")
    with connected(server, old) as mesh:
        assert mesh.read(PORT).height == 2
    with connected(server, new) as mesh, pytest.raises(AccessDenied):
        mesh.read(PORT)
    for late in (old, between, token(31, "analysts")):
        with connected(server, late) as mesh:
            assert mesh.whoami().name == "user:mover"
            with pytest.raises(AccessDenied):
                mesh.read(PORT)
    with connected(server, token(20, "analysts")) as mesh:
        assert mesh.read(PORT).height == 2


def test_a_newer_token_counts_even_if_it_changed_nothing(server: RunningServer, provider: OidcProvider) -> None:
    now, key = int(time.time()), provider.keys[0]

    def sign_in(age: int, *groups: str) -> Mesh:
        return connected(server, signed(provider.claims(sub="quiet", iat=now - age, groups=list(groups)), key))

    for age, groups in ((60, ()), (20, ()), (40, ("analysts",))):
        with sign_in(age, *groups) as mesh:
            assert mesh.whoami().name == "user:quiet"
            assert not mesh.check("read", PORT), "the token of 40 s ago is older than that of 20 s ago"


def test_nobody_becomes_an_administrator_by_a_claim(server: RunningServer, provider: OidcProvider) -> None:
    with server.admin() as admin:
        admin.admin.create_principal("group:governance", is_administrator=True)
        with connected(
            server, signed(provider.claims(sub="climber", groups=["governance", "analysts"]), provider.keys[0])
        ) as mesh:
            assert not mesh.check("administer", "mesh")
            assert mesh.read(PORT).height == 2
            with pytest.raises(AccessDenied):
                mesh.admin.principals()
        assert "user:climber" in {principal.name for principal in admin.admin.principals()}
    assert "groups=group:governance" in server.log.read_text()


def test_what_a_group_gave_ends_with_the_group_for_tokens_of_the_mesh_too(server: RunningServer, provider: OidcProvider) -> None:
    now, key = int(time.time()), provider.keys[0]
    with connected(server, signed(provider.claims(sub="former", iat=now - 9, groups=["analysts"]), key)) as mesh:
        own = mesh.admin.create_token().secret
    with connected(server, own) as mesh:
        assert mesh.read(PORT).height == 2
        with connected(server, signed(provider.claims(sub="former", groups=[]), key)) as later:
            later.whoami()
        with pytest.raises(AccessDenied):
            mesh.read(PORT)


def test_a_token_made_with_an_access_token_ends_with_it(server: RunningServer, provider: OidcProvider) -> None:
    expires = int(time.time()) + 100
    with connected(server, signed(provider.claims(exp=expires), provider.keys[0])) as mesh:
        made = mesh.admin.create_token()
        with pytest.raises(InvalidRequest, match="does not outlive"):
            mesh.admin.create_token(until="2027-06-01")
    assert made.token.expire_time is not None
    assert made.token.expire_time.timestamp() <= expires + 2


def test_streams_end_when_their_token_does(server: RunningServer, provider: OidcProvider) -> None:
    with server.admin() as admin:
        admin.admin.link_identity("user:admin", "watcher")
    token = signed(provider.claims(sub="watcher", exp=int(time.time()) + 3), provider.keys[0])
    with raw_mesh(server, token) as mesh:
        watching = mesh.control(JournalServiceStub).WatchChanges(WatchChangesRequest(), metadata=mesh.metadata, timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in watching:
                pass
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_keys_rotate_under_load_without_a_failed_valid_call(server: RunningServer, provider: OidcProvider) -> None:
    """As providers do it: the new key is shown before it signs, the old one as long as its tokens last."""
    failures: list[BaseException] = []
    signing = [provider.keys[-1]]
    calls = [0]
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            try:
                with connected(server, signed(provider.claims(sub="etl2", jti=str(calls[0])), signing[0])) as mesh:
                    for _ in range(3):
                        mesh.whoami()
                        calls[0] += 1
            except BaseException as error:  # noqa: BLE001 # shown below
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            time.sleep(1)
            new = SigningKey("RS256")
            provider.change(keys=[*provider.keys[-1:], new])
            signing[0] = new
        assert until(lambda: calls[0] > 50 or bool(failures), seconds=40)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, server.log.read_text()[-1000:]


def test_every_forged_token_gets_the_same_refusal_from_both_servers_and_changes_nothing(
    server: RunningServer, provider: OidcProvider
) -> None:
    good = signed(provider.claims(groups=["analysts"]), provider.keys[0])
    with connected(server, good) as mesh:
        assert mesh.whoami().name == "user:ana"
    forged = forged_tokens(provider)
    assert len(forged) >= 80
    with server.admin() as admin, raw_mesh(server, "") as mesh:
        before = admin.status().revision
        said: dict[str, set[str]] = {}
        for what, token in forged.items():
            for call, request in (
                (mesh.control(PrincipalServiceStub).GetPrincipal, GetPrincipalRequest()),
                (mesh.gateway(ReadServiceStub).PlanRead, PlanReadRequest(port=PORT)),
            ):
                with pytest.raises(grpc.RpcError) as caught:
                    call(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, f"{what}: {caught.value}"
                said.setdefault(str(detail_of(caught.value).message), set()).add(what)
        assert len(said) == 1, said
        assert admin.status().revision == before
    log = server.log.read_text()
    assert not [what for what, token in forged.items() if len(token) > 40 and token in log]
    with connected(server, good) as mesh:
        assert mesh.read(PORT).height == 2


def test_a_link_that_one_of_two_administrators_made_only_reads_until_the_other_makes_it_too(
    server: RunningServer, provider: OidcProvider, tmp_path: Path
) -> None:
    own = RunningServer(tmp_path / "own", **server.environment)
    token = signed(provider.claims(sub="u-4713"), provider.keys[0])
    with ExitStack() as stack:
        stack.callback(own.stop)
        admin = stack.enter_context(own.admin())
        admin.admin.create_principal("user:lou")
        admin.admin.create_domain("shop", owners=["user:lou"])
        bea = stack.enter_context(own.user("user:bea", is_administrator=True))
        admin.admin.link_identity("user:lou", "u-4713")
        lou = stack.enter_context(connected(own, token))
        with pytest.raises(AccessDenied, match="same `mesh admin link-identity`"):
            lou.grant("user:bea", "shop")
        admin.admin.link_identity("user:lou", "u-4713")  # the same person twice is not two
        with pytest.raises(AccessDenied):
            lou.grant("user:bea", "shop")
        bea.admin.link_identity("user:lou", "u-4713")
        assert lou.grant("user:bea", "shop").id
        assert stack.enter_context(connected(own, lou.admin.create_token().secret)).grant("user:bea", "shop").id
        bea.admin.link_identity("user:lou", "u-4714")  # another subject is another's
        with pytest.raises(AccessDenied):
            stack.enter_context(connected(own, signed(provider.claims(sub="u-4714"), provider.keys[0]))).grant("user:bea", "shop")
