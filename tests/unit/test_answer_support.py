"""Whether a sentence is supported by what it cites: what passes, and every way in which a claim can stray from its source."""

from __future__ import annotations

import pytest

from mesh_core.answers.answer import Figure, Span
from mesh_core.answers.sentences import said, sentences_of
from mesh_core.answers.sources import source_of
from mesh_core.answers.support import Source, supported
from mesh_core.answers.wording import wording_of

REFUNDS = Source(
    "A customer may return an order within 30 days of delivery and gets the full price back. The goods must be unused and in "
    "their\npackaging. For goods that arrived broken the period is 90 days, and we pay for the return.",
    "Refund policy > When a customer may return an order",
)
LATER = Source(
    "Between day 31 and day 60 a team lead may approve a voucher for the price of the order, but no money. After day 60 "
    "nothing is\nrefunded unless the law says otherwise."
)
LIMITS = Source("Refunds above 1,000 euro need a second signature from Finance. Approved by Ada Lovelace on 31 December 2026.")
ROW = Source(
    "order id O-004711, customer id C-0012, amount 12.50, ordered on 2026-03-01, status placed.", "the row with O-004711"
)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("A customer may return an order within 30 days of delivery and gets the full price back.", REFUNDS),
        ("An order may be returned within 30 days of delivery.", REFUNDS),
        ("For goods that arrived broken, the period is ninety days.", REFUNDS),
        ("The goods must be unused and in their packaging.", REFUNDS),
        ("After day 60 nothing is refunded.", LATER),
        ("A team lead may approve a voucher between day 31 and day 60.", LATER),
        ("Refunds above €1000 need a second signature.", LIMITS),
        ("Ada Lovelace approved on 2026-12-31.", LIMITS),
        ("Order O-004711 was placed on 1 March 2026.", ROW),
        ("The amount of order O-004711 is 12.5.", ROW),
    ],
)
def test_a_sentence_in_the_words_of_its_source_is_supported(sentence: str, source: Source) -> None:
    assert supported(sentence, {1: source}) is not None


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("An order may be returned within 40 days of delivery.", REFUNDS),  # another number
        ("Goods that arrived broken may be returned within 30 days.", REFUNDS),  # the number of the sentence next door
        ("An order may not be returned within 30 days of delivery.", REFUNDS),  # denied
        ("After day 60 the order is refunded.", LATER),  # a denial left out
        ("Only unused goods in their packaging may be returned, says Grace Hopper.", REFUNDS),  # a name that is not there
        ("Refunds below 1,000 euro need a second signature.", LIMITS),  # a word that turns the meaning
        ("Ada Lovelace approved on 30 December 2026.", LIMITS),  # another day
        ("Grace Hopper approved on 31 December 2026.", LIMITS),
        ("Order O-004712 was placed on 1 March 2026.", ROW),  # another order
        ("Order O-004711 was refunded.", ROW),  # what no value says
        ("The moon is made of green cheese.", REFUNDS),
        ("Yes.", REFUNDS),  # nothing that could be compared
        ("An order may be returned within 30 weeks of delivery.", REFUNDS),  # another unit
        ("An order may be returned within thirty months of delivery.", REFUNDS),
        ("An order may be returned within 30 working days of delivery.", REFUNDS),
        ("Refunds above 1,000 dollars need a second signature from Finance.", LIMITS),  # another currency
        ("Refunds above $1,000 need a second signature from Finance.", LIMITS),
        ("Refunds above 1,000 percent need a second signature from Finance.", LIMITS),
        ("The goods must be used and in their packaging.", REFUNDS),  # the opposite
        ("It is forbidden that a customer returns an order within 30 days of delivery.", REFUNDS),
        ("Half of the customers may return an order within 30 days of delivery.", REFUNDS),
        ("The amount of order O-004711 is 12.50 dollars and it was placed on 2026-03-01.", ROW),  # a unit that nobody said
    ],
)
def test_a_sentence_that_strays_from_its_source_is_not(sentence: str, source: Source) -> None:
    assert supported(sentence, {1: source}) is None


SEASONS = Source(
    "The price list is valid from 1 May 2026 until 30 June 2026. The pool is closed from November to March. Orders of at least 5 "
    "and at most 20 crates are packed the same day. The gate is open between 7 and 19 on weekdays."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The price list is valid until 1 May 2026.",
        "The price list is valid from 30 June 2026 until 1 May 2026.",
        "The pool is closed from March to November.",
        "Orders of at least 20 and at most 5 crates are packed the same day.",
        "The gate is open from 19 to 7 on weekdays.",
    ],
)
def test_a_sentence_that_exchanges_where_something_begins_and_ends_is_not_supported(sentence: str) -> None:
    assert supported(sentence, {1: SEASONS}) is None


