"""Whether a sentence holds the kind of thing that a question asks for."""

from __future__ import annotations

import pytest

from mesh_core.answers.answer_kinds import answers_kind, is_cost_of_another, lacks_amount, lacks_count


@pytest.mark.parametrize(
    "sentence", ["It is due in March.", "It is due on Monday.", "Send it before you leave.", "Due 2026-03-31."]
)
def test_when_is_answered_by_a_day_a_month_or_a_moment(sentence):
    assert answers_kind("When is the form due?", sentence)


@pytest.mark.parametrize("sentence", ["A decision is final.", "The market is open to all.", "Novel forms are marked blue."])
def test_words_that_only_begin_like_a_month_are_no_date(sentence):
    assert not answers_kind("When is the form due?", sentence)


@pytest.mark.parametrize("number", ["17", "seventeen", "twenty-one", "no", "a dozen"])
def test_a_number_in_words_is_a_number(number):
    assert answers_kind("How many seats are there?", f"There are {number} seats.")
    assert not lacks_count("How many seats are there?", f"There are {number} seats.")


@pytest.mark.parametrize(
    "sentence", ["Seats are given out at 9:30.", "Since 2019 all seats are free of charge.", "Seats were bought on March 3."]
)
def test_times_dates_and_years_are_no_count(sentence):
    assert lacks_count("How many seats are there?", sentence)


def test_a_count_is_asked_for_behind_what_is_told_too():
    told = "I sit in the third row. How many seats are there?"
    assert lacks_count(told, "Seats are given out at 9:30.")
    assert not lacks_count(told, "There are 40 seats.")


def test_a_word_that_begins_like_a_month_beside_a_number_is_no_date():
    assert not lacks_count("How many stalls are there?", "Behind the market 12 stalls are open.")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How much is the budget for a desk?", "You get a budget for a desk from day 1."),
        ("What is the price of a bicycle?", "Bicycles are sold once you have a card."),
        ("What is the notice period?", "Your last day follows from your notice period."),
        ("What time does the hall close?", "The hall stands in 370 Market Road."),
        ("How long is a visit?", "Visits are quiet."),
    ],
)
def test_a_sentence_without_a_time_a_number_or_a_sum_lacks_the_amount(question, sentence):
    assert lacks_amount(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How much is the budget for a desk?", "The budget is 300 euro from day 1."),
        ("How much does a card cost?", "Cards are free."),
        ("How much notice do I give?", "Give a week's notice."),
        ("What is the notice period?", "It is three months."),
        ("How long is a visit?", "A visit is an hour long."),
        ("How long may I stay?", "You may stay until the hall closes."),
        ("What time does the hall close?", "It closes at 6pm."),
        ("What is the salary review process?", "Reviews are held in spring."),
        ("Who closes the hall?", "The porter does."),
    ],
)
def test_an_amount_in_any_form_and_what_asks_for_none_lack_no_amount(question, sentence):
    assert not lacks_amount(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How long must a password be?", "Passwords have at least 14 characters."),
        ("How long may the exposure last?", "It takes 25 to 30 seconds."),
        ("How long is the cable?", "The cable measures 3 m."),
        ("How fast may trucks drive?", "The top speed is 8 km/h."),
        ("How heavy is the trunk?", "It weighs 9.4 kg."),
        ("How many days do I get for a wedding?", "Occasion: Wedding; Days off: 2"),
        ("What does a copy cost?", "A copy is 10 cents."),
        ("How much does the tour cost?", "The tour is free."),
        ("What does a check-up cost?", "Service: Check-up; Dog: 38"),
        ("What does a check-up cost?", "We charge 38 for a check-up."),
    ],
)
def test_lengths_speeds_weights_and_costs_are_amounts(question, sentence):
    assert not lacks_amount(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How long must a password be?", "Passwords are kept in the vault."),
        ("How much does the licence cost?", "Licences are renewed every three years."),
        ("What does a repair cost?", "Repairs take about two weeks."),
        ("What does a battery cost?", "The battery lasts for 800 charges."),
        ("How much does it cost to try again?", "The test can be tried twice."),
        ("How often is the password changed?", "Passwords have at least 14 characters."),
        ("How often is the lock oiled?", "Oil it and wait for ten minutes."),
    ],
)
def test_a_number_of_something_else_is_not_the_amount(question, sentence):
    assert lacks_amount(question, sentence)


def test_how_many_things_is_answered_by_a_number_of_anything():
    assert not lacks_count("How many things may I take out?", "Up to 15 titles may be out at once.")
    assert lacks_count("How many things may I take out?", "Titles may be out until 14:00.")


@pytest.mark.parametrize("sentence", ["Sign for it after the tour.", "Mr Poe leads the tour over the hills."])
def test_words_of_form_and_who_is_named_in_the_question_are_nobody(sentence):
    assert not answers_kind("Who signs for Mr Poe?", sentence)


