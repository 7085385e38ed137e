"""How the stream keeps an event: its bytes as received behind the name of who sent it, both under the stream's chain."""

from __future__ import annotations

__all__ = ["read_stored", "stored_form"]

_MARK = b"\x01"


def stored_form(principal: str, body: bytes) -> bytes:
    """The bytes the stream keeps."""
    return _MARK + principal.encode() + b"\n" + body


def read_stored(stored: bytes) -> tuple[str, bytes]:
    """Who sent it and the bytes as received; events of the mesh's own from before senders were kept have none."""
    if not stored.startswith(_MARK):
        return "", stored
    principal, _, body = stored[1:].partition(b"\n")
    return principal.decode(), body
