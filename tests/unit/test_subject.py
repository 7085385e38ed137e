"""A data subject to be erased: many persons are looked for as quickly as one, and nobody's values outlive the search."""

from __future__ import annotations

import gc

from governance_server.upkeep.subject_survey import Subject

FIRST, LAST = "Wal" + "burga", "Thistle" + "down"


def test_a_thousand_persons_are_looked_for_in_hundreds_of_texts() -> None:
    people = [f"Person{chr(97 + n // 26 % 26)}{chr(97 + n % 26)} Family{chr(97 + n // 676)}" for n in range(1000)]
    subject = Subject("pii.name", tuple(people))
    filler = "lunch soup rent room letter " * 40
    texts = {f"{filler}{name.upper()}, {filler}": True for name in people[::5]}
    texts |= {f"{filler}{name}s {filler}": False for name in people[::5]}
    assert {text: subject.is_in(text) for text in texts} == texts


def test_names_and_other_values_are_looked_for_together() -> None:
    subject = Subject("pii", ("4711", f"{FIRST} {LAST}", "ana@example.com"))
    said = [
        "no. 4711.",
        f"{FIRST.lower()}\n{LAST}",
        f"{FIRST}_{LAST}-2024.md",
        "to ANA@EXAMPLE.COM",
        "a_4711",
        "47110",
        "ana@example.community",
    ]
    assert [subject.is_in(it) for it in said] == [True, True, True, True, False, False, False]


def test_no_value_is_kept_in_memory_once_the_subject_is_gone() -> None:
    assert Subject("pii.name", (f"{FIRST} {LAST}",)).is_in(f"{FIRST} {LAST}")
    gc.collect()
    kept = [
        it
        for container in gc.get_objects()
        for it in gc.get_referents(container)
        if isinstance(it, str) and FIRST in it and LAST in it
    ]
    assert not kept
