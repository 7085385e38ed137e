"""The SDK looks back: catalog, checks, explanations and lineage as they were at a revision."""

from __future__ import annotations

import pytest

from domain_sdk import AccessDenied
from domain_sdk.demo.samples import set_up
from tests.servers import RunningServer


def test_a_grant_is_in_force_only_from_its_own_revision_on(server: RunningServer) -> None:
    with server.admin() as admin:
        set_up(admin)
        before = admin.status().revision
        admin.grant("user:ana", "sales", actions=["administer"])
        after = admin.status().revision
        assert not admin.check("administer", "sales", principal="user:ana", as_of=before)
        assert admin.check("administer", "sales", principal="user:ana", as_of=after)
        assert admin.check("administer", "sales", principal="user:ana")


def test_a_domain_cannot_be_seen_before_it_was_there(server: RunningServer) -> None:
    with server.admin() as admin:
        before = admin.status().revision
        admin.admin.create_domain("late")
        assert admin.show("late").name == "late"
        with pytest.raises(AccessDenied):
            admin.show("late", as_of=before)
