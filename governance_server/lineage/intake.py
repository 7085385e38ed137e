"""Taking in events: durable before anybody is told so, many in one commit, and in the journal what they change of lineage.

Owns the queue of accepted events and the writer thread. An event is stored with its sender in the stream `openlineage`, folded
into its run in the same transaction, and marks what its job tells otherwise now; the journal is given that next. A crash between
the two loses nothing: the marks are found at the next start.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.journal.command import Command, Outcome, Transaction
from governance_server.lineage.folding import Folded, Folding, counting, read_lineage, resource_name
from governance_server.lineage.json_parts import Part
from governance_server.lineage.judging import AcceptedEvent, EventJudge
from governance_server.lineage.receipt import LineageReceipt, receipt_of
from governance_server.lineage.received import parse_event
from governance_server.lineage.stored import stored_form
from governance_server.lineage.taking import Answer, Taking, waited_for
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import GovernanceError, Overloaded, TooLarge, Unavailable
from governance_server.storage import lineage_runs as rows
from governance_server.storage.drivers import Connection
from governance_server.storage.events import EventLog

__all__ = ["STREAM", "LineageIntake", "take_all"]

STREAM = "openlineage"
_LOG = logging.getLogger(__name__)
_MOST_IN_GROUP, _GROUP_BYTES = 500, 32 << 20
_QUEUE_BYTES = 128 << 20
_MOST_DUE = 500
_RETRY_SECONDS = 2.0


def take_all(intake: LineageIntake, parts: Iterable[Part], caller: Caller) -> list[LineageReceipt | GovernanceError]:
    """For each event its receipt, once it is durable, or why it was refused; whoever sends many sends them so."""
    judged: list[AcceptedEvent | GovernanceError] = []
    for part in parts:
        try:
            judged.append(intake.judge(part, caller))
        except GovernanceError as error:
            judged.append(error)
    answers = iter(waited_for([it for it in judged if isinstance(it, AcceptedEvent)], intake.take))
    return [_expected(next(answers)) if isinstance(it, AcceptedEvent) else it for it in judged]


def _expected(answer: Answer) -> LineageReceipt | GovernanceError:
    if isinstance(answer, LineageReceipt | GovernanceError):
        return answer
    raise answer


class _Entry(NamedTuple):
    """A queued event, as it is stored, and where its receipt goes."""

    accepted: AcceptedEvent
    stored: bytes
    taking: Taking
    place: int

    def answer(self, answer: Answer) -> None:
        self.taking.answer(self.place, answer)


class LineageIntake:
    """Takes in events, one writer thread for any number of senders. Other processes may write to the same stream."""

    def __init__(self, backend: Backend, events: EventLog) -> None:
        self._backend = backend
        self._events = events
        self._judge = EventJudge(backend.policy)
        self._folding = Folding()
        self._queue: deque[_Entry] = deque()
        self._queued_bytes = 0
        self._filled = threading.Condition()
        self._is_closed = False
        self._connection: Connection | None = None
        self._done: list[rows.Due] = []
        self._left: set[rows.Due] = set(rows.list_due(backend.database.reader()))
        self._thread = threading.Thread(target=self._work, name="lineage-intake", daemon=True)
        self._thread.start()

    @property
    def most_bytes(self) -> int:
        """Longer events are refused."""
        return self._backend.settings.max_message_bytes

    def judge(self, part: Part, caller: Caller) -> AcceptedEvent:
        """The event, if it may be taken in.

        Raises:
            Invalid: It is no OpenLineage event.
            TooLarge: It is longer than messages may be.
            AccessDenied: Its job or an output is not the caller's.
        """
        if len(part.text) > self.most_bytes:
            raise TooLarge(f"An event of {len(part.text)} bytes: send at most {self.most_bytes} (MESH_MAX_MESSAGE_BYTES).")
        return self._judge.judge(parse_event(*part), caller)

    def take(self, taking: Taking) -> None:
        """The events are answered once they are durable, in one commit if that can be.

        The answer is Overloaded if too much waits already, Unavailable if the event could not be stored.
        """
        events = enumerate(taking.events)
        entries = [_Entry(it, stored_form(it.principal, it.event.body), taking, place) for place, it in events]
        with self._filled:
            for entry in entries:
                self._put(entry)
            self._filled.notify()

    def take_own(self, body: bytes, principal: str, domain: str) -> LineageReceipt:
        """The receipt of an event of the mesh itself, whose lineage the journal has already. Raises: Overloaded, Unavailable."""
        (answer,) = waited_for([AcceptedEvent(parse_event(body), principal, domain, tells=False)], self.take)
        if isinstance(answer, LineageReceipt):
            return answer
        raise answer

    def close(self) -> None:
        """Every event taken is durable, or its sender knows that it is not; the writer thread has ended."""
        with self._filled:
            self._is_closed = True
            self._filled.notify_all()
        self._thread.join()

    def _put(self, entry: _Entry) -> None:
        if self._is_closed:
            entry.answer(Unavailable("The server is shutting down: try another one."))
        elif self._queued_bytes + len(entry.stored) > max(_QUEUE_BYTES, self.most_bytes):
            entry.answer(Overloaded("Too many lineage events wait already: try again later."))
        else:
            self._queue.append(entry)
            self._queued_bytes += len(entry.stored)

    def _work(self) -> None:
        while True:
            entries = self._take()
            if entries:
                self._commit(entries)
            if self._left:
                self._journal_left()
            with self._filled:
                if self._is_closed and not self._queue:
                    break
        self._forget_done()
        self._drop_connection()

    def _take(self) -> list[_Entry]:
        """What is queued, as soon as something is; empty if closed, or when what is left is to be tried again."""
        with self._filled:
            while not self._queue and not self._is_closed:
                if not self._filled.wait(_RETRY_SECONDS if self._left else None) and self._left:
                    return []
            entries: list[_Entry] = []
            size = 0
            while self._queue and len(entries) < _MOST_IN_GROUP and (size < _GROUP_BYTES or not entries):
                entry = self._queue.popleft()
                entries.append(entry)
                size += len(entry.stored)
            self._queued_bytes -= size
        return entries

    def _commit(self, entries: Sequence[_Entry]) -> None:
        """All of them are durable and in the journal is what they change; or each is tried alone, and who fails is told."""
        try:
            first, folded = self._append(entries)
        except Exception as error:  # noqa: BLE001 (the writer outlives every failure; each sender gets it)
            self._folding.forget()
            self._drop_connection()
            if len(entries) > 1:
                for entry in entries:
                    self._commit([entry])
                return
            _LOG.error("lineage.append_failed error=%s", type(error).__name__, exc_info=error)
            failure = Unavailable("The event could not be stored, and nothing of it was: try again.")
            failure.__cause__ = error
            entries[0].answer(failure)
            return
        self._left |= self._folding.due
        self._folding.due.clear()
        self._journal_left()
        self._answer(entries, first, folded)

    def _append(self, entries: Sequence[_Entry]) -> tuple[int, list[Folded]]:
        if self._connection is None:
            self._connection = self._backend.database.connect()
        folded: list[Folded] = []

        def along(connection: Connection, first: int, _: int) -> None:
            rows.delete_due(connection, self._done)
            folded.extend(self._folding.fold(connection, first, [entry.accepted for entry in entries]))

        first = self._events.append_events([entry.stored for entry in entries], connection=self._connection, along=along)
        self._done.clear()
        return first, folded

    def _answer(self, entries: Sequence[_Entry], first: int, folded: Sequence[Folded]) -> None:
        """Each sender has its receipt; all are made before the first is told, as whoever wakes takes turns with this thread."""
        port_of = self._backend.policy.facts().observed.port_of
        made: list[tuple[_Entry, Answer]] = []
        for sequence, (entry, found) in enumerate(zip(entries, folded, strict=True), first):
            try:
                receipt = receipt_of(
                    entry.accepted, sequence, created=found.created, lineages=found.lineages, sources=found.sources,
                    port_of=port_of,
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 (it is stored: only what is told of it failed)
                _LOG.exception("lineage.receipt_failed sequence=%d", sequence)
                made.append((entry, error))
            else:
                made.append((entry, receipt))
        for entry, answer in made:
            entry.answer(answer)

    def _journal_left(self) -> None:
        """The journal has what is due; what it could not take is tried again later, and holds up nobody else's."""
        left = sorted(self._left, key=lambda due: (due.principal, due))
        for principal, group in groupby(left, key=lambda due: due.principal):
            dues = list(group)
            for start in range(0, len(dues), _MOST_DUE):
                part = dues[start : start + _MOST_DUE]
                try:
                    self._journal(principal, part)
                except Exception:  # noqa: BLE001 (the events are durable: this is repeated until it succeeds)
                    _LOG.exception("lineage.journal_failed principal=%s due=%d", principal, len(part))
                    break
                self._left.difference_update(part)
                self._done.extend(part)

    def _journal(self, principal: str, dues: Sequence[rows.Due]) -> None:
        found: list[tuple[rows.Due, list[rows.Told]]] = []

        def run(tx: Transaction) -> Outcome:
            writes: dict[str, ResourceWrite] = {}
            for due in dues:
                told = rows.told_of(tx.connection, due.namespace, due.job, due.target)
                found.append((due, told))
                writes.update((write.name, write) for write in _writes(tx, due, counting(told)))
            subject = dues[0].target if len(dues) == 1 else "lineage"
            return Outcome("lineage.observed", subject[:500], tuple(writes.values()), b"")

        self._backend.journal.submit(Command(principal=principal, request_id="", request_digest=b"", run=run))
        for due, told in found:
            self._folding.counted(due[:3], told)

    def _forget_done(self) -> None:
        """What the journal has is no longer due; if that fails, it is found to be there at the next start."""
        if not self._done:
            return
        try:
            with self._backend.database.write() as connection:
                rows.delete_due(connection, self._done)
        except Exception:  # noqa: BLE001  # the thread's end: whatever it was, nothing is lost by it
            _LOG.warning("lineage.due_kept due=%d", len(self._done), exc_info=True)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._backend.database.driver.errors):
                connection.close()


def _writes(tx: Transaction, due: rows.Due, digests: Sequence[str]) -> list[ResourceWrite]:
    """What makes the journal's lineage of the target by the job that of these digests."""
    prefix = resource_name(due)
    known = {name for name, _ in tx.list(kinds.OBSERVED_LINEAGE, prefix=prefix)}
    wanted = {f"{prefix}{digest}": digest for digest in digests}
    writes = [ResourceWrite(kinds.OBSERVED_LINEAGE, name, None) for name in sorted(known - wanted.keys())]
    for name in sorted(wanted.keys() - known):
        body = read_lineage(rows.read_evidence(tx.connection, wanted[name]), due, wanted[name])
        writes.append(ResourceWrite(kinds.OBSERVED_LINEAGE, name, body))
    return writes
