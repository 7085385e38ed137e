"""Which tags of passages bind a caller, and how: by a mask, or so that nothing that carries them may be shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from governance_server.policy.engine import Matches
from mesh_core.names import InvalidName, tag_object

__all__ = ["BoundTags", "bound_by", "tag_objects"]


@dataclass(frozen=True, slots=True)
class BoundTags:
    """Tags that bind a caller; no tag is in both."""

    withheld: frozenset[str]
    """A denial or a filter binds them, or they are no tags at all: what carries one must not be shown."""
    masked: frozenset[str]
    """A mask alone binds them: the data they stand for must not be shown."""

    @property
    def every(self) -> frozenset[str]:
        """All of them: what carries one must not be shown as it is."""
        return self.withheld | self.masked


def tag_objects(tags: Collection[str]) -> dict[str, str]:
    """The policy objects of those that are tags."""
    found: dict[str, str] = {}
    for tag in tags:
        try:
            found[tag] = tag_object(tag)
        except InvalidName:
            continue
    return found


def bound_by(tags: Collection[str], objects: Mapping[str, str], matches: Sequence[Matches]) -> BoundTags:
    """What of the tags binds, given the rules that match each object, in their order."""
    withheld = {
        tag for tag, match in zip(objects, matches, strict=True) if match.p3 or any(rule.value == "deny" for rule in match.p)
    }
    masked = {tag for tag, match in zip(objects, matches, strict=True) if match.p2}
    withheld |= set(tags) - objects.keys()
    return BoundTags(frozenset(withheld), frozenset(masked - withheld))
