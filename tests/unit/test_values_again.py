"""A value that was found is found again however it is written: in capitals, in part, with other accents."""

from __future__ import annotations

import pytest

from mesh_core.pii import find_personal_data
from mesh_core.pii.masking import PersonalValues, masked
from mesh_core.pii.people import find_labelled_people

FIVE = f"{', '.join(['[names of people]'] * 5)}."


def hidden(text: str) -> str:
    found = [*find_personal_data(text), *find_labelled_people(text)]
    return masked(text, [*found, *PersonalValues(text, found).again_in(text)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dear Ms. Zerlina Quackenbush: the QUACKENBUSH case, the Quackenbushs, QUACKENBUSHS too.",
            "Dear Ms. [names of people]: the [names of people] case, the [names of people], [names of people] too.",
        ),
        ("Dear Mr. Jürgen Müller: MÜLLER, Mueller, MUELLER, Muller, Müllers.", "Dear Mr. [names of people]: " + FIVE),
        ("Dear Mr. Will May, you may and will pay.", "Dear Mr. [names of people], you may and will pay."),
        (
            "IBAN DE89 3704 0044 0532 0130 00, account 370400440532013000 or 0532013000, not 9532013000.",
            "IBAN [IBANs], account [IBANs] or [IBANs], not 9532013000.",
        ),
        (
            "Call +49 30 901820 or 030 901820 or (030) 90-18-20; item 4901820.",
            "Call [telephone numbers] or [telephone numbers] or [telephone numbers]; item 4901820.",
        ),
        ("Card 4111 1111 1111 1111, ending 1111.", "Card [payment card numbers], ending 1111."),
    ],
)  # fmt: skip
def test_a_value_is_hidden_wherever_it_stands_again(text: str, expected: str) -> None:
    assert hidden(text) == expected
