"""Plans that are kept say what a policy read anew says, whatever was written since and wherever the clock stands."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from governance_server.policy import kept_plans
from governance_server.policy.projection import PolicyProjection
from governance_server.rules.errors import AccessDenied
from governance_server.rules.read_plans import ReadPlan
from tests.integration.policy_journal import NOW, PolicyJournal, grant, policy_journal, principal
from tests.integration.test_policy_supposed import CHANGES, PEOPLE, PORT, WORLD

HOUR = timedelta(hours=1)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def plans(policy: PolicyProjection) -> list[object]:
    """What everybody sees for every purpose."""
    found: list[object] = []
    for name in PEOPLE:
        for purpose in ("", "analytics", "forecasting"):
            caller = policy.caller_of(name)
            assert caller is not None
            try:
                found.append(policy.explain(caller, PORT, purpose))
            except AccessDenied as error:
                found.append(error.message)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_kept_plans_are_those_of_a_policy_read_anew(seed: int, tmp_path: Path) -> None:
    dice, clock = random.Random(seed), Clock()
    with policy_journal(tmp_path) as journal:
        journal.write(*WORLD)
        live = PolicyProjection(journal.database, now=clock)
        for _ in range(25):
            if dice.random() < 0.5:
                begin, end = sorted(dice.sample(range(6), 2))
                times = {"start_time": NOW + begin * HOUR, "expire_time": NOW + end * HOUR}
                timed = grant(f"t-{dice.randrange(3)}", dice.choice(["user:ana", "*"]), PORT, deny=dice.random() < 0.2, **times)
                journal.write(dice.choice([*CHANGES, timed, timed]))
            clock.now = NOW + dice.randrange(7) * HOUR - timedelta(seconds=dice.choice([0, 0, 1]))
            assert plans(live) == plans(PolicyProjection(journal.database, now=clock))
            assert plans(live) == plans(live)
        assert len(live._view.plans) > 0


def test_a_kept_plan_names_the_revision_it_is_given_at(tmp_path: Path) -> None:
    with policy_journal(tmp_path) as journal:
        journal.write(*WORLD)
        caller = journal.policy.caller_of("user:ana")
        assert caller is not None
        first = journal.policy.plan(caller, PORT, "")
        later = write_something_else(journal)
        again = journal.policy.plan(caller, PORT, "")
        assert isinstance(first, ReadPlan)
        assert (again.revision, again.columns) == (later, first.columns)


def write_something_else(journal: PolicyJournal) -> int:
    """The revision of a change that no decision depends on."""
    from governance_server.rules.apply import ResourceWrite

    return journal.write(ResourceWrite("token", "t", b""))


def test_a_plan_is_gone_with_the_principal_that_is_disabled(tmp_path: Path) -> None:
    with policy_journal(tmp_path) as journal:
        journal.write(*WORLD)
        caller = journal.policy.caller_of("user:ana")
        assert caller is not None
        journal.policy.plan(caller, PORT, "")
        journal.write(principal("user:ana", is_disabled=True, groups=["group:analysts"]))
        with pytest.raises(AccessDenied):
            journal.policy.plan(caller, PORT, "")


def test_plans_are_bounded_whatever_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_plans, "_MOST_KEPT", 2)
    with policy_journal(tmp_path) as journal:
        journal.write(*WORLD)
        plans(journal.policy)
        assert len(journal.policy._view.plans) <= 2
