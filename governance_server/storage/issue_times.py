"""When the newest access token that was seen of each identity was issued.

Owns the `identity_issue` table. It is no part of the journal: it keeps an older token from saying what a newer one corrected.
"""

from __future__ import annotations

from datetime import datetime

from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.times import to_microseconds

__all__ = ["is_newest_issue", "note_issue"]

_NOTE = (
    "INSERT INTO identity_issue (identity, issued_at_us) VALUES (?, ?) "
    "ON CONFLICT (identity) DO UPDATE SET issued_at_us = excluded.issued_at_us "
    "WHERE identity_issue.issued_at_us < excluded.issued_at_us"
)
_NEWEST = "SELECT issued_at_us FROM identity_issue WHERE identity = ?"


def note_issue(database: Database, identity: str, issued_at: datetime) -> bool:
    """True if no newer token of the identity is known; this one is noted. No command of the journal may call it."""
    if is_newest_issue(database.reader(), identity, issued_at, is_known=True):
        return True  # noted before, by this token or one of the same moment
    with database.write() as connection:
        connection.execute(_NOTE, (identity, to_microseconds(issued_at)))
        return is_newest_issue(connection, identity, issued_at)


def is_newest_issue(connection: Connection, identity: str, issued_at: datetime, *, is_known: bool = False) -> bool:
    """True if no newer token of the identity is known; with `is_known`, only if one of this moment is."""
    row = connection.execute(_NEWEST, (identity,)).fetchone()
    if row is None:
        return not is_known
    return bool(row[0] == to_microseconds(issued_at)) if is_known else bool(row[0] <= to_microseconds(issued_at))
