from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_server.journal.command import Command, Outcome
from governance_server.journal.rebuild import rebuild
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database, open_database
from governance_server.storage.resources import Selection
from tests.integration.journal_databases import postgres_url, running_journal, sqlite_url, writing

KINDS = ("grant", "product")
NAMES = ("finance", "finance.a", "finance.b", "sales.a", "user:ana")
State = dict[tuple[str, str], bytes]
Writes = dict[tuple[str, str], bytes | None]

KEYS = st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES))
HISTORIES = st.lists(st.dictionaries(KEYS, st.none() | st.binary(max_size=4), min_size=1, max_size=4), max_size=14)


@contextmanager
def empty_database(kind: str) -> Iterator[Database]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        database = open_database(sqlite_url(folder) if kind == "sqlite" else stack.enter_context(postgres_url()))
        yield database
        database.close()


def replay(history: list[Writes]) -> list[State]:
    """The state after each revision, by the plainest means: index 0 is the empty one."""
    states: list[State] = [{}]
    for writes in history:
        state = {**states[-1]}
        for key, body in writes.items():
            state.pop(key, None)
            if body is not None:
                state[key] = body
        states.append(state)
    return states


def live_rows(database: Database) -> list[tuple]:
    return sorted(map(tuple, database.reader().execute("SELECT * FROM resource").fetchall()), key=lambda row: row[:3])


@settings(max_examples=40, deadline=None)
@given(HISTORIES)
def test_the_rebuilt_tables_are_the_live_ones_and_every_past_is_the_naive_replay(history: list[Writes]) -> None:
    with empty_database("sqlite") as database, running_journal(database) as journal:
        for writes in history:
            journal.submit(writing(*((*key, body) for key, body in writes.items())))
        report = rebuild(database)
        assert (report.changes, report.differences, report.swapped) == (len(history), (), False)
        before = live_rows(database)
        connection = database.driver.connect()
        connection.execute("DELETE FROM resource")
        connection.close()
        rebuild(database, swap=True)
        assert live_rows(database) == before
        check_every_past(Catalog(database), replay(history))


def check_every_past(catalog: Catalog, states: list[State]) -> None:
    for revision, state in enumerate(states):
        for kind in KINDS:
            expected = sorted((name, body) for (of, name), body in state.items() if of == kind)
            assert catalog.list(kind, as_of=revision) == expected
            assert catalog.snapshot(revision).select(kind, Selection()) == expected
            assert [catalog.get(kind, name, as_of=revision) for name in NAMES] == [state.get((kind, name)) for name in NAMES]
    for kind in KINDS:
        assert catalog.list(kind) == catalog.list(kind, as_of=len(states) - 1)
        assert [catalog.get(kind, name) for name in NAMES] == [states[-1].get((kind, name)) for name in NAMES]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_history_with_an_erased_payload_is_rebuilt_without_it(kind: str) -> None:
    with empty_database(kind) as database, running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"0"), ("grant", "finance.b", b"0")))
        journal.submit(writing(("grant", "finance.a", b"secret"), ("grant", "finance.b", None), ("product", "finance", b"")))
        journal.submit(writing(("grant", "finance.a", None), ("product", "finance", b"p")))
        journal.submit(
            Command(
                "user:dpo", "", b"", lambda transaction: Outcome("erased", "2", (ResourceWrite("note", "n", b""),), b"", (2,))
            )
        )
        before = live_rows(database)
        assert journal.verify(deep=True).ok
        report = rebuild(database, swap=True)
        assert (report.changes, report.differences, report.rows) == (4, (), len(before))
        assert live_rows(database) == before
        told: list[int] = []
        rebuild(database, progress=told.append)
        assert told == [4]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_comparison_leaves_writers_undisturbed(kind: str) -> None:
    with empty_database(kind) as database, running_journal(database) as journal:
        journal.submit(writing(("grant", "finance.a", b"0")))
        report = rebuild(database, progress=lambda folded: journal.submit(writing(("grant", "finance.a", b"1"))) and None)
        assert (report.changes, report.differences, database.head().revision) == (1, (), 2)
