"""Levels of approval: what a contract's roles say, and how far approvals fill them, held to an oracle that tries everything."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance_server.rules.approvers import GRANT_HOLDERS, Level, adds, is_filled, levels_of, progress
from governance_server.rules.errors import Invalid
from mesh_core.contract.roles import Role, RoleLevel, read_roles, role_problems
from mesh_core.contract.yaml_text import parse_yaml
from tests.shared_data import shared_data

ROLES = """kind: DataContract
roles:
  - role: writer
    access: write
    firstLevelApprovers: user:never
  - role: port_reader
    access: Read-only
    firstLevelApprovers: "user:kim, group:stewards; user:kim"
    secondLevelApprovers: n/a
    customProperties:
      - {property: approval, value: all}
      - {property: ports, value: [orders]}
  - role: reader
    firstLevelApprovers: Reporting Manager, user:lee
    secondLevelApprovers: role:cfo
    customProperties:
      - {property: secondLevelApproval, value: most}
"""


def levels(port: str) -> list[tuple[tuple[str, ...], bool]]:
    return [(level.approvers, level.needs_all) for level in levels_of(read_roles(ROLES), [port], product="shop.p")]


def test_the_role_for_the_port_comes_before_the_one_for_all_and_writing_is_not_reading() -> None:
    assert levels("orders") == [(("user:kim", "group:stewards"), True)]
    assert levels("other") == [((GRANT_HOLDERS, "user:lee"), False), (("role:cfo",), True)]  # a mode nobody knows is the stricter


def test_ports_with_different_approvers_cannot_be_asked_for_together() -> None:
    with pytest.raises(Invalid, match=r"shop\.p\.orders, shop\.p\.other"):
        levels_of(read_roles(ROLES), ["orders", "other"], product="shop.p")


@pytest.mark.parametrize("name", ["service-and-operational-roles", "full-example", "all-schema-types"])
def test_contracts_of_the_standard_that_name_no_principal_leave_it_to_who_may_grant(name: str) -> None:
    text = shared_data("contracts", "valid", f"{name}.odcs.yaml").read_text()
    assert levels_of(read_roles(text), ["t"], product="shop.p") == (Level(1, (GRANT_HOLDERS,)),)


@pytest.mark.parametrize("text", ["", "[]", "roles: []", "roles:\n", "a: [", "x: 1"])
def test_what_has_no_roles_leaves_it_to_who_may_grant(text: str) -> None:
    assert levels_of(read_roles(text), ["t"], product="shop.p") == (Level(1, (GRANT_HOLDERS,)),)


def test_a_role_without_approvers_is_no_rule() -> None:
    roles = [Role("a", "read", (), ("t",)), Role("b", "", (RoleLevel(("user:kim",), False),), ())]
    assert levels_of(roles, ["t"], product="shop.p") == (Level(1, ("user:kim",)),)


def test_what_would_be_silently_without_effect_is_a_problem_of_the_contract() -> None:
    text = ROLES.replace("[orders]", "[orders, ordres]").replace(
        "Reporting Manager, user:lee", "Reporting Manager, user:Kim Smith"
    )
    found = [(it.path, it.message.split(":")[0]) for it in role_problems(parse_yaml(text), ["orders", "other"])]
    assert found == [
        ("$.roles[1].customProperties[1].value", "the contract has no port 'ordres'; name one of orders, other."),
        ("$.roles[2].customProperties[0].value", "'most' is no way to approve"),
        ("$.roles[2].firstLevelApprovers", "'user"),
    ]


def test_the_roles_of_the_standards_own_contracts_are_no_problem() -> None:
    for path in shared_data("contracts", "valid").glob("*.yaml"):
        document = parse_yaml(path.read_text())
        assert list(role_problems(document, [])) == []


# -- against an oracle -----------------------------------------------------------------------------------------------------------

PEOPLE = ("p0", "p1", "p2", "p3", "p4")
ENTRIES = ("e0", "e1", "e2", "e3")
memberships = st.sets(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(ENTRIES)))
level_lists = st.lists(
    st.tuples(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=3, unique=True), st.booleans()), min_size=1, max_size=3
).map(lambda found: [Level(n, tuple(entries), needs_all) for n, (entries, needs_all) in enumerate(found, start=1)])
approval_lists = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(PEOPLE)), max_size=10)


def oracle_fills(level: Level, people: list[str], members: set[tuple[str, str]]) -> bool:
    """Tries every way to give the entries to different people."""
    if not level.needs_all:
        return any((person, entry) in members for person in people for entry in level.approvers)
    return any(
        all((person, entry) in members for person, entry in zip(chosen, level.approvers, strict=True))
        for chosen in permutations(people, len(level.approvers))
    )


@given(level_lists, approval_lists, memberships)
def test_progress_is_what_trying_everything_gives(
    levels: list[Level], approvals: list[tuple[int, str]], members: set[tuple[str, str]]
) -> None:
    found = progress(levels, approvals, lambda person, entry: (person, entry) in members)
    used: set[str] = set()
    for level in levels:
        people = [
            person
            for person in dict.fromkeys(person for number, person in approvals if number == level.number)
            if person not in used and any((person, entry) in members for entry in level.approvers)
        ]
        assert list(found.counted[level.number - 1]) == people
        if not oracle_fills(level, people, members):
            assert found.waiting == level
            assert len(found.counted) == level.number
            return
        used.update(people)
    assert found.waiting is None
    assert found.people == used


@given(level_lists, approval_lists, memberships)
def test_nobody_counts_twice_and_nobody_counts_who_may_not(
    levels: list[Level], approvals: list[tuple[int, str]], members: set[tuple[str, str]]
) -> None:
    found = progress(levels, approvals, lambda person, entry: (person, entry) in members)
    everybody = [person for people in found.counted for person in people]
    assert len(everybody) == len(set(everybody))
    for level, people in zip(levels, found.counted, strict=False):
        for person in people:
            assert (level.number, person) in approvals
            assert {entry for who, entry in members if who == person} & set(level.approvers)


@given(level_lists.map(lambda found: found[0]), st.lists(st.sampled_from(PEOPLE), unique=True), memberships)
def test_whoever_adds_brings_a_level_to_its_end(level: Level, people: list[str], members: set[tuple[str, str]]) -> None:
    def may_fill(person: str, entry: str) -> bool:
        return (person, entry) in members

    useful: list[str] = []
    for person in people:
        if adds(level, useful, person, may_fill):
            useful.append(person)
    assert is_filled(level, useful, may_fill) == oracle_fills(level, people, members)
    assert len(useful) <= len(level.approvers)
