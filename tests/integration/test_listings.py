"""Lists are read page by page by the order they are shown in, and what is over is never read through to find what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from domainmesh.v1 import (
    access_request_pb2,
    break_glass_pb2,
    change_set_pb2,
    domain_pb2,
    grant_pb2,
    inbox_service_pb2,
    principal_pb2,
    product_pb2,
)
from domainmesh.v1.access_request_service_pb2 import GetAccessRequestRequest, ListAccessRequestsRequest
from domainmesh.v1.break_glass_service_pb2 import ListBreakGlassRequest
from domainmesh.v1.change_set_service_pb2 import ListChangeSetsRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import GetGrantRequest, ListGrantsRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest
from governance_server.backend import Page, stamp, store
from governance_server.journal.command import Outcome
from governance_server.journal.rebuild import rebuild
from governance_server.reminders import Reminders
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.storage import catalog
from governance_server.storage.engine import open_database
from tests.integration.inner_mesh import ADMIN, START, InnerMesh, inner_mesh
from tests.integration.journal_databases import postgres_url, running_journal, sqlite_url, writing

OLGA, OTTO = "user:olga", "user:otto"
DONE, OPEN = change_set_pb2.CHANGE_SET_STATE_APPLIED, change_set_pb2.CHANGE_SET_STATE_PROPOSED
SETS = 230


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    with inner_mesh(tmp_path / "home") as made:
        for name in (OLGA, OTTO):
            made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal_pb2.Principal(name=name)))
        for domain, owner in (("shop", OLGA), ("lab", OTTO)):
            made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name=domain, owners=[owner])))
        yield made


def put(mesh: InnerMesh, *writes: ResourceWrite) -> None:
    mesh.backend.journal_as("service:test", lambda tx: Outcome("test", "test", writes, b""))


def change_set(number: int, source: str = "centre", proposer: str = ADMIN, state: int = DONE) -> ResourceWrite:
    found = change_set_pb2.ChangeSet(id=f"c-{(number * 7919) % 1000:04}", source=source, proposer=proposer)
    found.state = state  # type: ignore[assignment]
    found.create_time.CopyFrom(stamp(START))
    found.create_time.nanos = 1000 * (number // 3)  # three at the same time
    return store(kinds.CHANGE_SET, found.id, found)


def pages(mesh: InnerMesh, who: str, *, size: int = 50, **wanted: object) -> list[change_set_pb2.ChangeSet]:
    found: list[change_set_pb2.ChangeSet] = []
    token = ""
    while True:
        request = ListChangeSetsRequest(page_size=size, page_token=token, **wanted)  # type: ignore[arg-type]
        reply = mesh.call(who, "ListChangeSets", request)
        assert len(reply.change_sets) <= size
        found.extend(reply.change_sets)
        token = reply.next_page_token
        if not token:
            return found


def test_pages_meet_every_set_once_newest_first_each_to_whom_it_concerns(mesh: InnerMesh) -> None:
    sources = ("centre", "domain:shop", "domain:lab", "")
    proposers = (ADMIN, OLGA, OTTO)
    put(mesh, *(change_set(n, sources[n % 4], proposers[n % 3], OPEN if n % 10 == 0 else DONE) for n in range(SETS)))
    for size in (7, 500):
        every = pages(mesh, ADMIN, size=size)
        assert len(every) == len({it.id for it in every}) == SETS
        places = [(it.create_time.nanos, it.id) for it in every]
        assert places == sorted(places, reverse=True)
        waiting = pages(mesh, ADMIN, size=size, state=OPEN)
        assert [it.id for it in waiting] == [it.id for it in every if it.state == OPEN]
        own = pages(mesh, OLGA, size=size)
        assert [it.id for it in own] == [it.id for it in every if it.source == "domain:shop" or it.proposer == OLGA]
        for source in ("domain:shop", "domain:lab"):
            assert [it.id for it in pages(mesh, OLGA, size=size, source=source)] == [it.id for it in own if it.source == source]
        assert [it.id for it in pages(mesh, ADMIN, size=size, source="domain:lab", state=DONE)] == [
            it.id for it in every if it.source == "domain:lab" and it.state == DONE
        ]


def test_uses_of_break_glass_are_paged_alike(mesh: InnerMesh) -> None:
    for number in range(60):
        domain = ("shop", "lab")[number % 2]
        use = break_glass_pb2.BreakGlass(
            id=f"b-{number:02}", principal=(OLGA, "user:doc")[number % 3 % 2], resource=f"{domain}.a.b"
        )
        use.create_time.CopyFrom(stamp(START))
        use.create_time.seconds += number
        use.acknowledger = ADMIN if number % 5 else ""
        put(mesh, store(kinds.BREAK_GLASS, use.id, use))

    def uses(who: str, **wanted: bool) -> list[break_glass_pb2.BreakGlass]:
        found: list[break_glass_pb2.BreakGlass] = []
        token = ""
        while True:
            reply = mesh.call(who, "ListBreakGlass", ListBreakGlassRequest(page_size=4, page_token=token, **wanted))  # type: ignore[arg-type]
            found.extend(reply.uses)
            token = reply.next_page_token
            if not token:
                return found

    every = uses(ADMIN)
    assert [it.id for it in every] == [f"b-{number:02}" for number in reversed(range(60))]
    assert [it.id for it in uses(ADMIN, only_unacknowledged=True)] == [it.id for it in every if not it.acknowledger]
    assert [it.id for it in uses(OLGA)] == [it.id for it in every if it.resource.startswith("shop.") or it.principal == OLGA]
    assert uses("user:nobody") == []


@pytest.mark.parametrize("token", ["1", "x y", "00000000000000000001 ../..", "00000000000000000001 a\x00b", "é" * 30])
def test_a_page_token_that_was_never_given_out_is_refused(mesh: InnerMesh, token: str) -> None:
    with pytest.raises(Invalid, match="page_token"):
        mesh.call(ADMIN, "ListChangeSets", ListChangeSetsRequest(page_token=Page.token(token)))
    with pytest.raises(Invalid, match="page_token"):
        mesh.call(ADMIN, "ListBreakGlass", ListBreakGlassRequest(page_token=Page.token(token)))


def test_what_is_over_is_not_read_to_show_what_waits(mesh: InnerMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    put(mesh, *(change_set(n) for n in range(900)), change_set(901, proposer="user:ada", state=OPEN))
    used = [break_glass_pb2.BreakGlass(id=f"b-{n}", principal=OTTO, resource="shop.a.b", acknowledger=OLGA) for n in range(300)]
    put(mesh, *(store(kinds.BREAK_GLASS, it.id, it) for it in used))
    over = grant_pb2.Grant(subject=OLGA, resource="shop", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    over.expire_time.CopyFrom(stamp(START))
    mesh.tick(days=1)
    grants = []
    for number in range(300):
        over.id = f"g-{number}"
        grants.append(store(kinds.GRANT, over.id, over))
    put(mesh, *grants)
    read = []
    honest = catalog.list_under

    def counted(*args, **named):  # type: ignore[no-untyped-def]
        found = honest(*args, **named)
        read.extend(found)
        return found

    monkeypatch.setattr(catalog, "list_under", counted)
    listed = mesh.backend.catalog.list
    monkeypatch.setattr(catalog.Catalog, "list", lambda self, *args, **named: [*read_all(read, listed(*args, **named))])
    reply = mesh.call(ADMIN, "GetInbox", inbox_service_pb2.GetInboxRequest())
    assert reply.changes_to_approve_count == 1
    mesh.call(OLGA, "GetInbox", inbox_service_pb2.GetInboxRequest())
    Reminders(mesh.backend).run()
    mesh.call(ADMIN, "ListChangeSets", ListChangeSetsRequest(page_size=5))
    assert len(read) < 150


def request_of(number: int, requester: str, resource: str, state: int) -> ResourceWrite:
    asked = access_request_pb2.AccessRequest(id=f"r-{number:06x}", requester=requester, resource=resource)
    asked.state = state  # type: ignore[assignment]
    asked.create_time.CopyFrom(stamp(START))
    return store(kinds.ACCESS_REQUEST, asked.id, asked)


def contract_naming(product: str, approver: str) -> tuple[ResourceWrite, ...]:
    """A released product whose contract names the approver."""
    text = f"kind: DataContract\nroles:\n  - {{role: reader, access: read, firstLevelApprovers: '{approver}'}}\n"
    contract = product_pb2.Contract(product=product, version="1.0.0", text=text)
    port = product_pb2.Port(name=f"{product}.{product.partition('.')[2]}")
    released = product_pb2.Product(name=product, version=1, ports=[port])
    return store(kinds.PRODUCT, product, released), store(kinds.CONTRACT, kinds.versioned_name(product, 1), contract)


REQUESTED, DENIED = access_request_pb2.ACCESS_REQUEST_STATE_REQUESTED, access_request_pb2.ACCESS_REQUEST_STATE_DENIED
WHO = (ADMIN, OLGA, OTTO, "user:ana", "user:lena", "user:nobody")


@pytest.fixture
def busy(mesh: InnerMesh) -> InnerMesh:
    """A mesh with requests and grants in two domains; lena is named by one product's contract and by nothing else."""
    for name in ("user:ana", "user:lena", "user:nobody"):
        mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal_pb2.Principal(name=name)))
    put(mesh, *contract_naming("shop.orders", "user:lena"), *contract_naming("lab.tests", OTTO))
    resources = ("shop", "shop.orders", "shop.orders.orders", "shop.other", "lab.tests", "mesh")
    for number in range(120):
        resource, asker = resources[number % 6], (OLGA, OTTO, "user:ana")[number % 7 % 3]
        put(mesh, request_of(number, asker, resource, REQUESTED if number % 4 else DENIED))
        grant = grant_pb2.Grant(
            id=f"g-{(number * 7919) % 1000:04}", subject=(OLGA, "user:ana", "*")[number % 5 % 3], resource=resource,
            actions=["read"], effect=grant_pb2.EFFECT_ALLOW, grantor=OTTO,
        )  # fmt: skip
        put(mesh, store(kinds.GRANT, grant.id, grant))
    return mesh


