"""Change sets: what many resources wanted together would change, decided and written as one.

Takes the steps of `editor` for each resource on one draft: authorise all, settle and end all, then check all on the state after
the whole set. Whatever is wrong is collected, and nothing is written unless nothing is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message

from domainmesh.v1 import change_set_pb2 as messages
from governance_server.backend import store
from governance_server.editing.editor import Edit, Editor, finish
from governance_server.editing.registry import EDITORS
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.change_plans import CENTRE, check_source, differences, domain_of_source
from governance_server.rules.errors import AccessDenied, GovernanceError, Invalid, Problem, TooLarge
from mesh_core.names import MESH, InvalidName

__all__ = ["MOST_RESOURCES", "Plan", "Wanted", "authorise_source", "draw_up", "read_wanted"]

MOST_RESOURCES = 10_000
_Key = tuple[str, str]
_NOTHING, _CREATE = messages.PLANNED_ACTION_UNCHANGED, messages.PLANNED_ACTION_CREATE
_UPDATE, _DELETE = messages.PLANNED_ACTION_UPDATE, messages.PLANNED_ACTION_DELETE
_RULES = frozenset({kinds.GRANT, kinds.APPROVAL_RULE})
_ORDER = {kind: position for position, kind in enumerate(EDITORS)}


@dataclass(frozen=True)
class Wanted:
    """One resource as desired: `content` in its normal form, None if it must not exist."""

    kind: str
    name: str
    content: Message | None
    named: Message | None = None
    """What it was named by, if it must not exist."""

    @property
    def key(self) -> _Key:
        """What identifies it."""
        return self.kind, self.name

    def desired(self) -> messages.DesiredResource:
        """The resource on the wire."""
        desired = messages.DesiredResource(is_absent=self.content is None)
        getattr(desired, self.kind).MergeFrom(self.named if self.content is None else self.content)
        return desired


@dataclass
class _Step:
    """What the set does to one resource."""

    editor: Editor[Any]
    wanted: Wanted
    live: Any
    before: Message | None
    content: Any
    action: messages.PlannedAction.ValueType
    applied: Message | None
    is_pruned: bool
    is_central: bool = False
    settled: Any = None

    @property
    def label(self) -> str:
        return f"{self.wanted.kind} {self.wanted.name}"

    def shown(self) -> messages.PlannedChange:
        before = self.before
        drift = differences(self.applied, before) if self.applied is not None and self.applied != before else ()
        return messages.PlannedChange(
            action=self.action, kind=self.wanted.kind, name=self.wanted.name,
            differences=() if self.action == _NOTHING else differences(before, self.wanted.content),
            drift=drift, is_central=self.is_central, is_pruned=self.is_pruned,
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a set changes; its writes lie on the edit's state. `changes` are in the order they are written."""

    changes: tuple[messages.PlannedChange, ...]
    etag: str
    wanted: tuple[Wanted, ...]
    applied: Mapping[_Key, Message] = field(default_factory=dict)

    @property
    def real(self) -> tuple[messages.PlannedChange, ...]:
        """The changes of what is not as desired."""
        return tuple(change for change in self.changes if change.action != _NOTHING)

    @property
    def is_central(self) -> bool:
        """True if some of it needs a second person once there are two administrators."""
        return any(change.is_central for change in self.real)

    @property
    def is_adopting(self) -> bool:
        """True if the source does not yet hold exactly what it names, though all of it may be as desired."""
        return {it.key: it.content for it in self.wanted if it.content is not None} != dict(self.applied)


def read_wanted(resources: Sequence[messages.DesiredResource], source: str) -> list[Wanted]:
    """The resources, each understood by name, once, and belonging to the source. Raises: Invalid, TooLarge."""
    check_source(source)
    if len(resources) > MOST_RESOURCES:
        raise TooLarge(f"A change set holds at most {MOST_RESOURCES} resources, this one {len(resources)}: split it.")
    found: dict[_Key, Wanted] = {}
    problems: list[Problem] = []
    for position, resource in enumerate(resources):
        kind = resource.WhichOneof("resource") or ""
        try:
            wanted = _wanted(resource, kind, source)
            if wanted.key in found:
                raise Invalid("is named twice: name each resource once.")
            found[wanted.key] = wanted
        except (GovernanceError, InvalidName) as error:
            problems.extend(_problems(f"resources[{position}] {kind}".strip(), error))
    if problems:
        raise Invalid("The change set cannot be understood, and nothing was changed: mend what is listed.", problems=problems)
    return list(found.values())


