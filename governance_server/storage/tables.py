"""The tables, declared once with SQLModel.

Owns names, columns, keys and indexes; migrations are compared with it by a test. Nothing on a hot path imports this module:
reads and writes go through the raw driver. Times are microseconds since 1970-01-01 UTC. Names sort by bytes on every database.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import Field, SQLModel

__all__ = [
    "AnswerRow",
    "ChangeKindRow",
    "ChangeRow",
    "CheckpointRow",
    "DecisionRow",
    "DecisionTopicsRow",
    "EventRow",
    "HeadRow",
    "IdentityIssueRow",
    "KindHeadRow",
    "LeaseRow",
    "LineageDueRow",
    "LineageEvidenceRow",
    "LineageIoRow",
    "LineageOutputRow",
    "LineageRunPastRow",
    "LineageRunRow",
    "LineageSummaryRow",
    "ListingRow",
    "PayloadRow",
    "RequestRow",
    "ResourceRow",
    "StreamHeadRow",
    "TurnRow",
]

_BYTEWISE: Any = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_INTEGER: Any = sa.BigInteger
_ORDINAL: Any = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # there only INTEGER PRIMARY KEY is the row's address
_VALID = sa.text("to_revision IS NULL")
_BY_KEY_ALONE: Any = {"sqlite_with_rowid": False}
"""For small rows that are written often: SQLite keeps one tree of them, not one of keys beside one of row numbers."""


class HeadRow(SQLModel, table=True):
    """The journal's head: one row, locked by whoever appends."""

    __tablename__ = "head"
    id: int = Field(primary_key=True, sa_type=_ORDINAL)
    revision: int = Field(sa_type=_INTEGER)
    hash: bytes
    time_us: int = Field(sa_type=_INTEGER)


class KindHeadRow(SQLModel, table=True):
    """The newest revision that wrote any resource of a kind."""

    __tablename__ = "kind_head"
    kind: str = Field(primary_key=True, sa_type=_BYTEWISE)
    revision: int = Field(sa_type=_INTEGER)


class ChangeRow(SQLModel, table=True):
    """One link of the hash chain."""

    __tablename__ = "change"
    revision: int = Field(primary_key=True, sa_type=_ORDINAL, sa_column_kwargs={"autoincrement": False})
    time_us: int = Field(sa_type=_INTEGER)
    principal: str = Field(sa_type=_BYTEWISE)
    request_id: str = Field(sa_type=_BYTEWISE)
    kind: str = Field(sa_type=_BYTEWISE)
    subject: str = Field(sa_type=_BYTEWISE)
    previous_hash: bytes
    hash: bytes
    body_digest: bytes


class PayloadRow(SQLModel, table=True):
    """A change's stored body; null is the tombstone of an erased one."""

    __tablename__ = "payload"
    revision: int = Field(primary_key=True, sa_type=_ORDINAL, sa_column_kwargs={"autoincrement": False})
    body: bytes | None = None


class ChangeKindRow(SQLModel, table=True):
    """Which kinds of resources a change wrote, for feeds of a few kinds."""

    __tablename__ = "change_kind"
    kind: str = Field(primary_key=True, sa_type=_BYTEWISE)
    revision: int = Field(primary_key=True, sa_type=_INTEGER)


class ResourceRow(SQLModel, table=True):
    """One state of one resource, valid from `from_revision` up to but excluding `to_revision` (null: still valid)."""

    __tablename__ = "resource"
    __table_args__ = (
        sa.Index("resource_current", "kind", "name", unique=True, sqlite_where=_VALID, postgresql_where=_VALID),
        sa.Index("resource_domain", "kind", "domain", "name", "from_revision", "to_revision"),
    )
    kind: str = Field(primary_key=True, sa_type=_BYTEWISE)
    name: str = Field(primary_key=True, sa_type=_BYTEWISE)
    from_revision: int = Field(primary_key=True, sa_type=_INTEGER)
    to_revision: int | None = Field(default=None, sa_type=_INTEGER)
    domain: str = Field(sa_type=_BYTEWISE)
    body: bytes | None = None


class ListingRow(SQLModel, table=True):
    """A list in which the current state of a resource stands, and its place there: see `rules.listings`."""

    __tablename__ = "listing"
    __table_args__ = (sa.Index("listing_resource", "kind", "name"),)
    kind: str = Field(primary_key=True, sa_type=_BYTEWISE)
    key: str = Field(primary_key=True, sa_type=_BYTEWISE)
    name: str = Field(primary_key=True, sa_type=_BYTEWISE)


