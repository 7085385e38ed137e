"""Words with a hyphen at the end of a line keep it where it is theirs."""

from __future__ import annotations

from functools import reduce

import pytest

from domain_sdk.extraction.pdf_hyphens import continued, with_hyphens


def read(*lines: str, elsewhere: str = "") -> str:
    return with_hyphens([elsewhere, reduce(continued, lines)])[1]


@pytest.mark.parametrize(("lines", "whole"), [
    (("grew year-on-", "year again"), "grew year-on-year again"), (("an inter-", "national one"), "an international one"),
    (("Anna-", "Maria"), "Anna-Maria"), (("10-", "year bonds"), "10-year bonds"), (("of 2019-", "2020"), "of 2019-2020"),
    (("a Q3-", "related"), "a Q3-related"), (("an EU-", "wide rule"), "an EU-wide rule"), (("Form 10-", "K"), "Form 10-K"),
    (("long- and short-", "term"), "long- and short-term"), (("for long-", "and short-term"), "for long- and short-term"),
    (("10-", "and 20-year"), "10- and 20-year"), (("docu\u00ad", "ment"), "document"), (("one -", "of two"), "one - of two"),
    (("https://a.example/one-", "two"), "https://a.example/one-two"), (("ada@my-", "mail.example"), "ada@my-mail.example"),
    (("inter-", "na-", "tional"), "international"), (("Ein-", "und Ausgabe"), "Ein- und Ausgabe"), (("a –", "b"), "a – b"),
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
