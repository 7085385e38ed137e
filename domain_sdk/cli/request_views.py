"""How access requests look: asked held against given, who must approve, and what happened when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain_sdk.access_requests import AccessTerms
from domain_sdk.cli.output import cell, details, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.access_requests import AccessRequest, AccessRequestEvent, ApproverLevel

__all__ = ["request_view", "requests_view", "state_cell"]

_STATES = {
    "requested": "yellow",
    "approved": "green",
    "active": "green",
    "denied": "red",
    "revoked": "red",
    "expired": "dim",
    "withdrawn": "dim",
}
_SOON = timedelta(days=7)


def request_view(request: AccessRequest) -> RenderableType:
    """One request: what is known, asked against given, the levels of approval, its history, and what to do next."""
    from rich.console import Group

    facts = {
        "state": state_cell(request),
        "who": f"{request.requester} for {request.subject}" if request.subject else request.requester,
        "asks for": request.resource,
        "purpose": request.purpose,
        "reason": request.reason,
        "decided by": request.decider,
        "answer": request.decision_reason,
        "grants": request.grants,
        "renews": request.renews,
        "renewed by": request.renewed_by,
    }
    parts = [details(facts, title=f"Access request {request.id}"), _terms(request)]
    if request.levels:
        parts.append(_levels(request.levels))
    if request.history:
        parts.append(_timeline(request.history))
    step = _next_step(request)
    if step:
        parts.append(cell(step, "dim"))
    return Group(parts[0], *(line for part in parts[1:] for line in ("", part)))


def requests_view(found: Sequence[AccessRequest]) -> RenderableType:
    """Several requests, a line each."""
    if not found:
        return "There are no requests of yours, and none wait for you."
    rows = [
        (cell(it.id, "bold"), state_cell(it), it.requester, it.resource, it.purpose, it.reason, it.create_time) for it in found
    ]
    return table(("id", "state", "who", "asks for", "purpose", "reason", "since"), rows, whole=("id",))


def state_cell(request: AccessRequest) -> Text:
    """The state in its colour; with the end, if access ends soon, and a mark if less was given than asked."""
    word = str(request.state)
    extra = " (less than asked)" if request.is_less_than_asked and request.is_approved else ""
    until = request.given.until if request.given else None
    if word == "active" and until is not None and until - datetime.now(UTC) < _SOON:
        extra += f", ends {until:%Y-%m-%d %H:%MZ}"
    return cell(word + extra, _STATES.get(word, "dim"))


def _terms(request: AccessRequest) -> RenderableType:
    """What was asked beside what was given; while it waits, beside what each approval so far would give."""
    asked = request.asked
    others = {"given": request.given} if request.given else {f"{it.approver} gives": it.terms for it in request.approvals}
    rows = []
    for name, shown in _PARTS.items():
        wanted = shown(asked)
        found = [shown(terms) for terms in others.values()]
        said = found if request.given else ["as asked" if it == _NOTHING[name] else it for it in found]
        rows.append((cell(name, "cyan"), wanted, *(cell(it, "" if it in (wanted, "as asked") else "bold yellow") for it in said)))
    return table(("", "asked", *others), rows)


_PARTS: dict[str, Callable[[AccessTerms], str]] = {
    "columns": lambda terms: ", ".join(terms.columns) or "all",
    "rows": lambda terms: terms.row_filter or "all",
    "masks": lambda terms: cell(terms.masks).plain or "none",
    "until": lambda terms: cell(terms.until).plain or "no end",
}
_NOTHING = {name: shown(AccessTerms()) for name, shown in _PARTS.items()}
"""What an approval says that leaves it at what was asked."""


def _levels(levels: Sequence[ApproverLevel]) -> RenderableType:
    rows = []
    for level in levels:
        joined = (" and " if level.needs_all else " or ").join(_approver(name) for name in level.approvers)
        mark = cell("✓ filled", "green") if level.is_filled else cell("waits", "yellow")
        rows.append((level.level, joined, level.approved_by, mark))
    return table(("level", "needs", "approved by", ""), rows, title="Who must approve")


def _approver(name: str) -> str:
    return "whoever may grant" if name == "grant" else name


def _timeline(history: Sequence[AccessRequestEvent]) -> RenderableType:
    rows = []
    for event in history:
        word = str(event.step)
        what = f"{word.split(maxsplit=1)[-1]} (level {event.level})" if word == "level approved" else word
        who = f"{event.principal} by rule {event.approval_rule}" if event.approval_rule else event.principal
        rows.append((event.time, cell(what, _STATES.get(word, "")), who, event.reason))
    return table(("when", "what", "who", "why"), rows, title="History")


def _next_step(request: AccessRequest) -> str:
    if not request.is_decided:
        return f"next: an approver decides with mesh approve {request.id} or mesh deny {request.id}"
    if request.is_approved and request.is_less_than_asked:
        return f"next: keep what was given, give it back with mesh withdraw {request.id}, or ask again with mesh request"
    until = request.given.until if request.given else None
    if str(request.state) == "active" and until is not None and until - datetime.now(UTC) < _SOON:
        return f"next: it ends soon; go on with mesh renew {request.id} --until DATE"
    if str(request.state) == "expired":
        return f"next: ask anew with mesh request {request.resource}"
    return ""
