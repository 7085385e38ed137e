"""A question to many collections of a store that does not answer: it is waited for once, and what was found is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from governance_server.asking.evidence import Evidence
from governance_server.rules.errors import Precondition, Unavailable

NAMES = ("a.b.c", "a.b.d", "a.b.e")


@pytest.mark.parametrize(("patience", "asked"), [(-1.0, 1), (10.0, 3)], ids=["it kept us waiting", "it failed at once"])
@pytest.mark.parametrize("first", ["fails", "answers"])
def test_a_store_that_does_not_answer_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, patience: float, asked: int, first: str
) -> None:
    seen: list[str] = []

    def passages(self: Evidence, shelf: Any, query: str, *, limit: int) -> list[Any]:
        seen.append(shelf.port.name)
        if first == "answers" and len(seen) == 1:
            return ["a passage"]
        raise Unavailable(f"{shelf.port.name} does not answer.")

    monkeypatch.setattr(Evidence, "passages", passages)
    monkeypatch.setattr("governance_server.asking.evidence._PATIENCE_SECONDS", patience)
    shelves = [SimpleNamespace(port=SimpleNamespace(name=name)) for name in NAMES]
    evidence = Evidence(cast(Any, None), cast(Any, None), cast(Any, SimpleNamespace(collections=shelves)))
    if first == "fails":
        with pytest.raises(Unavailable, match="does not answer"):
            evidence.search("when?")
        assert len(seen) == asked
        return
    assert evidence.search("when?") == cast(Any, ["a passage"])
    assert len(seen) == min(asked + 1, 3)
    other = "One more collection was not searched for the same reason: ask later." if patience < 0 else "a.b.e does not answer."
    assert evidence.notices == ["a.b.d does not answer.", other]


def test_what_is_wrong_with_one_collection_keeps_no_other_from_being_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def passages(self: Evidence, shelf: Any, query: str, *, limit: int) -> list[Any]:
        if shelf.port.name == NAMES[0]:
            raise Precondition("a.b.c has lost passages.")
        return [shelf.port.name]

    monkeypatch.setattr(Evidence, "passages", passages)
    monkeypatch.setattr("governance_server.asking.evidence._PATIENCE_SECONDS", -1.0)
    shelves = [SimpleNamespace(port=SimpleNamespace(name=name)) for name in NAMES]
    evidence = Evidence(cast(Any, None), cast(Any, None), cast(Any, SimpleNamespace(collections=shelves)))
    assert evidence.search("when?") == cast(Any, list(NAMES[1:]))
    assert evidence.notices == ["a.b.c has lost passages."]
