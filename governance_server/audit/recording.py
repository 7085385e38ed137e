"""One call on its way into the decision log: what it asked, what was decided, what left the server, and how it ended.

Owns when a record must be durable: before the data it tells of leaves, or at the latest before the call ends well (ADR 0013).
A record may overstate what the caller received, never understate it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, TypeVar

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.audit.decision_log import DecisionLog
from governance_server.caller import Caller
from governance_server.rules.errors import AccessDenied, GovernanceError
from governance_server.rules.read_plans import ReadPlan
from governance_server.storage.times import to_microseconds

if TYPE_CHECKING:
    import pyarrow as pa

    from domainmesh.v1.decision_service_pb2 import CheckManyRequest

__all__ = ["Question", "Recording", "cut_name", "deliver_all"]

Part = TypeVar("Part", bound=Sized)
"""A part of an answer; its length is its size in bytes."""

_NAME_BYTES = 256
_DIGEST_CHARACTERS = 32
_QUESTION_BYTES = 8 << 10
_HELD_ROWS, _HELD_BYTES = 100_000, 4 << 20
"""What is below both is held back until it is complete: one record is enough for it, and nothing of it leaves before."""


Question = tuple[str, str, str, str]
"""Principal (empty for the caller), action, resource, purpose."""


class Recording:
    """The record of one call, written when the block ends; the block's outcome counts only once that is durable.

    Args:
        log: Where it goes.
        caller: Who asks.
        kind: What for.
        action: The action that is decided on.
        resource: On what.
        purpose: The purpose stated.
        subject: About whom, if about somebody else.
        is_answer: True if no data is given: its record follows within milliseconds, nobody waits for it unless it is refused.
    """

    def __init__(
        self,
        log: DecisionLog,
        caller: Caller,
        kind: pb.DecisionKind.ValueType,
        *,
        action: str = "read",
        resource: str = "",
        purpose: str = "",
        subject: str = "",
        is_answer: bool = False,
    ) -> None:
        self._log = log
        self._is_answer = is_answer
        self._started = time.perf_counter()
        self._ended = False
        self._beginning: Future[int] | None = None
        self.record = pb.DecisionRecord(
            call_id=caller.call_id, kind=kind, principal=caller.name, action=cut_name(action), resource=cut_name(resource),
            purpose=cut_name(purpose), subject="" if subject == caller.name else cut_name(subject),
        )  # fmt: skip
        seconds, microseconds = divmod(to_microseconds(log.clock()), 1_000_000)
        self.record.decide_time.seconds, self.record.decide_time.nanos = seconds, microseconds * 1000

    def decided(self, plan: ReadPlan, *, version: int = 0, columns: Iterable[str] | None = None) -> None:
        """The read is allowed, of these columns (all of the plan's if None)."""
        shown = {column.name: column for column in plan.columns}
        wanted = list(shown) if columns is None else [name for name in dict.fromkeys(columns) if name in shown]
        record = self.record
        record.is_allowed = True
        record.version, record.revision = version, plan.revision
        record.columns[:] = wanted
        record.masked_columns[:] = [name for name in wanted if not shown[name].is_clear]
        record.rules[:] = sorted({reason.rule for reason in plan.reasons if reason.rule})

    def answered(self, is_allowed: bool, *, rules: Iterable[str] = (), revision: int = 0) -> None:
        """The question has this answer."""
        self.record.is_allowed, self.record.revision = is_allowed, revision
        self.record.rules[:] = sorted({rule for rule in rules if rule})

    def answered_many(
        self,
        request: CheckManyRequest,
        questions: Sequence[Question],
        allowed: Sequence[bool],
        *,
        revision: int,
        rules: Iterable[str],
    ) -> None:
        """The questions, those of the request in its order, have these answers; allowed if every one is."""
        self.answered(all(allowed), rules=rules, revision=revision)
        summary = self.record.checks
        summary.allowed, summary.denied = sum(allowed), len(allowed) - sum(allowed)
        summary.digest = hashlib.sha256(request.SerializeToString(deterministic=True) + bytes(allowed)).digest()
        for wanted in (False, True):
            distinct = dict.fromkeys(compress(questions, allowed if wanted else map(not_, allowed)))
            listed = _listed(distinct)
            summary.questions.extend(listed)
            summary.left_out += len(distinct) - len(listed)
            if not wanted:
                summary.denied_questions = len(listed)

    def concluded(self, answer: pb.AnswerSummary, *, revision: int) -> None:
        """The question in words has this answer."""
        self.answered(True, revision=revision)
        self.record.answer.CopyFrom(answer)
        self.record.rows = len(answer.passages) + len(answer.figures)

    def served(self, rows: int, size: int) -> None:
        """So many more rows and bytes are given."""
        self.record.rows += rows
        self.record.bytes += size

    def counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, their rows counted as served."""
        for batch in batches:
            self.record.rows += batch.num_rows
            yield batch

    def deliver(self, parts: Iterator[Part], *, is_current: Callable[[], None]) -> Iterator[Part]:
        """The parts; none leaves before a record of it is durable: the whole of a small answer, or that a large one begins.

        `is_current` is asked before each part leaves; what it raises ends the delivery.
        """
        return deliver_all([self], parts, is_current=is_current)

    def __enter__(self) -> Recording:
        """The recording itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """The call's end is recorded. Raises: Unavailable, if it cannot be."""
        if isinstance(error, GeneratorExit):
            if not self._ended and self._has_begun:
                self._end(pb.DECISION_END_CANCELLED)
        elif isinstance(error, AccessDenied):
            is_cut = self._has_begun or self._ended
            self.record.reason = error.reason
            if not is_cut:
                self.record.is_allowed = False
            self._end(pb.DECISION_END_REVOKED if is_cut else pb.DECISION_END_DENIED, is_answer=False)
        elif isinstance(error, Exception):
            if isinstance(error, GovernanceError):
                self.record.reason = error.reason
            self._end(pb.DECISION_END_FAILED)
        elif error is None and not self._ended:
            self._end(pb.DECISION_END_COMPLETE if self.record.is_allowed else pb.DECISION_END_DENIED)

    @property
    def is_large(self) -> bool:
        """True if it is too much to hold back until it is complete."""
        return self.record.rows >= _HELD_ROWS or self.record.bytes >= _HELD_BYTES

    def begin(self) -> None:
        """A record that data begins to leave is durable. Raises: Unavailable."""
        self.begin_ahead()
        self._await_beginning()

    def begin_ahead(self) -> None:
        """A record that data begins to leave is on its way, while the data is sought; the call ends only once it is durable."""
        if self._beginning is not None:
            return
        begun = pb.DecisionRecord()
        begun.CopyFrom(self.record)
        begun.end = pb.DECISION_END_BEGUN
        begun.rows = begun.bytes = 0
        self._beginning = self._log.submit(begun)

    def complete(self) -> None:
        """A record that everything was given is durable."""
        self._end(pb.DECISION_END_COMPLETE)

    def _end(self, end: pb.DecisionEnd.ValueType, *, is_answer: bool | None = None) -> None:
        self.record.was_begun = self._has_begun or self._ended
        self.record.end = end
        self.record.duration_microseconds = round((time.perf_counter() - self._started) * 1e6)
        self._ended = True
        if self._has_begun:
            self._await_beginning()
            self._log.write_end(self.record)
        elif self._is_answer if is_answer is None else is_answer:
            self._log.note(self.record)
        else:
            self._log.write(self.record)

    @property
    def _has_begun(self) -> bool:
        return self._beginning is not None

    def _await_beginning(self) -> None:
        if self._beginning is not None:
            self._beginning.result()


def deliver_all(recordings: Sequence[Recording], parts: Iterator[Part], *, is_current: Callable[[], None]) -> Iterator[Part]:
    """The parts, made of what every one of the recordings is about; as `Recording.deliver`."""
    held: list[Part] = []
    for part in parts:
        held.append(part)
        _count(recordings, part)
        if not recordings or any(it.is_large for it in recordings):
            for it in recordings:
                it.begin()
            break
    else:
        for it in recordings:
            it.complete()
    for part in held:
        is_current()
        yield part
    for part in parts:
        _count(recordings, part)
        is_current()
        yield part


def _count(recordings: Sequence[Recording], part: Sized) -> None:
    for it in recordings:
        it.served(0, len(part))


def _listed(questions: Iterable[Question]) -> list[str]:
    """The questions in words, as many as there is room for."""
    listed: list[str] = []
    room = _QUESTION_BYTES
    for principal, action, resource, purpose in questions:
        words = f"{action} {resource} ({purpose})" if purpose else f"{action} {resource}"
        words = cut_name(f"{words} for {principal}" if principal else words)
        room -= len(words)
        if room < 0:
            break
        listed.append(words)
    return listed


def cut_name(text: str) -> str:
    """The text, without zero characters; cut to 256 bytes that end in its digest if it is longer: callers send what they like."""
    if len(text) <= _NAME_BYTES and text.isascii() and "\x00" not in text:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) > _NAME_BYTES:
        digest = hashlib.sha256(data).hexdigest()[:_DIGEST_CHARACTERS]
        return f"{data[: _NAME_BYTES - _DIGEST_CHARACTERS - 8].decode(errors='ignore')}…#{digest}".replace("\x00", "\ufffd")
    return text.replace("\x00", "\ufffd")
