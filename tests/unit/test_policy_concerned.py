"""The index of denials and resting grants leads to what a search through all of them finds, in forks and copies, too."""

from __future__ import annotations

import random

from domainmesh.v1 import grant_pb2
from governance_server.policy.concerned import Concerned, Key, denial_key, giver_key, home_key, rule_key
from governance_server.rules.policy_rows import domain_of

RESOURCES = ("mesh", "sales", "sales.orders", "sales.orders.lines", "hr", "hr.staff")
PEOPLE = ("user:ana", "user:ben", "group:staff")


def _grant(name: str, chance: random.Random) -> grant_pb2.Grant:
    is_denial = chance.random() < 0.4
    grant = grant_pb2.Grant(
        id=name, subject=chance.choice(PEOPLE), resource=chance.choice(RESOURCES), grantor=chance.choice(PEOPLE),
        effect=grant_pb2.EFFECT_DENY if is_denial else grant_pb2.EFFECT_ALLOW,
        basis=[] if is_denial else chance.sample(["g-1", "g-2", "g-3"], chance.randint(1, 2)),
    )  # fmt: skip
    if not is_denial and chance.random() < 0.2:
        grant.break_glass = "b-1"
    return grant


def _searched(grants: dict[str, grant_pb2.Grant]) -> dict[Key, set[str]]:
    """What the index must lead to, by looking at everything."""
    denials = {name: it for name, it in grants.items() if it.effect == grant_pb2.EFFECT_DENY}
    resting = {name: it for name, it in grants.items() if name not in denials}
    homes = {domain_of(resource) for resource in RESOURCES}
    found: dict[Key, set[str]] = {}
    for person in PEOPLE:
        found[giver_key(person)] = {
            n for n, it in resting.items() if person == it.grantor or (it.break_glass and person == it.subject)
        }
        for home in homes:
            found[denial_key(person, home)] = {
                n for n, it in denials.items() if it.subject == person and domain_of(it.resource) == home
            }
    for home in homes:
        found[home_key(home)] = {n for n, it in resting.items() if domain_of(it.resource) == home}
    for rule in grants:
        found[rule_key(rule)] = {n for n, it in resting.items() if rule in it.basis}
    return found


def _assert_same(index: Concerned, grants: dict[str, grant_pb2.Grant]) -> None:
    for key, names in _searched(grants).items():
        assert index.named([key]) == names, key


def _change(index: Concerned, grants: dict[str, grant_pb2.Grant], chance: random.Random) -> None:
    name = f"g-{chance.randrange(30)}"
    old = grants.pop(name, None)
    if old is not None:
        index.note(old, present=False)
    if chance.random() < 0.6:
        grants[name] = _grant(name, chance)
        index.note(grants[name], present=True)


def test_the_index_leads_to_what_a_search_finds_however_often_it_was_forked_settled_and_copied() -> None:
    chance, index, grants = random.Random(20261126), Concerned(), dict[str, grant_pb2.Grant]()
    for _ in range(200):
        fork, supposed = index.fork(), dict(grants)
        for _ in range(5):
            _change(fork, supposed, chance)
        deeper, further = fork.fork(), dict(supposed)
        _change(deeper, further, chance)
        _assert_same(index, grants)
        _assert_same(fork, supposed)
        _assert_same(deeper, further)
        _assert_same(deeper.copy(), further)
        if chance.random() < 0.5:  # as a group that is committed; otherwise it is dropped
            index, grants = fork.settle(), supposed
            _assert_same(index, grants)


def test_a_copy_changes_without_its_origin() -> None:
    chance, index = random.Random(1), Concerned()
    grant = _grant("g-1", chance)
    index.note(grant, present=True)
    index.copy().note(grant, present=False)
    _assert_same(index, {"g-1": grant})


def test_an_empty_index_keeps_nothing_of_what_was_in_it() -> None:
    index, chance = Concerned(), random.Random(2)
    for number in range(50):
        grant = _grant(f"g-{number}", chance)
        index.note(grant, present=True)
        index.note(grant, present=False)
    assert not index._noted