def every_page(mesh: InnerMesh, who: str, method: str, field: str, **wanted: object) -> list[str]:
    """The ids on all pages."""
    found: list[str] = []
    token = ""
    while True:
        kind = {"ListGrants": ListGrantsRequest, "ListAccessRequests": ListAccessRequestsRequest}[method]
        reply = mesh.call(who, method, kind(page_size=7, page_token=token, **wanted))
        found.extend(it.id for it in getattr(reply, field))
        token = reply.next_page_token
        if not token:
            return found


@pytest.mark.parametrize("resource", ["", "mesh", "shop", "shop.orders", "shop.orders.orders", "shop.other", "lab", "none.such"])
def test_requests_and_grants_are_listed_to_whom_they_concern_and_found_one_by_one(busy: InnerMesh, resource: str) -> None:
    def sees(who: str, method: str, request: object) -> bool:
        try:
            return bool(busy.call(who, method, request))
        except AccessDenied:
            return False

    def inside(name: str) -> bool:
        return resource in ("", "mesh", name) or name.startswith(f"{resource}.")

    asked = [
        access_request_pb2.AccessRequest.FromString(body)
        for _, body in busy.backend.catalog.list(kinds.ACCESS_REQUEST, limit=None)
    ]
    given = [grant_pb2.Grant.FromString(body) for _, body in busy.backend.catalog.list(kinds.GRANT, limit=None)]
    for who in WHO:
        wanted = [
            it.id for it in asked if inside(it.resource) and sees(who, "GetAccessRequest", GetAccessRequestRequest(id=it.id))
        ]
        assert every_page(busy, who, "ListAccessRequests", "access_requests", resource=resource) == wanted[::-1]
        shown = [it for it in given if inside(it.resource) and sees(who, "GetGrant", GetGrantRequest(id=it.id))]
        for subject in ("", OLGA, "user:ana", "*", "user:nobody"):
            of_subject = [it.id for it in shown if subject in ("", it.subject)]
            assert every_page(busy, who, "ListGrants", "grants", resource=resource, subject=subject) == of_subject
    assert every_page(busy, "user:lena", "ListAccessRequests", "access_requests", resource="shop")
    assert not every_page(busy, "user:nobody", "ListAccessRequests", "access_requests")