def test_somebody_else_who_is_named_or_called_by_a_role_is_somebody():
    assert answers_kind("Who signs for Mr Poe?", "Mr Poe is on leave; Ms Roe signs.")
    assert answers_kind("Who signs for Mr Poe?", "The shift leader signs.")


def test_where_is_answered_by_a_place():
    assert answers_kind("Where do we meet?", "Walk to the east gate.")
    assert not answers_kind("Where do we meet?", "Drills take place in May.")


def test_who_the_holder_of_an_office_is_needs_somebody_else_than_the_office():
    assert lacks_amount("Who is the manager of the depot?", "The manager of the depot replies in writing.")
    assert not lacks_amount("Who is the manager of the depot?", "The manager of the depot is Ms Roe.")
    assert not lacks_amount("Who answers for the depot?", "It is run by the council.")


@pytest.mark.parametrize(
    "cost",
    [
        "20 kronor",
        "12 PLN",
        "PLN 12",
        "500 yen",
        "1,200 rupees",
        "₹1,200",
        "25 rand",
        "3 million won",
        "SEK 200",
        "40 złoty",
        "20EUR",
    ],
)
def test_a_cost_is_in_any_currency(cost):
    assert not lacks_amount("How much does a ticket cost?", f"A ticket is {cost}.")


@pytest.mark.parametrize("number", ["20 seats", "ISO 9001", "12 PDF files", "3 doors"])
def test_a_number_beside_what_is_no_currency_is_no_cost(number):
    assert lacks_amount("How much does a ticket cost?", f"A ticket goes with {number}.")


@pytest.mark.parametrize("holder", ["J. Roe", "J. R. Roe", "Jane Roe", "a former teacher", "the council's employee"])
def test_who_holds_an_office_is_said_with_initials_or_in_words(holder):
    assert not lacks_amount("Who is the CEO?", f"The CEO is {holder}.")


@pytest.mark.parametrize(
    "told",
    [
        "6.9 percent",
        "three of them",
        "free of charge",
        "on the second floor",
        "40 EUR",
        "a different number",
        "in the first quarter",
    ],
)
def test_numbers_sums_and_things_are_nobody(told):
    assert not answers_kind("Who approves a loan?", f"The loan is {told}.")


def test_a_row_that_names_another_thing_tells_no_cost_of_the_one_that_is_asked():
    assert is_cost_of_another("How much does the press cost?", "Part: Bearings; Cost: 15 euro")
    assert is_cost_of_another("What is the price of the press?", "Part: Bearings; Price: 15 euro")
    assert not is_cost_of_another("What does a check-up for a dog cost?", "Service: Check-up; Dog: 38")
    assert not is_cost_of_another("Who pays for the press?", "Part: Bearings; Who: Clerk")


@pytest.mark.parametrize(
    "told",
    [
        "Glider pilots are at least 14 years old.",
        "A pilot must be at least 16.",
        "Pilots must be 16 or older.",
        "Nobody under 14 flies alone.",
        "Pilot: licence; Age: 16",
        "Chicks are ringed at eight days.",
    ],
)
def test_how_old_is_answered_by_an_age(told):
    assert not lacks_amount("How old must a pilot be?", told)
    assert not lacks_amount("At what age may I fly?", told)


@pytest.mark.parametrize(
    "told", ["Pilots rest ten hours a day.", "A flight takes 40 minutes.", "Pilots are paid 16 euro an hour."]
)
def test_hours_and_sums_are_no_age(told):
    assert lacks_amount("How old must a pilot be?", told)


@pytest.mark.parametrize(
    "told",
    [
        "Gliders are lent for three weeks.",
        "Gliders are checked after 50 hours.",
        "Gliders stay in the hangar for at least two full days.",
        "A glider is back within two days.",
    ],
)
def test_how_long_something_is_counts_nothing_else(told):
    assert lacks_count("How many gliders does the club own?", told)


def test_a_number_of_units_counts_what_is_counted_in_them():
    assert not lacks_count("How many free flights do I get?", "Members get 12 free flights in two weeks.")
    assert not lacks_count("How many flying days are there?", "In May there are flying days for 20 days.")
    assert not lacks_count("How many holidays do I get?", "Instructors have 27 days of paid holiday.")


@pytest.mark.parametrize(
    "told", ["A backup is no older than 24 hours.", "It may be 90 minutes old.", "A 24-hour-old backup will do."]
)
def test_hours_are_an_age_where_something_is_said_to_be_so_old(told: str) -> None:
    assert not lacks_amount("How old may a backup be?", told)
    assert lacks_amount("How old may a backup be?", "A backup takes 24 hours; the old one is deleted.")
