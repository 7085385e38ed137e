"""The shadow check: every n-th decision of a running server is asked of stock casbin too, in the background.

Owns sampling, the bounded queue and the comparison. Never delays a decision: what there is no room for is not checked, and the
thread rests nine times as long as it works. Knows nothing of who asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from governance_server.policy.casbin_slice import relevant_rows
from governance_server.policy.engine import Decision, Request
from governance_server.policy.indexed_engine import IndexedEngine

__all__ = ["ShadowCheck"]

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 4
_RESTS_PER_WORK = 9
_LONGEST_REST_SECONDS = 30.0
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05


class ShadowCheck:
    """Holds one in `every` decisions against `casbin.Enforcer`; a difference is an ERROR in the log and counted."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.checked = 0
        self.different = 0
        self._seen = 0
        self._waiting: deque[tuple[IndexedEngine, Request, Decision]] = deque()
        self._arrived = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def saw(self, engine: IndexedEngine, request: Request, decision: Decision) -> None:
        """A decision was made; it may be checked later, over the very rows that it was made on."""
        self._seen += 1
        if self._seen % self.every or len(self._waiting) >= _MOST_WAITING:
            return
        frozen = engine.fork()
        if frozen.revision != decision.revision:
            return  # a change came between: those rows are gone
        self._waiting.append((frozen, request, decision))
        self._arrived.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="shadow-check", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                begin = time.monotonic()
                self.check(*self._waiting.popleft())
                time.sleep(min((time.monotonic() - begin) * _RESTS_PER_WORK, _LONGEST_REST_SECONDS))

    def check(self, engine: IndexedEngine, request: Request, decision: Decision) -> None:
        """The decision is held against stock casbin, now."""
        try:
            found = _compared(engine, request, decision)
        except Exception as error:  # noqa: BLE001 (no failure of the check may end it; it is one more thing to look at)
            found = [f"check failed: {type(error).__name__}"]
            _LOG.error("policy.shadow_failed error=%s", type(error).__name__, exc_info=error)
        self.checked += 1
        if found:
            self.different += 1
            _LOG.error(
                "policy.shadow_mismatch principal=%s action=%s resource=%s purpose=%s time=%s revision=%d differs=%s",
                request.sub, request.act, request.obj, request.purpose, request.now, decision.revision, ",".join(found),
            )  # fmt: skip


def _compared(engine: IndexedEngine, request: Request, decision: Decision) -> list[str]:
    """The differences. Casbin parses, which CPython 3.11 may fail at while another thread parses too: then once more."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return list(_differences(engine, request, decision))
        except SystemError:
            time.sleep(_PAUSE_SECONDS)
    return list(_differences(engine, request, decision))


def _differences(engine: IndexedEngine, request: Request, decision: Decision) -> Iterable[str]:
    from governance_server.policy.casbin_engine import CasbinEngine

    rules, links = relevant_rows(engine.rows(), request)
    stock = CasbinEngine()
    stock.load(rules, links, revision=decision.revision)
    if stock.decide(request) != decision:
        yield "decision"
    if stock.matching("p2", request) != engine.matching("p2", request):
        yield "masks"
    if stock.matching("p3", request) != engine.matching("p3", request):
        yield "filters"
