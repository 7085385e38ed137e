"""Rows that go many to a statement arrive as if they had gone one by one."""

from __future__ import annotations

import sqlite3

import pytest

from governance_server.storage.many_rows import put_rows


@pytest.mark.parametrize("count", [0, 1, 7, 8, 31, 33, 75])
def test_every_row_arrives_once_and_in_few_statements(count: int) -> None:
    connection, texts = sqlite3.connect(":memory:", isolation_level=None), []
    connection.execute("CREATE TABLE place (name TEXT PRIMARY KEY, height INTEGER)")
    connection.execute("INSERT INTO place VALUES ('p3', -1)")
    connection.set_trace_callback(texts.append)
    rows = [(f"p{number}", number) for number in range(count)]
    put_rows(
        connection,
        "INSERT INTO place (name, height)",
        rows,
        otherwise="ON CONFLICT (name) DO UPDATE SET height = excluded.height",
    )
    connection.set_trace_callback(None)
    expected = dict(rows) if count > 3 else {**dict(rows), "p3": -1}
    assert dict(connection.execute("SELECT name, height FROM place")) == expected
    assert len(texts) == count // 32 + count % 32 // 8 + count % 8
    connection.close()
