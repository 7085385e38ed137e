"""How claims become names: nobody gets another one's, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance_server.rules.identities import UnusableClaim, group_names, identity_key, named_in, principal_name
from mesh_core.names import check_principal

TEXTS = st.text(min_size=1, max_size=255)


@given(TEXTS, TEXTS)
def test_different_names_there_are_different_names_here(one: str, other: str) -> None:
    assert (named_in("user", one) == named_in("user", other)) == (one == other)


@given(TEXTS)
def test_every_text_becomes_a_valid_name_and_its_own_name_is_not_taken_over_again(text: str) -> None:
    name = check_principal(named_in("group", text))
    is_made = name.startswith("group:x+")
    assert (named_in("group", name.removeprefix("group:")) == name) != is_made


def test_what_looks_like_a_made_name_is_made_anew() -> None:
    made = named_in("user", "auth0|1").removeprefix("user:")
    assert named_in("user", made) != f"user:{made}"


@pytest.mark.parametrize("value", ["ana", "Ana.B", "ana@example.com", "5f7c-11", "a+b"])
def test_a_name_that_is_one_here_stays_as_it_is(value: str) -> None:
    assert named_in("user", value) == f"user:{value}"


def test_issuer_and_subject_are_told_apart_wherever_they_meet() -> None:
    assert identity_key("https://a", "bc") != identity_key("https://ab", "c")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "ana", "client_id": "cli"}, "user:ana"),
        ({"sub": "etl", "client_id": "etl"}, "service:etl"),
        ({"sub": "etl", "azp": "etl"}, "service:etl"),
        ({"sub": "0a1b", "client_id": "etl", "azp": "etl", "preferred_username": "service-account-etl"}, "service:etl"),
        ({"sub": "0a1b", "azp": "etl", "preferred_username": "service-account-etl"}, "user:0a1b"),
        ({"sub": "0a1b", "azp": "etl", "idtyp": "app"}, "service:etl"),
        ({"sub": "0a1b", "azp": "etl", "idtyp": "user"}, "user:0a1b"),
        ({"sub": "ana", "client_id": ["ana"]}, "user:ana"),
    ],
)
def test_who_speaks_for_itself_is_a_service(claims: dict[str, object], name: str) -> None:
    assert principal_name(claims, name_claim="sub") == name


@pytest.mark.parametrize("value", [None, "", " ", 7, ["ana"], {"a": 1}, "a" * 256])
def test_a_claim_without_a_name_is_refused(value: object) -> None:
    with pytest.raises(UnusableClaim, match="email"):
        principal_name({"sub": "ana", "email": value}, name_claim="email")


def test_groups_come_sorted_each_once_also_from_inside_another_claim() -> None:
    assert group_names({"groups": ["b", "a", "b"]}, claim="groups") == ("group:a", "group:b")
    assert group_names({"realm_access": {"roles": ["a"]}}, claim="realm_access.roles") == ("group:a",)
    assert group_names({"a.b": ["x"], "a": {"b": ["y"]}}, claim="a.b") == ("group:x",)
    assert group_names({"groups": ["a"]}, claim="") == ()
    assert group_names({}, claim="groups") == ()


@pytest.mark.parametrize("value", ["a", 7, {"a": 1}, [1], [""], [None], [["a"]], ["a"] * 201])
def test_groups_that_are_no_list_of_names_are_refused(value: object) -> None:
    with pytest.raises(UnusableClaim):
        group_names({"groups": value}, claim="groups")
