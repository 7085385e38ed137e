"""Answers that are kept: whose they are, what of them is stored, and how they go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domainmesh.v1 import answer_pb2
from governance_server.asking.records import is_about, keep, kept_answer, sent_answer, summary_of
from governance_server.rules.errors import NotFound
from governance_server.storage.answers import delete_answers, find_answer, forget_answers
from governance_server.storage.engine import Database, open_database
from governance_server.storage.times import to_microseconds
from mesh_core.answers.answer import Answer, Citation, Figure, Sentence, Span, UsedPort

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SECRET = "Refunds above 1,000 euro need a second signature."


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/mesh.db")
    yield opened
    opened.close()


def backend_of(database: Database) -> Any:
    return SimpleNamespace(database=database, now=lambda: NOW)


def answer(id: str, question: str = "Who signs?") -> Answer:
    citation = Citation(1, "policy.handbook.pages", 3, "p1", "refunds.md", "Refunds", "Limits", None, Span(10, 60), SECRET)
    figure = Figure(2, "SELECT 1", "one", ("n",), (("4711.25",),), (UsedPort("sales.orders.orders", 2, ("n",)),))
    sentences = (Sentence(SECRET, (1,), Span(10, 59)), Sentence("In its own words.", (1, 2)))
    return Answer(id, question, "", sentences, (citation,), (figure,), figure.ports, 7, "m-1")


def sealed(digest: str) -> str:
    return f"s-{digest}"


def kept(database: Database, *answers: Answer, principal: str = "user:ana") -> list[answer_pb2.Answer]:
    sent = [sent_answer(backend_of(database), it) for it in answers]
    for it in sent:
        keep(backend_of(database), principal, it)
    return sent


def test_an_answer_is_kept_for_who_asked_and_nobody_else(database: Database) -> None:
    kept(database, answer("a-1"))
    assert kept_answer(backend_of(database), "user:ana", "a-1").question == "Who signs?"
    with pytest.raises(NotFound) as others:
        kept_answer(backend_of(database), "user:bob", "a-1")
    with pytest.raises(NotFound) as absent:
        kept_answer(backend_of(database), "user:bob", "a-2")
    assert others.value.message.replace("a-1", "") == absent.value.message.replace("a-2", "")


def test_texts_of_passages_and_values_of_figures_are_not_kept(database: Database) -> None:
    (sent,) = kept(database, answer("a-1"))
    body = find_answer(database, "a-1", "user:ana")
    assert body is not None
    assert SECRET.encode() not in body
    assert b"4711.25" not in body
    assert b"In its own words." in body
    again = answer_pb2.Answer.FromString(body)
    assert again.citations[0].digest == sent.citations[0].digest == answer("a-1").citations[0].digest
    assert again.figures[0].digest == answer("a-1").figures[0].digest


def test_the_closest_passages_of_an_answer_are_kept_and_told_without_their_text(database: Database) -> None:
    cited = answer("a-1")
    declined = replace(cited, sentences=(), citations=(), figures=(), closest=cited.citations)
    (sent,) = kept(database, declined)
    body = find_answer(database, "a-1", "user:ana")
    assert body is not None
    assert SECRET.encode() not in body
    assert answer_pb2.Answer.FromString(body).closest[0].digest == cited.citations[0].digest
    assert [it.passage for it in summary_of(sent, sealed).passages] == ["p1"]
    assert is_about(lambda text: "refunds.md" in text)(body)


def test_the_audit_is_told_what_is_cited_and_no_text(database: Database) -> None:
    (sent,) = kept(database, answer("a-1"))
    told = summary_of(sent, sealed)
    assert [(it.port, it.version, it.passage) for it in told.passages] == [("policy.handbook.pages", 3, "p1")]
    assert [list(it.ports) for it in told.figures] == [["sales.orders.orders"]]
    assert (told.passages[0].digest, told.figures[0].digest) == (f"s-{sent.citations[0].digest}", f"s-{sent.figures[0].digest}")
    assert "signature" not in str(told)
    assert "Who signs" not in str(told)


def test_answers_go_by_age(database: Database) -> None:
    kept(database, answer("a-1"))
    assert delete_answers(database, to_microseconds(NOW)) == 0
    assert delete_answers(database, to_microseconds(NOW) + 1) == 1
    assert find_answer(database, "a-1", "user:ana") is None


def test_answers_that_speak_of_an_erased_person_go(database: Database) -> None:
    kept(database, answer("a-1"), answer("a-2", "What does Zerlina owe?"), answer("a-3"))
    told = sent_answer(backend_of(database), answer("a-4"))
    told.recommendation.findings.add(rule="Money goes back.", because="The customer is Zerlina.")
    keep(backend_of(database), "user:ana", told)
    assert forget_answers(database, is_about(lambda text: "Zerlina" in text)) == 2
    left = [id for id in ("a-1", "a-2", "a-3", "a-4") if find_answer(database, id, "user:ana") is not None]
    assert left == ["a-1", "a-3"]
