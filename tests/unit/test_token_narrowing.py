"""A token made with another is never wider: for every chain of scopes that the rules let anybody make, whatever changes later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainmesh.v1.principal_pb2 import TokenPermission
from domainmesh.v1.principal_pb2 import TokenScope as Wire
from governance_server.rules.errors import AccessDenied, GovernanceError, Invalid
from governance_server.rules.token_scopes import TokenScope, narrowed_scope, scope_within
from mesh_core.names import InvalidName

ACTIONS = ("discover", "read", "write", "grant", "administer", "request")
RESOURCES = ("mesh", "a", "a.b", "a.b.c", "a.b.cc", "a.bb", "aa", "aa.b")
OBJECTS = (*RESOURCES, "a.b.c#x", "a.b.cc#x", "tag:pii", "tag:a")
PURPOSES = ("ads", "analytics", "forecasting", "planning")
PARENTS = {"forecasting": "analytics", "planning": "forecasting"}


def wider_by(parents: dict[str, str], purpose: str) -> frozenset[str]:
    found = {purpose}
    while (purpose := parents.get(purpose, "")) and purpose not in found:
        found.add(purpose)
    return frozenset(found) if "" not in found else frozenset()


def wider(purpose: str) -> frozenset[str]:
    return wider_by(PARENTS, purpose)


permissions = st.builds(TokenPermission, action=st.sampled_from(ACTIONS), resource=st.sampled_from(RESOURCES))
wires = st.none() | st.builds(
    Wire, permissions=st.lists(permissions, max_size=4), purposes=st.lists(st.sampled_from(PURPOSES), max_size=2, unique=True)
)
hierarchies = st.dictionaries(st.sampled_from(PURPOSES), st.sampled_from(PURPOSES), max_size=4)


def reach(scope: TokenScope | None, hierarchy: dict[str, str]) -> set[tuple[str, str, str]]:
    """Everything that a scope leaves, one by one."""
    return {
        (action, obj, purpose)
        for action in ACTIONS
        for obj in OBJECTS
        for purpose in ("", *PURPOSES)
        if scope is None or (scope.covers(action, obj) and scope.covers_purpose(wider_by(hierarchy, purpose) if purpose else ()))
    }


@given(st.lists(wires, min_size=1, max_size=4), hierarchies)
def test_what_a_child_reaches_its_parent_reaches_whatever_becomes_of_the_purposes(
    asked: list[Wire | None], later: dict[str, str]
) -> None:
    scope: TokenScope | None = None
    for wanted in asked:
        try:
            stored = narrowed_scope(wanted, scope, wider=wider)
        except AccessDenied:
            continue
        child = scope_within(stored, scope)
        assert reach(child, PARENTS) <= reach(scope, PARENTS)
        assert reach(child, later) <= reach(scope, later)
        scope = child


@given(wires, wires)
def test_a_scope_is_refused_exactly_if_one_of_its_entries_leaves_the_one_around_it(
    outer: Wire | None, wanted: Wire | None
) -> None:
    around = scope_within(narrowed_scope(outer, None, wider=wider), None)
    asked = [] if wanted is None else [(item.action, item.resource) for item in wanted.permissions]
    leaves = around is not None and (
        any(not around.covers(*item) for item in asked)
        or any(not around.covers_purpose(wider(purpose)) for purpose in (wanted.purposes if wanted else ()))
    )
    if leaves:
        with pytest.raises(AccessDenied):
            narrowed_scope(wanted, around, wider=wider)
    else:
        narrowed_scope(wanted, around, wider=wider)


def test_a_scope_of_purposes_alone_leaves_every_action_everywhere() -> None:
    scope = scope_within(narrowed_scope(Wire(purposes=["ads"]), None, wider=wider), None)
    assert scope is not None
    assert all(scope.covers(action, obj) for action in ACTIONS for obj in OBJECTS)
    assert not scope.covers_purpose(())


def test_a_scope_stored_without_any_permission_leaves_nothing() -> None:
    scope = scope_within(Wire(), None)
    assert scope is not None
    assert reach(scope, PARENTS) == set()


@pytest.mark.parametrize(
    "wanted",
    [
        Wire(permissions=[TokenPermission(action="Read", resource="a.b")]),
        Wire(permissions=[TokenPermission(action="", resource="a.b")]),
        Wire(permissions=[TokenPermission(action="*", resource="mesh")]),
        Wire(permissions=[TokenPermission(action="read", resource="*")]),
        Wire(permissions=[TokenPermission(action="read", resource="")]),
        Wire(permissions=[TokenPermission(action="read", resource="a.b.c#x")]),
        Wire(permissions=[TokenPermission(action="read", resource="a.b.c.d")]),
        Wire(permissions=[TokenPermission(action="read", resource="tag:pii")]),
        Wire(permissions=[TokenPermission(action="read", resource="A.b")]),
        Wire(permissions=[TokenPermission(action="read", resource="а.b")]),  # a Cyrillic letter
        Wire(permissions=[TokenPermission(action="read", resource="mesh")] * 101),
    ],
)
def test_what_cannot_be_understood_is_refused(wanted: Wire) -> None:
    with pytest.raises((Invalid, InvalidName)) as caught:
        narrowed_scope(wanted, None, wider=wider)
    assert not isinstance(caught.value, GovernanceError) or caught.value.message
