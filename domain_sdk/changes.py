"""`mesh.changes`: many resources changed together or not at all, and what a second administrator has to approve.

Owns the values a change set is shown as and the arguments of its calls; what a set may do is the server's decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk._transport import Transport
    from domain_sdk.change_feed import ChangeScan
    from domain_sdk.folder import FolderPlan
    from domain_sdk.folder.testing import CaseResult
    from domain_sdk.questions import Impact

__all__ = ["ChangePlan", "ChangeSet", "Changes", "FieldDifference", "PlannedChange", "Resource"]

Kind = Literal["domain", "principal", "purpose", "governed_tag", "tag_release", "guardrail", "grant", "approval_rule"]
PlannedAction = Literal["create", "update", "delete", "unchanged"]
ChangeSetState = Literal["proposed", "applied", "rejected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as somebody wants it to be."""

    kind: Kind
    fields: Mapping[str, object] = field(default_factory=dict)
    """Its fields as the API names them, like `{"name": "sales", "owners": ["user:ana"]}`; times as ISO 8601 text."""
    is_absent: bool = False
    """True when it must not exist; only what names it counts then."""


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field that differs."""

    field: str
    before: str
    """As text; empty when it was not set."""
    after: str
    """As text; empty when it is not set."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a change set does to one resource."""

    action: PlannedAction
    kind: Kind
    name: str
    differences: tuple[FieldDifference, ...]
    """Between the live and the desired resource."""
    drift: tuple[FieldDifference, ...]
    """What somebody changed since the source was applied last; the change set undoes it."""
    is_central: bool
    """True when it needs a second administrator as soon as the mesh has two."""
    is_pruned: bool
    """True when it ends because its source no longer names it."""


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change set would do."""

    changes: tuple[PlannedChange, ...]
    """In the order they are written, the unchanged among them."""
    etag: str
    """Give it to `apply`, and nothing but this plan is applied."""
    revision: int
    """The journal revision it was planned at."""
    needs_second_person: bool
    approvers: tuple[str, ...]
    """Who may approve it, if it needs a second person."""
    unmanaged: tuple[str, ...]
    """What lies within the source without being named by it; left alone. At most 500."""
    impact: Impact | None = None
    """What it does to access; None if the server did not say."""

    @property
    def is_empty(self) -> bool:
        """True when everything is as desired."""
        return all(change.action == "unchanged" for change in self.changes)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes that are written together or not at all."""

    id: str
    """Like `c-5f0c…`; empty for a dry run and when nothing had to change."""
    source: str
    """The folder it comes from: `domain:sales`, `centre`, or empty."""
    resources: tuple[Resource, ...]
    """As desired; empty in a list."""
    reason: str
    state: ChangeSetState
    changes: tuple[PlannedChange, ...]
    """What it does or did, without what was as desired."""
    proposer: str
    create_time: datetime | None
    approver: str
    """Who approved or rejected it, if a second person did."""
    decide_time: datetime | None
    decision_reason: str
    base_revision: int
    """The journal revision it was planned at."""
    etag: str
    approvers: tuple[str, ...] = ()
    """Who could approve it when it was proposed."""
    impact: Impact | None = None
    """What it was foreseen to do to access, on resources that its proposer may ask about; None in a list."""