def _wanted(resource: messages.DesiredResource, kind: str, source: str) -> Wanted:
    editor = EDITORS.get(kind)
    if editor is None:
        raise Invalid(f"holds none of {', '.join(EDITORS)}.")
    message = type(getattr(resource, kind))()
    message.CopyFrom(getattr(resource, kind))
    if resource.is_absent and kind in _RULES and not message.resource:  # its id is enough to name it
        prefix = message.id.partition(":")[0]
        message.resource = MESH if prefix == CENTRE else prefix
    name = editor.name_of(message)
    homes = editor.sources_of(message)
    if source and source not in homes:
        raise Invalid(f"{kind.replace('_', ' ')} {name} belongs to {' and '.join(homes)}, not to {source}: keep it there.")
    if resource.is_absent:
        if homes[0] != source and source:
            raise Invalid(f"{kind.replace('_', ' ')} {name} is ended by {homes[0]}, not by {source}.")
        return Wanted(kind, name, None, message)
    content = editor.content(message)
    if kind == kinds.GRANT:
        content.id = name
    return Wanted(kind, name, editor.view(content, source))


def draw_up(edit: Edit, source: str, wanted: Sequence[Wanted]) -> Plan:
    """The plan of the set, its writes on the edit's state. Raises: AccessDenied, Invalid; all problems at once."""
    authorise_source(edit, source)
    applied = _applied(edit, source)
    located = [_located(edit, it) for it in wanted]
    steps = sorted(_steps(edit, source, located, applied), key=_position)
    findings = _Findings()
    findings.take(findings.take(steps, lambda step: _complete(source, step)), lambda step: _authorise(edit, step))
    findings.tell()
    etag = _etag(source, steps)
    doing = [step for step in steps if step.action != _NOTHING]
    findings.take(findings.take(doing, lambda step: _write(edit, step)), lambda step: _check(edit, step))
    findings.tell()
    direct = {write.name for write in edit.state.writes() if write.kind == kinds.GRANT}
    finish(edit)
    fallen = [w.name for w in edit.state.writes() if w.kind == kinds.GRANT and w.name not in direct]
    further = [messages.PlannedChange(action=_DELETE, kind=kinds.GRANT, name=name) for name in fallen]
    return Plan((*(step.shown() for step in steps), *further), etag, tuple(located), applied)


def _located(edit: Edit, wanted: Wanted) -> Wanted:
    if wanted.content is None:
        return wanted
    return replace(wanted, content=EDITORS[wanted.kind].located(edit, wanted.content))


def authorise_source(edit: Edit, source: str) -> None:
    """Returns if the caller administers what the source holds. Raises: AccessDenied."""
    if source == CENTRE:
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
    elif source:
        edit.backend.policy.authorise(edit.caller, "administer", domain_of_source(source))


def _applied(edit: Edit, source: str) -> dict[_Key, Message]:
    """What the source applied last."""
    body = edit.state.get(kinds.APPLIED_SOURCE, source) if source else None
    if body is None:
        return {}
    stored = messages.AppliedSource.FromString(body)
    return {it.key: it.content for it in read_wanted(stored.resources, source) if it.content is not None}


def _steps(edit: Edit, source: str, wanted: Sequence[Wanted], applied: Mapping[_Key, Message]) -> Iterable[_Step]:
    named = {it.key for it in wanted}
    pruned = [
        Wanted(kind, name, None)
        for (kind, name), content in applied.items()
        if (kind, name) not in named and next(iter(EDITORS[kind].sources_of(content))) == source
    ]
    for it in (*wanted, *pruned):
        editor = EDITORS[it.kind]
        live = editor.live(edit.state, it.name)
        before = editor.view(editor.content(live), source) if live is not None and _is_there(editor, live) else None
        action = _action(editor, live, before, it)
        yield _Step(editor, it, live, before, None, action, applied.get(it.key), it.key not in named)


