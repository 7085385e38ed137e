"""The state that an edit is judged on: what is stored, with what the same edit is about to write."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from governance_server.rules.apply import ResourceWrite, domain_of
from governance_server.storage.resources import ResourceList

__all__ = ["Draft", "State"]


class State(Protocol):
    """Resources as they are at one moment; a journal's transaction is one."""

    @property
    def revision(self) -> int:
        """The revision that what is written now will get."""
        ...

    @property
    def time(self) -> datetime:
        """The time it will carry, UTC."""
        ...

    def get(self, kind: str, name: str) -> bytes | None:
        """The message of one resource, or None."""
        ...

    def list(self, kind: str, *, domain: str | None = None, prefix: str | None = None) -> ResourceList:
        """Names and messages of every such resource, by name in byte order."""
        ...


class Draft:
    """A state with further writes on top, so that resources written together may rest on each other."""

    def __init__(self, base: State) -> None:
        self.base = base
        self._written: dict[str, dict[str, bytes | None]] = {}

    @property
    def revision(self) -> int:
        """The revision that what is written will get."""
        return self.base.revision

    @property
    def time(self) -> datetime:
        """The time it will carry, UTC."""
        return self.base.time

    def write(self, writes: Iterable[ResourceWrite]) -> None:
        """The draft holds these states."""
        for write in writes:
            self._written.setdefault(write.kind, {})[write.name] = write.body

    def writes(self) -> tuple[ResourceWrite, ...]:
        """What was written, each resource once with its last state."""
        return tuple(ResourceWrite(kind, name, body) for kind, states in self._written.items() for name, body in states.items())

    def get(self, kind: str, name: str) -> bytes | None:
        """The message of one resource, or None."""
        written = self._written.get(kind, {})
        return written[name] if name in written else self.base.get(kind, name)

    def list(self, kind: str, *, domain: str | None = None, prefix: str | None = None) -> ResourceList:
        """Names and messages of every such resource, by name in byte order."""
        written = self._written.get(kind, {})
        found: dict[str, bytes] = dict(self.base.list(kind, domain=domain, prefix=prefix))
        for name, body in written.items():
            if (domain is not None and domain_of(name) != domain) or not name.startswith(prefix or ""):
                continue
            found.pop(name, None)
            if body is not None:
                found[name] = body
        return sorted(found.items(), key=lambda item: item[0].encode())
