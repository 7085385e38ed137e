"""Verification of everything that an audit rests on: journal, tables, decision log, lineage events, and checkpoints.

Owns holding the logs against each other's words: each chain by itself, the decision log's index against its records, and every
checkpoint (stored, in the file, and given by whoever asks) against the chains and against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from domainmesh.v1 import decision_log_pb2 as pb
from domainmesh.v1.checkpoint_pb2 import CHECKPOINT_CAUSE_PRUNED
from governance_server.audit.checkpoints import JOURNAL
from governance_server.audit.decision_log import index_of
from governance_server.journal.chain import GENESIS
from governance_server.journal.rebuild import rebuild
from governance_server.journal.verification import Verification, verify
from governance_server.storage.checkpoints import StoredCheckpoint, every_checkpoint, signed_bytes
from governance_server.storage.decisions import STREAM
from governance_server.storage.drivers import Connection
from governance_server.storage.engine import Database
from governance_server.storage.events import StreamVerification, verify_stream

__all__ = ["CHECKPOINTS", "AuditProblem", "AuditProof", "AuditedLog", "IsSigned", "signature_judge", "verify_audit"]

CHECKPOINTS = "checkpoints"
_MOST_PROBLEMS = 100
_TYPES = (int, str, int, bytes, int, int, str, bytes)
_STREAMS = "SELECT stream FROM stream_head UNION SELECT DISTINCT stream FROM event"
_INDEX = (
    "SELECT d.sequence, d.resource, coalesce(t.topics, ''), d.principal, d.kind, d.outcome, d.time_us FROM decision d "
    "LEFT JOIN decision_topics t ON t.sequence = d.sequence WHERE d.sequence > ? ORDER BY d.sequence LIMIT ?"
)
_STRAY_TOPICS = (
    "SELECT sequence FROM decision_topics t WHERE NOT EXISTS (SELECT 1 FROM decision d WHERE d.sequence = t.sequence) LIMIT 100"
)
_JOURNAL_HEAD = "SELECT revision, hash FROM head WHERE id = 1"
_STRAY_REQUESTS = (
    "SELECT r.revision FROM request r LEFT JOIN change c ON c.revision = r.revision AND c.principal = r.principal "
    "AND c.request_id = r.request_id WHERE c.revision IS NULL"
)
_LOST_REQUESTS = (
    "SELECT c.revision FROM change c LEFT JOIN request r ON r.principal = c.principal AND r.request_id = c.request_id "
    "AND r.revision = c.revision WHERE c.request_id <> '' AND r.revision IS NULL"
)

IsSigned = Callable[[StoredCheckpoint], bool | None]
"""Whether the checkpoint's key signed it; None if that key is not known."""


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """One contradiction: in which log, where (0: in no single entry), and what."""

    stream: str
    sequence: int
    text: str


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """One log that was checked."""

    stream: str
    checked: int
    sequence: int
    hash: bytes
    pruned_sequence: int = 0


@dataclass(frozen=True, slots=True)
class AuditProof:
    """What was checked and found, the first hundred problems."""

    logs: tuple[AuditedLog, ...]
    problems: tuple[AuditProblem, ...]
    checkpoints: int

    @property
    def ok(self) -> bool:
        """True if nothing contradicts."""
        return not self.problems


def verify_audit(
    database: Database,
    is_signed: IsSigned,
    *,
    kept: Iterable[StoredCheckpoint] = (),
    includes_tables: bool = True,
) -> AuditProof:
    """What holds of all that is stored, in one consistent state of the database.

    Args:
        database: Holds the logs.
        is_signed: Judges a checkpoint's signature.
        kept: Checkpoints from elsewhere: the file, or what whoever asks has kept.
        includes_tables: Also compare the tables with a replay of the journal.
    """
    audit = _Audit(is_signed, tuple(kept))
    try:
        with database.snapshot() as connection:
            database.driver.read_damaged_text(connection)
            audit.run(connection)
    except database.driver.errors as error:
        audit.report(CHECKPOINTS if audit.logs else STREAM, 0, f"the database cannot be read: {error}")
    journal = verify(database)
    audit.take_journal(journal, database)
    if includes_tables and journal.ok:
        for text in rebuild(database).differences:
            audit.report(JOURNAL, 0, text)
    return audit.proof()


