"""The policy as a fold of the journal: caught up with its head at every question, and ahead of it inside the writer's own group.

Owns when which state of the policy answers whom. Knows nothing of what is asked.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from threading import get_ident

from governance_server.policy.facts import Facts, follow_up, replace_resource
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.pending import Pending, can_follow
from governance_server.policy.view import View
from governance_server.rules import kinds, policy_facts
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.policy_rows import Link, PolicyDelta, Rule
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database
from governance_server.storage.resources import Selection

__all__ = ["LivePolicy"]


class LivePolicy:
    """The policy at the journal's head, or at one fixed revision. Implements `journal.following.Follower`."""

    def __init__(self, database: Database, *, as_of: int | None) -> None:
        self._database = database
        self._catalog = Catalog(database)
        self._as_of = as_of
        self._lock = threading.RLock()
        self._is_pinned = False
        self._is_fixed = False
        self._pinning_thread: int | None = None
        self._live = View()
        self._pending: Pending | None = None

    @property
    def _view(self) -> View:
        """What this thread's questions are answered from: the writer's include what its open group has written."""
        pending = self._pending
        return pending.view if pending is not None and pending.thread == get_ident() else self._live

    @property
    def _is_ahead(self) -> bool:
        """True on the writer's thread while its group has written policy that is not committed."""
        return self._view is not self._live

    @property
    def _engine(self) -> IndexedEngine:
        return self._view.engine

    @property
    def _facts(self) -> Facts:
        return self._view.facts

    @contextmanager
    def pinned(self, since: int | None = None) -> Iterator[int]:
        """Within the block this thread's answers all come from one revision; other threads wait.

        That is the newest one, or if `since` is given any that is not older: a head that was seen after the question arrived.
        It is given the revision at which the policy last changed: the same as long as nothing that counts here is written.
        """
        with self._lock:
            if since is None or self._as_of is not None or self._live.revision < 0 or self._live.engine.revision < since:
                self._catch_up()
            before = self._is_pinned, self._pinning_thread
            self._is_pinned, self._pinning_thread = True, get_ident()
            try:
                yield self._view.revision
            finally:
                self._is_pinned, self._pinning_thread = before

    @property
    def revision(self) -> int:
        """The revision answers reflect, after catching up."""
        with self._lock:
            self._catch_up()
            return self._engine.revision

    def read(self) -> None:
        """What the next answer needs is in memory."""
        with self._lock:
            self._catch_up()

    def follow(self, writes: Sequence[ResourceWrite], revision: int) -> bool:
        """This thread's questions are answered with the writes of its open group; see `journal.following.Follower`.

        Raises:
            ValueError: No decision could rest on the writes; they are not followed.
        """
        counting = [write for write in writes if write.kind in kinds.POLICY_KINDS]
        if not can_follow(counting):
            return False
        if counting:
            if self._pending is None:
                with self._lock:
                    self._catch_up()
                    self._pending = Pending(self._live)
            self._pending.follow(counting, revision)
        return True

    def end_group(self, *, is_committed: bool) -> None:
        """The group's writes are in force for everybody if they are committed, and for nobody if not."""
        pending, self._pending = self._pending, None
        if pending is None or not is_committed or not self._lock.acquire(blocking=False):
            return  # committed or not: whoever asks next reads what is in the journal
        try:
            if self._live is pending.base and self._live.revision == pending.base_revision:
                self._live = pending.view.settle()
        finally:
            self._lock.release()

    def _current_engine(self) -> IndexedEngine:
        """The caught-up engine. While nothing is written nobody waits for anybody: its states never change."""
        live = self._live
        if self._is_fixed or self._pinning_thread == get_ident():
            return self._engine
        if live.revision >= 0 and self._as_of is None and not self._is_ahead:
            engine = live.engine
            if engine.revision == self._database.revision():
                return engine
        with self._lock:
            self._catch_up()
            return self._engine

    def _catch_up(self) -> None:
        if self._is_pinned or self._is_ahead:  # nobody else can write while this thread's group is open
            return
        live = self._live
        if self._as_of is not None:
            if live.revision < 0:
                self._load(self._as_of)
            return
        if live.revision >= 0 and self._database.revision() == live.engine.revision:
            return  # nothing at all was written since
        newest, head = self._database.heads(kinds.POLICY_KINDS)
        if live.revision >= head:
            if newest > live.engine.revision:  # nothing that counts here was written since: the same policy, at a later revision
                live.engine.apply(PolicyDelta(), revision=newest)
            return
        if live.revision < 0 or not self._follow():
            self._load(None)

    def _load(self, as_of: int | None) -> None:
        """Everything is read anew at one revision."""
        snapshot = self._catalog.snapshot(as_of)
        facts = Facts()
        for kind in sorted(kinds.POLICY_KINDS):
            for name, body in snapshot.select(kind, Selection()):
                replace_resource(facts, kind, name, body)
        follow_up(facts)
        rows = [*policy_facts.BASE_ROWS, *chain.from_iterable(facts.rows.values())]
        engine = IndexedEngine()
        rules, links = ([row for row in rows if isinstance(row, kind)] for kind in (Rule, Link))
        engine.load(rules, links, revision=snapshot.revision)  # type: ignore[arg-type]  # sorted by their kind above
        self._live = View(engine, facts, snapshot.revision)
        if as_of is None:
            gc.freeze()  # the policy lives as long as the process: walking it at every collection is what slow decisions were

    def _follow(self) -> bool:
        """True once the changes since the last revision are applied; False if they must be read anew."""
        from governance_server.journal.feed import read_changes

        head = self._database.head().revision
        changes = read_changes(self._database.reader(), self._live.revision, 1000, None)
        if not changes or changes[-1].revision < head or any(change.body is None for change in changes):
            return False
        writes = [write for change in changes for write in change.writes if write.kind in kinds.POLICY_KINDS]
        self._live.revision = -1  # half changed it is worth nothing: should this fail, all is read anew
        self._live.change(writes, revision=changes[-1].revision)
        return True
