"""Figures in answers: rows and measures that a question names, read as its asker; what is unclear is said, not guessed."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest

from domain_sdk import Mesh
from governance_server.asking.answering import _without_value
from mesh_core.answers.values import written
from tests.integration.mesh_setup import contract
from tests.integration.test_measures import server  # noqa: F401 # the same shop


@pytest.fixture(scope="module")
def ana(server) -> Mesh:  # noqa: F811 # the fixture
    return server.user("user:ana")


def test_a_measure_is_said_with_its_unit_period_and_source(server):  # noqa: F811
    answer = server.user("user:olga").ask("What was the net revenue in January 2026?")
    (sentence,) = answer.sentences
    assert sentence.text == "Net revenue 10.00 EUR of shop.orders.orders, 2026-01-01 to 2026-01-31."
    (figure,) = answer.figures
    assert figure.rows == (("10.00",),)
    assert "SUM(" in figure.sql


def test_a_figure_of_some_rows_says_so(ana):
    answer = ana.ask("How much turnover by region?")
    assert [it.text for it in answer.sentences] == [
        "Region EU, Net revenue 90.00 EUR of the rows that you may read of shop.orders.orders."
    ]


def test_a_row_is_looked_up_and_what_policy_hides_is_not_said(ana):
    text = ana.ask("Where is order O-2?").text
    assert "status refunded" in text
    assert "2026-01-31" in text
    assert "@example.com" not in text
    assert not ana.ask("Where is order O-3?").is_found


def test_a_filter_that_is_not_understood_gives_no_figure_but_a_notice(ana):
    answer = ana.ask("What was the net revenue of cancelled orders?")
    assert not answer.is_found
    assert any("“cancelled”" in notice for notice in answer.notices)


def test_nothing_is_computed_of_what_the_asker_sees_masked(ana):
    answer = ana.ask("What is the number of buyers?")
    assert not answer.is_found
    assert any("email, which you see masked" in notice for notice in answer.notices)


def test_who_may_read_nothing_learns_nothing(server):  # noqa: F811
    answer = server.user("user:nobody").ask("What was the net revenue of cancelled orders?")
    assert not answer.is_found
    assert answer.notices == ()


def test_an_answer_with_a_figure_is_given_again(ana):
    answer = ana.ask("What was the net revenue in January 2026?")
    again = ana.ask("", as_of=answer.id)
    assert again.text == answer.text
    assert again.figures == answer.figures


def test_rows_are_counted_by_a_value_and_months_are_said_as_months(server):  # noqa: F811
    olga = server.user("user:olga")
    assert " 3 of shop.orders.orders, region EU." in olga.ask("How many orders are there of region EU?").text
    assert " 0 of the rows that you may read" in server.user("user:ana").ask("How many orders are there of region US?").text
    months = olga.ask("What was the net revenue by month?")
    assert months.sentences
    assert all("2026-0" in it.text and "00:00" not in it.text for it in months.sentences)
    again = olga.ask("", as_of=months.id)
    assert again.text == months.text


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the average amount?", [("37.5",)]),
        ("What is the average net revenue per region?", [("EU", "45"), ("US", "40")]),
        ("What is the largest order amount in January 2026?", [("20.00",)]),
        ("How many orders are not in region EU?", [("1",)]),
        ("How many orders have an amount above 15?", [("3",)]),
        ("What share of orders was in region EU?", [("75",)]),
        ("When was the latest order?", [("2026-02-02",)]),
        ("Which region has the lowest turnover?", [("US", "40.00")]),
        ("How many different regions in orders?", [("2",)]),
    ],
)
def test_figures_in_other_words_are_what_their_sql_gives(server, question, rows):  # noqa: F811
    olga = server.user("user:olga")
    answer = olga.ask(question)
    (figure,) = answer.figures
    assert list(figure.rows) == rows
    again = olga.sql(figure.sql)
    assert [tuple(written(cell) for cell in row) for row in again.rows()] == rows
    assert answer.sentences


def test_a_ranking_whose_last_place_is_shared_tells_all_who_share_it(server):  # noqa: F811
    olga = server.user("user:olga")
    shared = olga.ask("Top 2 days by order count")
    assert [row[1] for row in shared.figures[0].rows] == ["1"] * 4
    assert any(
        it.startswith("The last of the 2 places is shared: 4 are told, as the last of them are equal (") for it in shared.notices
    )
    assert olga.ask("", as_of=shared.id).figures == shared.figures
    first = olga.ask("Which region has the most orders?")
    assert first.figures[0].rows == (("EU", "3"),)
    assert not any("shared" in it for it in first.notices)


def test_values_joined_by_and_are_told_each_and_together(server):  # noqa: F811
    answer = server.user("user:olga").ask("What was the net revenue of region EU and US in 2026?")
    assert [it.rows for it in answer.figures] == [(("EU", "90.00"), ("US", "40.00")), (("130.00",),)]
    assert [it.text for it in answer.sentences][2:] == [
        "Net revenue 130.00 EUR of shop.orders.orders, 2026-01-01 to 2026-12-31, region EU or US."
    ]


JANUARY, FEBRUARY = "2026-01-01 to 2026-01-31", "2026-02-01 to 2026-02-28"


def test_a_change_has_both_figures_the_difference_and_the_percent_and_is_given_again(server):  # noqa: F811
    olga = server.user("user:olga")
    answer = olga.ask("How much did net revenue grow from January to February 2026?")
    assert [it.text for it in answer.sentences] == [
        f"Net revenue 10.00 EUR of shop.orders.orders, {JANUARY}.",
        f"Net revenue 120.00 EUR of shop.orders.orders, {FEBRUARY}.",
        f"Difference in Net revenue of shop.orders.orders, {FEBRUARY} compared with {JANUARY}: 110.00 EUR.",
        f"Change in Net revenue of shop.orders.orders, {FEBRUARY} compared with {JANUARY}: 1100 percent.",
    ]
    (figure,) = answer.figures
    assert all(it.sources == (figure.number,) for it in answer.sentences)
    assert figure.rows == (("10.00", "120.00", "110.00", "1100"),)
    assert [tuple(map(written, row)) for row in olga.sql(figure.sql).rows()] == list(figure.rows)
    again = olga.ask("", as_of=answer.id)
    assert (again.text, again.figures, again.notices) == (answer.text, answer.figures, answer.notices)


def test_rows_that_a_filter_hides_are_in_neither_figure_of_a_difference(server, ana):  # noqa: F811
    question = "By how many percent did the number of orders fall between January and February 2026?"
    assert server.user("user:olga").ask(question).figures[0].rows == (("2", "2", "0", "0"),)
    answer = ana.ask(question)
    assert answer.figures[0].rows == (("2", "1", "-1", "-50"),)
    assert all("of the rows that you may read of shop.orders.orders" in it.text for it in answer.sentences)
    assert answer.notices == ()


def test_a_difference_with_a_side_without_rows_is_told_in_words(server, ana):  # noqa: F811
    question = "What is the difference in net revenue between region EU and US?"
    answer = server.user("user:olga").ask(question)
    assert answer.figures[0].rows == (("90.00", "40.00", "50.00"),)
    assert answer.sentences[-1].text == (
        "Difference in Net revenue of shop.orders.orders, region EU compared with region US: 50.00 EUR."
    )
    hidden = ana.ask(question)
    assert [it.text for it in hidden.sentences] == [
        "Net revenue 90.00 EUR of the rows that you may read of shop.orders.orders, region EU."
    ]
    (notice,) = hidden.notices
    assert notice.startswith("No difference is told: no row that you may read has a value of region US (")
    again = ana.ask("", as_of=hidden.id)
    assert (again.text, again.notices) == (hidden.text, hidden.notices)


def test_a_change_to_a_period_without_rows_is_told_in_words(server):  # noqa: F811
    answer = server.user("user:olga").ask("How much did orders change from February to March 2026?")
    assert [it.text for it in answer.sentences] == [f"Order count 2 of shop.orders.orders, {FEBRUARY}."]
    assert len(answer.notices) == 1
    assert answer.notices[0].startswith(
        "No difference is told: no row that you may read has a value of 2026-03-01 to 2026-03-31 ("
    )


def test_rows_are_counted_by_what_they_are_called_and_grouped_by(server):  # noqa: F811
    answer = server.user("user:olga").ask("Orders per status")
    assert answer.figures[0].rows == (("placed", "3"), ("refunded", "1"))
    assert answer.sentences[0].text == "Status placed, order count 3 of shop.orders.orders."


def test_a_ratio_is_of_the_rows_that_the_asker_may_read_and_is_given_again(server, ana):  # noqa: F811
    question = "What is the ratio of net revenue to order count?"
    assert server.user("user:olga").ask(question).figures[0].rows == (("130.00", "4", "32.5"),)
    answer = ana.ask(question)
    assert [it.text for it in answer.sentences] == [
        "Net revenue 90.00 EUR, order count 3 of the rows that you may read of shop.orders.orders.",
        "Ratio in EUR of Net revenue to order count of the rows that you may read of shop.orders.orders: 30.",
    ]
    assert ana.ask("", as_of=answer.id).text == answer.text


@pytest.fixture(scope="module")
def parcels(server) -> Mesh:  # noqa: F811
    """Whoever published parcels, of which some have no carrier."""
    olga = server.user("user:olga")
    columns = [
        "parcel_id: string, primaryKey: true",
        "carrier: string, enum: [{value: post}, {value: bike}, {value: van}]",
        "weight: integer",
    ]
    frame = pl.DataFrame({"parcel_id": ["1", "2", "3", "4"], "carrier": [None, None, "post", "bike"], "weight": [50, 1, 7, 3]})
    text = contract("shop.parcels", {"parcels": columns})
    olga.domain("shop").product("parcels", text).publish(parcels=frame, progress=False)
    return olga


def test_rows_without_a_value_to_group_by_are_told_as_such(parcels):
    answer = parcels.ask("What is the total weight by carrier?")
    assert [it.text for it in answer.sentences] == [
        "Carrier bike, total weight 3 of shop.parcels.parcels.",
        "Carrier post, total weight 7 of shop.parcels.parcels.",
        "Carrier (none), total weight 51 of shop.parcels.parcels.",
    ]
    assert parcels.ask("", as_of=answer.id).text == answer.text


def test_rows_without_a_value_take_no_place_in_a_ranking(parcels):
    assert parcels.ask("Which carrier has the highest total weight?").figures[0].rows == (("post", "7"),)
    assert parcels.ask("Top 2 carriers by total weight").figures[0].rows == (("post", "7"), ("bike", "3"))


def test_a_figure_without_a_value_is_told_and_not_passed_over(parcels):
    answer = parcels.ask("What is the total weight of carrier van?")
    assert not answer.is_found
    (notice,) = answer.notices
    assert notice == "There is no value of total_weight of shop.parcels.parcels, carrier van: no row that you may read has one."


def test_more_groups_than_can_be_told_are_a_notice_and_no_silence(server):  # noqa: F811
    olga = server.user("user:olga")
    text = contract("shop.stalls", {"stalls": ["stall: string, primaryKey: true", "rent: integer"]})
    frame = pl.DataFrame({"stall": [f"S-{number}" for number in range(30)], "rent": list(range(30))})
    olga.domain("shop").product("stalls", text).publish(stalls=frame, progress=False)
    answer = olga.ask("What is the total rent by stall?")
    assert not answer.is_found
    (notice,) = answer.notices
    assert notice.startswith("More than 20 groups, so none is told: total_rent of shop.stalls.stalls, by stall.")


def test_a_measure_that_nothing_is_called_has_a_notice_with_those_there_are(server):  # noqa: F811
    olga = server.user("user:olga")
    for question in ("revenue by country and month", "What was the revenue in 2026 vs 2025?", "net revnue by region"):
        assert any("Did you mean net_revenue of shop.orders.orders?" in it for it in olga.ask(question).notices), question
    assert any("There are net_revenue of shop.orders.orders" in it for it in olga.ask("What is the average basket?").notices)
    assert any("Did you mean region?" in it for it in olga.ask("net revenue by regoin").notices)


def test_of_two_figures_of_which_one_has_a_value_nothing_is_said_to_have_none():
    query = SimpleNamespace(number=1, basis="revenue, discount", rows=(("500", ""),))
    evidence = SimpleNamespace(looked_up=[], sources=SimpleNamespace(figures=[query]), said={1: ()})
    assert _without_value(evidence) == []
    query.rows = (("", ""),)
    assert len(_without_value(evidence)) == 1
