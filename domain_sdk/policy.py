"""`mesh.policy`: questions about who may see what, and what a rule would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.break_glass import BreakGlass

__all__ = ["Policy"]


class Policy:
    """Questions about policy. Reached as `mesh.policy`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
