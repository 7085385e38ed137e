"""Writing many rows with few statements.

Each statement gives up the interpreter's lock once for every step of the database. A writer beside busy threads then waits for
its turn after each row, so rows go many to a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from governance_server.storage.drivers import Connection

__all__ = ["put_rows"]

_AT_ONCE = (32, 8, 1)
"""Only so many texts of one statement, as both databases keep the plans of those they have met."""


def put_rows(connection: Connection, insert: str, rows: Sequence[Sequence[Any]], *, otherwise: str = "") -> None:
    """All rows are written.

    Args:
        connection: Where to.
        insert: `INSERT INTO table (columns)`.
        rows: As many values each as there are columns; no two of one key.
        otherwise: What follows the values: `ON CONFLICT …`.
    """
    start = 0
    for size in _AT_ONCE:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            values = [value for row in part for value in row]
            connection.execute(_statement(insert, len(part[0]), size, otherwise), values)
            start += size


@cache
def _statement(insert: str, width: int, size: int, otherwise: str) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{insert} VALUES {', '.join([row] * size)} {otherwise}".rstrip()
