"""`mesh.policy`: questions about who may see what, and what a rule would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = ["Policy"]


class Policy:
    """Questions about policy. Reached as `mesh.policy`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
