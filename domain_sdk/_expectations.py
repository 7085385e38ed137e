"""The calls of `Mesh` about what consumers expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from domain_sdk._arguments import checked_text

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.expectations import Expectation

__all__ = ["ExpectationCalls"]


class ExpectationCalls:
    """What a consumer relies on. Part of `Mesh`."""

    _transport: Transport

    def expect(
        self, port: str, rule: str | Mapping[str, Any], *, column: str = "", purpose: str | None = None, reason: str = ""
    ) -> Expectation:
        """The expectation, registered: the producer is told before a release breaks it, and its policy may stop the release.

        It is judged on the rows and columns the caller may see at that moment; while the caller may not read what it names, it is
        inactive.

        Args:
            port: Three-part name of a table.
            rule: A predicate like `amount >= 0`, which a row breaks where it is false; or an ODCS library rule, a mapping like
                `{"metric": "rowCount", "mustBeGreaterThan": 0}`.
            column: The column that an ODCS rule is about; none for the whole port.
            purpose: What the port is read for.
            reason: Why; the producer gets to read it.

        Raises:
            AccessDenied: the caller may not read a column it names as it is.
            InvalidExpression: the predicate cannot be understood, or does not fit the columns.
            InvalidRequest: the rule is no library rule of ODCS.
        """
        from domain_sdk import _expectation_calls
        from domainmesh.v1.expectation_service_pb2 import CreateExpectationRequest

        request = CreateExpectationRequest(
            port=checked_text(port, "port", example="finance.ledger.entries"), rule=_expectation_calls.rule_text(rule),
            column=checked_text(column, "column"), purpose=checked_text(purpose or "", "purpose"),
            reason=checked_text(reason, "reason"),
        )  # fmt: skip
        return _expectation_calls.create(self._transport, request)

    def expectations(self, resource: str = "", *, only_own: bool = False, limit: int | None = None) -> list[Expectation]:
        """The caller's own expectations and those on products it may write, by port; of one product or port if it is given."""
        from domain_sdk import _expectation_calls

        return _expectation_calls.list_expectations(self._transport, resource, only_own=only_own, limit=limit)

    def withdraw_expectation(self, id: str) -> None:
        """The caller's expectation is gone. Raises: AccessDenied."""
        from domain_sdk import _expectation_calls

        _expectation_calls.delete(self._transport, id)
