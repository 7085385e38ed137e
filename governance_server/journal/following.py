"""Who must know what a group of commands has written before it is committed: the policy its later commands are decided on.

Owns the seam only; the journal knows nothing of policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from governance_server.rules.apply import ResourceWrite

__all__ = ["NOBODY", "Follower"]


class Follower(Protocol):
    """Called on the writer thread, inside its transaction."""

    def follow(self, writes: Sequence[ResourceWrite], revision: int) -> bool:
        """Questions asked on this thread are answered with the writes in force; False if the group must be committed first.

        Raises:
            ValueError: The writes say what nobody can decide on; they must not be committed.
        """
        ...

    def end_group(self, *, is_committed: bool) -> None:
        """What was followed is committed, or never was; called once for each group."""
        ...


class _Nobody:
    def follow(self, writes: Sequence[ResourceWrite], revision: int) -> bool:
        return True

    def end_group(self, *, is_committed: bool) -> None:
        pass


NOBODY: Follower = _Nobody()
"""For a journal on which no decision rests."""