@dataclass(slots=True)
class _Audit:
    is_signed: IsSigned
    kept: Sequence[StoredCheckpoint]
    logs: list[AuditedLog] = field(default_factory=list)
    problems: list[AuditProblem] = field(default_factory=list)
    checkpoints: int = 0

    def run(self, connection: Connection) -> None:
        stored = list(every_checkpoint(connection))
        self._check_numbers(stored)
        known = [it for it in dict.fromkeys((*stored, *self.kept)) if self._check_signature(it)]
        self.checkpoints = len(known)
        self._check_agreement(known)
        for (stream,) in connection.execute(_STREAMS).fetchall():
            self._check_stream(connection, str(stream), known)
        for stream in {it.stream for it in known} - {log.stream for log in self.logs} - {JOURNAL}:
            self.report(stream, 0, "a checkpoint was made of this log, and it is not there")
        self._check_journal(connection, [it for it in known if it.stream == JOURNAL])
        for sql, text in (
            (_STRAY_REQUESTS, "a stored reply belongs to no such change"),
            (_LOST_REQUESTS, "the reply stored for its repetition is missing"),
        ):
            for (revision,) in connection.execute(sql).fetchall():
                self.report(JOURNAL, revision, text)

    def take_journal(self, found: Verification, database: Database) -> None:
        revision, digest = 0, GENESIS  # what a head that cannot be read counts as: the walk has said so
        with suppress(*database.driver.errors):
            row = database.reader().execute(_JOURNAL_HEAD).fetchone()
            if row is not None and isinstance(row[0], int) and isinstance(row[1], bytes):
                revision, digest = row
        self.logs.insert(0, AuditedLog(JOURNAL, found.checked, revision, digest))
        for problem in found.problems:
            self.report(JOURNAL, problem.revision, problem.text)

    def proof(self) -> AuditProof:
        ordered = sorted(self.problems, key=lambda it: (it.stream != JOURNAL, it.stream, it.sequence))
        return AuditProof(tuple(self.logs), tuple(ordered[:_MOST_PROBLEMS]), self.checkpoints)

    def report(self, stream: str, sequence: int, text: str) -> None:
        if len(self.problems) < 10 * _MOST_PROBLEMS:
            self.problems.append(AuditProblem(stream, sequence, text))

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def _check_numbers(self, stored: Sequence[StoredCheckpoint]) -> None:
        for expected, checkpoint in enumerate(stored, 1):
            if checkpoint.number != expected:
                self.report(CHECKPOINTS, expected, f"the stored checkpoint {expected} is missing")
                return

    def _check_signature(self, checkpoint: StoredCheckpoint) -> bool:
        """True if the checkpoint is the server's word."""
        values = [getattr(checkpoint, name) for name in StoredCheckpoint.__dataclass_fields__]
        if not all(map(isinstance, values, _TYPES)):
            self.report(CHECKPOINTS, 0, f"checkpoint {checkpoint.number!a} holds a value of another type")
            return False
        is_signed = self.is_signed(checkpoint)
        if is_signed is None:
            self.report(
                CHECKPOINTS, checkpoint.number,
                f"its key {checkpoint.key_id!a} is not known: it was signed by another server, or its key was taken away",
            )  # fmt: skip
        elif not is_signed:
            self.report(CHECKPOINTS, checkpoint.number, f"its signature by {checkpoint.key_id} is wrong: it was changed")
        return bool(is_signed)

    def _check_agreement(self, known: Sequence[StoredCheckpoint]) -> None:
        by_number: dict[int, StoredCheckpoint] = {}
        by_place: dict[tuple[str, int], StoredCheckpoint] = {}
        for it in known:
            other = by_number.setdefault(it.number, it)
            if other != it:
                text = f"two checkpoints have this number, of {other.stream} {other.sequence} and {it.stream} {it.sequence}"
                self.report(CHECKPOINTS, it.number, f"{text}: there are two histories")
            same = by_place.setdefault((it.stream, it.sequence), it)
            if same.hash != it.hash:
                self.report(it.stream, it.sequence, f"checkpoints {same.number} and {it.number} disagree: history was forked")

    # -- logs --------------------------------------------------------------------------------------------------------

    def _check_stream(self, connection: Connection, stream: str, known: Sequence[StoredCheckpoint]) -> None:
        promised = {it.sequence: it for it in known if it.stream == stream}
        unmet = dict(promised)
        index = _IndexCheck(connection, self) if stream == STREAM else None

        def visit(sequence: int, time_us: int, digest: bytes, body: bytes) -> None:
            if sequence in unmet and unmet.pop(sequence).hash != digest:
                self._rewritten(promised[sequence])
            if index is not None:
                index.check(sequence, time_us, body)

        found = verify_stream(connection, stream, visit=visit)
        for problem in found.problems:
            self.report(stream, problem.sequence, problem.text)
        if index is not None:
            index.finish()
        self._check_beginning(found, stream, promised.values())
        for sequence, checkpoint in unmet.items():
            if sequence > found.last:
                text = f"checkpoint {checkpoint.number} covers this entry, the log ends at {found.last}: its end was dropped"
                self.report(stream, sequence, text)
            elif sequence == found.pruned and checkpoint.hash != found.pruned_hash:
                self._rewritten(checkpoint)
        self.logs.append(AuditedLog(stream, found.checked, found.last, found.hash, found.pruned))

    def _check_beginning(self, found: StreamVerification, stream: str, promised: Collection[StoredCheckpoint]) -> None:
        anchors = {it.sequence: it.hash for it in promised if it.cause == CHECKPOINT_CAUSE_PRUNED}
        if found.pruned and anchors.get(found.pruned) != found.pruned_hash:
            self.report(stream, found.pruned, "what is older is gone, and no signed checkpoint says that the server pruned it")

    def _check_journal(self, connection: Connection, known: Sequence[StoredCheckpoint]) -> None:
        for it in known:
            row = connection.execute("SELECT hash FROM change WHERE revision = ?", (it.sequence,)).fetchone()
            if row is None and it.sequence:
                text = f"checkpoint {it.number} covers this revision, and it is not there: the journal's end was dropped"
                self.report(JOURNAL, it.sequence, text)
            elif (row[0] if row else GENESIS) != it.hash:
                self._rewritten(it)

    def _rewritten(self, checkpoint: StoredCheckpoint) -> None:
        self.report(
            checkpoint.stream, checkpoint.sequence, f"checkpoint {checkpoint.number} has another hash: history was rewritten"
        )


