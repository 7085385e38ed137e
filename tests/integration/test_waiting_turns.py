"""Turns that wait to be collected, while people go on rating: each is given once, in the state that is collected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from governance_server.storage.engine import Database, open_database
from governance_server.storage.turns import KeptTurn, acknowledge_turns, insert_turn, rate_turn, waiting_turns
from tests.integration.journal_databases import sqlite_url

PRODUCT, ASKER = "desk.talks", "user:amy"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(sqlite_url(tmp_path))) as made:
        with made.write() as connection:
            for number in range(3):
                insert_turn(connection, KeptTurn(f"a-{number}", ASKER, "", b"", 0), product=PRODUCT, time_us=number)
        yield made


@pytest.mark.parametrize("page", [1, 2, 500])
def test_a_turn_that_is_rated_while_it_is_collected_is_given_once_and_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """A collection had two rows of one answer, and was refused by its contract."""
    monkeypatch.setattr("governance_server.storage.turns._PAGE", page)
    given = []
    for turn in waiting_turns(database, PRODUCT):
        given.append(turn)
        assert rate_turn(database, turn.answer_id, ASKER, lambda before: b"up") == b"up"
    assert [(it.answer_id, it.feedback) for it in given] == [("a-0", b""), ("a-1", b""), ("a-2", b"")]
    assert acknowledge_turns(database, PRODUCT, [(it.answer_id, it.position) for it in given]) == 3
    assert [it.feedback for it in waiting_turns(database, PRODUCT)] == [b"up"] * 3
