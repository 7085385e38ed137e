"""Known values are found in text by their keyed hashes: all of them, nothing else, fast, and only with the key."""

from __future__ import annotations

import time

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.pii.exact_match import KnownValues, folded_words

WORDS = st.text(st.characters(categories=["L"]), min_size=3, max_size=9)


def known(*values: str, key: bytes = b"k" * 32) -> KnownValues:
    made = KnownValues(key)
    for owner, value in enumerate(values):
        made.add(value, owner)
    return made


def found(values: KnownValues, text: str) -> list[tuple[str, int]]:
    return [(text[it.start : it.end], it.owner) for it in values.find(text)]


def test_names_are_found_whatever_their_case_and_spacing_are() -> None:
    people = known("Ada Lovelace", "Grace Brewster Hopper", "Grace Brewster")
    text = "ADA  LOVELACE met Grace\nBrewster-Hopper; Grace Brewster Jones did not. Ada herself, Lovelace."
    assert found(people, text) == [("ADA  LOVELACE", 0), ("Grace\nBrewster-Hopper", 1), ("Grace Brewster", 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("José García", "met Jose Garcia today"),
        ("Jose Garcia", "met JOSÉ GARCÍA today"),
        ("Zoë Ångström", "by Zoe\u0308 A\u030angstro\u0308m."),
        ("Jürgen Müller", "Herr Juergen Mueller kam"),
        ("Soren Kierkegaard", "Søren Kierkegaard wrote"),
        ("Ada Lovelace", "Ada Lovelace's letter"),
        ("Ada Lovelace", "a line that ends with Ada Love-\nlace is"),
        ("Ada Lovelace", "Ada\u00a0Love\u00adlace"),
        ("Ada Lovelace", "Ada\n\tLovelace"),
        ("Conan O'Brien", "Conan O’Brien laughs"),
        ("Conan OBrien", "Conan O'Brien's show"),
        ("Anna-Maria Wolf", "Anna Maria Wolf came"),
        ("山田太郎", "担当者は山田太郎です。"),
        ("李小龙", "客户李小龙投诉"),
        ("김철수", "고객 김철수는 말했다"),
        ("Νίκος Παπαδόπουλος", "ΝΙΚΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ"),
        ("محمد علي حسن", "السيد مُحَمَّد علي حسن"),
        ("Иван Петров", "ИВАН ПЕТРОВ"),
    ],
)
def test_names_are_found_however_they_are_written(value: str, text: str) -> None:
    (match,) = known(value, "Other Person").find(text)
    assert match.owner == 0
    assert text[match.start : match.end].strip(" .'") == text[match.start : match.end]
    assert match.end - match.start >= len(value) - 2


def test_two_characters_of_a_script_without_spaces_are_no_name() -> None:
    assert len(known("李明")) == 0


def test_a_value_of_two_records_leads_to_both_and_lone_words_to_none() -> None:
    people = known("Ada Lovelace", "ada lovelace", "Ada", "C-10428", "1042")
    assert len(people) == 3
    assert found(people, "Ada Lovelace is customer C-10428.") == [("Ada Lovelace", 0), ("Ada Lovelace", 1), ("C-10428", 3)]


@given(
    st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=8), st.lists(WORDS, max_size=20), st.integers(0, 20)
)
def test_every_planted_value_is_found_and_every_match_is_a_value(values: list[list[str]], words: list[str], place: int) -> None:
    planted = " ".join(values[0])
    text = " ".join([*words[:place], planted, *words[place:]])
    people = known(*(" ".join(value) for value in values))
    matches = found(people, text)
    spelt = {folded_words(" ".join(value)) for value in values}
    assert all(folded_words(match) in spelt for match, _ in matches)
    if len(known(planted)) and not matches:
        raise AssertionError(planted)


def test_without_the_key_the_hashes_are_of_no_use() -> None:
    one, other = known("Ada Lovelace"), known("Ada Lovelace", key=b"o" * 32)
    assert one._hashes != other._hashes
    assert "k" * 32 not in repr(one)
    other._hashes, other._first = one._hashes, one._first
    assert found(other, "Ada Lovelace") == []


def test_a_million_characters_are_searched_in_a_second_for_a_hundred_thousand_people() -> None:
    faker = Faker()
    faker.seed_instance(1)
    names = [faker.name() for _ in range(500)]
    people = known(*(f"{name} {number}" for number in range(40) for name in names), *names)
    text = (" ".join(faker.sentence() for _ in range(400)) + " ") * 40 + names[7]
    begin = time.process_time()
    matches = found(people, text)
    assert names[7] in {match for match, _ in matches}
    assert len(text) / (time.process_time() - begin) > 1_000_000


def test_letters_under_marks_without_end_are_read_in_a_moment() -> None:
    begin = time.process_time()
    assert found(known("Ada Lovelace"), "e" + "\u0300\u0316" * 300_000 + " Ada Lovelace") == [("Ada Lovelace", 0)]
    assert time.process_time() - begin < 10
