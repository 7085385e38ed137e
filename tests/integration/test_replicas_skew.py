"""Two servers on one database whose clocks are hours apart: what was revoked stays revoked, and history stays in order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domainmesh.v1 import grant_pb2
from governance_server.caller import Caller
from governance_server.journal.command import Command, Outcome
from governance_server.journal.journal import Journal
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.engine import open_database
from tests.integration.journal_databases import postgres_url, sqlite_url

pytestmark = pytest.mark.slow

OBJECT = "finance.ledger"
SKEWS = (timedelta(hours=2), timedelta(hours=-3))
INTERLEAVINGS = 150


class Server:
    """Database connections, journal and policy of one process, and its clock."""

    def __init__(self, url: str, skew: timedelta) -> None:
        self.database = open_database(url)
        self.skew = skew
        self.policy = PolicyProjection(self.database, now=self.now)
        self.journal = Journal(self.database, clock=self.now, follower=self.policy)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def write(self, name: str, subject: str, *, is_revoked: bool, deny: bool = False) -> int:
        effect = grant_pb2.EFFECT_DENY if deny else grant_pb2.EFFECT_ALLOW
        grant = grant_pb2.Grant(id=name, subject=subject, resource=OBJECT, actions=["read"], effect=effect)
        if is_revoked:
            grant.revoke_time.FromDatetime(self.now())
        outcome = Outcome("grant.written", name, (ResourceWrite(kinds.GRANT, name, grant.SerializeToString()),), b"")
        return self.journal.submit(Command("user:test", "", b"", lambda tx: outcome)).revision

    def close(self) -> None:
        self.journal.close()
        self.database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        started = [Server(url, skew) for skew in SKEWS]
        for server in started:
            stack.callback(server.close)
        yield started


def test_a_revocation_holds_at_once_whatever_the_clocks_say(servers: list[Server]) -> None:
    chance = random.Random(20261126)
    for turn in range(INTERLEAVINGS):
        giver, taker, *readers = (chance.choice(servers) for _ in range(4))
        name, subject = f"g-{turn}", f"user:u{chance.randrange(5)}"
        given = giver.write(name, subject, is_revoked=False)
        time.sleep(chance.choice([0, 0, chance.random() / 500]))
        first = readers[0].policy.check(Caller(subject), "read", OBJECT)
        assert first.allowed
        assert first.revision >= given
        taken = taker.write(name, subject, is_revoked=True)
        time.sleep(chance.choice([0, 0, chance.random() / 500]))
        for reader in [readers[1], *servers]:
            after = reader.policy.check(Caller(subject), "read", OBJECT)
            assert not after.allowed
            assert after.revision >= taken
    times = [change.time for change in servers[0].journal.read_changes(0, 1000)]
    assert times == sorted(times)
    assert servers[1].journal.verify(deep=True).ok


def test_a_denial_written_by_the_server_that_is_behind_binds_the_one_that_is_ahead(servers: list[Server]) -> None:
    ahead, behind = servers
    ahead.write("g-1", "*", is_revoked=False)
    for server in servers:
        assert server.policy.check(Caller("user:a"), "read", OBJECT).allowed
    behind.write("g-2", "user:a", is_revoked=False, deny=True)
    for server in servers:
        assert not server.policy.check(Caller("user:a"), "read", OBJECT).allowed
