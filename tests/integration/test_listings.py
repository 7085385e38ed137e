"""Lists are read page by page by the order they are shown in, and what is over is never read through to find what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from domainmesh.v1 import break_glass_pb2, change_set_pb2, domain_pb2, grant_pb2, inbox_service_pb2, principal_pb2
from domainmesh.v1.break_glass_service_pb2 import ListBreakGlassRequest
from domainmesh.v1.change_set_service_pb2 import ListChangeSetsRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest
from governance_server.backend import Page, stamp, store
from governance_server.journal.command import Outcome
from governance_server.journal.rebuild import rebuild
from governance_server.reminders import Reminders
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid
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
            for table in ("listing", "turn"):  # what migrations from 0007 on make
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
