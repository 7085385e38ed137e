"""Names and numbers as a reader sees them: what typography puts between their letters hides nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.pii.findings import Finding
from mesh_core.pii.masking import PersonalValues, masked
from mesh_core.pii.people import find_labelled_people
from mesh_core.pii.readable import readable

FULL_LINE = "The letter was signed in the name of the whole board by"
NAMES = {
    "Dr.\u00a0Ada Love\u00adlace said": "Dr.\u00a0[names of people] said",
    f"{FULL_LINE} Dr. Ada\nLovelace.": f"{FULL_LINE} Dr. [names of people].",
    "Dear Ms. Love-\nlace, hello": "Dear Ms. [names of people], hello",
    "Ms. Anna-\nMaria Wolf": "Ms. [names of people]",
    "Dr. Zoe\u0308 A\u030angstro\u0308m!": "Dr. [names of people]!",
}


@pytest.mark.parametrize("text", NAMES)
def test_a_name_is_found_whole_however_it_is_set(text: str) -> None:
    assert masked(text, find_labelled_people(text)) == NAMES[text]


def test_a_value_that_was_found_is_found_again_however_it_is_set() -> None:
    values = PersonalValues("Byron", [Finding("pii.name", 0, 5, is_checked=False)])
    assert values.again_out_of("By\u00adron wrote") == "[names of people] wrote"


@given(st.text(st.sampled_from("aZ1é\u0301\u00ad\u200b \u00a0\n-\u2011\u0661\uff11|"), max_size=80))
def test_every_place_leads_back_to_the_text_in_order(text: str) -> None:
    shown = readable(text)
    places = [shown.origin(place) for place in range(len(shown.text) + 1)]
    assert places == sorted(places)
    assert places[-1] == len(text)
    usual = [place for place, char in enumerate(shown.text) if char in "aZ" and char == text[places[place]]]
    assert len(usual) == sum(char in "aZ" for char in shown.text)


@given(st.text(alphabet=st.sampled_from([*"aZ9 -\n.,|", *"é’–‐\u00ad\u00a0\u200b\u0661\uff11\uff41日\u3000\ufe0f"]), max_size=60))
def test_a_text_without_combining_marks_reads_as_it_does_with_one_behind_it(text: str) -> None:
    assert readable(text + "\n\n\u0301").text == readable(text + "\n\n").text + "\u0301"