class RequestRow(SQLModel, table=True):
    """The reply given to a request, for its repetition."""

    __tablename__ = "request"
    principal: str = Field(primary_key=True, sa_type=_BYTEWISE)
    request_id: str = Field(primary_key=True, sa_type=_BYTEWISE)
    request_digest: bytes
    reply: bytes
    revision: int = Field(sa_type=_INTEGER)


class LeaseRow(SQLModel, table=True):
    """Who holds what until when."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True, sa_type=_BYTEWISE)
    holder: str = Field(sa_type=_BYTEWISE)
    expires_at_us: int = Field(sa_type=_INTEGER)


class IdentityIssueRow(SQLModel, table=True):
    """When the newest access token that was seen of an identity was issued."""

    __tablename__ = "identity_issue"
    identity: str = Field(primary_key=True, sa_type=_BYTEWISE)
    issued_at_us: int = Field(sa_type=_INTEGER)


class EventRow(SQLModel, table=True):
    """One event of a stream that is chained by itself."""

    __tablename__ = "event"
    stream: str = Field(primary_key=True, sa_type=_BYTEWISE)
    sequence: int = Field(primary_key=True, sa_type=_INTEGER)
    received_at_us: int = Field(sa_type=_INTEGER)
    hash: bytes
    body: bytes
    body_digest: bytes | None = None
    """Of a body that was compacted away; null while the body is there."""


class LineageRunRow(SQLModel, table=True):
    """A run as the fold of its events, or what a job or dataset declares."""

    __tablename__ = "lineage_run"
    __table_args__ = (
        sa.Index("lineage_run_job", "namespace", "job", "first_us"),
        sa.Index("lineage_run_id", "run_id"),
        sa.Index("lineage_run_time", "last_us"),
    )
    key: str = Field(primary_key=True, sa_type=_BYTEWISE)
    kind: str = Field(sa_type=_BYTEWISE)
    owner: str = Field(sa_type=_BYTEWISE)
    namespace: str = Field(sa_type=_BYTEWISE)
    job: str = Field(sa_type=_BYTEWISE)
    run_id: str = Field(sa_type=_BYTEWISE)
    state: str = Field(sa_type=_BYTEWISE)
    first_us: int = Field(sa_type=_INTEGER)
    last_us: int = Field(sa_type=_INTEGER)
    parent: str = Field(sa_type=_BYTEWISE)
    job_version: str = Field(sa_type=_BYTEWISE)
    last_sequence: int = Field(sa_type=_INTEGER)
    body: str = Field(sa_type=sa.Text)


class LineageRunPastRow(SQLModel, table=True):
    """What a run was by the event of this sequence, before later events changed it."""

    __tablename__ = "lineage_run_past"
    __table_args__ = _BY_KEY_ALONE
    key: str = Field(primary_key=True, sa_type=_BYTEWISE)
    sequence: int = Field(primary_key=True, sa_type=_INTEGER)
    state: str = Field(sa_type=_BYTEWISE)
    first_us: int = Field(sa_type=_INTEGER)
    last_us: int = Field(sa_type=_INTEGER)
    parent: str = Field(sa_type=_BYTEWISE)
    job_version: str = Field(sa_type=_BYTEWISE)
    io: str = Field(sa_type=sa.Text)


class LineageIoRow(SQLModel, table=True):
    """A dataset that a run read or wrote, and its version."""

    __tablename__ = "lineage_io"
    __table_args__ = (sa.Index("lineage_io_node", "node", "side"), _BY_KEY_ALONE)
    key: str = Field(primary_key=True, sa_type=_BYTEWISE)
    side: str = Field(primary_key=True, sa_type=_BYTEWISE)
    node: str = Field(primary_key=True, sa_type=_BYTEWISE)
    version: str = Field(sa_type=_BYTEWISE)


class LineageOutputRow(SQLModel, table=True):
    """Which lineage of a target a run tells, and how much that counts."""

    __tablename__ = "lineage_output"
    __table_args__ = (
        sa.Index("lineage_output_job", "namespace", "job", "target", "weight", "digest"),
        _BY_KEY_ALONE,
    )
    key: str = Field(primary_key=True, sa_type=_BYTEWISE)
    target: str = Field(primary_key=True, sa_type=_BYTEWISE)
    namespace: str = Field(sa_type=_BYTEWISE)
    job: str = Field(sa_type=_BYTEWISE)
    digest: str = Field(sa_type=_BYTEWISE)
    weight: int = Field(sa_type=_INTEGER)
    replaces: int = Field(sa_type=_INTEGER)
    first_ns: int = Field(sa_type=_INTEGER)


class LineageEvidenceRow(SQLModel, table=True):
    """A lineage as runs told it, once however many did."""

    __tablename__ = "lineage_evidence"
    digest: str = Field(primary_key=True, sa_type=_BYTEWISE)
    body: bytes


class LineageDueRow(SQLModel, table=True):
    """A job's lineage of a target that the journal may not have as it is now."""

    __tablename__ = "lineage_due"
    namespace: str = Field(primary_key=True, sa_type=_BYTEWISE)
    job: str = Field(primary_key=True, sa_type=_BYTEWISE)
    target: str = Field(primary_key=True, sa_type=_BYTEWISE)
    principal: str = Field(sa_type=_BYTEWISE)


