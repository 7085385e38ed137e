"""What a folder of the mesh says, as values: sources, their resources and where each stands.

A *source* is who states resources: the centre, or one domain. Knows nothing of files' texts, the wire or the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain_sdk.errors import InvalidRequest, Violation

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["CENTRE", "Case", "ContractFile", "Entry", "FolderProblem", "Place", "Source", "Tree", "source_of"]

CENTRE = "centre"
"""The source of what the central governance team states."""


def source_of(domain: str) -> str:
    """The source of what a domain states about itself."""
    return f"domain:{domain}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file."""

    path: str
    """Relative to the folder, with `/`."""
    line: int = 0
    """From 1; 0 for the file as a whole."""

    def __str__(self) -> str:
        """`sales/policies.yaml:12`."""
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True, order=True)
class FolderProblem:
    """One thing that is wrong, and what would be right."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as its source states it; fields that belong to another source are not set."""

    resource: Message
    """A message of `domainmesh.v1`: Domain, Principal, Purpose, Guardrail, Grant and so on."""
    place: Place


@dataclass(frozen=True, slots=True)
class ContractFile:
    """The contract of a product."""

    product: str
    """Two-part name."""
    text: bytes = field(repr=False)
    place: Place


@dataclass(frozen=True, slots=True)
class Case:
    """One policy test, as its file states it."""

    document: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Source:
    """Everything one source states."""

    name: str
    """`centre` or `domain:sales`."""
    folder: str
    """Relative to the tree; empty if the tree is this source's folder."""
    entries: tuple[Entry, ...] = ()
    contracts: tuple[ContractFile, ...] = ()
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that was read whole: the centre first, then domains by name."""

    sources: tuple[Source, ...]

    def only(self, sources: Sequence[str]) -> Tree:
        """The tree with nothing but the named sources (`centre`, `domain:sales` or `sales`); whole if none is named.

        Raises:
            InvalidRequest: it does not have one of them.
        """
        if not sources:
            return self
        known = {source.name for source in self.sources}
        wanted = {it if it == CENTRE or ":" in it else source_of(it) for it in sources}
        if wanted - known:
            missing = ", ".join(sorted(wanted - known))
            raise InvalidRequest(f"The folder does not state {missing}; it states {', '.join(sorted(known)) or 'nothing'}.")
        return Tree(tuple(source for source in self.sources if source.name in wanted))

    @property
    def cases(self) -> tuple[Case, ...]:
        """Every policy test, in the order of the sources."""
        return tuple(case for source in self.sources for case in source.cases)


def refusal(problems: Sequence[FolderProblem], root: str) -> InvalidRequest:
    """The error that tells all problems of a folder at once."""
    listed = sorted(set(problems))
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    return InvalidRequest(
        f"{root} has {count}, so nothing was sent: mend what is listed.",
        violations=[Violation(str(it.place), it.message) for it in listed],
    )
