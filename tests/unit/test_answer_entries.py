"""Whether a line of a glossary or a row of a table is of the very thing that is asked for."""

from __future__ import annotations

import pytest

from mesh_core.answers.entries import is_entry_of
from mesh_core.answers.extractive import extracted
from tests.unit.test_answer_extractive import Near, citation

ABOVE = frozenset({"signal", "cod", "railway"})


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("What does W4 mean?", "W4: the bridge is open"),
        ("What does W4 stand for?", "W4 – the bridge is open"),
        ("What is code W4?", "W4: the bridge is open"),
        ("What's a bogie?", "Bogie - the frame that holds two axles"),
        ("What is a DMU?", "Diesel multiple unit (DMU): a train with engines of its own"),
        ("What is a DMU?", "DMU or railcar: a train with engines of its own"),
        ("How much is a day ticket?", "Day ticket: 12 euro"),
        ("What does a day ticket cost?", "Day ticket – from 12 euro"),
        ("How long does the crossing take?", "Crossing: 40 minutes"),
        ("Who is the stationmaster?", "Stationmaster: Edda Falk"),
    ],
)
def test_a_line_is_of_the_thing_that_stands_before_its_colon_or_dash(question: str, line: str) -> None:
    assert is_entry_of(question, line, [], ABOVE)


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("What does W5 mean?", "W4: the bridge is open"),
        ("What does W4 mean on the harbour line?", "W4: the bridge is open"),
        ("What does W4 cost?", "W4: the bridge is open"),
        ("How long does W4 last?", "W4: the bridge is open"),
        ("Who is W4?", "W4: the bridge is open"),
        ("When does W4 apply?", "W4: the bridge is open on 3 May"),
        ("Why is it called W4?", "W4: the bridge is open"),
        ("What does it mean?", "W4: the bridge is open"),
        ("What is a bogie frame?", "Bogie - the frame that holds two axles"),
        ("How much is a day ticket for dogs?", "Day ticket: 12 euro"),
        ("How much is a day ticket?", "Day ticket: 40 minutes of free parking"),
        ("Who pays for a day ticket?", "Day ticket: Edda Falk knows the price"),
        ("What is open?", "The bridge is open"),
        ("What is a warning?", "Warning: hot surface"),
        ("What is the example?", "Example: 5"),
    ],
)
def test_a_line_is_not_of_what_it_does_not_name_or_does_not_tell(question: str, line: str) -> None:
    assert not is_entry_of(question, line, [], ABOVE)


def test_a_row_is_of_what_its_first_cell_says_and_an_office_stands_behind_a_name() -> None:
    assert is_entry_of("How much is the day ticket?", "", ["Day ticket", "12 euro", "Edda"], ABOVE)
    assert is_entry_of("What does W4 mean?", "", ["W4", "bridge open"], ABOVE)
    assert is_entry_of("Who is the head of signals?", "", ["Edda Falk", "Head of signals", "room 4"], ABOVE)
    assert not is_entry_of("What is the day ticket?", "", ["Day ticket", "12 euro", "Edda"], ABOVE)
    assert not is_entry_of("Who is the head of tracks?", "", ["Edda Falk", "Head of signals", "room 4"], ABOVE)
    assert not is_entry_of("How much is the room?", "", ["Edda Falk", "Room", "12 euro"], ABOVE)


def test_an_entry_is_said_however_far_from_the_question_it_is_in_meaning() -> None:
    text = "- W4: the bridge is open.\n- W7: the points are frozen.\n\nCodes of signals are made known by the dispatcher.\n"
    near = Near({"W4": 0.1, "W7": 0.2, "dispatcher": 0.39})
    passage = [citation(text, title="Signals")]
    assert [it.text for it in extracted("What does W4 mean?", passage, near)] == ["W4: the bridge is open."]
    assert extracted("What does W5 mean?", passage, near) == []
