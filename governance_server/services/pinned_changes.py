"""Changes that are decided: which releases a caller is told of, under one plan that is as strict as a read of each of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from domainmesh.v1 import read_service_pb2 as pb
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid
from governance_server.rules.read_plans import ReadPlan
from governance_server.services.past_tags import past_tags
from governance_server.services.pinned_reads import PinnedRead, PinnedReads
from governance_server.upkeep.versions import find_release, refuse_retired

if TYPE_CHECKING:
    from governance_server.gateway.changes import ChangeStep

__all__ = ["PinnedChanges", "pin_changes", "shown_columns"]

_MOST_RELEASES = 100
"""Releases that one call tells of; the caller asks again from there."""
_TAGS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class PinnedChanges:
    """What a call tells: under which plan, which steps, and up to which version."""

    read: PinnedRead
    steps: tuple[ChangeStep, ...]
    version: int

    def header(self) -> pb.ReadChangesHeader:
        """What the answer begins with."""
        replaced = [step.version for step in self.steps if step.whole is not None]
        return pb.ReadChangesHeader(revision=self.read.plan.revision, version=self.version, replaced_versions=replaced)


def shown_columns(plan: ReadPlan, wanted: Sequence[str]) -> list[str]:
    """The wanted columns, all of the plan's if none are named. Raises: AccessDenied for one that is not visible."""
    visible = [column.name for column in plan.columns]
    hidden = [name for name in wanted if name not in visible]
    if hidden:
        raise AccessDenied(f"{plan.port} has no column {hidden[0]!r} that you may read: ask for the columns of its plan.")
    return list(dict.fromkeys(wanted)) or visible


def pin_changes(backend: Backend, reads: PinnedReads, caller: Caller, request: pb.ReadChangesRequest) -> PinnedChanges:
    """The changes of the port since that version. Raises: AccessDenied, PurposeNotHeld, NotFound, Invalid."""
    port, since = request.port, request.since
    newest = reads.pin(caller, port, request.purpose, request.version)
    if since > newest.version:
        raise Invalid(f"since is {since}, the version asked for is {newest.version}: ask since an earlier one.", resource=port)
    product = port.rpartition(".")[0]
    if since:
        refuse_retired(find_release(backend.catalog, product, since))
    steps: list[ChangeStep] = []
    told = [since] if since else []
    before, last = _delta_version(_release(backend, product, since), port), newest.version
    for number in range(since + 1, newest.version + 1):
        release = _release(backend, product, number)
        if release is None:  # given up: its number stays unused
            continue
        refuse_retired(release)
        if len(steps) == _MOST_RELEASES:
            last = told[-1]
            break
        step, before = _step(release, port, before)
        told.append(number)
        steps += step
    past = _tags_of(backend, port, tuple(told), newest)
    plan = backend.policy.plan(caller, port, request.purpose, past=past)
    digest = plan.digest()
    visible = {column.name for column in newest.plan.columns}
    cut = replace(plan, columns=tuple(column for column in plan.columns if column.name in visible))
    return PinnedChanges(replace(newest, plan=cut, digest=digest, past=past), tuple(steps), last)


def _release(backend: Backend, product: str, version: int) -> product_pb2.Release | None:
    body = backend.catalog.get(kinds.RELEASE, kinds.versioned_name(product, version)) if version else None
    return product_pb2.Release.FromString(body) if body is not None else None


def _port(release: product_pb2.Release | None, port: str) -> product_pb2.ReleasedPort | None:
    return next((it for it in release.ports if it.port == port), None) if release is not None else None


def _delta_version(release: product_pb2.Release | None, port: str) -> int:
    found = _port(release, port)
    return found.delta_version if found is not None else -1


def _step(release: product_pb2.Release, port: str, before: int) -> tuple[list[ChangeStep], int]:
    """What the release did to the port, and its Delta version afterwards."""
    from governance_server.gateway.changes import ChangeStep

    found = _port(release, port)
    if found is None:
        return [], before
    if found.mode == product_pb2.WRITE_MODE_KEEP:
        return [], found.delta_version
    changes = found.changes
    if not found.HasField("changes") or found.mode == product_pb2.WRITE_MODE_OVERWRITE or before < 0:
        return [ChangeStep(release.version, whole=(before, found.delta_version))], found.delta_version
    step = ChangeStep(
        release.version,
        inserted=tuple(changes.inserted_files),
        deleted=tuple(changes.deleted_files),
        replaced=tuple(changes.replaced_files),
    )
    return [step], found.delta_version


def _tags_of(backend: Backend, port: str, versions: tuple[int, ...], newest: PinnedRead) -> Mapping[str, Collection[str]]:
    """Column → every tag it had in one of these versions; the served one's are its tags of now."""
    every: dict[str, set[str]] = {name: set(tags) for name, tags in newest.past.items()}
    for version in versions:
        for name, tags in _tags(backend, port, version):
            every.setdefault(name, set()).update(tags)
    return {name: frozenset(tags) for name, tags in every.items()}


@lru_cache(maxsize=_TAGS_KEPT)
def _tags(backend: Backend, port: str, version: int) -> tuple[tuple[str, frozenset[str]], ...]:
    """Of a release, which never changes."""
    return tuple(past_tags(backend, port, version).columns.items())
