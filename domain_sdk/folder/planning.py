"""What a folder would change and how it is applied: one change set for each source, the centre's first.

Owns the way from a tree to change sets and the way back of what the server says to the lines of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain_sdk import _change_calls
from domain_sdk.changes import ChangePlan, ChangeSet
from domain_sdk.errors import AccessDenied, InvalidRequest, MeshError, Violation
from domain_sdk.folder.contract_checks import ContractCheck, check_contracts, register
from domain_sdk.folder.tree import Entry, Source, Tree
from domainmesh.v1.change_set_pb2 import DesiredResource

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from domain_sdk._transport import Transport

__all__ = ["FolderPlan", "SourcePlan", "apply_source", "desired", "label_of", "plan_source", "plan_tree", "register_contracts"]

_KINDS = {"GovernedTag": "governed_tag", "TagRelease": "tag_release", "ApprovalRule": "approval_rule"}


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What applying one source of a folder would change."""

    source: str
    """`centre` or `domain:sales`."""
    folder: str
    """Relative to the tree; empty if it is the tree."""
    plan: ChangePlan | None
    """None while it cannot be planned."""
    waits: str = ""
    """Why it cannot be planned before what comes first has been applied; empty otherwise."""
    contracts: tuple[ContractCheck, ...] = ()
    """What publishing with the folder's contracts would meet; applying a folder registers them and publishes nothing."""

    @property
    def is_empty(self) -> bool:
        """True when everything is as the folder says."""
        return self.plan is not None and self.plan.is_empty and not any(it.is_to_register for it in self.contracts)


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What applying a folder would change, source by source, in the order they are applied."""

    sources: tuple[SourcePlan, ...]

    @property
    def is_empty(self) -> bool:
        """True when everything is as the folder says."""
        return all(source.is_empty for source in self.sources)


def plan_tree(transport: Transport, tree: Tree, *, working: Callable[[str], object] = lambda source: None) -> FolderPlan:
    """The plan of every source.

    Raises:
        InvalidRequest: some resource cannot be as the folder says; everything that is wrong is listed with its line.
        AccessDenied: the caller may not make all of the changes.
    """
    plans: list[SourcePlan] = []
    failures: list[MeshError] = []
    for source in tree.sources:
        working(source.name)
        try:
            plans.append(plan_source(transport, source))
        except (InvalidRequest, AccessDenied) as error:
            first = next((it for it in plans if not it.is_empty), None)
            if first is None:
                failures.append(error)
                continue
            told = "; ".join(map(str, error.violations)) or error.message
            waits = f"it is planned once {first.source} has been applied; as the mesh is now: {told}"
            plans.append(SourcePlan(source.name, source.folder, None, waits))
    if failures:
        raise _joined(failures)
    return FolderPlan(tuple(plans))


def plan_source(transport: Transport, source: Source) -> SourcePlan:
    """The plan of one source. Raises: as `plan_tree`."""
    try:
        plan = _change_calls.plan(transport, desired(source), source.name)
    except (InvalidRequest, AccessDenied) as error:
        raise _at_lines(error, source) from error
    return SourcePlan(source.name, source.folder, plan, contracts=tuple(check_contracts(transport, source)))


def apply_source(transport: Transport, source: Source, *, reason: str = "", etag: str = "") -> ChangeSet:
    """All the source states holds, or waits for a second administrator. Raises: as `plan_tree`, and Conflict for a stale etag."""
    try:
        return _change_calls.apply(transport, desired(source), source=source.name, reason=reason, etag=etag, validate_only=False)
    except (InvalidRequest, AccessDenied) as error:
        raise _at_lines(error, source) from error


def register_contracts(transport: Transport, source: Source) -> list[str]:
    """The products, by name, whose contracts are kept from now on: neither served nor kept before, and the caller's to write."""
    return sorted(contract.product for contract in source.contracts if register(transport, contract))


def desired(source: Source) -> list[DesiredResource]:
    """The source's resources on the wire."""
    return [DesiredResource(**{_kind(entry.resource): entry.resource}) for entry in source.entries]  # type: ignore[arg-type] # its own kinds


def label_of(entry: Entry) -> str:
    """What the server calls the entry's resource: its kind and name."""
    kind, resource = _kind(entry.resource), entry.resource
    keys = ("object", "tag") if kind == "tag_release" else ("name", "id", "tag")
    names = [str(getattr(resource, key)) for key in keys if hasattr(resource, key)]
    return " ".join([kind, *(names if kind == "tag_release" else [names[0].removesuffix(".*")])])


def _kind(resource: Message) -> str:
    name = type(resource).__name__
    return _KINDS.get(name, name.lower())


def _at_lines(error: MeshError, source: Source) -> MeshError:
    """The same error with the line of the file for each violation that is about a resource of the source."""
    violations = tuple(_at_line(it, source.entries) for it in error.violations)
    if not violations:
        violations = (Violation(source.folder or source.name, error.message),)
    return _like(error, f"{source.name} cannot be applied, and nothing of it was changed: mend what is listed.", violations)


def _at_line(violation: Violation, entries: Sequence[Entry]) -> Violation:
    for position, entry in enumerate(entries):
        label = label_of(entry)
        for start in (f"resources[{position}] {_kind(entry.resource)}", label):
            rest = violation.path.removeprefix(start)
            if rest != violation.path and rest[:1] in ("", ":", " "):
                field = rest.strip(": ")
                where = f"{label}, {field}" if field else label
                return Violation(str(entry.place), f"{where}: {violation.message}")
    return violation


def _like(error: MeshError, message: str, violations: Iterable[Violation]) -> MeshError:
    made = type(error)(message, resource=error.resource, violations=tuple(violations), request_id=error.request_id)
    made.reason = error.reason
    return made


def _joined(failures: Sequence[MeshError]) -> MeshError:
    if len(failures) == 1:
        return failures[0]
    first = next((it for it in failures if isinstance(it, InvalidRequest)), failures[0])
    found = [it for failure in failures for it in failure.violations]
    return _like(first, "The folder cannot be applied, and nothing was changed: mend what is listed.", found)
