"""What a call must be to be served: of a known caller, within its quota, and at a server that has seen what the caller has seen.

Knows nothing of gRPC but that a call carries metadata.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from governance_server.authentication import Authenticator
from governance_server.caller import Caller, set_caller
from governance_server.quotas import Quotas
from governance_server.rules import errors
from governance_server.sparing_pool import arrival, standing_aside
from governance_server.storage.engine import Database

__all__ = ["Admission", "Metadata"]

_REVISION_WAIT_SECONDS = 2.0
_MOST_REVISION_WAITS = 2

Metadata = Mapping[str, str | bytes]
"""What a call carries beside its request."""


class Admission:
    """Lets calls in. Any thread may use it."""

    def __init__(self, database: Database, authenticator: Authenticator, quotas: Quotas) -> None:
        self._database = database
        self._authenticator = authenticator
        self._quotas = quotas
        self._revision_waits = threading.BoundedSemaphore(_MOST_REVISION_WAITS)

    def admit(self, metadata: Metadata, call_id: str) -> None:
        """Returns once the caller is known and its revision reached. Raises: Unauthenticated, RevisionNotReached."""
        caller = self.authenticate(metadata, call_id, since=arrival())
        self._quotas.take_call(caller.name)
        wanted = str(metadata.get("mesh-min-revision", "0"))
        if not wanted.isdecimal() or len(wanted) > 19:
            raise errors.Invalid("mesh-min-revision is not a number: send the mesh-revision of an earlier response.")
        if caller.revision < int(wanted) and self._wait_for(int(wanted)):
            self.authenticate(metadata, call_id)  # what was waited for may have ended this token

    def authenticate(self, metadata: Metadata, call_id: str, *, since: float | None = None) -> Caller:
        """The caller, also of this thread, is the one whose token the call carries; `since` as there. Raises: Unauthenticated."""
        caller = self._authenticator.authenticate(str(metadata.get("authorization", "")), call_id=call_id, since=since)
        set_caller(caller)
        return caller

    def _wait_for(self, revision: int) -> bool:
        """True if it had to wait. Few may, as each holds a thread. Raises: RevisionNotReached."""
        if self._database.revision() >= revision:
            return False
        may_wait = self._revision_waits.acquire(blocking=False)
        try:
            deadline = time.monotonic() + (_REVISION_WAIT_SECONDS if may_wait else 0)
            with standing_aside():
                while self._database.revision() < revision:
                    if time.monotonic() >= deadline:
                        raise errors.RevisionNotReached(f"Revision {revision} is not here yet: try again, or ask another server.")
                    time.sleep(0.01)
            return True
        finally:
            if may_wait:
                self._revision_waits.release()
