"""Leases: who alone may do something, until when.

Owns the `lease` table. A lease is no part of the journal: losing all of them loses nothing but time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from governance_server.storage.engine import Database
from governance_server.storage.times import to_microseconds

__all__ = ["Leases"]

_ACQUIRE = (
    "INSERT INTO lease (name, holder, expires_at_us) VALUES (?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at_us = excluded.expires_at_us "
    "WHERE lease.expires_at_us <= ? OR lease.holder = excluded.holder"
)
_RENEW = "UPDATE lease SET expires_at_us = ? WHERE name = ? AND holder = ? AND expires_at_us > ?"
_RELEASE = "DELETE FROM lease WHERE name = ? AND holder = ?"
_LEFT = "SELECT name FROM lease WHERE name LIKE ? ESCAPE '\\' ORDER BY name"
_HOLDER = "SELECT holder FROM lease WHERE name = ? AND expires_at_us > ?"


class Leases:
    """Leases of one database, shared by every process on it; their clocks must agree to well within a lease's time.

    No command of the journal may call it: it writes in a transaction of its own.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """True if `holder` now holds `name` for `ttl_seconds`: it was free or expired, or already its own."""
        now = self._now_us()
        with self._database.write() as connection:
            return connection.execute(_ACQUIRE, (name, holder, now + _microseconds(ttl_seconds), now)).rowcount == 1

    def renew(self, name: str, holder: str, ttl_seconds: float) -> bool:
        """True if `holder` still held `name` and now holds it for `ttl_seconds` more from now."""
        now = self._now_us()
        with self._database.write() as connection:
            return connection.execute(_RENEW, (now + _microseconds(ttl_seconds), name, holder, now)).rowcount == 1

    def release(self, name: str, holder: str) -> bool:
        """True if `holder` had `name`, expired or not; it is free now."""
        with self._database.write() as connection:
            return connection.execute(_RELEASE, (name, holder)).rowcount == 1

    def left(self, prefix: str) -> list[str]:
        """Names that begin so, were taken and never released, expired or not."""
        escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return [str(row[0]) for row in self._database.reader().execute(_LEFT, (f"{escaped}%",))]

    def holder(self, name: str) -> str | None:
        """Who holds `name` now, or None."""
        row = self._database.reader().execute(_HOLDER, (name, self._now_us())).fetchone()
        return None if row is None else str(row[0])

    def _now_us(self) -> int:
        return to_microseconds(self._clock())


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