def _is_there(editor: Editor[Any], live: Message | None) -> bool:
    """True unless the stored state is none, or says that it has ended by something else than its content."""
    return live is not None and (editor.ends_in_content or not editor.is_ended(live))


def _action(
    editor: Editor[Any], live: Message | None, before: Message | None, wanted: Wanted
) -> messages.PlannedAction.ValueType:
    if wanted.content is None:
        return _NOTHING if live is None or editor.is_ended(live) else _DELETE
    if before is None:
        return _CREATE
    return _NOTHING if before == wanted.content else _UPDATE


def _position(step: _Step) -> tuple[int, int, str]:
    """What others rest on comes first and ends last."""
    order = _ORDER[step.wanted.kind]
    return (1, -order, step.wanted.name) if step.action == _DELETE else (0, order, step.wanted.name)


def _complete(source: str, step: _Step) -> None:
    if step.wanted.content is not None:
        step.content = step.editor.complete(step.live, step.wanted.content, source)


def _authorise(edit: Edit, step: _Step) -> None:
    if step.is_pruned and step.action == _NOTHING:
        return
    if step.live is None and step.wanted.content is None:  # nothing is told of what is not there
        _authorise_absence(edit, step.wanted)
        return
    step.is_central = step.editor.authorise(edit, step.live, step.content)


def _authorise_absence(edit: Edit, wanted: Wanted) -> None:
    """Returns if the caller may end what is not there, and so be told that. Raises: AccessDenied, as if it were there."""
    policy, kind, name = edit.backend.policy, wanted.kind, wanted.name
    domain = name.partition(":")[0] if kind in _RULES else CENTRE
    action, obj = ("administer", MESH) if domain == CENTRE else ("grant", domain)
    if not policy.check(edit.caller, action, obj).allowed:
        if kind in _RULES:
            raise denied(f"change the {kind.replace('_', ' ')}", name)
        raise denied(action, name if kind == kinds.DOMAIN else obj)


def _write(edit: Edit, step: _Step) -> None:
    if step.action == _DELETE:
        edit.state.write(step.editor.end(edit, step.live))
        return
    step.settled = step.editor.settle(edit, step.live, step.content)
    edit.state.write([store(step.wanted.kind, step.wanted.name, step.settled)])


def _check(edit: Edit, step: _Step) -> None:
    if step.action == _DELETE:
        step.editor.check_end(edit, step.live)
        return
    step.editor.check(edit, step.live, step.settled)
    edit.state.write([store(step.wanted.kind, step.wanted.name, step.settled)])  # as the check has completed it


def _etag(source: str, steps: Iterable[_Step]) -> str:
    """Names the changes and the live states they start from."""
    digest = hashlib.sha256(source.encode())
    for step in steps:
        if step.action != _NOTHING:
            bodies = [b"" if it is None else it.SerializeToString(deterministic=True) for it in (step.live, step.wanted.content)]
            for part in (str(step.action).encode(), *map(str.encode, step.wanted.key), *bodies):
                digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


class _Findings:
    """What is wrong with a set, step by step, told all at once."""

    def __init__(self) -> None:
        self._denials: list[Problem] = []
        self._problems: list[Problem] = []

    def take(self, steps: Iterable[_Step], act: Callable[[_Step], None]) -> list[_Step]:
        """The steps that could be taken; of the others it is kept what is wrong."""
        taken = []
        for step in steps:
            try:
                act(step)
                taken.append(step)
            except (GovernanceError, InvalidName) as error:
                found = self._denials if isinstance(error, AccessDenied) else self._problems
                found.extend(_problems(step.label, error))
        return taken

    def tell(self) -> None:
        """Returns if nothing is wrong. Raises: AccessDenied if anything is denied, else Invalid; with every problem."""
        if self._denials:
            raise AccessDenied("You may not make all of these changes, and nothing was changed.", problems=self._denials)
        if self._problems:
            raise Invalid(
                "The change set cannot be applied, and nothing was changed: mend what is listed.", problems=self._problems
            )


def _problems(label: str, error: GovernanceError | InvalidName) -> list[Problem]:
    if isinstance(error, GovernanceError) and error.problems:
        return [Problem(f"{label}: {problem.path}", problem.message) for problem in error.problems]
    return [Problem(label, str(error))]
