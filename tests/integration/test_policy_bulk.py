"""Long questions make nobody wait: meanwhile the live policy decides and follows the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from governance_server.caller import Caller
from governance_server.policy.audience import Audience
from governance_server.policy.budget import Budget
from governance_server.policy.prover import claim_of_tag, prove
from governance_server.policy.simulation import simulate
from tests.integration.policy_journal import PolicyJournal, grant, policy_journal
from tests.integration.test_policy_simulation import ORDERS, WORLD


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[PolicyJournal]:
    """The world of the simulation's tests."""
    with policy_journal(tmp_path) as opened:
        opened.write(*WORLD)
        yield opened


def elsewhere(work: Callable[[], bool]) -> bool:
    """What the work returns in a thread of its own; fails if that has to wait for this one."""
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(20)
    assert found, "it waited for the long question"
    return found[0]


class InterruptedBudget(Budget):
    """A budget that, each time it is asked, lets somebody else ask the live policy first."""

    def __init__(self, work: Callable[[], bool]) -> None:
        super().__init__(60.0)
        self._work = work
        self.answers: list[bool] = []

    def is_over(self) -> bool:
        self.answers.append(elsewhere(self._work))
        return super().is_over()


def test_others_decide_and_write_while_changes_are_simulated(journal: PolicyJournal) -> None:
    before = journal.policy.snapshot()
    changes = [grant("g-5", "*", "sales", deny=True, actions=["read"])]

    def decide() -> bool:
        if not journal.policy.check(Caller("user:zoe"), "discover", ORDERS).allowed:
            journal.write(grant("g-zoe", "user:zoe", ORDERS))
        return journal.policy.check(Caller("user:zoe"), "discover", ORDERS).allowed

    budget = InterruptedBudget(decide)
    impact = simulate(before, before.with_changes(changes), changes, budget=budget)
    assert budget.answers
    assert all(budget.answers)
    assert "user:zoe" not in {name for entry in impact.access for name in entry.principals}  # asked of the state before
    assert not impact.is_cut


def test_a_question_holds_no_lock_of_the_live_policy(journal: PolicyJournal) -> None:
    audience = Audience(journal.policy.snapshot())
    asked = []

    def may_ask(port: str) -> bool:
        asked.append(port)
        return elsewhere(lambda: journal.policy.check(Caller("user:cy"), "grant", port).allowed or True)

    assert prove(audience, claim_of_tag("pii"), may_ask=may_ask).decisions > 0
    assert len(asked) == 3


def test_snapshots_of_one_policy_share_everything(journal: PolicyJournal) -> None:
    first, second = journal.policy.snapshot(), journal.policy.snapshot()
    assert first.facts() is second.facts()
    assert first.facts() is not journal.policy.facts()
    journal.write(grant("g-7", "user:zoe", ORDERS))
    assert journal.policy.snapshot().facts() is not first.facts()
