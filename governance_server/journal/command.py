"""Commands: what services hand to the journal, and what they get back.

Owns the shape of a command, of its outcome and of the receipt, and the view a command has of the locked head
(ADR 0001, decision 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from governance_server.rules.apply import ResourceWrite
from governance_server.storage.drivers import Connection
from governance_server.storage.resources import ResourceList, Selection, get_resource, list_resources

__all__ = ["Command", "Outcome", "Receipt", "Transaction"]


@dataclass(frozen=True, slots=True)
class Transaction:
    """The state a command decides on: everything committed, and what earlier commands of the same group have written.

    `revision` is the one this command's change will get, `time` the one it will carry (UTC).
    """

    connection: Connection
    revision: int
    time: datetime

    def get(self, kind: str, name: str) -> bytes | None:
        """The current stored message of one resource, or None."""
        return get_resource(self.connection, kind, name)

    def list(self, kind: str, *, domain: str | None = None, prefix: str | None = None) -> ResourceList:
        """Names and current stored messages of every such resource, by name in byte order."""
        return list_resources(self.connection, kind, Selection(domain=domain, prefix=prefix))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command decided. Without `writes` and `erases` nothing is journaled and only the reply is given.

    Args:
        kind: The change's kind (`grant.created`).
        subject: The resource the change is about.
        writes: The full new states; no resource twice.
        reply: The serialised reply, stored for a repetition of the request.
        erases: Earlier revisions whose payloads are replaced by a tombstone; none may hold a state that is still valid.
    """

    kind: str
    subject: str
    writes: tuple[ResourceWrite, ...]
    reply: bytes
    erases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A request to decide and append. `run` is called on the writer thread; it must not block, and raises to refuse.

    Args:
        principal: Who asks.
        request_id: The caller's id of the request; empty means it is never recognised again.
        request_digest: A digest of the request's content.
        run: Decides on the locked head. Called at most once.
    """

    principal: str
    request_id: str
    request_digest: bytes
    run: Callable[[Transaction], Outcome]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A command's durable result.

    Args:
        revision: Of the change; if none was journaled, the revision the command was decided at.
        time: Of the change or the decision, UTC.
        reply: The outcome's reply; on a repetition the stored one.
        replayed: True if the request had been answered before; the command did not run again.
    """

    revision: int
    time: datetime
    reply: bytes
    replayed: bool = False
