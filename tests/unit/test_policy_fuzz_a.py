"""The index answers as stock casbin does: the first half of two hundred thousand seeded questions."""

import pytest

from governance_server.policy.indexed_engine import IndexedEngine
from tests.unit.policy_fuzz import compare

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(4))
def test_no_difference_in_twenty_five_thousand_seeded_questions(seed):
    tally = compare(seed, IndexedEngine(), wanted=25_000)
    assert tally.asked >= 25_000
    assert tally.different == 0
    assert tally.allowed > tally.asked / 50
