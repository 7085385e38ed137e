"""Names of measures, columns and values that a question nearly has are offered, and never taken silently."""

from __future__ import annotations

import pytest

from mesh_core.answers.figures import plan_figures
from mesh_core.answers.measure_hints import nearly_said
from mesh_core.answers.tables import FigurePlan
from mesh_core.answers.terms import words_of
from tests.unit.test_figure_planning import TODAY
from tests.unit.test_grouped_and_compared_figures import SALES


def plan(question: str) -> FigurePlan:
    return plan_figures(question, [SALES], today=TODAY)


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("revenue by contry", "Did you mean country?"),
        ("revenue by conutry", "Did you mean country?"),
        ("revenue by country and sttatus", "Did you mean status?"),
        ("revenue per moth", "Did you mean month?"),
        ("revenue in nroth", "Did you mean country north?"),
        ("What was the revenue in sotuh?", "Did you mean country south?"),
        ("What was the reveune?", "Did you mean net_revenue of kiosk.sales.sales?"),
        ("net revenu by country", "Did you mean net_revenue of kiosk.sales.sales?"),
        ("How many saels are there?", "or the table kiosk.sales.sales?"),
        ("What was the gross revanue in 2026?", "Did you mean net_revenue of kiosk.sales.sales?"),
        ("Revanue in March and April 2026", "Did you mean net_revenue of kiosk.sales.sales?"),
    ],
)
def test_a_name_that_is_nearly_written_so_is_offered_and_gives_no_figure_of_its_own(question, meant):
    found = plan(question)
    told = [*found.unclear, *found.hints]
    assert not found.queries
    assert any(meant in it for it in told), told


@pytest.mark.parametrize("question", ["What is the average basket?", "margin by country", "What is the total per status?"])
def test_a_figure_that_no_measure_is_called_tells_which_measures_there_are(question):
    found = plan(question)
    assert not found.queries
    assert "There are net_revenue of kiosk.sales.sales, sale_count of kiosk.sales.sales." in found.hints[0]


def test_a_measure_that_opens_the_question_and_cannot_be_computed_says_why():
    found = plan("Revenue in Atlantis")
    assert not found.queries
    (told,) = (*found.unclear, *found.hints)
    assert "“Atlantis”" in told
    assert 'A value stands behind its column, like town "…".' in told


@pytest.mark.parametrize(
    "question", ["Is the revenu reported?", "Where is my parcel?", "How do I file a claim?", "May I leave early?"]
)
def test_what_asks_for_no_figure_is_offered_none(question):
    assert plan(question) == FigurePlan()


@pytest.mark.parametrize(
    ("text", "is_near"),
    [
        ("regoin", True), ("regio", True), ("regionn", True), ("rejion", True), ("regions", False), ("region", False),
        ("rregionn", True), ("reigno", False), ("reasons", False), ("nation", False),
    ],
)  # fmt: skip
def test_a_word_is_near_by_most_of_its_letters_in_their_order(text, is_near):
    assert bool(nearly_said(words_of(text), ["region"])) is is_near


def test_short_words_are_near_nothing():
    assert nearly_said(words_of("my tax"), ["day", "fax"]) == []


@pytest.mark.parametrize("question", ["volatility of revenue from 2025 to 2026", "ratio of revenue 2026 vs 2025"])
def test_a_measure_that_something_unknown_is_asked_of_is_told_and_not_computed(question):
    found = plan(question)
    assert not found.queries
    assert "names net_revenue of kiosk.sales.sales, but asks more of it" in found.hints[0]
