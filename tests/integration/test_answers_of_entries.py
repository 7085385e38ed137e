"""What codes, abbreviations and words mean, and what lists and tables say of a thing, with the bundled model.

Each question has a twin about the same thing, or one like it, of which the texts say nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.answer_shelf import Shelf, shelf_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RAILWAY = """# Handbook of the harbour railway

## Abbreviations

- **TSR** – temporary speed restriction
- **PN**: points normal
- **Shunt limit (SL)**: the board that no wagon may pass while wagons are sorted
- **Ballast** – the stones between the sleepers

## Signal codes

| Code | Says |
|---|---|
| H2 | bridge open |
| H6 | points frozen |
| H9 | track occupied |

## Staff

| Name | Office | Desk |
|---|---|---|
| Edda Falk | Stationmaster | 4 |
| Ruben Maas | Head of signals | 11 |

A dispatcher is on duty day and night. The workshop repairs wagons until 18:00.
"""
LAUNDRY = """# The laundry of the dormitory

## Programmes

| Programme | Price | Time | Heat |
|---|---|---|---|
| Wool | 3 euro | 35 minutes | 30 degrees |
| Linen | 4 euro | 90 minutes | 60 degrees |
| Rinse | 1 euro | 12 minutes | cold |

## Lamps

- Amber: the filter is full
- Violet: the door is locked

Coins of 2 euro are taken, notes are not. The key hangs with the porter.
"""
ASKED = {
    "What does TSR mean?": "temporary speed restriction",
    "What does PN stand for?": "points normal",
    "What is a shunt limit?": "no wagon may pass",
    "What is ballast?": "stones between",
    "What does H6 mean?": "points frozen",
    "What is signal code H9?": "track occupied",
    "Who is the stationmaster?": "Edda Falk",
    "Who is the head of signals?": "Ruben Maas",
    "How much is wool?": "3 euro",
    "What does linen cost?": "4 euro",
    "How long does rinse take?": "12 minutes",
    "What does violet mean?": "door is locked",
}
TWINS = (
    "What does TSO mean?",
    "What does PR stand for?",
    "What is a speed limit board?",
    "Who pays for ballast?",
    "What does H7 mean?",
    "What does H6 cost?",
    "Who is the stationmaster's deputy?",
    "Who is the head of the workshop?",
    "How much is silk?",
    "What does a lost key cost?",
    "How long does spinning take?",
    "What does green mean?",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder: Path = tmp_path_factory.mktemp("entries")
    (folder / "railway.md").write_text(RAILWAY)
    (folder / "laundry.md").write_text(LAUNDRY)
    return shelf_of(folder)


def test_the_entry_of_what_is_asked_is_told(shelf: Shelf) -> None:
    told = {question: shelf.says(question) for question in ASKED}
    right = [question for question, answer in ASKED.items() if answer in told[question]]
    assert len(right) >= len(ASKED) - 1, told


def test_what_has_no_entry_is_declined(shelf: Shelf) -> None:
    wrong = {question: text for question in TWINS if (text := shelf.says(question))}
    assert len(wrong) <= 0.1 * len(TWINS), wrong
