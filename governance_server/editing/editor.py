"""What an editor of one kind of resource promises, and the steps by which a service edits one resource.

The order is always the same: authorise, central or not, settle what the server sets, check on the state after the edit, write.
Change sets take the same steps for many resources (`change_sets`), so there is one way to do a thing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from governance_server.backend import Backend, store
from governance_server.caller import Caller
from governance_server.editing.central import check_alone
from governance_server.editing.ending import with_consequences
from governance_server.editing.state import Draft, State
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AlreadyExists

__all__ = ["Edit", "Editor", "create", "end", "finish", "merged", "replace"]

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Edit:
    """One edit: who makes it, and the state it is judged on."""

    backend: Backend
    state: Draft
    caller: Caller

    @classmethod
    def on(cls, backend: Backend, state: State, caller: Caller) -> Edit:
        """An edit of a state on which nothing is written yet."""
        return cls(backend, Draft(state), caller)


class Editor(ABC, Generic[M]):
    """One kind of resource. `live` is its stored state, None if there is none; `wanted` the content it shall have."""

    kind: str
    message: type[M]
    ends_in_content: bool = False
    """True if that it has ended is part of its content, as a principal's being disabled is."""

    @abstractmethod
    def name_of(self, wanted: M) -> str:
        """What names the resource. Raises: Invalid, InvalidName."""

    @abstractmethod
    def content(self, message: M) -> M:
        """What people decide of it, in a normal form; what the server sets is left out. Equal contents mean the same."""

    @abstractmethod
    def authorise(self, edit: Edit, live: M | None, wanted: M | None) -> bool:
        """True if the change is central. Without `wanted` it is to end. Raises: AccessDenied."""

    @abstractmethod
    def settle(self, edit: Edit, live: M | None, wanted: M) -> M:
        """The content with what the server sets."""

    @abstractmethod
    def check(self, edit: Edit, live: M | None, settled: M) -> None:
        """Returns if the resource is understood and fits the state; may add what it rests on. Raises: GovernanceError."""

    def is_ended(self, live: M) -> bool:
        """True if it is kept for the record only, as a revoked grant is."""
        return False

    def end(self, edit: Edit, live: M) -> Iterable[ResourceWrite]:
        """What ends it."""
        return (ResourceWrite(self.kind, self.name_of(live), None),)

    def check_end(self, edit: Edit, live: M) -> None:  # most kinds may end at any time
        """Returns if nothing in the state needs it. Raises: Precondition."""

    def sources_of(self, message: M) -> Sequence[str]:
        """The sources it belongs to: `domain:sales`, `centre` or, field by field, both; the first is the one that may end it."""
        return ("centre",)

    def view(self, content: M, source: str) -> M:
        """The content as far as it is the source's to say; all of it without a source."""
        return content

    def complete(self, live: M | None, content: M, source: str) -> M:
        """The source's content with what others say about the live resource. Raises: Invalid."""
        return content

    def located(self, edit: Edit, content: M) -> M:
        """The content on what it will be stored on, so that the same words are the same resource again."""
        return content

    def is_derived(self, live: M) -> bool:
        """True if something else made it (an access request) and will end it, so that no folder needs to hold it."""
        return False

    def live(self, state: State, name: str) -> M | None:
        """The stored state, or None."""
        body = state.get(self.kind, name)
        return None if body is None else self.message.FromString(body)


def create(edit: Edit, editor: Editor[M], wanted: M) -> M:
    """The new resource, on the edit's state. Raises: AlreadyExists and what the editor raises."""
    if editor.authorise(edit, None, wanted):
        check_alone(edit.backend.policy, edit.caller, _title(editor))
    name = editor.name_of(wanted)
    if editor.live(edit.state, name) is not None:
        what = editor.kind.replace("_", " ")
        raise AlreadyExists(f"The {what} {name!r} exists already: change that one, or choose another name.", resource=name)
    return _put(edit, editor, None, wanted)


def replace(edit: Edit, editor: Editor[M], live: M, wanted: M) -> M:
    """The resource with its new content, on the edit's state. Raises: what the editor raises."""
    if editor.authorise(edit, live, wanted):
        check_alone(edit.backend.policy, edit.caller, _title(editor))
    return _put(edit, editor, live, wanted)


def end(edit: Edit, editor: Editor[M], live: M) -> None:
    """The resource has ended, on the edit's state. Raises: what the editor raises."""
    if editor.authorise(edit, live, None):
        check_alone(edit.backend.policy, edit.caller, _title(editor))
    edit.state.write(editor.end(edit, live))
    editor.check_end(edit, live)
    finish(edit)


def merged(live: M, sent: M, fields: Collection[str]) -> M:
    """The live resource with the named fields as they were sent."""
    result, wanted = type(live)(), type(sent)()
    result.CopyFrom(live)
    wanted.CopyFrom(sent)
    for field in wanted.DESCRIPTOR.fields_by_name:
        (result if field in fields else wanted).ClearField(field)
    result.MergeFrom(wanted)
    return result


def _put(edit: Edit, editor: Editor[M], live: M | None, wanted: M) -> M:
    settled = editor.settle(edit, live, wanted)
    edit.state.write([store(editor.kind, editor.name_of(settled), settled)])
    editor.check(edit, live, settled)
    edit.state.write([store(editor.kind, editor.name_of(settled), settled)])  # as the check has completed it
    finish(edit)
    return settled


def finish(edit: Edit) -> None:
    """What ends with the edit has ended on its state, too."""
    edit.state.write(with_consequences(edit.backend, edit.state, edit.state.writes(), edit.caller))


def _title(editor: Editor[M]) -> str:
    return f"a {editor.kind.replace('_', ' ')}"
