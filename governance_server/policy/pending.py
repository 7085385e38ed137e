"""What a group of commands has written and not yet committed, as the policy that the next command of the group is decided on.

Seen by the one thread that writes, inside its transaction; everybody else is answered from what is committed. Knows nothing of
storage: it is told what was written, and whether it counts (ADR 0014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import get_ident

from governance_server.policy.view import View
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite

__all__ = ["Pending", "can_follow"]


def can_follow(writes: Sequence[ResourceWrite]) -> bool:
    """True if these writes of policy can be followed before they are committed; after any other its group must end."""
    return all(write.kind in kinds.FOLLOWED_KINDS for write in writes)


@dataclass(slots=True)
class Pending:
    """The policy of the writing thread's group: the committed view with the group's own changes."""

    base: View
    thread: int = field(default_factory=get_ident)
    base_revision: int = -1
    view: View = field(init=False)
    _followed: list[tuple[Sequence[ResourceWrite], int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base_revision = self.base.revision
        self.view = self.base.fork()

    def follow(self, writes: Sequence[ResourceWrite], revision: int) -> None:
        """The view has the writes; after an error it is as before. Raises: UnreadableRule, ValueError."""
        try:
            self.view.change(writes, revision=revision)
        except BaseException:
            self.view = self.base.fork()
            for earlier, at in self._followed:
                self.view.change(earlier, revision=at)
            raise
        self._followed.append((writes, revision))
