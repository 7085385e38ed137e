"""Which sentences of passages are an answer: with vectors that a test chooses, so that only the rules decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from mesh_core.answers.answer import Citation, Span
from mesh_core.answers.asked_parts import parts_by_ask
from mesh_core.answers.extractive import extract, extracted
from mesh_core.answers.sentence_vectors import SentenceVectors
from mesh_core.embedding import Vectors

TEXT = (
    "A customer may return an order within 30 days. The goods must be unused.\n\n"
    "- **Gift cards** are [never](https://example.com) taken back.\n"
)


class Near:
    """Vectors whose angle to the question is as near as a test says for texts that hold a word; else they are far from it.

    A question without one of the words in `turned` is so much further from every text, in radians; less than 0 is nearer.
    """

    model, dimensions = "near", 2

    def __init__(self, near: Mapping[str, float], turned: Mapping[str, float] | None = None) -> None:
        self._near, self._turned = near, turned or {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        angles = [self._turn(text) if text.endswith("?") else np.arccos(self._nearness(text)) for text in texts]
        return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], dtype=np.float32)

    def _turn(self, question: str) -> float:
        return -sum(angle for word, angle in self._turned.items() if word not in question)

    def _nearness(self, text: str) -> float:
        return max([value for word, value in self._near.items() if word in text], default=0.0)


def citation(text: str = TEXT, *, number: int = 1, start: int = 100, title: str = "Refunds") -> Citation:
    return Citation(
        number, "policy.handbook.pages", 1, f"p{number}", "a.md", title, title, None, Span(start, start + len(text)), text
    )


def test_the_best_sentence_is_said_word_for_word_without_marks_and_with_its_place() -> None:
    (sentence,) = extracted("Do we take back gift cards?", [citation()], Near({"Gift": 0.9}))
    assert (sentence.text, sentence.sources) == ("Gift cards are never taken back.", (1,))
    assert sentence.quote is not None
    assert (
        TEXT[sentence.quote.start - 100 : sentence.quote.end - 100]
        == "- **Gift cards** are [never](https://example.com) taken back."
    )


def test_nothing_is_said_if_nothing_is_near_enough() -> None:
    assert extracted("May I bring a dog?", [citation()], Near({"Gift": 0.5, "unused": 0.4})) == []
    assert extracted("May I bring a dog?", [], Near({})) == []


def test_what_is_asked_by_name_must_be_named() -> None:
    near = Near({"within": 0.55})
    assert extracted("How long may an order be returned?", [citation()], near)
    assert extracted("How long may Hooli return unused goods?", [citation()], near) == []
    assert extracted("How long may Hooli return unused goods?", [citation(title="Terms of Hooli")], near)


def test_what_says_the_same_again_is_said_once() -> None:
    twice = [citation(), citation(number=2, start=900)]
    found = extracted("How long may a customer return an order?", twice, Near({"within": 0.9}))
    assert [it.sources for it in found] == [(1,)]


def test_a_question_in_a_passage_is_no_answer_but_what_stands_behind_it_is() -> None:
    text = "How long may a customer return an order? Thirty days."
    found = extracted("How long may a customer return an order?", [citation(text)], Near({"How long": 1.0}))
    assert [it.text for it in found] == ["Thirty days."]


def test_each_part_of_a_question_is_answered() -> None:
    question = "My parcel came broken. How long may I return it, and do you take back gift cards?"
    found = extracted(question, [citation()], Near({"within": 0.8, "Gift": 0.8}))
    assert {it.text for it in found} == {"A customer may return an order within 30 days.", "Gift cards are never taken back."}


def test_of_sentences_as_near_the_one_with_the_kind_of_thing_that_is_asked_for_is_said() -> None:
    text = "Returns of orders are simple for customers. Orders come back within 30 days."
    found = extracted("How long do customers have to return orders?", [citation(text)], Near({"orders": 0.7, "Orders": 0.7}))
    assert found[0].text == "Orders come back within 30 days."


def test_the_items_of_a_list_are_said_with_what_leads_to_them() -> None:
    text = "You need three things to return an order:\n\n- the receipt\n- the goods\n- a signed form\n\nSend them by post.\n"
    found = extracted("What do I need to return an order?", [citation(text)], Near({"You need": 0.9}))
    assert [it.text for it in found] == ["You need three things to return an order:", "the receipt", "the goods", "a signed form"]


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize(
    "labels",
    [
        "- - -",
        "• • •",
        "1. 2. 3.",
        "1) 2) 3)",
        "(1) (2) (3)",
        "a. b. c.",
        "a) b) c)",
        "(a) (b) (c)",
        "iv. v. vi.",
        "(i) (ii) (iii)",
    ],
)
def test_items_are_said_without_their_labels_whatever_these_are(labels: str, gap: str) -> None:
    lines = [f"{label} {item}" for label, item in zip(labels.split(), ("the receipt", "The goods", "a form"), strict=True)]
    text = gap.join(["You need these things to return an order:", *lines, "Send them by post."])
    found = extracted("What do I need to return an order?", [citation(text)], Near({"You need": 0.9}))
    assert [it.text for it in found][:3] == ["You need these things to return an order:", "the receipt", "The goods"]
    assert found[3].text.startswith("a form")


@pytest.mark.parametrize("labels", ["1.1 1.2 1.3", "4.2.1 4.2.2 4.2.3", "1.1. 1.2. 1.3.", "A. B. C."])
def test_items_whose_labels_could_be_something_else_are_said_with_them(labels: str) -> None:
    lines = [f"{label} {item}" for label, item in zip(labels.split(), ("the receipt", "The goods", "a form"), strict=True)]
    text = "\n".join(["You need these things to return an order:", *lines])
    found = extracted("What do I need to return an order?", [citation(text)], Near({"You need": 0.9}))
    assert [it.text for it in found] == ["You need these things to return an order:", *lines]


def test_numbers_and_initials_that_begin_a_line_are_no_labels() -> None:
    text = "A return costs\n2.5 percent of the price. It is signed by\nJ. Roe in the office."
    found = extracted("What does a return cost?", [citation(text)], Near({"return costs": 0.9}))
    assert found[0].text == "A return costs 2.5 percent of the price."
    (signs,) = extracted("Who signs a return?", [citation("J. Roe signs it. Nobody else may.")], Near({"signs": 0.9}))
    assert signs.text == "J. Roe signs it."


def test_a_sentence_that_shares_no_word_with_the_question_must_be_nearer() -> None:
    near = Near({"reimbursed": 0.5})
    assert extracted("Are tickets reimbursed?", [citation("Tickets are reimbursed.", title="")], near)
    assert extracted("Who pays fares for trains?", [citation("Journeys will be reimbursed.", title="")], near) == []


def test_a_sentence_that_has_every_word_of_the_question_need_not_be_as_near() -> None:
    text = "Opened software, gift cards and goods made to measure come back never."
    near = Near({"Opened": 0.42})
    assert extracted("Does opened software come back?", [citation(text, title="")], near)
    assert extracted("Does opened software for children come back?", [citation(text, title="")], near) == []


def test_how_many_is_answered_by_a_number_of_the_thing_only() -> None:
    hours = "Visitors may come between 14:00 and 18:00 on weekdays. A visit lasts about half an hour at most, says the handbook."
    near = Near({"14:00": 0.9, "lasts": 0.7})
    assert (
        extracted("How many visits are there?", [citation("Visitors may come between 14:00 and 18:00 on weekdays.")], near) == []
    )
    assert extracted("When may visitors come?", [citation(hours)], near)
    counted = citation("The clinic had twelve visits. Visits began on 3 May 2026 at 9 am.")
    (found,) = extracted("How many visits are there?", [counted], Near({"twelve": 0.9, "began": 0.95}))
    assert found.text == "The clinic had twelve visits."
    table = citation("| Ward | Visits |\n|---|---|\n| North | 40 |\n")
    assert [it.text for it in extracted("How many visits has ward North?", [table], Near({"North": 0.9}))] == [
        "Ward; Visits",
        "North; 40",
    ]


def test_rows_that_a_question_does_not_name_are_not_said() -> None:
    table = citation("| Grade | Days of leave |\n|---|---|\n| Junior | 25 |\n| Senior | 30 |\n", title="Leave")
    near = Near({"Junior": 0.9, "Senior": 0.89})
    question = "How many days of leave does a Junior get and who won the world cup?"
    found = extract(question, [table], SentenceVectors(near))
    assert [it.text for it in found.sentences] == ["Grade; Days of leave", "Junior; 25"]
    both = extract("How many days of leave do Junior and Senior get?", [table], SentenceVectors(near))
    assert [it.text for it in both.sentences] == ["Grade; Days of leave", "Junior; 25", "Senior; 30"]


def test_the_columns_of_a_row_say_what_its_values_are_of() -> None:
    text = "| Occasion | Days off |\n| --- | --- |\n| Wedding | 2 |\n| Jubilee | 1 |\n"
    near = Near({"Occasion: Wedding": 0.9, "Wedding": 0.1})
    found = extracted("How many days do I get for a wedding?", [citation(text, title="Leave")], near)
    assert [it.text for it in found] == ["Occasion; Days off", "Wedding; 2"]
    assert [(text[it.quote.start - 100 : it.quote.end - 100]) for it in found if it.quote] == [
        "| Occasion | Days off |",
        "| Wedding | 2 |",
    ]


def test_a_row_is_compared_by_the_cells_that_are_asked_for() -> None:
    rows = "| Hinge | 20 min | 18 euro | Ada |\n| Lock | 50 min | 40 euro | Bo |\n"
    table = citation("| Repair | Time | Price | By |\n|---|---|---|---|\n" + rows, title="Repairs")
    for question, cells in (
        ("What is the price of a hinge?", "Hinge; Price: 18 euro"),
        ("How long does a hinge take?", "Hinge; Time: 20 min"),
    ):
        near = Near({cells: 0.9, "Lock": 0.2, "Repair: Hinge": 0.3})
        assert [it.text for it in extracted(question, [table], near)][1:] == ["Hinge; 20 min; 18 euro; Ada"]


def test_a_most_does_not_answer_what_the_least_is() -> None:
    near = Near({"at most": 0.75})
    lease = citation("The lease runs for at most 84 months.", title="Lease")
    assert extracted("How long is the lease at most?", [lease], near)
    assert extracted("How long is the lease at least?", [lease], near) == []


def test_the_names_of_columns_alone_are_no_answer() -> None:
    table = citation("| Occasion | Days off |\n|---|---|\n", title="Leave")
    assert extracted("For which occasion are days off?", [table], Near({"Occasion; Days": 0.9})) == []


def test_a_sentence_that_points_back_is_compared_and_said_with_the_one_before_it() -> None:
    text = "Ms Roe leads the laboratory. Her deputy since the spring has been Mr Poe. The laboratory has six rooms."
    near = Near({"Roe leads the laboratory. Her deputy": 0.9, "Roe leads": 0.5, "Her deputy": 0.1})
    found = extracted("Who is the deputy of Ms Roe?", [citation(text, title="Staff")], near)
    assert [it.text for it in found] == ["Ms Roe leads the laboratory.", "Her deputy since the spring has been Mr Poe."]


def test_what_nothing_there_is_called_must_be_nearer() -> None:
    near = Near({"goods": 0.5})
    text = "Opened goods come back within ten days."
    assert extracted("When do opened goods come back?", [citation(text, title="")], near)
    assert extracted("What is the penalty for opened goods?", [citation(text, title="")], near) == []


def test_of_sentences_as_near_the_one_that_says_what_a_thing_is_is_said_first() -> None:
    near = Near({"Read more": 0.6, "wooden": 0.6})
    text = "Read more about the pallet in the guide. A pallet is a wooden base for goods."
    assert extracted("What is a pallet?", [citation(text)], near)[0].text == "A pallet is a wooden base for goods."


LIST = (
    "# Pay\n\nWithin a year you will receive:\n\n- full pay for the first 20 days of illness\n- half pay for the next 10 days\n\n"
    "Ask the office first. For example, by letter.\n"
)


def test_an_item_is_said_with_what_its_list_hangs_on_and_the_other_items() -> None:
    found = extracted("How long is full pay in an illness?", [citation(LIST)], Near({"full pay": 0.9}))
    assert [it.text for it in found] == [
        "Within a year you will receive:", "full pay for the first 20 days of illness", "half pay for the next 10 days",
    ]  # fmt: skip


def test_a_sentence_that_points_back_is_said_behind_what_it_points_to() -> None:
    found = extracted("Can I ask by letter?", [citation(LIST)], Near({"For example": 0.9}))
    assert [it.text for it in found] == ["Ask the office first.", "For example, by letter."]


def test_what_a_passage_about_the_same_thing_does_not_speak_of_is_declined() -> None:
    near = Near({"within": 0.68})
    assert extracted("How long may a customer return an order?", [citation()], near)
    assert extracted("How long may a dealer return an order?", [citation()], near) == []
    assert extracted("How much may a customer return of an order in 2019?", [citation()], near) == []


def test_a_word_that_is_missing_is_no_lack_if_the_question_is_further_without_it() -> None:
    question, text = "How long is my vacation?", "Your holiday is 30 days long."
    passage = [citation(text, title="")]
    assert extracted(question, passage, Near({"holiday": 0.46}, turned={"vacation": 0.3}))
    assert extracted(question, passage, Near({"holiday": 0.46})) == []
    assert extracted(question, passage, Near({"holiday": 0.7}, turned={"vacation": -0.3})) == []


def test_a_word_that_makes_no_difference_lacks_little_unless_it_says_which_case_is_asked_about() -> None:
    near = Near({"within": 0.6})
    assert extracted("May I quickly fight over the order?", [citation("Orders are returned within a week.")], near)
    assert extracted("May I return the order of a neighbour?", [citation("Orders are returned within a week.")], near) == []


def test_what_is_told_first_need_not_be_named_and_days_and_months_are_no_names() -> None:
    near = Near({"within": 0.5})
    passage = [citation("Orders are returned within a week.")]
    assert extracted("I'm in Oslo. How long may I return orders?", passage, near)
    assert extracted("May I return orders in Oslo?", passage, near) == []
    assert extracted("On Friday I'm away. How long may I return orders?", passage, near)


def test_a_name_that_begins_with_a_digit_is_no_sum() -> None:
    passage = [citation("Ask for 3Dprinting of goods by post.")]
    assert extracted("How much is the printing of goods?", passage, Near({"Ask": 0.6})) == []


def test_where_nothing_answers_the_nearest_sentence_of_each_near_passage_is_given_apart() -> None:
    near = Near({"within": 0.5, "unused": 0.4, "Gift": 0.35, "Parcels": 0.2})
    passages = [citation(), citation("Gift boxes are sold at the desk.", number=2), citation("Parcels go by post.", number=3)]
    found = extract("How long may a dealer keep an order?", passages, SentenceVectors(near))
    assert found.sentences == ()
    assert [(it.sources, it.text[:4]) for it in found.closest] == [((1,), "A cu"), ((2,), "Gift")]
    assert extract("How long may a customer return an order?", passages, SentenceVectors(near)).closest == ()


def test_of_sentences_that_are_as_near_the_one_in_the_passage_that_was_found_first_is_said() -> None:
    one, other = (
        citation("Orders are returned within a week.", number=1),
        citation("Orders are returned within a month.", number=2),
    )
    (sentence, *_) = extracted("When are orders returned?", [other, one], Near({"week": 0.6, "month": 0.6}))
    assert sentence.sources == (2,)


def test_passages_are_placed_in_their_own_collection() -> None:
    near, text = Near({"week": 0.48}), "Orders are returned within a week."
    others = [citation(f"Nothing is said on page {number}.", number=number) for number in range(1, 6)]
    question = "When are orders returned?"
    assert extracted(question, [*others, replace(citation(text, number=6), port="sales.rules.pages")], near)


def test_what_says_nothing_without_the_sentence_before_it_is_not_asked_by_itself() -> None:
    told = "My badge is broken."
    assert parts_by_ask(f"{told} How do I order it?") == {"How do I order it?": [f"{told} How do I order it?"]}
    whole = "How do I order a spare badge?"
    assert parts_by_ask(f"{told} {whole}") == {whole: [f"{told} {whole}", whole]}
