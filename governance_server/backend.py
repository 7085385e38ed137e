"""What every service works with: settings, journal, catalog, policy, clock and ids; and the few steps all of them share.

A service parses, hands a command to `submit`, and answers. The command authorises and decides on the writer thread, under
the locked
head (ADR 0001, decision 2), so no permission can be revoked between the check and the write.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import principal_pb2
from domainmesh.v1.decision_log_pb2 import DecisionKind
from governance_server.audit.decision_log import DecisionLog
from governance_server.audit.recording import Recording
from governance_server.caller import Caller, current_caller
from governance_server.config import Settings
from governance_server.journal.command import Command, Outcome, Receipt, Transaction
from governance_server.journal.feed import read_changes
from governance_server.journal.journal import Journal
from governance_server.keyring import Keyring
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid, NotFound, Unauthenticated
from governance_server.rules.listings import POSITION
from governance_server.rules.token_chain import find_chain
from governance_server.sparing_pool import standing_aside
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database

__all__ = ["Backend", "Page", "Reader", "read", "stamp", "store"]

_M = TypeVar("_M", bound=Message)
_DEFAULT_PAGE, _MAX_PAGE = 50, 500

Reader = Catalog | Transaction


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: what to skip to and how much to take."""

    after: str
    size: int

    @classmethod
    def of(cls, size: int, token: str) -> Page:
        """The page a request asks for. Raises: Invalid."""
        if size < 0:
            raise Invalid(f"page_size is {size}: use 0 (for {_DEFAULT_PAGE}) to {_MAX_PAGE}.")
        try:
            after = base64.urlsafe_b64decode(token.encode()).decode() if token else ""
        except (binascii.Error, UnicodeDecodeError, UnicodeEncodeError):
            raise Invalid("page_token is not one this server gave out: leave it empty to start anew.") from None
        return cls(after=after, size=min(size or _DEFAULT_PAGE, _MAX_PAGE))

    @property
    def position(self) -> int:
        """The number the token stands for, 0 without one. Raises: Invalid."""
        if self.after and not (self.after.isascii() and self.after.isdecimal() and len(self.after) < 19):
            raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
        return int(self.after or "0")

    @property
    def place(self) -> str:
        """The place in a list sorted by time that the token stands for, empty without one. Raises: Invalid."""
        if self.after and not POSITION.match(self.after):
            raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
        return self.after

    @staticmethod
    def token(after: str) -> str:
        """The token that goes on after this name."""
        return base64.urlsafe_b64encode(after.encode()).decode()


@dataclass(frozen=True)
class Backend:
    """The wired parts of one server process."""

    settings: Settings
    database: Database
    catalog: Catalog
    journal: Journal
    policy: PolicyProjection
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    keys: Keyring
    log: DecisionLog

    def recording(
        self, kind: DecisionKind.ValueType, *, action: str = "read", resource: str, purpose: str = "", subject: str = ""
    ) -> Recording:
        """The record of the current call: it gives data, so it ends well only once that is durable."""
        return Recording(self.log, current_caller(), kind, action=action, resource=resource, purpose=purpose, subject=subject)

    def answering(
        self, kind: DecisionKind.ValueType, *, action: str = "read", resource: str = "", purpose: str = "", subject: str = ""
    ) -> Recording:
        """The record of the current call, which answers a question about rights: it is durable soon after."""
        return Recording(
            self.log, current_caller(), kind, action=action, resource=resource, purpose=purpose, subject=subject, is_answer=True
        )

    def submit(self, request: Message, request_id: str, run: Callable[[Transaction, Caller], Outcome]) -> Receipt:
        """The receipt of a command of the current caller, once durable. Raises: GovernanceError and the journal's errors."""
        caller = current_caller()
        digest = hashlib.sha256(type(request).__name__.encode() + b"\0" + request.SerializeToString(deterministic=True)).digest()

        def decide(tx: Transaction) -> Outcome:
            _check_still_calls(tx, caller)
            return run(tx, caller)

        return self.journal.submit(Command(principal=caller.name, request_id=request_id, request_digest=digest, run=decide))

    def journal_as(self, principal: str, run: Callable[[Transaction], Outcome]) -> Receipt:
        """The receipt of a step the server takes by itself in the name of the principal who began the work."""
        return self.journal.submit(Command(principal=principal, request_id="", request_digest=b"", run=run))

    def policy_at(self, as_of: int) -> PolicyProjection:
        """The policy as of a revision, 0 for the live one; validity is judged at that revision's own time. Raises: Invalid."""
        if not as_of:
            return self.policy
        head = self.database.head().revision
        if as_of > head:
            raise Invalid(f"as_of is {as_of}, the newest revision is {head}: ask for a revision that exists.")
        with standing_aside():  # it may have to be read, which takes long
            policy = _policy_at(self.database, as_of)
            policy.read()
        return policy


def _check_still_calls(tx: Transaction, caller: Caller) -> None:
    """Returns unless the caller was disabled or its token ended while its command waited. Raises: Unauthenticated."""
    known = principal_pb2.Principal.FromString(tx.get(kinds.PRINCIPAL, caller.name) or b"")
    chain = find_chain(tx.get, caller.token) if caller.token else None
    if known.is_disabled or (caller.token and (chain is None or not chain.is_valid(tx.time))):
        raise Unauthenticated("The token of this call ended while it was served: log in again with `mesh login`.")


@lru_cache(maxsize=4)
def _policy_at(database: Database, as_of: int) -> PolicyProjection:
    changes = read_changes(database.reader(), as_of - 1, 1)
    time = changes[0].time
    return PolicyProjection(database, now=lambda: time, as_of=as_of)


def read(source: Reader, kind: str, name: str, message: type[_M]) -> _M:
    """The resource's current state. Raises: NotFound; check permission first, so that existence does not leak."""
    body = source.get(kind, name)
    if body is None:
        raise NotFound(
            f"There is no {kind.replace('_', ' ')} {name!r}: check the spelling, or list what there is.", resource=name
        )
    return message.FromString(body)


def store(kind: str, name: str, message: Message) -> ResourceWrite:
    """The write that makes this the resource's state; deterministic bytes."""
    return ResourceWrite(kind, name, message.SerializeToString(deterministic=True))


def stamp(time: datetime, *, plus: timedelta = timedelta()) -> Timestamp:
    """The time as a message."""
    result = Timestamp()
    result.FromDatetime(time + plus)
    return result
