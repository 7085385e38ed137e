"""Changes as values, and the one pure function that turns a change into rows.

Owns `Change`, `ResourceWrite` and `apply`: the live write and the rebuild both go through it, so they cannot drift apart
(ADR 0001, decision 1). Knows nothing of SQL or of the hash chain, and of a resource's bytes only where lists find it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from governance_server.rules.listings import keys_of

__all__ = ["Change", "ResourceWrite", "RowWrite", "apply", "domain_of"]

_DOMAIN = re.compile(r"([a-z][a-z0-9_-]{0,62})(?:[./#]|\Z)")


@dataclass(frozen=True, slots=True)
class ResourceWrite:
    """The full new state of one resource; `body` is its serialised message, None means the resource is removed."""

    kind: str
    name: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the journal, as stored.

    `body` holds the exact stored bytes that `body_digest` (SHA-256) covers; None when it was erased, `writes` is then empty.
    `time` is UTC, in whole microseconds, never earlier than the previous change's.
    """

    revision: int
    time: datetime
    principal: str
    request_id: str
    kind: str
    subject: str
    previous_hash: bytes
    hash: bytes
    body_digest: bytes
    body: bytes | None
    writes: tuple[ResourceWrite, ...]


@dataclass(frozen=True, slots=True)
class RowWrite:
    """Closes the open row of (`kind`, `name`) at `revision`, if there is one; a `body` that is not None opens a new one.

    From then on lists find the resource under `keys` and no others.
    """

    kind: str
    name: str
    domain: str
    revision: int
    body: bytes | None
    keys: tuple[str, ...] = ()


def apply(change: Change) -> tuple[RowWrite, ...]:
    """The rows `change` writes, in its own order; the same for a live write and for a rebuild.

    Source: ADR 0001, decision 1.
    """
    return tuple(
        RowWrite(
            kind=write.kind,
            name=write.name,
            domain=domain_of(write.name),
            revision=change.revision,
            body=write.body,
            keys=keys_of(write.kind, write.body),
        )
        for write in change.writes
    )


def domain_of(name: str) -> str:
    """The domain a resource belongs to: its name up to the first of `.`, `/`, `#`; empty if that names none (`user:ana`)."""
    found = _DOMAIN.match(name)
    return found.group(1) if found else ""
