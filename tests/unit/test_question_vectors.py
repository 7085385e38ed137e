"""An asker's question is embedded once for all collections, also while that is not done; a failure is not remembered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from governance_server.vector_access import VectorAccess
from mesh_core.embedding import EmbedderUnavailable, Vectors


class _Embedder:
    model, dimensions = "slow", 2

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_go_on, self.fails = Event(), False

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        self.may_go_on.wait(10)
        if self.fails:
            raise EmbedderUnavailable("out of order")
        return np.array([[3, 4]], dtype=np.float32)


def test_a_question_is_embedded_once_and_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = _Embedder()
    monkeypatch.setattr("mesh_core.embedding.open_embedder", lambda name, **settings: embedder)
    with closing(VectorAccess(f"lancedb://{tmp_path}", "slow", api_key=None)) as vectors:
        promises = [vectors.question_vector("what?") for _ in range(3)]
        assert not any(it.done() for it in promises)
        embedder.may_go_on.set()
        assert [it.result() for it in promises] == [[3.0, 4.0]] * 3
        assert embedder.asked == ["what?"]
        embedder.fails = True
        with pytest.raises(EmbedderUnavailable):
            vectors.question_vector("why?").result()
        embedder.fails = False
        assert vectors.question_vector("why?").result() == [3.0, 4.0]


def test_nobody_is_answered_sooner_as_somebody_else_has_asked_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = _Embedder()
    embedder.may_go_on.set()
    monkeypatch.setattr("mesh_core.embedding.open_embedder", lambda name, **settings: embedder)
    with closing(VectorAccess(f"lancedb://{tmp_path}", "slow", api_key=None)) as vectors:
        for asker in ("user:ana", "user:bob", "user:ana"):
            vectors.question_vector("what?", asker=asker).result()
    assert embedder.asked == ["what?", "what?"]


class _Timely(_Embedder):
    def __init__(self) -> None:
        super().__init__()
        self.given: list[float] = []
        self.may_go_on.set()

    def embed_within(self, texts: Sequence[str], seconds: float) -> Vectors:
        self.given.append(seconds)
        return self.embed(texts)


def test_a_question_is_given_less_time_than_a_client_waits_and_passages_all_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder, given = _Timely(), dict[str, object]()
    monkeypatch.setattr("mesh_core.embedding.open_embedder", lambda name, **settings: given.update(settings) or embedder)
    with closing(VectorAccess("lancedb:///none", "slow", api_key=None)) as vectors:
        vectors.embedder.embed(["a passage"])
        assert (embedder.given, given.get("timeout_seconds")) == ([], None)
        vectors.question_vector("what?").result()
    assert len(embedder.given) == 1
    assert 19 < embedder.given[0] <= 20


def test_a_question_whose_vector_does_not_come_fails_in_time_also_behind_others(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = _Embedder()
    monkeypatch.setattr("mesh_core.embedding.open_embedder", lambda name, **settings: embedder)
    monkeypatch.setattr("governance_server.vector_access._PROMISE_SECONDS", 0.3, raising=False)
    with closing(VectorAccess("lancedb:///none", "weaviate://host", api_key=None)) as vectors:
        promises = [vectors.question_vector(f"what of {number}?") for number in range(12)]
        for promise in promises:
            with pytest.raises(EmbedderUnavailable, match=r"no vector was made within 0\.3 s"):
                promise.result(2)
        embedder.may_go_on.set()
        assert vectors.question_vector("what of 0?").result(2) == [3.0, 4.0]
    assert len(embedder.asked) == 9
