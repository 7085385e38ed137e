"""The mesh as resources: what a caller administers, in an order that never changes, so that applied again it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.editing.change_sets import Wanted
from governance_server.editing.editor import Editor
from governance_server.editing.registry import EDITORS
from governance_server.rules import kinds
from governance_server.storage.resources import Selection
from mesh_core.names import MESH

__all__ = ["exported", "unmanaged"]

_BATCH = 500


def exported(
    backend: Backend, caller: Caller, *, source: str, as_of: int, after: tuple[str, str] = ("", ""), has_derived: bool = False
) -> Iterator[Wanted]:
    """What the caller administers at the revision, kind by kind, by name; after the kind and name given."""
    order = list(EDITORS)
    start = order.index(after[0]) if after[0] in order else 0
    for kind in order[start:]:
        editor = EDITORS[kind]
        for name, live in _live(backend, editor, after[1] if kind == after[0] else "", as_of):
            if source and source not in editor.sources_of(live):
                continue
            if (not editor.ends_in_content and editor.is_ended(live)) or _has_run_out(backend, live):
                continue
            if (has_derived or not editor.is_derived(live)) and _administers(backend, caller, kind, live):
                yield Wanted(kind, name, editor.view(editor.content(live), source))


def unmanaged(backend: Backend, caller: Caller, source: str, managed: set[tuple[str, str]], *, most: int) -> list[str]:
    """What lies within the source and is not managed by it: kind and name."""
    if not source:
        return []
    found = []
    for it in exported(backend, caller, source=source, as_of=backend.catalog.revision()):
        if it.key not in managed and not EDITORS[it.kind].is_ended(it.content):
            found.append(f"{it.kind} {it.name}")
        if len(found) == most:
            break
    return found


def _live(backend: Backend, editor: Editor[Any], after_name: str, as_of: int) -> Iterator[tuple[str, Any]]:
    last = after_name
    while True:
        rows = backend.catalog.select(editor.kind, Selection(after_name=last, limit=_BATCH, as_of=as_of))
        for name, body in rows:
            yield name, editor.message.FromString(body)
        if len(rows) < _BATCH:
            return
        last = rows[-1][0]


def _has_run_out(backend: Backend, live: Any) -> bool:  # noqa: ANN401 # any of the kinds, only grants end by the clock
    has_end = "expire_time" in live.DESCRIPTOR.fields_by_name and live.HasField("expire_time")
    return bool(has_end and live.expire_time.seconds <= backend.now().timestamp())


def _administers(backend: Backend, caller: Caller, kind: str, live: Any) -> bool:  # noqa: ANN401 # any of the kinds
    if kind == kinds.DOMAIN:
        return backend.policy.check(caller, "administer", live.name).allowed
    if kind in (kinds.GRANT, kinds.APPROVAL_RULE):
        return backend.policy.check(caller, "grant", live.resource).allowed
    return backend.policy.check(caller, "administer", MESH).allowed