@pytest.mark.parametrize(
    "sentence",
    [
        "The price list is valid from May 1, 2026 until June 30, 2026.",
        "The price list is valid until 2026-06-30.",
        "From November to March the pool is closed.",
        "Orders of at most twenty and at least five crates are packed the same day.",
        "The gate is open from 7 to 19 on weekdays.",
    ],
)
def test_a_sentence_that_says_where_something_begins_and_ends_as_its_source_does_is_supported(sentence: str) -> None:
    assert supported(sentence, {1: SEASONS}) is not None


ROWS = source_of(
    Figure(
        1, "SELECT", "a query", ("order_id", "amount", "status"),
        (("O-4711", "12.50", "placed"), ("O-4712", "99.00", "refunded")), (),
    ),
    "Order O-4711: amount 12.50 EUR.\nOrder O-4712: amount 99.00 EUR.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "is_supported"),
    [
        ("Order O-4711 has the amount 12.50.", True),
        ("Order O-4711 has the amount 12.50 euro.", True),
        ("Order O-4712 has the status refunded.", True),
        ("Order O-4712: amount 99.00 EUR.", True),
        ("Order O-4711 has the amount 99.00.", False),
        ("Order O-4712 has the amount 12.50.", False),
        ("Order O-4711 has the status refunded.", False),
        ("The order with amount 99.00 is placed.", False),
        ("Order O-4711 has the amount 12.50 dollars.", False),
    ],
)
def test_what_is_said_of_a_row_stands_in_that_row(sentence: str, is_supported: bool) -> None:
    assert (supported(sentence, {1: ROWS}) is not None) == is_supported


def test_without_a_source_nothing_is_supported() -> None:
    assert supported("An order may be returned within 30 days.", {}) is None


def test_the_place_that_supports_can_be_shown() -> None:
    support = supported("The goods must be unused and in their packaging.", {4: REFUNDS})
    assert support is not None
    span = support.places[4]
    assert REFUNDS.text[span.start : span.end] == "The goods must be unused and in their\npackaging."


def test_a_source_that_adds_nothing_is_not_cited() -> None:
    support = supported("An order may be returned within 30 days of delivery.", {1: LIMITS, 2: REFUNDS, 3: LATER})
    assert support is not None
    assert set(support.places) == {2}


def test_a_sentence_may_rest_on_two_sources_together() -> None:
    sentence = "Order O-004711 was placed on 2026-03-01, and an order may be returned within 30 days of delivery."
    assert supported(sentence, {1: ROW}) is None
    assert supported(sentence, {2: REFUNDS}) is None
    support = supported(sentence, {1: ROW, 2: REFUNDS})
    assert support is not None
    assert set(support.places) == {1, 2}


def test_text_in_another_script_is_supported_word_for_word_and_not_otherwise() -> None:
    source = Source("退款期限为三十天。超过期限不予退款。")
    support = supported("退款期限为三十天。", {1: source})
    assert support is not None
    assert support.places == {1: Span(0, 9)}
    assert supported("退款期限为四十天。", {1: source}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$1,000.50", "1000.5 euro"),
        ("31 December 2026", "2026-12-31"),
        ("December 31, 2026", "12/31/2026"),
        ("1.5 million", "1,500,000"),
        ("the 3rd day", "3 days"),
        ("fourteen", "14"),
        ("O-004711", "o-004711"),
    ],
)
def test_numbers_and_dates_are_compared_in_one_form(one: str, other: str) -> None:
    assert wording_of(one).numbers == wording_of(other).numbers != frozenset()


def test_sentences_keep_their_places_and_lists_and_tables_their_lines() -> None:
    text = (
        "# Title\n\nFirst sentence, e.g. this one. Second one by J. Doe!\nGoes on? Yes.\n\n- an item\n  that goes on\n"
        "- **another** item\n\n| a | b |\n|---|---|\n| Oslo | 140 |\n"
    )
    spans = sentences_of(text)
    assert [said(text[span.start : span.end]) for span in spans] == [
        "First sentence, e.g. this one.", "Second one by J. Doe!", "Goes on?", "Yes.", "an item that goes on", "another item",
        "a; b", "Oslo; 140",
    ]  # fmt: skip
    assert all(isinstance(span, Span) and text[span.start : span.end].strip() == text[span.start : span.end] for span in spans)
