"""Which changes of policy concern a product, a port or a person, for reports.

Owns reading them from the journal by time and telling them apart. Bodies are decoded here, and nothing of them is handed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from governance_server.journal.feed import first_revision_since, read_changes
from governance_server.rules import kinds
from governance_server.rules.apply import Change, ResourceWrite
from governance_server.storage.engine import Database

__all__ = ["Concern", "policy_changes"]

_KINDS = (
    kinds.GRANT,
    kinds.GUARDRAIL,
    kinds.ACCESS_REQUEST,
    kinds.DOMAIN,
    kinds.PRINCIPAL,
    kinds.PURPOSE,
    kinds.GOVERNED_TAG,
    kinds.TAG_RELEASE,
    kinds.APPROVAL_RULE,
)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Concern:
    """What somebody asks about: a resource, or else a person with the groups it is in, or else everything."""

    resource: str = ""
    principal: str = ""
    groups: frozenset[str] = frozenset()

    def is_touched(self, write: ResourceWrite) -> bool:
        """True if the write is about it."""
        if write.kind not in _KINDS or write.body is None:
            return write.kind in _KINDS and not self.resource and not self.principal
        message = kinds.MESSAGES[write.kind].FromString(write.body)
        if self.resource:
            return self._is_about_resource(write, message)
        return not self.principal or self._is_about_principal(write, message)

    def _is_about_resource(self, write: ResourceWrite, message: Message) -> bool:
        if write.kind == kinds.DOMAIN:
            return write.name == self.resource.split(".")[0]
        named = str(getattr(message, "resource", "") or getattr(message, "object", "")).partition("#")[0]
        if write.kind == kinds.GUARDRAIL and (named == "mesh" or named.startswith("tag:")):
            return True  # binds every domain
        return bool(named) and (_is_within(named, self.resource) or _is_within(self.resource, named))

    def _is_about_principal(self, write: ResourceWrite, message: Message) -> bool:
        if write.kind == kinds.PRINCIPAL:
            return write.name == self.principal
        if write.kind == kinds.DOMAIN:
            return self.principal in (*getattr(message, "owners", ()), *getattr(message, "members", ()))
        named = getattr(message, "subject", "") or getattr(message, "requester", "")
        return write.kind == kinds.GUARDRAIL or named == self.principal or named in self.groups


def policy_changes(database: Database, concern: Concern, *, since_us: int | None, until_us: int | None) -> Iterator[Change]:
    """The changes of the period that touch it, oldest first. Raises: StorageUnavailable."""
    head = database.head().revision
    try:
        connection = database.reader()
        after = 0 if since_us is None else first_revision_since(connection, since_us, head) - 1
        last = head if until_us is None else first_revision_since(connection, until_us, head) - 1
        while page := read_changes(connection, after, _PAGE, _KINDS):
            for change in page:
                if change.revision > last:
                    return
                if any(concern.is_touched(write) for write in change.writes):
                    yield change
            after = page[-1].revision
    except database.driver.errors as error:
        raise database.unavailable(error) from error


def _is_within(name: str, container: str) -> bool:
    return name == container or name.startswith(f"{container}.")
