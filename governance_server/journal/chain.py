"""The hash chain: what exactly a change's hash covers.

Owns the canonical bytes of a chain link. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["GENESIS", "Link", "link_hash"]

GENESIS = bytes(32)
"""The `previous_hash` of revision 1, and the hash of an empty journal."""

_LABEL = b"domainmesh.change.v1\x00"


@dataclass(frozen=True, slots=True)
class Link:
    """The fields of a change that its hash covers; the body is covered through its digest, so that it can be erased."""

    revision: int
    time_us: int
    principal: str
    request_id: str
    kind: str
    subject: str
    previous_hash: bytes
    body_digest: bytes


def link_hash(link: Link) -> bytes:
    """The SHA-256 of the link's canonical bytes, 32 bytes.

    They are: a label naming the format, the previous hash, revision and time as 8-byte big-endian integers, the four texts in
    UTF-8, the body's digest; hashes and texts each behind a 4-byte length. No two links share their canonical bytes.
    """
    parts = [_LABEL, _framed(link.previous_hash), link.revision.to_bytes(8, "big"), link.time_us.to_bytes(8, "big", signed=True)]
    texts = (link.principal, link.request_id, link.kind, link.subject)
    parts += [_framed(text.encode("utf-8", "surrogateescape")) for text in texts]
    parts.append(_framed(link.body_digest))
    return hashlib.sha256(b"".join(parts)).digest()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
