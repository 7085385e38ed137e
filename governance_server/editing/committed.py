"""What is committed, as a state that an edit can be planned on without anything being written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from governance_server.backend import Backend
from governance_server.storage.catalog import CatalogSnapshot
from governance_server.storage.resources import ResourceList, Selection

__all__ = ["Committed"]


@dataclass(frozen=True)
class Committed:
    """The committed resources at one revision."""

    snapshot: CatalogSnapshot
    time: datetime

    @classmethod
    def now(cls, backend: Backend) -> Committed:
        """What is committed at this moment."""
        return cls(backend.catalog.snapshot(), backend.now())

    @property
    def revision(self) -> int:
        """The revision that the next change would get."""
        return self.snapshot.revision + 1

    def get(self, kind: str, name: str) -> bytes | None:
        """The message of one resource, or None."""
        return self.snapshot.get(kind, name)

    def list(self, kind: str, *, domain: str | None = None, prefix: str | None = None) -> ResourceList:
        """Names and messages of every such resource, by name in byte order."""
        return self.snapshot.select(kind, Selection(domain=domain, prefix=prefix))
