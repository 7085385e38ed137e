"""Commands that share a commit are decided on what the group has written before them, and everybody else on what is committed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2, product_pb2
from governance_server.caller import Caller
from governance_server.journal.command import Command, Outcome, Receipt, Transaction
from governance_server.journal.errors import OutcomeRejected
from governance_server.journal.journal import Journal
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database, open_database
from governance_server.storage.errors import StorageUnavailable
from governance_server.storage.sqlite import SqliteDriver
from tests.integration.journal_databases import postgres_url, running_journal, sqlite_url
from tests.integration.test_journal_append import Gate, submit_behind

ANA, OBJECT = "user:ana", "finance.ledger"


def now() -> datetime:
    return datetime(2026, 11, 23, tzinfo=UTC)


class CountingDriver(SqliteDriver):
    """Counts write transactions."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.begun = 0

    def begin_write(self, connection: Connection) -> None:
        self.begun += 1
        super().begin_write(connection)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        url = sqlite_url(tmp_path) if request.param == "sqlite" else stack.enter_context(postgres_url())
        opened = open_database(url)
        yield opened
        opened.close()


def allowed(policy: PolicyProjection, name: str = ANA, action: str = "grant", obj: str = OBJECT) -> bool:
    return policy.check(Caller(name), action, obj).allowed


def grant(
    number: int, subject: str = ANA, action: str = "grant", *, revoked: bool = False, row_filter: str = ""
) -> ResourceWrite:
    given = grant_pb2.Grant(
        id=f"g-{number}", subject=subject, resource=OBJECT, actions=[action], effect=grant_pb2.EFFECT_ALLOW, row_filter=row_filter
    )
    if revoked:
        given.revoke_time.FromDatetime(now())
    return ResourceWrite(kinds.GRANT, given.id, given.SerializeToString())


def writing(*writes: ResourceWrite) -> Command:
    return Command("user:root", "", b"", lambda tx: Outcome("test.written", "x", writes, b""))


def looking(look: Callable[[], object], seen: list[object]) -> Command:
    def run(transaction: Transaction) -> Outcome:
        seen.append(look())
        return Outcome("", "", (), b"")

    return Command("user:ana", "", b"", run)


def test_a_command_is_authorised_against_everything_before_it_in_its_group(database: Database) -> None:
    policy, seen, elsewhere = PolicyProjection(database, now=now), [], []
    look = looking(lambda: allowed(policy), seen)
    outside = looking(lambda: elsewhere.append(another_process_says(database)), [])
    with running_journal(database, follower=policy) as journal:
        answers = submit_behind(
            Gate(),
            journal,
            [look, writing(grant(1)), look, outside, writing(grant(1, revoked=True)), look, writing(grant(2)), look],
        )
        assert all(isinstance(answer, Receipt) for answer in answers)
    assert seen == [False, True, False, True]
    assert elsewhere == [False]  # nobody else sees what is not committed
    assert allowed(policy)


def another_process_says(database: Database) -> bool:
    """As any other process and thread is answered: from what is committed."""
    return allowed(PolicyProjection(database, now=now))


def test_grants_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    driver = CountingDriver(sqlite_url(tmp_path))
    database = Database(driver)
    policy = PolicyProjection(database, now=now)
    with running_journal(database, follower=policy) as journal:
        submit_behind(Gate(), journal, [writing(grant(number)) for number in range(20)])
        assert driver.begun == 2
        assert database.head().revision == 20
        assert len([key for key in policy.facts().rows if key[0] == kinds.GRANT]) == 20
    database.close()


def test_a_product_ends_its_group_because_tags_may_flow_from_it(tmp_path: Path) -> None:
    driver = CountingDriver(sqlite_url(tmp_path))
    database = Database(driver)
    policy, seen = PolicyProjection(database, now=now), []
    product = product_pb2.Product(name=OBJECT, version=1, tags=["secret"])
    look = looking(lambda: policy.product_of(OBJECT) is not None, seen)
    with running_journal(database, follower=policy) as journal:
        writes = [writing(ResourceWrite(kinds.PRODUCT, OBJECT, product.SerializeToString())), look, writing(grant(1)), look]
        submit_behind(Gate(), journal, writes)
        assert driver.begun == 3
    assert seen == [True, True]
    database.close()


def test_an_outcome_on_which_nothing_could_be_decided_is_refused_alone(database: Database) -> None:
    policy, seen = PolicyProjection(database, now=now), []
    broken = ResourceWrite(
        kinds.GRANT, "g-9", grant_pb2.Grant(id="g-9", subject="a\nb", resource=OBJECT, actions=["read"]).SerializeToString()
    )
    filtered = grant(8, row_filter="this is no filter (")
    look = looking(lambda: (allowed(policy), sorted(policy.facts().filters)), seen)
    with running_journal(database, follower=policy) as journal:
        commands = [writing(grant(1)), writing(broken), look, writing(filtered), look, writing(grant(2)), look]
        answers = submit_behind(Gate(), journal, commands)
    assert [type(answers[at]) for at in (0, 1, 3, 5)] == [Receipt, OutcomeRejected, OutcomeRejected, Receipt]
    assert seen == [(True, [])] * 3
    assert database.head().revision == 2
    assert another_process_says(database)


