"""The live policy under failures and races: a change that could not be followed is not lost, and nobody sees half a change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domainmesh.v1 import domain_pb2, grant_pb2, product_pb2
from governance_server.caller import Caller
from governance_server.journal.command import Command, Outcome
from governance_server.journal.journal import Journal
from governance_server.policy.engine import Visibility
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid
from governance_server.search.index import SearchIndex
from governance_server.storage.engine import Database, open_database

ANA, OBJECT = "user:ana", "finance.ledger"


def now() -> datetime:
    """A fixed time."""
    return datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    opened = open_database(f"sqlite:///{tmp_path}/mesh.db")
    yield opened
    opened.close()


@pytest.fixture
def journal(database: Database) -> Iterator[Journal]:
    """Its journal."""
    opened = Journal(database, clock=now)
    yield opened
    opened.close()


def write(journal: Journal, kind: str, name: str, body: bytes | None) -> int:
    """The revision of a change that writes one resource."""
    outcome = Outcome(f"{kind}.written", name, (ResourceWrite(kind, name, body),), b"")
    return journal.submit(Command(principal="user:test", request_id="", request_digest=b"", run=lambda tx: outcome)).revision


def grant(**fields: object) -> bytes:
    """A grant of reading, as stored."""
    return grant_pb2.Grant(
        id="g-1", subject=ANA, resource=OBJECT, actions=["read"], effect=grant_pb2.EFFECT_ALLOW, **fields  # type: ignore[arg-type]
    ).SerializeToString()  # fmt: skip


def test_a_revocation_that_could_not_be_applied_at_once_is_applied_at_the_next_question(
    database: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = PolicyProjection(database, now=now)
    write(journal, kinds.DOMAIN, "finance", domain_pb2.Domain(name="finance").SerializeToString())
    write(journal, kinds.GRANT, "g-1", grant())
    assert policy.check(Caller(ANA), "read", OBJECT).allowed

    def fail(*args: object, **named: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(policy._engine, "apply", fail)
        write(journal, kinds.GRANT, "g-1", None)
        with pytest.raises(MemoryError):
            policy.check(Caller(ANA), "read", OBJECT)
    assert not policy.check(Caller(ANA), "read", OBJECT).allowed


def test_a_name_of_a_million_dots_is_refused_and_not_looked_at(database: Database) -> None:
    policy = PolicyProjection(database, now=now)
    with pytest.raises(Invalid, match="names nothing"):
        policy.check(Caller(ANA), "read", "a." * 1_000_000 + "#b")


def test_searching_while_products_come_and_go_never_fails_and_ends_up_to_date(
    database: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = PolicyProjection(database, now=now)
    everything = Visibility(frozenset({("*", "mesh")}), frozenset(), 0, lambda name: frozenset({name, "mesh"}))
    index = SearchIndex(policy)
    done = threading.Event()
    failures: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: failures.append(failed.exc_value))

    def search() -> None:
        while not done.is_set():
            index.find("", visible=everything)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(150):
        name = f"finance.p{number}"
        write(journal, kinds.PRODUCT, name, product_pb2.Product(name=name, version=1).SerializeToString())
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(index.find("", visible=everything, limit=1000)) == 150


def test_an_inner_pin_does_not_undo_the_outer_one(database: Database, journal: Journal) -> None:
    policy = PolicyProjection(database, now=now)
    with policy.pinned() as revision:
        with policy.pinned():
            pass
        write_in_another_thread(journal)
        assert policy.revision == revision
    assert policy.revision > revision


def write_in_another_thread(journal: Journal) -> None:
    """One more change of policy is committed."""
    write(journal, kinds.GRANT, "g-2", grant())


def test_a_passage_tag_that_is_no_tag_is_bound_rather_than_shown(database: Database) -> None:
    policy = PolicyProjection(database, now=now)
    assert policy.bound_tags(Caller(ANA), "finance.memos.pages", ["pii email!", "plain"], "").withheld == {"pii email!"}
