"""What `mesh.audit` answers with: decisions, reports, checkpoints and proofs, as values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain_sdk.errors import InvalidRequest

__all__ = [
    "AuditProblem",
    "AuditProof",
    "AuditReport",
    "AuditedDenial",
    "AuditedGrant",
    "AuditedLog",
    "AuditedUse",
    "Checkpoint",
    "DecisionEnd",
    "DecisionKind",
    "DecisionRecord",
    "PolicyChange",
    "checkpoint_lines",
    "read_checkpoints",
]


class DecisionKind(StrEnum):
    """What somebody asked for, in the order of the wire's numbers."""

    UNSPECIFIED = "unspecified"
    READ = "read"
    FILES = "files"
    FILE = "file"
    RETRIEVAL = "retrieval"
    PLAN = "plan"
    CHECK = "check"
    CHECK_MANY = "check_many"
    EXPLAIN = "explain"
    QUESTION = "question"
    SQL = "sql"
    ASK = "ask"


class DecisionEnd(StrEnum):
    """How it went on, in the order of the wire's numbers."""

    UNSPECIFIED = "unspecified"
    BEGUN = "begun"
    COMPLETE = "complete"
    DENIED = "denied"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision on data or on a question about rights. Holds no data values and no filter's text."""

    sequence: int
    """Its place in the decision log, from 1, without gaps."""
    time: datetime | None
    call_id: str
    """The request id the call has in the server's log."""
    kind: DecisionKind
    end: DecisionEnd
    principal: str
    subject: str
    """About whom, if about somebody else."""
    action: str
    resource: str
    purpose: str
    version: int
    is_allowed: bool
    reason: str
    """Why it was refused or failed, like `access_denied`."""
    columns: tuple[str, ...]
    """Given, or used in a predicate."""
    masked_columns: tuple[str, ...]
    rules: tuple[str, ...]
    """The ids of the grants and guardrails that decided."""
    revision: int
    rows: int
    bytes: int
    duration_seconds: float
    questions: tuple[str, ...] = ()
    """Of many checks: those denied, then those allowed, as far as they are listed."""
    answer: str = ""
    """Of an answer: its id."""
    cited: tuple[str, ...] = ()
    """Of an answer: the passages it rests on, like `policy.handbook.pages@3#id`, and the tables, like `sales.orders.orders`."""


@dataclass(frozen=True, slots=True)
class AuditedUse:
    """Data that was given: one entry for each caller, port, kind, purpose and set of rules."""

    principal: str
    port: str
    kind: DecisionKind
    purpose: str
    rules: tuple[str, ...]
    columns: tuple[str, ...]
    masked_columns: tuple[str, ...]
    count: int
    rows: int
    bytes: int
    unfinished: int
    """How many of them did not end well, or have no end as the server died."""
    first_time: datetime | None
    last_time: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedDenial:
    """Something that was refused."""

    principal: str
    kind: DecisionKind
    resource: str
    action: str
    purpose: str
    reason: str
    count: int
    last_time: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedGrant:
    """A grant that gave data, and who is behind it."""

    id: str
    subject: str
    resource: str
    grantor: str
    access_request: str
    decider: str
    """Who decided the access request it came from."""
    purpose: str
    create_time: datetime | None
    expire_time: datetime | None
    revoke_time: datetime | None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A change of policy in the period."""

    revision: int
    time: datetime | None
    principal: str
    kind: str
    subject: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Who was given what, what was refused, and what changed."""

    resource: str
    principal: str
    since: datetime | None
    until: datetime | None
    uses: tuple[AuditedUse, ...]
    denials: tuple[AuditedDenial, ...]
    grants: tuple[AuditedGrant, ...]
    changes: tuple[PolicyChange, ...]
    log_start_time: datetime | None
    """The first decision that is still kept: what was before is not in the report."""
    revision: int
    is_cut: bool
    """True if there was more than fits: ask about a shorter period."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The server's signed word that a log had this content up to here."""

    number: int
    stream: str
    sequence: int
    hash: str
    time: datetime
    cause: str
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """One log that was checked."""

    stream: str
    checked: int
    sequence: int
    hash: str
    pruned_sequence: int


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """A contradiction: in which log, at which entry (0: in no single one), and what."""

    stream: str
    sequence: int
    text: str

    def __str__(self) -> str:
        """The problem in one line."""
        place = f" {self.sequence}" if self.sequence else ""
        return f"{self.stream}{place}: {self.text}"


@dataclass(frozen=True, slots=True)
class AuditProof:
    """What a recomputation of every hash found."""

    is_intact: bool
    logs: tuple[AuditedLog, ...]
    problems: tuple[AuditProblem, ...]
    checkpoints: int
    """How many checkpoints were held against the logs."""

    @property
    def checked(self) -> int:
        """How many changes of the journal were checked."""
        return sum(log.checked for log in self.logs if log.stream == "journal")

    @property
    def head_hash(self) -> str:
        """The journal's newest hash in hex; a checkpoint kept elsewhere says more."""
        return next((log.hash for log in self.logs if log.stream == "journal"), "")


def checkpoint_lines(checkpoints: Iterable[Checkpoint]) -> str:
    """The checkpoints as the server's own file has them: a line of JSON for each."""
    fields = Checkpoint.__dataclass_fields__
    rows = ({name: getattr(it, name) for name in fields} | {"time": it.time.isoformat()} for it in checkpoints)
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def read_checkpoints(text: str) -> list[Checkpoint]:
    """The checkpoints in such a text.

    Raises:
        InvalidRequest: a line is no checkpoint.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            given = {name: row[name] for name in Checkpoint.__dataclass_fields__}
            bytes.fromhex(given["hash"]), bytes.fromhex(given["signature"])
            found.append(Checkpoint(**{**given, "time": datetime.fromisoformat(given["time"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRequest(f"Line {number} is no checkpoint: give a file that the server wrote.") from error
    return found
