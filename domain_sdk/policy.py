"""`mesh.policy`: questions about who may see what and what a rule would change; and access in an emergency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_number, checked_text
from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from domain_sdk._access import Action
    from domain_sdk._transport import Transport
    from domain_sdk.break_glass import BreakGlass
    from domain_sdk.changes import Resource
    from domain_sdk.questions import Impact, Proof, Question, Readers, Sight, Visible

__all__ = ["Policy"]

_COLUMN = "finance.ledger.entries.amount"


class Policy:
    """Questions about policy. Reached as `mesh.policy`.

    About others one may ask on resources that one may `grant` on, and on all of them with `administer` on `mesh`. Every question
    can be asked as of a past journal revision (`as_of`; 0: now), with that revision's time.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def sees(self, principal: str = "", *, purpose: str | None = None, domain: str = "", as_of: int = 0) -> Visible:
        """What the principal (the caller when empty) sees: every port with its columns, masks and rows.

        Args:
            principal: `user:ana`; `group:analysts` asks about any further member of it, `*` about anybody of whom no rule knows.
            purpose: Only for this one; for none and every purpose it holds when None.
            domain: Only ports of this domain; of all when empty.
            as_of: The journal revision.

        Raises:
            AccessDenied: the caller may not ask about others anywhere.
        """
        from domain_sdk import _question_calls
        from domainmesh.v1.question_service_pb2 import ListVisibleRequest

        sent = ListVisibleRequest(principal=principal, purpose=purpose or "", domain=domain, as_of=as_of)
        return _question_calls.visible(self._transport, sent)

    def who(self, resource: str, *, purpose: str | None = None, as_of: int = 0) -> Readers:
        """Everybody who sees the port or column, how, and by which grant: complete over all principals known.

        Args:
            resource: `finance.ledger.entries` or a column of it, `finance.ledger.entries.amount`.
            purpose: Only for this one; for none and every purpose somebody holds when None.
            as_of: The journal revision.

        Raises:
            AccessDenied: the caller may not ask about others on it, or it does not exist.
        """
        from domain_sdk import _question_calls
        from domainmesh.v1.question_service_pb2 import ListReadersRequest

        wanted = checked_text(resource, "resource", example=_COLUMN)
        return _question_calls.readers(self._transport, ListReadersRequest(resource=wanted, purpose=purpose or "", as_of=as_of))

    def explain_many(self, questions: Iterable[Question], *, changes: Iterable[Resource] = (), as_of: int = 0) -> list[Sight]:
        """What each of up to 1,000 sees, in order, all at one revision; under changes that nobody has made, if some are given.

        Raises:
            AccessDenied: the caller may not ask one of the questions, or not make one of the changes.
            InvalidRequest: the changes cannot be understood.
        """
        from domain_sdk import _change_calls, _question_calls

        desired = _change_calls.to_desired(changes)
        return _question_calls.explain_many(self._transport, questions, changes=desired, as_of=as_of)

    def simulate(self, changes: Iterable[Resource], *, recorded_days: int = 0, limit_seconds: int = 0, as_of: int = 0) -> Impact:
        """What the changes would do to access, without making them: who gains, who loses, what.

        Args:
            changes: Resources as they would be.
            recorded_days: Judge the recorded reads of so many past days again.
            limit_seconds: When to stop comparing; 10 when 0. What was left out then is said in the answer.
            as_of: The journal revision to suppose them at.

        Raises:
            AccessDenied: the caller may not make one of the changes.
            InvalidRequest: the changes cannot be understood.
        """
        from domain_sdk import _change_calls, _question_calls
        from domainmesh.v1.question_service_pb2 import SimulateRequest

        sent = SimulateRequest(
            changes=_change_calls.to_desired(changes),
            recorded_days=checked_number(recorded_days, "recorded_days") or 0,
            limit_seconds=checked_number(limit_seconds, "limit_seconds") or 0,
            as_of=as_of,
        )
        return _question_calls.simulate(self._transport, sent)

    def prove(
        self,
        *,
        tag: str = "",
        guardrail: str = "",
        purpose: str | None = None,
        subject: str = "",
        action: Action = "read",
        hidden: bool = False,
        as_of: int = 0,
    ) -> Proof:
        """Whether nobody sees what a tag or guardrail is to protect; else who does, and by which grant and exemption.

        Everybody, every purpose, column and moment to come is enumerated; nothing is sampled. Give either a tag or a guardrail.

        Args:
            tag: Nobody sees a column that carries it (`pii.*`) as it is.
            guardrail: Nobody reads past this guardrail, those it exempts included.
            purpose: Only for this one; for none and every purpose when None.
            subject: Only this principal, or who has this group or role.
            action: Another action than reading, of columns that carry the tag.
            hidden: Not seen at all, not even masked.
            as_of: The journal revision.

        Raises:
            TooLarge: the enumeration would take too long: narrow it.
        """
        from domain_sdk import _question_calls
        from domainmesh.v1.question_service_pb2 import ProveRequest

        if bool(tag) == bool(guardrail):
            raise InvalidRequest("Give what is to be proven: either `tag` or `guardrail`.")
        sent = ProveRequest(purpose=purpose or "", subject=subject, is_hidden=hidden, as_of=as_of)
        sent.action = "" if action == "read" else action
        if guardrail:
            sent.guardrail = guardrail
        if tag:
            sent.tag = tag
        return _question_calls.prove(self._transport, sent)

    def break_glass(self, port: str, *, reason: str, minutes: int = 30) -> BreakGlass:
        """The caller may read the port for so many minutes, at most 240; its owners and the administrators are told.

        Raises:
            AccessDenied: the caller does not hold `role:break-glass`.
        """
        from domain_sdk import _break_glass_calls

        return _break_glass_calls.open_port(self._transport, port, reason, minutes)

    def break_glass_uses(self, *, only_unacknowledged: bool = False) -> list[BreakGlass]:
        """The caller's own uses of break-glass and those on what it may grant on, newest first."""
        from domain_sdk import _break_glass_calls

        return _break_glass_calls.list_uses(self._transport, only_unacknowledged=only_unacknowledged)

    def acknowledge_break_glass(self, id: str, acknowledgement: str = "") -> BreakGlass:
        """The use is taken note of; the caller must not be the one who opened it."""
        from domain_sdk import _break_glass_calls

        return _break_glass_calls.acknowledge(self._transport, id, acknowledgement)

    def end_break_glass(self, id: str, *, reason: str = "") -> BreakGlass:
        """The use gives access no more; running reads stop."""
        from domain_sdk import _break_glass_calls

        return _break_glass_calls.end(self._transport, id, reason)