class _IndexCheck:
    """The rows of the decision log's index, held against its records in their order."""

    _PAGE = 1000

    def __init__(self, connection: Connection, audit: _Audit) -> None:
        self._connection = connection
        self._audit = audit
        self._rows: dict[int, tuple[object, ...]] = {}
        self._last = 0
        self._read_page(-(1 << 62))

    def check(self, sequence: int, time_us: int, body: bytes) -> None:
        """The record's rows are what its body gives."""
        try:
            record = pb.DecisionRecord.FromString(body)
        except DecodeError:
            self._audit.report(STREAM, sequence, "it is no record that this release can read")
            return
        entry = index_of(record)
        expected = (entry.resource, entry.topics, entry.principal, entry.kind, entry.outcome, time_us)
        while sequence > self._last and self._read_page(self._last):
            pass
        if self._rows.pop(sequence, None) != expected:
            self._audit.report(STREAM, sequence, "the index of decisions differs from its record")

    def finish(self) -> None:
        """Nothing else is in the index."""
        while self._read_page(self._last):
            pass
        stray = [row[0] for row in self._connection.execute(_STRAY_TOPICS).fetchall()]
        for sequence in sorted({*self._rows, *stray}, key=str):
            self._audit.report(STREAM, sequence, "the index of decisions has an entry without a record")

    def _read_page(self, after: int) -> bool:
        """One more page is read."""
        page = self._connection.execute(_INDEX, (after, self._PAGE)).fetchall()
        if not page or not isinstance(page[-1][0], int):
            return False
        self._rows.update((row[0], tuple(row[1:])) for row in page)
        self._last = page[-1][0]
        return True


def signature_judge(public_key: Callable[[str], bytes | None]) -> IsSigned:
    """Judges signatures by the public keys (raw Ed25519) that `public_key` knows by their ids."""
    from governance_server.keyring import is_signature

    def judge(checkpoint: StoredCheckpoint) -> bool | None:
        key = public_key(checkpoint.key_id)
        return None if key is None else is_signature(key, signed_bytes(checkpoint), checkpoint.signature)

    return judge
