"""Tickets for governed files: a URL that is worth something only while its holder's token is valid and its plan unchanged.

Owns what the gateway remembers of files it announced. Every request for one is decided anew (design §6): the token is
authenticated
again and the plan compared; a ticket is an address, not a right.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from governance_server.authentication import Authenticator
from governance_server.caller import Caller
from governance_server.rules.errors import GovernanceError

if TYPE_CHECKING:
    from governance_server.gateway.governed_files import FileSet

__all__ = ["Tickets"]

_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    authorization: str
    files: dict[str, Path]
    is_current: Callable[[Caller], bool]


class Tickets:
    """Issues tickets and resolves them, in memory; the oldest are forgotten beyond 10,000."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.base_url = ""
        self._authenticator = authenticator
        self._lock = threading.Lock()
        self._tickets: OrderedDict[str, _Ticket] = OrderedDict()

    def issue(self, authorization: str, files: FileSet, is_current: Callable[[Caller], bool]) -> list[str]:
        """One URL for each file, in order."""
        secret = secrets.token_urlsafe(32)
        ticket = _Ticket(authorization, {file.name: file.path for file in files.files}, is_current)
        with self._lock:
            self._tickets[secret] = ticket
            while len(self._tickets) > _LIMIT:
                self._tickets.popitem(last=False)
        return [f"{self.base_url}/files/{secret}/{file.name}" for file in files.files]

    def resolve(self, secret: str, name: str) -> Path | None:
        """Where the file lies, if the ticket's holder may still have it; None for every other reason."""
        with self._lock:
            ticket = self._tickets.get(secret)
        if ticket is None or name not in ticket.files:
            return None
        try:
            caller = self._authenticator.authenticate(ticket.authorization, call_id="file")
            return ticket.files[name] if ticket.is_current(caller) else None
        except GovernanceError:
            return None
