"""Personal data in text: numbers and addresses that standards and regulators publish as examples, and near misses of each."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.pii import find_personal_data
from mesh_core.pii.checksums import is_card_number, is_iban

FOUND = {
    "IBAN of the registry": ("pay to GB82 WEST 1234 5698 7654 32 today", "pii.iban", "GB82 WEST 1234 5698 7654 32"),
    "IBAN without spaces": ("DE89370400440532013000.", "pii.iban", "DE89370400440532013000"),
    "IBAN before capitals": ("FR14 2004 1010 0505 0001 3M02 606 AND MORE", "pii.iban", "FR14 2004 1010 0505 0001 3M02 606"),
    "Visa's test number": ("card 4111 1111 1111 1111, thanks", "pii.card", "4111 1111 1111 1111"),
    "American Express": ("378282246310005", "pii.card", "378282246310005"),
    "mail": ("<ada.lovelace+x@mail.example.co.uk>", "pii.email", "ada.lovelace+x@mail.example.co.uk"),
    "mail at a sentence's end": ("Write to ada@example.org.", "pii.email", "ada@example.org"),
    "mail in another script": ("почта@пример.рф", "pii.email", "почта@пример.рф"),
    "Japanese around a mail": ("連絡先：tanaka@example.jp。", "pii.email", "tanaka@example.jp"),
    "social security number": ("SSN 078-05-1120", "pii.national_id", "078-05-1120"),
    "labelled without separators": ("social security number: 078051120", "pii.national_id", "078051120"),
    "international telephone": ("ring +49 30 901820 now", "pii.phone", "+49 30 901820"),
    "telephone with a trunk zero": ("+44 (0)20 7946 0958", "pii.phone", "+44 (0)20 7946 0958"),
    "American telephone": ("(202) 456-1111 is open", "pii.phone", "(202) 456-1111"),
    "labelled telephone": ("Tel. 030 901820", "pii.phone", "030 901820"),
    "address of a host": ("from 192.0.2.17 at noon", "pii.ip", "192.0.2.17"),
    "address of a host, version 6": ("2001:db8::8a2e:370:7334", "pii.ip", "2001:db8::8a2e:370:7334"),
    "IBAN with spaces that do not break": (
        "IBAN DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000.",
        "pii.iban",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
    ),
    "card with hyphens of typographers": ("4111\u20111111\u20111111\u20111111", "pii.card", "4111\u20111111\u20111111\u20111111"),
    "card in wide digits": ("\uff14" + "\uff11" * 15, "pii.card", "\uff14" + "\uff11" * 15),
    "mail with invisible characters": ("ada\u200b@corp.ex\u00adample!", "pii.email", "ada\u200b@corp.ex\u00adample"),
    "IBAN over the end of a full line": (
        "The advance is to be paid back to the account DE89 3704 0044\n0532 0130 00 in May.",
        "pii.iban",
        "DE89 3704 0044\n0532 0130 00",
    ),
    "passport": ("Passport No. L01X00T47", "pii.passport", "L01X00T47"),
    "birth": ("born on 10 December 1815 in London", "pii.birth_date", "10 December 1815"),
}  # fmt: skip

NOT_FOUND = {
    "IBAN with a wrong check digit": "GB82 WEST 1234 5698 7654 33",
    "IBAN of a wrong length": "GB82 WEST 1234 5698 7654 3",
    "card with a wrong check digit": "4111 1111 1111 1112",
    "a number inside a longer one": "x4111111111111111, 41111111111111110000000000",
    "one digit many times": "0000000000000000",
    "handles and decorators": "@property and me@ and @example.org and a@b",
    "social security number that is never given": "000-12-3456 and 666-12-3456 and 900-12-3456",
    "amounts and years": "$ 4,231,116 in 2019-2020, 1,234.56 (12,345) 2018 2017 2016 35,355 24,390",
    "dates": "2024-01-31 31.01.2024 01/31/2024 2024-01-31T10:20:30Z",
    "versions": "10.2.3 and 1.2.3.4.5 and 300.1.1.1",
    "times": "12:30:45 and 00:00:00.123 --> 00:00:05.000",
    "a serial number": "serial 978-3-16-148410-0, order 123-45-678",
    "short lines of figures": "4111 1111\n1111 1111\n",
    "a hash": "d41d8cd98f00b204e9800998ecf8427e",
}


@pytest.mark.parametrize("case", FOUND)
def test_personal_data_is_found_where_it_stands(case: str) -> None:
    text, tag, value = FOUND[case]
    assert [(it.tag, text[it.start : it.end]) for it in find_personal_data(text)] == [(tag, value)]


@pytest.mark.parametrize("case", NOT_FOUND)
def test_what_only_resembles_it_is_left_alone(case: str) -> None:
    assert find_personal_data(NOT_FOUND[case]) == []


@given(st.text(st.characters(categories=["L", "N", "P", "Z"]), max_size=200), st.sampled_from(sorted(FOUND)))
def test_findings_lie_in_the_text_in_order_and_apart(around: str, case: str) -> None:
    text = f"{around} {FOUND[case][0]} {around}"
    found = find_personal_data(text)
    assert all(0 <= it.start < it.end <= len(text) for it in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


@given(st.integers(0, 10**16 - 1), st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_is_never_a_card_or_an_iban(number: int, place: int, change: int) -> None:
    for text, is_valid in ((f"4{number:015d}"[:16], is_card_number), (f"DE{number:020d}"[:22], is_iban)):
        at = len(text) - 1 - place
        other = f"{text[:at]}{(int(text[at]) + change) % 10}{text[at + 1 :]}" if text[at].isdigit() else text
        assert not (other != text and is_valid(text) and is_valid(other))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "1 " * 150_000,
        "a@" * 150_000,
        "1." * 150_000,
        "::" * 150_000,
        "(" * 300_000,
        "+1" * 150_000,
        "e" + "\u0300\u0316" * 300_000,
    ],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    begin = time.process_time()
    find_personal_data(text)
    assert time.process_time() - begin < 5
