"""The language of a document is told by its sentences; where there are none, nothing is said."""

from __future__ import annotations

import pytest

from domain_sdk._document_entities import language_of

SENTENCES = {
    "en": "The advance is paid before the trip and settled within a month of the return.",
    "de": "Der Vorschuss wird vor der Reise gezahlt.",
    "sv": "Förskottet betalas före resan och regleras inom en månad efter återkomsten.",
    "fr": "L'avance est versée avant le voyage.",
    "nl": "Het voorschot wordt voor de reis betaald.",
    "ru": "Аванс выплачивается до поездки и закрывается через месяц.",
    "hi": "यात्रा से पहले अग्रिम भुगतान किया जाता है और वापसी पर निपटाया जाता है।",
    "th": "เงินล่วงหน้าจะจ่ายก่อนการเดินทาง และชำระภายในหนึ่งเดือน",
    "ja": "前払金は出張の前に支払われます。",
    "zh": "预付款在旅行前支付，并在返回后一个月内结清。",
    "ar": "تدفع السلفة قبل الرحلة وتسوى خلال شهر.",
    "he": "המקדמה משולמת לפני הנסיעה ומוסדרת תוך חודש",
}
NAMES = "| Manager | City |\n| --- | --- |\n| Anna Lindqvist | Göteborg |\n| Erik Svensson | Malmö |\n| Lars Berg | Åre |\n"


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_tells_its_language(code: str) -> None:
    assert language_of(SENTENCES[code]) == code


@pytest.mark.parametrize(
    "text",
    [
        NAMES,
        "Anna Lindqvist, Erik Svensson, Lars Berg: Hooli AB, Stockholm",
        "| Item | Cost | Q1 |\n| --- | --- | --- |\n| Laptop | 1200 | Oslo |\n| Desk | 300 | Bern |\n| Stol | 30 | Kiel |",
        "SKU ABX KLM TRN VPN ERP BOM",
        "ana@example.org bo@example.org https://example.org/a/b c:/temp/x.txt",
        "Order form",
        "123 456",
        "",
    ],
)
def test_names_codes_and_tables_tell_none(text: str) -> None:
    assert language_of(text) == ""


def test_names_in_a_table_do_not_outweigh_the_sentence_beside_it() -> None:
    assert language_of(f"# Översikt\n\n{NAMES * 5}\n\n{SENTENCES['en']}") == "en"
