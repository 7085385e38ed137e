"""Who may act as whom, by who made their tokens and linked their identities."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainmesh.v1.principal_pb2 import Identity, StoredToken, Token
from governance_server.rules.errors import AccessDenied
from governance_server.rules.identities import PROVISIONER, linkers
from governance_server.rules.second_person import Person, check_two_persons, may_act_as
from governance_server.rules.token_chain import BOOTSTRAP, UNKNOWN_MAKER, TokenChain

names = st.sampled_from(["user:a", "user:b", "user:c", UNKNOWN_MAKER])
people = st.builds(lambda name, makers: Person.of(name, makers - {name}), st.sampled_from(["user:a", "user:b"]), st.sets(names))


def chain(*tokens: dict[str, object]) -> TokenChain:
    return TokenChain(tuple(StoredToken(token=Token(principal="user:bea", **fields)) for fields in tokens))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "makers"),
    [
        ([{"creator": "user:bea"}], set()),
        ([{"creator": BOOTSTRAP}], set()),
        ([{"creator": BOOTSTRAP, "makers": [BOOTSTRAP]}], {BOOTSTRAP}),  # a principal of that name, not the server
        ([{}], {UNKNOWN_MAKER}),  # made before anybody was recorded
        ([{"creator": "user:bea"}, {}], {UNKNOWN_MAKER}),
        ([{"creator": "user:ana"}], {"user:ana"}),
        ([{"creator": "user:ana", "makers": ["user:ana", "user:bea", "user:cleo"]}], {"user:ana", "user:cleo"}),
        ([{"creator": "user:bea"}, {"creator": "user:bea"}, {"creator": "user:ana"}], {"user:ana"}),
    ],
)
def test_the_makers_of_a_token_are_all_others_who_made_one_it_descends_from(
    tokens: list[dict[str, object]], makers: set[str]
) -> None:
    assert chain(*tokens).makers == makers
    assert set(chain(*tokens).shown().makers) == makers


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"creator": PROVISIONER}, set()),
        ({"creator": "user:bea", "makers": []}, set()),
        ({"creator": "user:bea", "makers": ["user:ana"]}, {"user:ana"}),  # linked by its holder's name, with ana's token
        ({"creator": "user:ana"}, {"user:ana"}),
        ({"creator": PROVISIONER, "makers": [PROVISIONER]}, {PROVISIONER}),
    ],
)
def test_who_linked_an_identity_may_be_behind_it(fields: dict[str, object], expected: set[str]) -> None:
    assert linkers(Identity(principal="user:bea", **fields)) == expected  # type: ignore[arg-type]


@given(people, people)
def test_whether_two_may_be_one_does_not_depend_on_who_came_first(one: Person, other: Person) -> None:
    assert may_act_as(one, other) == may_act_as(other, one)


@given(people, people, st.booleans())
def test_a_step_is_refused_whenever_either_may_act_as_the_other(one: Person, other: Person, is_strict: bool) -> None:
    is_one = may_act_as(one, other) or (is_strict and bool(one.makers & other.makers))
    with pytest.raises(AccessDenied, match=r"second person.*mesh token activate") if is_one else nullcontext():
        check_two_persons(one, other, did="proposed this", resource="c-1", is_strict=is_strict)