class LineageSummaryRow(SQLModel, table=True):
    """What is left of a job's runs that were compacted: how many ended how, and from when to when."""

    __tablename__ = "lineage_summary"
    namespace: str = Field(primary_key=True, sa_type=_BYTEWISE)
    job: str = Field(primary_key=True, sa_type=_BYTEWISE)
    owner: str = Field(primary_key=True, sa_type=_BYTEWISE)
    state: str = Field(primary_key=True, sa_type=_BYTEWISE)
    runs: int = Field(sa_type=_INTEGER)
    first_us: int = Field(sa_type=_INTEGER)
    last_us: int = Field(sa_type=_INTEGER)


class StreamHeadRow(SQLModel, table=True):
    """A stream's last event, and the last one that was pruned, from whose hash the chain goes on."""

    __tablename__ = "stream_head"
    stream: str = Field(primary_key=True, sa_type=_BYTEWISE)
    sequence: int = Field(sa_type=_INTEGER)
    hash: bytes
    pruned_sequence: int = Field(sa_type=_INTEGER)
    pruned_hash: bytes


class DecisionRow(SQLModel, table=True):
    """By what a record of the stream `decisions` is found; `resource` is empty if it is about many."""

    __tablename__ = "decision"
    __table_args__ = (
        sa.Index("decision_time", "time_us", "sequence"),
        sa.Index("decision_principal", "principal", "sequence"),
        sa.Index("decision_resource", "resource", "sequence"),
    )
    sequence: int = Field(primary_key=True, sa_type=_ORDINAL, sa_column_kwargs={"autoincrement": False})
    resource: str = Field(sa_type=_BYTEWISE)
    time_us: int = Field(sa_type=_INTEGER)
    principal: str = Field(sa_type=_BYTEWISE)
    kind: int = Field(sa_type=_INTEGER)
    outcome: int = Field(sa_type=_INTEGER)


class DecisionTopicsRow(SQLModel, table=True):
    """What a record of many checks is about: names, each between a space and a dot.

    One row a record and no index of names: a hundred look-ups for every call cost more than the decisions (ADR 0013).
    """

    __tablename__ = "decision_topics"
    sequence: int = Field(primary_key=True, sa_type=_ORDINAL, sa_column_kwargs={"autoincrement": False})
    topics: str = Field(sa_type=_BYTEWISE)


class AnswerRow(SQLModel, table=True):
    """An answer that was given: what it was made from."""

    __tablename__ = "answer"
    __table_args__ = (sa.Index("answer_time", "time_us"),)
    id: str = Field(primary_key=True, sa_type=_BYTEWISE)
    principal: str = Field(sa_type=_BYTEWISE)
    time_us: int = Field(sa_type=_INTEGER)
    body: bytes


class TurnRow(SQLModel, table=True):
    """A turn of a conversation on its way into a product: whose answer it is, and what the asker thinks of it."""

    __tablename__ = "turn"
    __table_args__ = (
        sa.Index("turn_waiting", "product", "is_waiting", "position"),
        sa.Index("turn_position", "position"),
        sa.Index("turn_time", "time_us"),
    )
    answer_id: str = Field(primary_key=True, sa_type=_BYTEWISE)
    product: str = Field(sa_type=_BYTEWISE)
    principal: str = Field(sa_type=_BYTEWISE)
    conversation: str = Field(sa_type=_BYTEWISE)
    feedback: bytes
    position: int = Field(sa_type=_INTEGER)
    is_waiting: int = Field(sa_type=_INTEGER)
    time_us: int = Field(sa_type=_INTEGER)


class CheckpointRow(SQLModel, table=True):
    """The signed hash of a log at one of its entries."""

    __tablename__ = "checkpoint"
    __table_args__ = (sa.Index("checkpoint_stream", "stream", "sequence"),)
    number: int = Field(primary_key=True, sa_type=_ORDINAL, sa_column_kwargs={"autoincrement": False})
    stream: str = Field(sa_type=_BYTEWISE)
    sequence: int = Field(sa_type=_INTEGER)
    hash: bytes
    time_us: int = Field(sa_type=_INTEGER)
    cause: int = Field(sa_type=_INTEGER)
    key_id: str = Field(sa_type=_BYTEWISE)
    signature: bytes
