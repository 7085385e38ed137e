"""A journal of policy without a server: resources in a few words, written to a real database and asked of a live projection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2, product_pb2
from governance_server.journal.command import Command, Outcome
from governance_server.journal.journal import Journal
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.engine import open_database

__all__ = ["NOW", "PolicyJournal", "domain", "grant", "guardrail", "policy_journal", "principal", "product", "purpose", "removal"]

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class PolicyJournal:
    """A database, its journal, and the live policy folded from it."""

    def __init__(self, path: Path) -> None:
        self.database = open_database(f"sqlite:///{path}/mesh.db")
        self.journal = Journal(self.database, clock=lambda: NOW)
        self.policy = PolicyProjection(self.database, now=lambda: NOW)

    def write(self, *writes: ResourceWrite) -> int:
        """The revision of one change that writes the resources."""
        outcome = Outcome("test.written", "test", writes, b"")
        return self.journal.submit(Command("user:test", "", b"", run=lambda tx: outcome)).revision

    def fresh(self) -> PolicyProjection:
        """A projection that has read everything anew."""
        return PolicyProjection(self.database, now=lambda: NOW)


@contextmanager
def policy_journal(path: Path) -> Iterator[PolicyJournal]:
    """A journal that ends with the block."""
    opened = PolicyJournal(path)
    try:
        yield opened
    finally:
        opened.journal.close()
        opened.database.close()


def stored(kind: str, name: str, message: Message) -> ResourceWrite:
    """The write of a resource."""
    return ResourceWrite(kind, name, message.SerializeToString(deterministic=True))


def removal(kind: str, name: str) -> ResourceWrite:
    """The write by which a resource is gone."""
    return ResourceWrite(kind, name, None)


def grant(id: str, subject: str, resource: str, *, deny: bool = False, **fields: Any) -> ResourceWrite:
    """A grant; of discover and read unless `actions` says otherwise. `masks`: column → mask; times are datetimes."""
    masks = [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in fields.pop("masks", {}).items()]
    times = {key: fields.pop(key) for key in ("start_time", "expire_time") if key in fields}
    fields.setdefault("actions", ["discover", "read"])
    effect = grant_pb2.EFFECT_DENY if deny else grant_pb2.EFFECT_ALLOW
    message = grant_pb2.Grant(id=id, subject=subject, resource=resource, effect=effect, masks=masks, **fields)
    for key, value in times.items():
        getattr(message, key).FromDatetime(value)
    return stored(kinds.GRANT, id, message)


def guardrail(id: str, resource: str, **fields: Any) -> ResourceWrite:
    """A guardrail."""
    return stored(kinds.GUARDRAIL, id, grant_pb2.Guardrail(id=id, resource=resource, **fields))


def principal(name: str, **fields: Any) -> ResourceWrite:
    """A principal."""
    return stored(kinds.PRINCIPAL, name, principal_pb2.Principal(name=name, **fields))


def purpose(name: str, parent: str = "") -> ResourceWrite:
    """A purpose."""
    return stored(kinds.PURPOSE, name, principal_pb2.Purpose(name=name, parent=parent))


def domain(name: str, *, owners: Sequence[str] = (), members: Sequence[str] = ()) -> ResourceWrite:
    """A domain."""
    return stored(kinds.DOMAIN, name, domain_pb2.Domain(name=name, owners=owners, members=members))


def product(name: str, ports: Mapping[str, Mapping[str, Sequence[str]]]) -> ResourceWrite:
    """A published product: port → column → its tags; every column is a string."""
    message = product_pb2.Product(name=name, version=1)
    for port, columns in ports.items():
        made = message.ports.add(name=f"{name}.{port}")
        for column, tags in columns.items():
            made.columns.add(name=column, logical_type="string", tags=tags)
    return stored(kinds.PRODUCT, name, message)