class Changes:
    """Change sets: `mesh.changes.plan(…)` and the like. Called itself it is the feed of data: `mesh.changes(port, since=3)`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(
        self,
        port: str,
        *,
        since: int,
        version: int | None = None,
        purpose: str | None = None,
        timeout_seconds: float | None = None,
    ) -> pl.LazyFrame:
        """What became different of a table, as a lazy frame: its visible columns, `_change_type` and `_version`.

        It is the difference between two governed reads: a row that leaves your row filter is a `delete`, one that enters it an
        `insert`; a change that you cannot see is none. An update is two rows, `update_preimage` and `update_postimage`. A release
        that overwrote the table is every row out and every row in. Rows come in order of versions.

        Args:
            port: Three-part name.
            since: The product's version you know; 0 for none.
            version: The version to go up to; the one now served when None, pinned on first use.
            purpose: Why it is read; must be one you hold.
            timeout_seconds: How long one answer may take; for ever when None.

        Raises:
            InvalidRequest: an argument is malformed.
        """
        from domain_sdk import read

        return read.scan(self._source(port, since=since, version=version, purpose=purpose, timeout_seconds=timeout_seconds))

    def _source(
        self, port: str, *, since: int, version: int | None, purpose: str | None, timeout_seconds: float | None = None
    ) -> ChangeScan:
        from domain_sdk._arguments import checked_number, checked_text
        from domain_sdk.change_feed import ChangeScan
        from domainmesh.v1.read_service_pb2 import PlanReadRequest

        request = PlanReadRequest(
            port=checked_text(port, "port", example="finance.ledger.entries"),
            purpose=checked_text(purpose or "", "purpose"),
            version=checked_number(version, "version") or 0,
        )
        known = checked_number(since, "since") or 0
        return ChangeScan(self._transport, request, since=known, timeout_seconds=timeout_seconds)

    def plan(self, resources: Iterable[Resource], *, source: str = "") -> ChangePlan:
        """What applying the resources would change.

        Args:
            resources: As desired, each once, in any order.
            source: `domain:sales` (its description and roles, its grants and approval rules) or `centre` (whose domains are,
                principals, purposes, tags, guardrails, grants on `mesh`): what the source named last time and names no longer
                ends. Empty: nothing ends unless it says so.

        Raises:
            InvalidRequest: resources are malformed or contradict each other; all problems are listed.
            AccessDenied: the caller may not change all of them.
        """
        from domain_sdk import _change_calls

        return _change_calls.plan(self._transport, resources, source)

    def apply(
        self, resources: Iterable[Resource], *, source: str = "", reason: str = "", etag: str = "", dry_run: bool = False
    ) -> ChangeSet:
        """All of it is written in one change, or filed as a proposal (`state` tells) if it needs a second administrator.

        Args:
            resources: As desired, each once, in any order.
            source: As in `plan`.
            reason: What an approver gets to read.
            etag: Of the plan that was looked at; if the plan would now be another, nothing is applied.
            dry_run: Check everything, change nothing.

        Raises:
            Conflict: the plan is no longer the one of the etag.
        """
        from domain_sdk import _change_calls

        return _change_calls.apply(self._transport, resources, source=source, reason=reason, etag=etag, validate_only=dry_run)

    def plan_folder(self, folder: str | Path) -> FolderPlan:
        """What applying the folder would change, source by source.

        Raises:
            InvalidRequest: files are malformed, or what they state cannot be; everything is listed with file and line.
            AccessDenied: the caller may not make all of the changes.
        """
        from domain_sdk.folder import plan_tree, read_folder

        return plan_tree(self._transport, read_folder(Path(folder)))

    def apply_folder(self, folder: str | Path, *, reason: str = "") -> Sequence[ChangeSet]:
        """What the folder states holds or is proposed: one change set for each source, the centre's first.

        The first proposal is the last change set: what comes after it may rest on it. Contracts are registered, as far as the
        caller may write their products.

        Raises:
            InvalidRequest: files are malformed (then nothing was changed), or what a source states cannot be.
        """
        from domain_sdk.folder import apply_source, read_folder
        from domain_sdk.folder.planning import register_contracts

        done: list[ChangeSet] = []
        for source in read_folder(Path(folder)).sources:
            done.append(apply_source(self._transport, source, reason=reason))
            if done[-1].state == "proposed":
                break
            register_contracts(self._transport, source)
        return done

    def test_folder(self, folder: str | Path, *, with_changes: bool = False) -> Sequence[CaseResult]:
        """How each policy test of the folder comes out, on the mesh as it is or (`with_changes`) as the folder would make it.

        Raises:
            InvalidRequest: files are malformed; everything is listed with file and line.
            AccessDenied: the caller may not ask what others see of a port in a test.
        """
        from domain_sdk.folder import read_folder
        from domain_sdk.folder.testing import run_cases

        return run_cases(self._transport, read_folder(Path(folder)), with_changes=with_changes)

    def export_folder(self, folder: str | Path, *, force: bool = False) -> Sequence[str]:
        """The mesh, as far as the caller administers it, is in the folder; the paths of the files.

        Raises:
            InvalidRequest: the folder holds something and `force` is not set.
        """
        from domain_sdk.folder import export_folder

        return export_folder(self._transport, Path(folder), force=force)

    def approve(self, id: str, *, reason: str = "") -> ChangeSet:
        """The proposal is applied.

        Raises:
            AccessDenied: the caller proposed it, or is no administrator.
            Conflict: what it changes has changed since it was proposed.
        """
        from domain_sdk import _change_calls

        return _change_calls.approve(self._transport, id, reason)

    def reject(self, id: str, *, reason: str = "") -> ChangeSet:
        """The proposal will never be applied."""
        from domain_sdk import _change_calls

        return _change_calls.reject(self._transport, id, reason)

    def withdraw(self, id: str) -> ChangeSet:
        """The caller's own proposal is taken back."""
        from domain_sdk import _change_calls

        return _change_calls.withdraw(self._transport, id)

    def get(self, id: str) -> ChangeSet:
        """The change set with its resources."""
        from domain_sdk import _change_calls

        return _change_calls.get(self._transport, id)

    def list(
        self, *, state: ChangeSetState | Literal[""] = "", source: str = "", limit: int | None = None
    ) -> Sequence[ChangeSet]:
        """The change sets the caller may see, newest first, without their resources."""
        from domain_sdk import _change_calls

        return _change_calls.list_sets(self._transport, state=state, source=source, limit=limit)

    def export(self, *, source: str = "", include_requested: bool = False) -> Sequence[Resource]:
        """The mesh as far as the caller administers it, always in the same order; applied again, it changes nothing.

        Args:
            source: Only what belongs to this source; everything when empty.
            include_requested: Grants that came from access requests, too.
        """
        from domain_sdk import _change_calls

        return _change_calls.export(self._transport, source=source, include_requested=include_requested)
