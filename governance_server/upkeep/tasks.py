"""The upkeep that happens by itself: one product a round, each once in so many hours, where a setting asks for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from governance_server.backend import Backend
from governance_server.maintenance import Task
from governance_server.rules.errors import Conflict, Overloaded
from governance_server.upkeep.old_turns import OldTurns
from governance_server.upkeep.upkeep import Upkeep
from governance_server.warehouse.errors import VersionConflict

__all__ = ["ErasureCounts", "OldTurnRounds", "UpkeepRounds", "upkeep_tasks"]

_LOG = logging.getLogger(__name__)
_OLD_TURN_SECONDS = 300.0
"""From one product of conversations to the next."""


class UpkeepRounds:
    """Maintains one product each time it is run, until all had their turn; none again within `every_seconds`.

    What it remembers is lost when the server ends; a product is then maintained once more, which is harmless.
    """

    def __init__(
        self, backend: Backend, upkeep: Upkeep, *, every_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._upkeep = upkeep
        self._every = every_seconds
        self._clock = clock
        self._last: dict[str, float] = {}

    def run(self) -> None:
        """The first product that is due is maintained. Raises: what maintaining raises; the next run takes the next one."""
        now = self._clock()
        for product in sorted(self._backend.policy.facts().products):
            if now - self._last.get(product, -self._every) >= self._every:
                self._last[product] = now
                self._maintain(product)
                return

    def _maintain(self, product: str) -> None:
        try:
            done = self._upkeep.maintain(product)
        except (Conflict, Overloaded, VersionConflict):
            _LOG.info("upkeep put off product=%s: it is being published", product)
            return
        removed = sum(port.count for port in done.vacuumed)
        _LOG.info(
            "upkeep done product=%s retired=%d compacted=%d removed=%d",
            product, len(done.retired_versions), len(done.compacted), removed,
        )  # fmt: skip


class OldTurnRounds:
    """Removes the turns of one product whose time is over, each time it is run, in turns."""

    def __init__(self, old_turns: OldTurns) -> None:
        self._old_turns = old_turns
        self._last = ""

    def run(self) -> None:
        """The product that follows has none left. Raises: what removing raises; the next run takes the next one."""
        products = self._old_turns.products()
        following = [it for it in products if it > self._last] or products
        if not following:
            return
        self._last = following[0]
        try:
            removed = self._old_turns.remove(self._last)
        except (Conflict, Overloaded, VersionConflict):
            _LOG.info("old turns put off product=%s: it is being published", self._last)
            return
        if removed:
            _LOG.info("old turns removed product=%s count=%d", self._last, removed)


class ErasureCounts:
    """Has what erasures that broke off took from collections counted."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    def run(self) -> None:
        """None is left but of products that somebody works on. Raises: what counting raises; the next run begins again."""
        for product in self._upkeep.erased.products():
            try:
                with self._upkeep.alone(product):
                    self._upkeep.erased.count(product)
            except (Conflict, Overloaded, VersionConflict):
                _LOG.info("count after erasure put off product=%s: it is being published or erased", product)


def upkeep_tasks(backend: Backend, upkeep: Upkeep, old_turns: OldTurns) -> list[Task]:
    """What the maintenance loop does for the upkeep: what contracts of conversations promise always, all else by the setting."""
    hours = backend.settings.upkeep_hours
    rounds = [Task("upkeep", UpkeepRounds(backend, upkeep, every_seconds=hours * 3600.0).run)] if hours else []
    turns = Task("old_turns", OldTurnRounds(old_turns).run, every_seconds=_OLD_TURN_SECONDS)
    return [*rounds, turns, Task("erasure_counts", ErasureCounts(upkeep).run)]
