"""How proofs, reports, decisions and checkpoints look on a terminal, and reports in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk.audit_log import AuditedUse, AuditProof, AuditReport, Checkpoint, DecisionRecord
from domain_sdk.cli.output import cell, details, plain, table

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["checkpoints_view", "decisions_view", "proof_view", "report_view", "write_csv"]

_USE_COLUMNS = (
    "principal", "port", "kind", "purpose", "columns", "masked_columns", "rules", "count", "rows", "bytes", "unfinished",
    "first_time", "last_time",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def proof_view(proof: AuditProof, *, has_tables: bool) -> RenderableType:
    """The verdict, what was checked, and every contradiction with its place."""
    verdict = cell("The record is intact.", "bold green") if proof.is_intact else cell("The record is BROKEN.", "bold red")
    counts = {log.stream: f"{log.checked:,} entries, every hash" for log in proof.logs}
    if has_tables and proof.is_intact and "journal" in counts:
        counts["journal"] += " and the tables equal their replay"
    facts = {
        "verdict": verdict,
        **counts,
        "checkpoints": f"{proof.checkpoints:,} signed, in agreement" if proof.is_intact else f"{proof.checkpoints:,} signed",
        "head": cell(proof.head_hash, "bold"),
        "": "keep checkpoints elsewhere: they prove later that nothing was cut off",
        "problems": cell("\n").join([cell(problem) for problem in proof.problems]),
    }
    return details(facts)


def report_view(report: AuditReport) -> RenderableType:
    """Uses, denials, grants and changes, each as a table."""
    from rich.console import Group

    about = " of ".join(filter(None, (report.principal, report.resource))) or "everything"
    facts = {
        "from": report.since or report.log_start_time,
        "until": report.until,
        "note": "there is more than fits: ask about a shorter period" if report.is_cut else "",
    }
    parts: list[RenderableType] = [details(facts, title=f"Audit of {about}")]
    for view in (_uses(report), _grants(report), _denials(report), _changes(report)):
        parts += ["", view]
    return Group(*parts)


def _uses(report: AuditReport) -> RenderableType:
    if not report.uses:
        return "Nobody was given any of it."
    rows = [
        (it.principal, it.port, it.kind, it.purpose, it.count, it.rows, _columns(it), it.rules, it.last_time)
        for it in report.uses
    ]
    names = ("who", "port", "how", "purpose", "times", "rows", "columns", "by", "last")
    return table(names, rows, title="Given", numbers=["times", "rows"])


def _columns(use: AuditedUse) -> str:
    return ", ".join(f"{name} (masked)" if name in use.masked_columns else name for name in use.columns)


def _grants(report: AuditReport) -> RenderableType:
    if not report.grants:
        return "No grant was used."
    rows = [
        (
            cell(it.id, "bold"),
            it.subject,
            it.resource,
            it.grantor,
            it.decider or it.access_request,
            it.expire_time,
            it.revoke_time,
        )
        for it in report.grants
    ]
    return table(("grant", "to", "on", "granted by", "approved by", "until", "revoked"), rows, title="By these grants")


def _denials(report: AuditReport) -> RenderableType:
    if not report.denials:
        return "Nothing was refused."
    rows = [
        (it.principal, it.action, it.resource, it.kind, it.purpose, it.reason, it.count, it.last_time) for it in report.denials
    ]
    names = ("who", "action", "on", "asked by", "purpose", "why", "times", "last")
    return table(names, rows, title="Refused", numbers=["times"])


def _changes(report: AuditReport) -> RenderableType:
    if not report.changes:
        return "No policy changed."
    rows = [(it.revision, it.time, it.principal, cell(it.kind, "bold"), it.subject) for it in report.changes]
    return table(("revision", "time", "who", "what", "on"), rows, title="Policy changes", numbers=["revision"])


def decisions_view(found: Sequence[DecisionRecord]) -> RenderableType:
    """One decision a line, newest first."""
    if not found:
        return "There are no such decisions."
    rows = [
        (
            it.sequence,
            it.time,
            it.principal,
            it.kind,
            cell(it.resource or ", ".join(it.questions[:3])),
            it.purpose,
            cell(it.end, "green" if it.is_allowed else "red"),
            it.rows if it.is_allowed else it.reason,
        )
        for it in found
    ]
    return table(("number", "time", "who", "what", "on", "purpose", "end", "rows"), rows, numbers=["number"])


def checkpoints_view(shown: Sequence[Checkpoint], *, total: int, exported: str) -> RenderableType:
    """The newest checkpoints, and where they were exported to."""
    from rich.console import Group

    if not shown:
        return "There is no checkpoint yet: make one with `mesh audit checkpoints --now`."
    rows = [(it.number, it.time, it.stream, it.sequence, it.hash[:16], it.cause, it.key_id) for it in shown]
    names = ("number", "time", "log", "entry", "hash", "cause", "key")
    listed = table(names, rows, numbers=["number", "entry"])
    note = f"{total} were written to {exported}: keep them where this server cannot write." if exported else ""
    return Group(listed, cell(note, "green")) if note else listed


def write_csv(report: AuditReport, path: Path) -> None:
    """Every use of the report is a line of the file; no cell begins like a formula. Raises: OSError."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_USE_COLUMNS)
        for use in report.uses:
            fields = plain(use)
            cells = (" ".join(it) if isinstance(it, list) else it for it in (fields[name] for name in _USE_COLUMNS))
            writer.writerow([f"'{it}" if isinstance(it, str) and it.startswith(_FORMULA) else it for it in cells])
