"""Questions over texts that no rule of answers was chosen on, with the bundled model: what is said to others' documents.

Each answerable question has a twin about the same thing that the texts do not answer. Looked at only as counts: whoever mends a
rule chooses it on other questions, and finds here whether it holds. `pytest -s` shows the counts.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.answer_shelf import shelf_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HERE = Path(__file__).resolve().parent


def test_of_questions_over_other_texts_hardly_any_is_answered_wrongly_and_their_twins_are_declined() -> None:
    shelf = shelf_of(HERE / "answer_texts_aside")
    lines = [json.loads(line) for line in (HERE / "answer_questions_aside.jsonl").read_text().splitlines()]
    asked = Counter(_outcome(it["answer"], shelf.says(it["question"])) for it in lines if it["answer"])
    twins = Counter(_outcome("", shelf.says(it["question"])) for it in lines if not it["answer"])
    print(f"asked: {dict(asked)}; twins without an answer: {dict(twins)}")
    assert asked["right"] >= 0.3 * asked.total()
    assert asked["wrong"] <= 0.1 * asked.total()
    assert twins["wrong"] <= 0.15 * twins.total()


def _outcome(answer: str, said: str) -> str:
    if not said:
        return "declined"
    return "right" if answer and " ".join(answer.split()) in said else "wrong"
