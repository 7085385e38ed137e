"""A mesh of 100,000 rules: principals, groups, domains and grants, journaled in bulk, and the questions asked of it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from governance_server.journal.command import Outcome, Transaction
    from governance_server.policy.view import View
    from governance_server.rules.apply import ResourceWrite
    from governance_server.storage.engine import Database

__all__ = ["PolicySample", "Question", "Sample", "seed", "view_of"]

_ACTIONS = ("read", "read", "read", "discover", "write")
_BATCH = 2_000
_PRODUCTS, _PORTS, _COLUMNS = 40, 5, 20
"""Products of a domain, ports of a product, columns of a port."""

Question = tuple[str, str, str, str]
"""Principal, action, object, purpose."""


@dataclass(frozen=True)
class PolicySample:
    """Made from one seed: the same sizes give the same policy. Every grant becomes one rule."""

    grants: int
    users: int = 1_000
    groups: int = 200
    domains: int = 50
    _random: random.Random = field(default_factory=lambda: random.Random(20_261_123))

    def _resource(self) -> str:
        random = self._random
        product = f"d{random.randrange(self.domains)}.p{random.randrange(_PRODUCTS)}"
        return f"{product}.t{random.randrange(_PORTS)}" if random.random() < 0.7 else product

    def questions(self, count: int) -> list[Question]:
        """Column reads by users at random: some allowed, most not, as when a catalog is filtered."""
        random = self._random
        made = []
        for _ in range(count):
            port = f"d{random.randrange(self.domains)}.p{random.randrange(_PRODUCTS)}.t{random.randrange(_PORTS)}"
            obj = f"{port}#c{random.randrange(_COLUMNS)}"
            made.append((f"user:u{random.randrange(self.users)}", "read", obj, "work"))
        return made

    def writes(self) -> Iterator[ResourceWrite]:
        """Every resource of the policy, as the journal stores it."""
        from domainmesh.v1 import grant_pb2, principal_pb2, product_pb2
        from governance_server.backend import store
        from governance_server.rules import kinds

        random = self._random
        yield store(kinds.PURPOSE, "work", principal_pb2.Purpose(name="work"))
        columns = [product_pb2.Column(name=f"c{number}", logical_type="string") for number in range(_COLUMNS)]
        for number in range(self.domains * _PRODUCTS):
            name = f"d{number // _PRODUCTS}.p{number % _PRODUCTS}"
            ports = [product_pb2.Port(name=f"{name}.t{port}", columns=columns) for port in range(_PORTS)]
            yield store(kinds.PRODUCT, name, product_pb2.Product(name=name, version=1, ports=ports))
        for number in range(self.users):
            groups = [f"group:g{random.randrange(self.groups)}" for _ in range(2)]
            name = f"user:u{number}"
            yield store(kinds.PRINCIPAL, name, principal_pb2.Principal(name=name, groups=groups, purposes=["work"]))
        for number in range(self.grants):
            is_group = random.random() < 0.5
            subject = f"group:g{random.randrange(self.groups)}" if is_group else f"user:u{random.randrange(self.users)}"
            grant = grant_pb2.Grant(
                id=f"grant-{number:06}",
                subject=subject,
                resource=self._resource(),
                actions=[random.choice(_ACTIONS)],
                effect=grant_pb2.EFFECT_DENY if random.random() < 0.05 else grant_pb2.EFFECT_ALLOW,
                purpose=random.choice(["", "", "work"]),
            )
            yield store(kinds.GRANT, grant.id, grant)


def view_of(writes: Iterable[ResourceWrite]) -> View:
    """The policy that a server has after reading these resources, without a journal."""
    from itertools import chain

    from governance_server.policy.facts import Facts, follow_up, replace_resource
    from governance_server.policy.indexed_engine import IndexedEngine
    from governance_server.policy.view import View
    from governance_server.rules import policy_facts
    from governance_server.rules.policy_rows import Link, Rule

    facts, engine = Facts(), IndexedEngine()
    for write in writes:
        replace_resource(facts, write.kind, write.name, write.body)
    follow_up(facts)
    rows = [*policy_facts.BASE_ROWS, *chain.from_iterable(facts.rows.values())]
    engine.load((r for r in rows if isinstance(r, Rule)), (r for r in rows if isinstance(r, Link)), revision=1)
    return View(engine, facts, 1)


class Sample(Protocol):
    """Resources to begin with."""

    def writes(self) -> Iterator[ResourceWrite]:
        """Every resource, as the journal stores it."""
        ...


def seed(database: Database, sample: Sample) -> None:
    """The journal of the database holds the sample: through its own writer, two thousand resources a change."""
    from governance_server.journal.journal import Journal

    journal = Journal(database, clock=lambda: datetime.now(UTC))
    pending: list[ResourceWrite] = []
    try:
        for write in sample.writes():
            pending.append(write)
            if len(pending) == _BATCH:
                _append(journal, tuple(pending))
                pending.clear()
        _append(journal, tuple(pending))
    finally:
        journal.close()


def _append(journal: object, writes: tuple[ResourceWrite, ...]) -> None:
    from governance_server.journal.command import Command, Outcome
    from governance_server.journal.journal import Journal

    assert isinstance(journal, Journal)

    def run(transaction: Transaction) -> Outcome:
        return Outcome(kind="grant.created", subject="mesh", writes=writes, reply=b"")

    if writes:
        journal.submit(Command(principal="service:bench", request_id="", request_digest=b"", run=run))
