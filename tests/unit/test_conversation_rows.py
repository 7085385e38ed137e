"""What a row of a conversation says of the personal data in it, by which rows can be filtered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain_sdk._conversation_rows import turn_frame
from domain_sdk.conversations import Feedback, Turn
from mesh_core.answers.answer import Answer, Citation, Sentence, Span
from mesh_core.answers.wire import answer_from_wire, answer_to_wire

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def personal(*, question: str = "Who signs?", edit: str = "", tags: tuple[str, ...] = ()) -> str:
    cited = Citation(1, "a.b.pages", 1, "p1", "a.md", "A", "", None, Span(0, 9), "Zoe signs", tags=tags)
    answer = Answer("a-1", question, "", (Sentence("Zoe signs.", (1,)),), (cited,), (), (), 7, "extractive")
    sent = answer_from_wire(answer_to_wire(answer))
    turn = Turn(sent, NOW, "user:max", "", Feedback("", edit, "", NOW), 1)
    return str(turn_frame([turn])["personal"][0])


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({}, ""),
        ({"question": "May ana@example.org sign?"}, "pii.email"),
        ({"edit": "Dr. Ada Lovelace signs."}, "pii.name"),
        ({"tags": ("pii.name", "legal")}, "pii.name"),
        ({"tags": ("pii.iban",), "edit": "Ask Mr. Bo Brown, bo@example.org."}, "pii.email pii.iban pii.name"),
    ],
)
def test_a_row_names_what_is_found_in_it_and_what_the_passages_it_rests_on_hold(said: dict[str, str], kinds: str) -> None:
    assert personal(**said) == kinds  # type: ignore[arg-type]  # one of them is tags
