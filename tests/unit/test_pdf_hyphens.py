"""Words with a hyphen at the end of a line keep it where it is theirs."""

from __future__ import annotations

import time
from functools import reduce

import pytest

from domain_sdk.extraction.pdf_hyphens import continued, with_hyphens


def read(*lines: str, elsewhere: str = "") -> str:
    return with_hyphens([elsewhere, reduce(continued, lines)])[1]


@pytest.mark.parametrize(("lines", "whole"), [
    (("grew year-on-", "year again"), "grew year-on-year again"), (("an inter-", "national one"), "an international one"),
    (("Anna-", "Maria"), "Anna-Maria"), (("10-", "year bonds"), "10-year bonds"), (("of 2019-", "2020"), "of 2019-2020"),
    (("a Q3-", "related"), "a Q3-related"), (("an EU-", "wide rule"), "an EU-wide rule"), (("Form 10-", "K"), "Form 10-K"),
    (("long- and short-", "term"), "long- and short-term"), (("YEAR-ON-", "YEAR RISE"), "YEAR-ON-YEAR RISE"),
    (("10-", "and 20-year"), "10- and 20-year"), (("docu\u00ad", "ment"), "document"), (("one -", "of two"), "one - of two"),
    (("https://a.example/one-", "two"), "https://a.example/one-two"), (("ada@my-", "mail.example"), "ada@my-mail.example"),
    (("inter-", "na-", "tional"), "international"), (("10-", "to-12"), "10-to-12"), (("a –", "b"), "a – b"),
])  # fmt: skip
def test_a_hyphen_is_kept_by_the_looks_of_its_word(lines: tuple[str, ...], whole: str) -> None:
    assert read(*lines) == whole


@pytest.mark.parametrize(("lines", "elsewhere", "whole"), [
    (("cost-", "effective"), "It is cost-effective.", "cost-effective"),
    (("cost-", "effective"), "At a cost; effective at once.", "cost-effective"),
    (("over-", "view"), "Over all, a view. The overview says so.", "overview"),
    (("non-govern-", "mental"), "What is governmental.", "non-governmental"),
    (("INTER-", "NATIONAL"), "An international firm.", "INTERNATIONAL"),
    (("non-", "recurring"), "Non-recurring, nonrecurring and non-recurring costs.", "non-recurring"),
    (("inter-", "na-", "tional"), "They are international.", "international"),
    (("end-of-", "quarter"), "An of-quarter and ofquarter.", "end-of-quarter"),
    (("be-", "come"), "To be or to come.", "become"),
])  # fmt: skip
def test_a_hyphen_is_kept_or_goes_as_elsewhere_in_the_document(lines: tuple[str, ...], elsewhere: str, whole: str) -> None:
    assert read(*lines, elsewhere=elsewhere) == whole


@pytest.mark.parametrize(("lines", "elsewhere", "whole"), [
    (("for long-", "and short-term"), "This and that.", "for long- and short-term"),
    (("for long-", "and short loans"), "Both long- and short-term.", "for long- and short loans"),
    (("for long", "or short-", "or medium-term"), "This or a short one.", "for long or short- or medium-term"),
    (("Ein-", "und Ausgabe"), "Ein Mann und eine Frau.", "Ein- und Ausgabe"),
    (("An-", "und Abfahrt"), "Man kommt an und bleibt.", "An- und Abfahrt"), (("10-", "and 20-year"), "", "10- and 20-year"),
    (("short-", "to medium-term"), "It is short, to us.", "short- to medium-term"),
])  # fmt: skip
def test_a_hyphen_stands_alone_before_words_that_stand_alone(lines: tuple[str, ...], elsewhere: str, whole: str) -> None:
    assert read(*lines, elsewhere=elsewhere) == whole


@pytest.mark.parametrize(("lines", "elsewhere", "whole"), [
    (("il contenu-", "to è stato"), "Il testo.", "il contenuto è stato"), (("das Kon-", "to ist"), "Ein Text.", "das Konto ist"),
    (("der Kür-", "bis ist"), "Von eins bis drei.", "der Kürbis ist"),
    (("some thous-", "and of"), "This and that.", "some thousand of"),
    (("all that thous-", "and more"), "", "all that thousand more"), (("un momen-", "to"), "This way to Rome.", "un momento"),
    (("go in-", "to long-term loans"), "It is in there, to wit.", "go into long-term loans"),
    (("pota-", "to-based"), "Go to it.", "potato-based"),
    (("they are face-", "to-face"), "Go to it.", "they are face-to-face"),
    (("an up-", "to-", "date list"), "Go up to a date.", "an up-to-date list"),
])  # fmt: skip
def test_the_ends_of_words_are_no_words_that_leave_a_hyphen(lines: tuple[str, ...], elsewhere: str, whole: str) -> None:
    assert read(*lines, elsewhere=elsewhere) == whole


@pytest.mark.parametrize(("lines", "elsewhere", "whole"), [
    (("cross-func-", "tional"), "A cross.", "cross-functional"),
    (("long-last-", "ing"), "It is long and the last.", "long-lasting"),
    (("state-of-the-", "art"), "", "state-of-the-art"), (("year-on-", "year"), "", "year-on-year"),
    (("cross-border-", "lending"), "All lending.", "cross-border-lending"), (("MANAGE-", "MENT REPORT"), "", "MANAGEMENT REPORT"),
    (("COST-", "BENEFIT ANALYSIS"), "A cost, a benefit.", "COST-BENEFIT ANALYSIS"), (("X-", "RAY UNITS"), "", "X-RAY UNITS"),
    (("An EU-", "UK treaty"), "The EU and the UK.", "An EU-UK treaty"), (("IN-", "COME TAX"), "What may come in.", "INCOME TAX"),
    (("with-", "out"), "Go with it, out of it, without it.", "without"),
    (("with-", "out"), "Go with it and out of it.", "with-out"),
])  # fmt: skip
def test_a_compound_has_parts_that_are_words_elsewhere(lines: tuple[str, ...], elsewhere: str, whole: str) -> None:
    assert read(*lines, elsewhere=elsewhere) == whole


@pytest.mark.parametrize("chain", ["a-" * 100_000, "\ufffe".join(["ab"] * 100_000), "a-b\ufffe" * 50_000])
def test_chains_of_hyphens_take_no_longer_than_they_are_long(chain: str) -> None:
    began = time.process_time()
    with_hyphens([f"x\ufffey {chain}"])
    assert time.process_time() - began < 5
