"""The change feed: committed changes in order.

Owns reading changes back as values. Used by watchers, the audit log and the rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance_server.journal.body import decode_body
from governance_server.rules.apply import Change
from governance_server.storage.drivers import Connection, Row
from governance_server.storage.times import from_microseconds

__all__ = ["first_revision_since", "read_changes"]

_SELECT = (
    "SELECT c.revision, c.time_us, c.principal, c.request_id, c.kind, c.subject, c.previous_hash, c.hash, c.body_digest, p.body "
    "FROM change c LEFT JOIN payload p ON p.revision = c.revision "
)
_ALL = _SELECT + "WHERE c.revision > ? ORDER BY c.revision LIMIT ?"
_ONE_KIND = (
    "SELECT * FROM (SELECT revision FROM change_kind WHERE kind = ? AND revision > ? ORDER BY revision LIMIT ?) AS k{number}"
)


def read_changes(connection: Connection, after: int, limit: int, kinds: Iterable[str] | None = None) -> list[Change]:
    """The changes after revision `after`, oldest first, at most `limit`; with `kinds` only those that wrote such a resource."""
    if kinds is None:
        return [_change(row) for row in connection.execute(_ALL, (after, limit))]
    wanted = tuple(dict.fromkeys(kinds))
    if not wanted:
        return []
    union = " UNION ".join(_ONE_KIND.format(number=number) for number in range(len(wanted)))
    sql = f"{_SELECT}WHERE c.revision IN ({union}) ORDER BY c.revision LIMIT ?"
    parameters = [value for kind in wanted for value in (kind, after, limit)]
    return [_change(row) for row in connection.execute(sql, (*parameters, limit))]


def _change(row: Row) -> Change:
    revision, time_us, principal, request_id, kind, subject, previous_hash, digest, body_digest, body = row
    return Change(
        revision=revision,
        time=from_microseconds(time_us),
        principal=principal,
        request_id=request_id,
        kind=kind,
        subject=subject,
        previous_hash=previous_hash,
        hash=digest,
        body_digest=body_digest,
        body=body,
        writes=() if body is None else decode_body(body),
    )


def first_revision_since(connection: Connection, time_us: int, head: int) -> int:
    """The first revision of that time (microseconds) or later; head + 1 if there is none. Times never fall along the journal."""
    low, high = 1, head + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute("SELECT time_us FROM change WHERE revision = ?", (middle,)).fetchone()
        if row is not None and row[0] < time_us:
            low = middle + 1
        else:
            high = middle
    return low