def break_down(transaction: Transaction) -> Outcome:
    raise sqlite3.OperationalError("disk I/O error")


def test_a_group_that_cannot_be_committed_gave_nobody_anything(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path))
    policy, seen = PolicyProjection(database, now=now), []
    look = looking(lambda: allowed(policy), seen)
    with running_journal(database, follower=policy) as journal:
        answers = submit_behind(Gate(), journal, [writing(grant(1)), look, Command("user:ana", "", b"", break_down)])
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
        assert not allowed(policy)
        submit_behind(Gate(), journal, [look])
    assert seen == [True, False]
    database.close()


def random_write(dice: random.Random) -> ResourceWrite:
    kind, number = (
        dice.choice([kinds.GRANT, kinds.GRANT, kinds.PRINCIPAL, kinds.PURPOSE, kinds.DOMAIN, kinds.PRODUCT]),
        dice.randrange(6),
    )
    if kind == kinds.GRANT:
        if dice.random() < 0.2:
            return ResourceWrite(kind, f"g-{number}", None)
        chosen = dice.choice([ANA, "group:a", "group:b"])
        return grant(
            number, chosen, dice.choice(["read", "grant"]), revoked=dice.random() < 0.3, row_filter=dice.choice(["", "x > 1"])
        )
    if kind == kinds.PRINCIPAL:
        name = dice.choice([ANA, "user:ben"])
        groups = dice.sample(["group:a", "group:b"], dice.randrange(3))
        return ResourceWrite(kind, name, principal_pb2.Principal(name=name, groups=groups).SerializeToString())
    if kind == kinds.PURPOSE:
        parent = dice.choice(["", "wider", "widest"])
        return ResourceWrite(kind, "p", principal_pb2.Purpose(name="p", parent=parent).SerializeToString())
    if kind == kinds.DOMAIN:
        owners = dice.sample([ANA, "user:ben"], dice.randrange(3))
        return ResourceWrite(kind, "finance", domain_pb2.Domain(name="finance", owners=owners).SerializeToString())
    return ResourceWrite(
        kind, OBJECT, product_pb2.Product(name=OBJECT, version=1, tags=dice.sample(["x", "y"], 1)).SerializeToString()
    )


@pytest.mark.parametrize("seed", range(6))
def test_groups_of_any_commands_leave_what_reading_everything_anew_gives(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    database = open_database(sqlite_url(tmp_path))
    policy = PolicyProjection(database, now=now)
    with running_journal(database, follower=policy) as journal:
        for _ in range(12):
            commands = [step(dice, policy) for _ in range(dice.randrange(1, 9))]
            submit_behind(Gate(), journal, commands)
            if dice.random() < 0.5:
                allowed(policy)
            assert_equal(policy, PolicyProjection(database, now=now))
    database.close()


def step(dice: random.Random, policy: PolicyProjection) -> Command:
    """A write, or one that fails after it was followed, or a question."""
    chance = dice.random()
    if chance < 0.15:
        return looking(lambda: allowed(policy), [])
    if chance < 0.25:
        return writing(ResourceWrite(kinds.GRANT, "g-1", b"\xff no grant"))
    return writing(random_write(dice))


def assert_equal(live: PolicyProjection, fresh: PolicyProjection) -> None:
    ours, theirs = live.facts(), fresh.facts()
    assert dict(ours.rows) == dict(theirs.rows)
    assert dict(ours.principals) == dict(theirs.principals)
    assert dict(ours.purposes) == dict(theirs.purposes)
    assert live.revision == fresh.revision
    for name in (ANA, "user:ben", "user:nobody"):
        for action in ("read", "grant", "administer", "write"):
            assert allowed(live, name, action) == allowed(fresh, name, action)


def test_the_writers_answers_inside_a_group_are_those_of_the_revision_it_will_have(database: Database) -> None:
    policy, seen = PolicyProjection(database, now=now), []
    look = looking(lambda: policy.revision, seen)
    with running_journal(database, follower=policy) as journal:
        submit_behind(Gate(), journal, [writing(grant(1)), look, writing(grant(2)), look])
    assert seen == [1, 2]


def test_a_journal_without_a_follower_appends_as_ever(database: Database) -> None:
    with running_journal(database) as journal:
        assert isinstance(journal, Journal)
        assert submit_behind(Gate(), journal, [writing(grant(1)), writing(grant(2))])[-1].revision == 2  # type: ignore[union-attr]
