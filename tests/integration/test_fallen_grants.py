"""Which grants end with a change: found by index, and the same as if every grant that rests on another were looked at."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domainmesh.v1 import domain_pb2, principal_pb2
from governance_server import fallen_grants
from governance_server.fallen_grants import fallen
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.catalog import Catalog
from governance_server.storage.resources import ResourceList
from tests.integration.policy_journal import (
    NOW,
    PolicyJournal,
    grant,
    policy_journal,
    principal,
    product,
    purpose,
    removal,
    stored,
)

PEOPLE = ("user:ana", "user:bo", "user:cy", "service:etl")
SUBJECTS = (*PEOPLE, "group:staff", "group:leads", "role:clerk", "domain:hr", "*")
RESOURCES = ("mesh", "sales", "sales.orders", "sales.orders.lines", "hr")
ROOTS = 8
RESTING = 16


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[PolicyJournal]:
    with policy_journal(tmp_path) as opened:
        yield opened


@dataclass(frozen=True)
class Stored:
    """What is committed, as the state of a change."""

    catalog: Catalog
    revision: int = 0
    time: datetime = NOW

    def get(self, kind: str, name: str) -> bytes | None:
        return self.catalog.get(kind, name)

    def list(self, kind: str, *, domain: str | None = None, prefix: str | None = None) -> ResourceList:
        return self.catalog.list(kind, domain=domain, prefix=prefix, limit=None)


def _domain(name: str, chance: random.Random) -> ResourceWrite:
    people = (*PEOPLE, "group:staff")
    clerks = domain_pb2.DomainRole(name="role:clerk", members=chance.sample(people, 2))
    message = domain_pb2.Domain(name=name, owners=chance.sample(people, 1), members=chance.sample(people, 2), roles=[clerks])
    return stored(kinds.DOMAIN, name, message)


def _root(chance: random.Random) -> ResourceWrite:
    name = f"g-{chance.randrange(ROOTS)}"
    columns = ["id"] if chance.random() < 0.2 else []
    return grant(
        name, chance.choice(SUBJECTS), "sales.orders.lines" if columns else chance.choice(RESOURCES), columns=columns,
        actions=["read", "grant"], grantor="user:chief", purpose=chance.choice(["", "", "", "work"]),
    )  # fmt: skip


def _resting(chance: random.Random) -> ResourceWrite:
    number = chance.randrange(RESTING)
    below = [f"g-{it}" for it in range(ROOTS)] + [f"d-{it}" for it in range(number)] + ["domain:sales"]
    person = chance.choice(PEOPLE)
    is_emergency = chance.random() < 0.1
    return grant(
        f"d-{number}", person if is_emergency else chance.choice(SUBJECTS), "sales.orders.lines", grantor=person,
        actions=["read", "grant"], basis=chance.sample(below, min(len(below), 6)), purpose="work",
        break_glass="b-1" if is_emergency else "",
    )  # fmt: skip


def _person(chance: random.Random) -> ResourceWrite:
    name = chance.choice((*PEOPLE, *PEOPLE, "group:staff"))
    groups = [it for it in ("group:staff", "group:leads") if it != name and chance.random() < 0.5]
    roles = ["role:break-glass"] if chance.random() < 0.5 else []
    return principal(name, groups=groups, roles=roles, is_disabled=chance.random() < 0.2)


def _identity(chance: random.Random) -> ResourceWrite:
    person = chance.choice(PEOPLE)
    groups = ["group:leads"] if chance.random() < 0.5 else []
    return stored(kinds.IDENTITY, f"key-{person}", principal_pb2.Identity(principal=person, groups=groups))


def _denial(chance: random.Random) -> ResourceWrite:
    resource, name = chance.choice(RESOURCES), f"x-{chance.randrange(3)}"
    if chance.random() < 0.4:
        return removal(kinds.GRANT, name)
    return grant(name, chance.choice(SUBJECTS), resource, deny=True, actions=["read"], purpose=chance.choice(["", "play"]))


def _change(chance: random.Random) -> ResourceWrite:
    makers = [_root, _resting, _resting, _resting, _person, _identity, _denial]
    made = chance.choice(makers)(chance)
    odd = chance.random()
    if odd < 0.1:
        return _domain(chance.choice(["sales", "hr"]), chance)
    if odd < 0.15:
        return chance.choice([purpose("work", "play"), purpose("work"), removal(kinds.DOMAIN, "hr")])
    return removal(made.kind, made.name) if odd < 0.25 and made.kind == kinds.GRANT else made


def _fallen(journal: PolicyJournal, writes: list[ResourceWrite]) -> set[str]:
    backend: Any = SimpleNamespace(policy=journal.policy)
    return {it.id for it in fallen(backend, Stored(Catalog(journal.database)), writes)}


def _of_every(journal: PolicyJournal, writes: list[ResourceWrite], patch: pytest.MonkeyPatch) -> set[str]:
    """The same, by looking at every grant."""
    with patch.context() as patched:
        patched.setattr(fallen_grants, "_suspects", lambda *_: None)
        patched.setattr(fallen_grants, "_may_fell", lambda *_: True)
        return _fallen(journal, writes)


def _drawn(journal: PolicyJournal, chance: random.Random, patch: pytest.MonkeyPatch) -> list[ResourceWrite]:
    """A change that gives nothing its grantors do not hold: that is refused before."""
    drawn = [_change(chance) for _ in range(chance.randint(1, 3))]
    writes = {it.name: it for it in drawn}
    while made := writes.keys() & _of_every(journal, list(writes.values()), patch):
        for name in made:
            del writes[name]
    return list(writes.values())


@pytest.mark.parametrize("seed", range(4))
def test_what_the_index_leads_to_is_what_a_look_at_every_grant_finds(
    journal: PolicyJournal, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, ended = random.Random(seed), 0
    journal.write(product("sales.orders", {"lines": {"id": (), "price": ()}}), purpose("play"), purpose("work"))
    journal.write(_domain("sales", chance), _domain("hr", chance), *(principal(name) for name in PEOPLE))
    journal.write(grant("d-old", "*", "hr", basis=["g-0"], expire_time=NOW))  # so that there is always one that rests on another
    for _ in range(150):
        writes = _drawn(journal, chance, monkeypatch)
        found = _fallen(journal, writes)
        assert found == _of_every(journal, writes, monkeypatch), writes
        ended += len(found)
        journal.write(*writes, *(removal(kinds.GRANT, name) for name in found))
    assert ended > 10
