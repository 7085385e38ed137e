"""Tickets for uploads to a local warehouse: paths of the server's own HTTP door, each good for one file, its bytes and an hour.

As with a bucket's signed request, whoever holds one can put exactly these bytes and nothing else. Owns what a ticket says and
whether it is genuine; the bytes are the door's matter. The key is the one of tokens, the text begins as no token's does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from governance_server.keyring import TOKENS, Keyring, UnknownKey
from governance_server.rules.errors import AccessDenied
from governance_server.warehouse.folder import Upload

__all__ = ["PATH", "UploadTicket", "UploadTickets"]

PATH = "/uploads"
_PREFIX = b"mesh-upload\0"


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """What may be put where: file `name` of `port` (the last part of its name) of an open publication, of these bytes."""

    publication: str
    port: str
    name: str
    size: int
    sha256: bytes
    expires: int
    """Seconds since 1970, UTC."""

    def signed_text(self) -> bytes:
        """What the signature covers; no two tickets have the same."""
        parts = (self.publication, self.port, self.name, str(self.size), self.sha256.hex(), str(self.expires))
        return _PREFIX + b"\0".join(part.encode() for part in parts)


class UploadTickets:
    """Signs tickets and checks them."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self.port = 0
        """Of the HTTP door; known once that is bound."""

    def sign(
        self, publication: str, port: str, name: str, *, size: int, sha256: bytes, now: datetime, valid_for: timedelta
    ) -> Upload:
        """The request that puts these bytes; its URL begins with the door's port, for the host that the server is reached by."""
        ticket = UploadTicket(publication, port, name, size, sha256, int((now + valid_for).timestamp()))
        key, mac = self._keys.hmac(TOKENS, ticket.signed_text())
        said = {"size": size, "sha256": sha256.hex(), "expires": ticket.expires, "key": key, "signature": mac.hex()}
        path = "/".join(quote(part, safe="") for part in (publication, port, name))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        return Upload(f":{self.port}{PATH}/{path}?{urlencode(said)}", headers)

    def check(self, place: Mapping[str, str], said: Mapping[str, str], now: datetime) -> UploadTicket:
        """The ticket, if we signed it and its time is not over. Raises: AccessDenied.

        Args:
            place: `publication`, `port` and `name`, as the path has them.
            said: The query.
            now: Aware.
        """
        try:
            sha256, mac = bytes.fromhex(said["sha256"]), bytes.fromhex(said["signature"])
            size, expires = int(said["size"]), int(said["expires"])
            ticket = UploadTicket(place["publication"], place["port"], place["name"], size, sha256, expires)
            is_ours = self._keys.check_hmac(TOKENS, said["key"], ticket.signed_text(), mac)
        except (KeyError, ValueError, UnknownKey):
            is_ours = False
        if not is_ours or now.timestamp() >= ticket.expires:
            raise AccessDenied("This upload was not asked for, or its time is over: ask for it again.")
        return ticket