def test_what_concerns_others_is_not_read_to_list_requests_and_grants(busy: InnerMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [request_of(number, OTTO, "lab.tests", DENIED) for number in range(1000, 1600)]
    grants = (grant_pb2.Grant(id=f"h-{n:04}", subject=OTTO, resource="lab.tests", actions=["read"]) for n in range(600))
    others = [*many, *(store(kinds.GRANT, it.id, it) for it in grants)]
    put(busy, *others)
    read: list[tuple[str, bytes]] = []
    under, by_name = catalog.list_under, catalog.Catalog.list
    monkeypatch.setattr(catalog, "list_under", lambda *args, **named: read_all(read, under(*args, **named)))
    monkeypatch.setattr(catalog.Catalog, "list", lambda self, *args, **named: read_all(read, by_name(self, *args, **named)))
    for who in ("user:ana", OLGA, "user:lena", "user:nobody"):
        for resource in ("", "shop", "shop.orders"):
            read.clear()
            every_page(busy, who, "ListAccessRequests", "access_requests", resource=resource)
            every_page(busy, who, "ListGrants", "grants", resource=resource)
            assert read or who == "user:nobody"
            assert not {place for place, _ in read} & {write.name for write in others}, (who, resource)


def read_all(read: list[tuple[str, bytes]], rows: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    read.extend(rows)
    return rows


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_lists_of_an_older_release_are_made_by_the_migration_and_by_a_rebuild(database_kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if database_kind == "sqlite" else stack.enter_context(postgres_url())
        database = open_database(url)
        with running_journal(database) as journal:
            for number in range(6):
                write = change_set(number, state=OPEN if number % 2 else DONE)
                journal.submit(writing((write.kind, write.name, write.body or b"")))
            write = change_set(1)
            journal.submit(writing((write.kind, write.name, write.body or b"")))
        lists = "SELECT kind, key, name FROM listing ORDER BY kind, key, name"
        honest = database.reader().execute(lists).fetchall()
        assert len(honest) == 3 * 6 + 3 * 2
        with database.write() as connection:
            for table in ("listing", "turn", "lineage_run_past"):  # what migrations from 0007 on make
                connection.execute(f"DROP TABLE {table}")
            connection.execute("UPDATE alembic_version SET version_num = '0006'")
        database.close()
        database = open_database(url)
        assert database.reader().execute(lists).fetchall() == honest
        assert rebuild(database).was_equal
        with database.write() as connection:
            connection.execute("DELETE FROM listing WHERE key LIKE 'open%'")
        assert not rebuild(database, swap=True).was_equal
        assert database.reader().execute(lists).fetchall() == honest
        database.close()
