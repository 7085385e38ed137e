"""The words of a refusal: what to do next is something that would give what was refused."""

from __future__ import annotations

import pytest

from governance_server.rules.refusals import denied


def test_reading_is_asked_for_by_a_request():
    assert "`mesh request finance.ledger.entries --purpose … --reason …`" in denied("read", "finance.ledger.entries").message


@pytest.mark.parametrize("action", ["write", "grant", "administer", "request"])
def test_what_no_request_gives_is_asked_of_the_owner(action):
    message = denied(action, "finance.ledger").message
    assert f"ask its owner for a grant: `mesh grant … finance.ledger --actions {action}`" in message
    assert "mesh request" not in message


def test_what_is_no_product_is_asked_of_owner_or_governance_team():
    assert "ask its owner or the governance team" in denied("administer", "finance").message
