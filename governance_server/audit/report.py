"""The report of an audit: who was given what, by which grants, and what was refused, folded from decision records.

Owns the fold and its bounds. Pure: records come from the caller, newest first; what grants mean is looked up elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from domainmesh.v1 import audit_service_pb2 as pb
from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1.error_reason_pb2 import ErrorReason
from governance_server.audit.decision_log import index_name

__all__ = ["GIVING_KINDS", "ReportFold"]

GIVING_KINDS = frozenset(
    {
        log_pb2.DECISION_KIND_READ,
        log_pb2.DECISION_KIND_FILES,
        log_pb2.DECISION_KIND_FILE,
        log_pb2.DECISION_KIND_RETRIEVAL,
        log_pb2.DECISION_KIND_SQL,
    }
)
"""Kinds of decisions that give data. An answer's retrievals and queries have records of their own, so it is not."""

_MOST = 10_000
_UNFINISHED = (
    log_pb2.DECISION_END_BEGUN,
    log_pb2.DECISION_END_REVOKED,
    log_pb2.DECISION_END_CANCELLED,
    log_pb2.DECISION_END_FAILED,
)


@dataclass(slots=True)
class ReportFold:
    """What the records taken so far come to. At most 10,000 different uses and as many denials.

    Args:
        resource: What it is about; empty for everything.
        column: Only reads of this column, if set.
    """

    resource: str = ""
    column: str = ""
    uses: dict[tuple[object, ...], pb.AuditedUse] = field(default_factory=dict)
    denials: dict[tuple[object, ...], pb.AuditedDenial] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    """The rules that gave data, with the newest revision at which they did."""
    is_cut: bool = False
    _ended: Counter[tuple[str, int, str]] = field(default_factory=Counter)

    def take(self, records: Iterable[log_pb2.DecisionRecord]) -> None:
        """The records, newest first, are folded in."""
        for record in records:
            if record.end == log_pb2.DECISION_END_DENIED:
                for resource, action in _denied(record):
                    if self._is_meant(resource):
                        self._deny(record, resource, action)
            elif record.kind in GIVING_KINDS and record.is_allowed and (not self.column or self.column in record.columns):
                self._use(record)

    def _use(self, record: log_pb2.DecisionRecord) -> None:
        call = (record.call_id, record.kind, record.resource)  # one query may read a port twice
        if record.was_begun:
            self._ended[call] += 1
        elif self._ended[call]:  # this one only says that it began; how it ended has been counted
            self._ended[call] -= 1
            if not self._ended[call]:
                del self._ended[call]
            return
        else:
            del self._ended[call]
        key = (record.principal, record.resource, record.kind, record.purpose, *record.rules)
        use = self.uses.get(key)
        if use is None:
            if len(self.uses) >= _MOST:
                self.is_cut = True
                return
            use = self.uses[key] = pb.AuditedUse(
                principal=record.principal, port=record.resource, kind=record.kind, purpose=record.purpose, rules=record.rules
            )
            use.last_time.CopyFrom(record.time)
        use.first_time.CopyFrom(record.time)
        use.count += 1
        use.rows += record.rows
        use.bytes += record.bytes
        use.unfinished += record.end in _UNFINISHED
        use.columns[:] = sorted({*use.columns, *record.columns})
        use.masked_columns[:] = sorted({*use.masked_columns, *record.masked_columns})
        for rule in record.rules:
            self.rules[rule] = max(self.rules.get(rule, 0), record.revision)

    def _deny(self, record: log_pb2.DecisionRecord, resource: str, action: str) -> None:
        reason = ErrorReason.Name(record.reason).removeprefix("ERROR_REASON_").lower() if record.reason else ""
        key = (record.principal, resource, action, record.purpose, reason, record.kind)
        denial = self.denials.get(key)
        if denial is None:
            if len(self.denials) >= _MOST:
                self.is_cut = True
                return
            denial = self.denials[key] = pb.AuditedDenial(
                principal=record.principal, resource=resource, action=action, purpose=record.purpose, reason=reason,
                kind=record.kind,
            )  # fmt: skip
            denial.last_time.CopyFrom(record.time)
        denial.count += 1

    def _is_meant(self, resource: str) -> bool:
        port, _, column = resource.replace("#", ".").partition(self.resource) if self.resource else ("", "", "")
        if not self.resource:
            return True
        return not port and (not column or column.startswith(".")) and (not self.column or column in ("", f".{self.column}"))


def _denied(record: log_pb2.DecisionRecord) -> Iterator[tuple[str, str]]:
    """The resources that were refused, each with the action."""
    if not record.HasField("checks"):
        yield record.resource, record.action
        return
    for question in record.checks.questions[: record.checks.denied_questions]:
        yield index_name(question), question.partition(" ")[0]
