"""The thing that a question asks for, by its form; and the form of a sentence that answers it."""

from __future__ import annotations

import pytest

from mesh_core.answers.asked_things import answers_form, are_things_absent, case_stems, is_year_absent, strange_stems
from mesh_core.answers.wording import stem, wording_of


def known(text: str) -> frozenset[str]:
    found = wording_of(text)
    return found.words | found.numbers


HUTS = known("Guests pay for the hut by card. Insurance covers rescues; the limit is two nights since 2024.")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is the toll for the old bridge?", "The old bridge was built by hand."),
        ("What are the visiting hours of the aquarium?", "Visiting hours are from ten to four."),
        ("Which ferry do I take to the island?", "People reach the island on Mondays."),
        ("At what altitude do we need oxygen?", "We need oxygen in the upper hut."),
        ("Is there a sauna in the hut?", "The hut has beds and a stove."),
        ("Can I get a refund for the ski pass?", "The ski pass is sold at the counter."),
    ],
)
def test_a_thing_that_is_called_nothing_like_it_is_absent(question, text):
    assert are_things_absent(question, known(text))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is the toll for the old bridge?", "Tolls on the old bridge are two euro."),
        ("What's the limit for a ski pass?", "A ski pass is for six people at most."),
        ("Which insurer covers rescues?", "Rescues are covered by Alpine insurance."),
        ("Which mountain guide is on duty?", "Guides are on duty all day."),
        ("What share of the fee is returned?", "Half of the fee is returned."),
        ("Do I have to book a bed?", "Beds are booked by telephone."),
        ("How long is the way to the hut?", "Three hours on foot."),
        ("May I bring my dog?", "Animals stay outside."),
        ("When does the lift close?", "At five."),
    ],
)
def test_what_is_there_or_names_no_thing_is_not_absent(question, text):
    assert not are_things_absent(question, known(text))


@pytest.mark.parametrize(
    ("question", "better", "other"),
    [
        ("What is a bivouac?", "A bivouac is a night without a tent.", "Read more about the bivouac in chapter 2."),
        ("What is Skadi?", "Skadi (formerly Thor) is our booking system.", "You can log in to Skadi."),
        ("May I leave skis in the hall?", "Skis must not be left in the hall.", "Skis in the hall are a nuisance."),
        ("I broke a pole. Do I pay for it?", "Guests need to pay for poles.", "Poles cost twenty euro."),
        ("Which radio is recommended?", "We recommend the Baofeng, which is light.", "We recommend to carry a radio."),
    ],
)
def test_a_definition_a_ruling_and_a_name_have_the_form_of_an_answer(question, better, other):
    assert answers_form(question, better)
    assert not answers_form(question, other)


def test_other_questions_ask_for_no_form():
    assert not answers_form("How much is a pass?", "A pass must be paid.")


@pytest.mark.parametrize(
    "question",
    [
        "Do guests pay for acupuncture?",
        "May guests bring a babysitter?",
        "How many nights may porters stay in the hut?",
        "What did guests pay for the hut in 2019?",
        "Is there a discount on the hut for pensioners?",
    ],
)
def test_a_word_with_weight_or_a_year_that_a_passage_does_not_have_is_absent(question):
    assert is_year_absent(question, HUTS) or strange_stems(question, HUTS)


@pytest.mark.parametrize(
    "question",
    [
        "How often may guests come back to the hut?",
        "Which insurer covers rescues?",
        "What's the maximum number of nights?",
        "How long do I have to wait for the hut?",
        "Is the hut paid by card?",
        "What did guests pay in 2024?",
        "Guests' cards: which ones may we keep?",
    ],
)
def test_words_of_form_other_forms_of_words_and_what_is_there_are_not_absent(question):
    assert not is_year_absent(question, HUTS)
    assert not strange_stems(question, HUTS)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How many nights may porters stay in the hut?", {"porter", "hut"}),
        ("Do we get a discount for a wedding?", {"wedding"}),
        ("Which clinic treats frostbite?", {"clinic", "treat", "frostbit"}),
        ("Is an apprentice paid by the day?", {"apprentic"}),
        ("Can I fight that?", set()),
    ],
)
def test_whom_a_question_is_of_and_what_stands_behind_a_preposition_say_which_case_is_asked_about(question, words):
    assert case_stems(question) == frozenset(map(stem, words))


@pytest.mark.parametrize(
    "question", ["Do I have to wear gloves?", "Am I allowed to swim?", "Which form do I need to sign?", "How do I get to know?"]
)
def test_a_verb_behind_to_says_what_happens_and_not_which_case(question):
    assert case_stems(question).isdisjoint({stem("wear"), stem("swim"), stem("sign"), stem("know")})


def test_a_noun_behind_to_says_which_case():
    assert case_stems("What do we pay to widows?") == {stem("widows")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("delay", "delays"),
        ("delay", "delayed"),
        ("survey", "surveying"),
        ("duty", "duties"),
        ("carry", "carrying"),
        ("key", "keys"),
    ],
)
def test_forms_of_words_with_a_y_at_their_end_are_one(one: str, other: str) -> None:
    assert stem(one) == stem(other)
