"""Erasure of a data subject: receipts, and the call that gives them. Reached as `mesh.admin.erase`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_names, checked_text
from domain_sdk._enums import enum_member
from domain_sdk._times import from_timestamp
from domain_sdk.catalog import PortKind

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domainmesh.v1 import erasure_pb2

__all__ = ["ErasedPort", "Erasure", "Erasures", "erase"]

_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ErasedPort:
    """What was found of the subject in one port."""

    port: str
    kind: PortKind
    count: int
    """Rows of the version served, or passages of any version."""
    versions: tuple[int, ...]
    """Versions of a table that held the subject."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The receipt of one product, or the preview of one. It holds no value of the subject's."""

    id: str
    """Empty in a preview."""
    product: str
    tag: str
    subject_hash: str
    """Of the first subject's value, under the mesh's key `key_id`."""
    key_id: str
    principal: str
    reason: str
    erase_time: datetime | None
    version: int
    """The version without the subject that is served now; 0 if the one before did not hold it."""
    retired_versions: tuple[int, ...]
    ports: tuple[ErasedPort, ...]
    is_complete: bool
    subject_hashes: tuple[str, ...] = ()
    """Of every subject's value, in the order they were named."""


class Erasures(list[Erasure]):
    """The receipts, and what was searched for the subjects."""

    searched: tuple[str, ...]
    """Columns with the tag, like `crm.members.people.email`, and collections by their names."""

    def __init__(self, receipts: Iterable[Erasure], searched: Iterable[str]) -> None:
        """A list of the receipts."""
        super().__init__(receipts)
        self.searched = tuple(searched)


def erase(
    transport: Transport, tag: str, values: str | Sequence[str], *, reason: str, products: Sequence[str], dry_run: bool
) -> Erasures:
    """The receipts; see `Admin.erase`."""
    from domainmesh.v1 import maintenance_service_pb2 as pb
    from domainmesh.v1.maintenance_service_pb2_grpc import MaintenanceServiceStub

    listed = [values] if isinstance(values, str) else list(values)
    request = pb.EraseSubjectRequest(
        tag=checked_text(tag, "tag", example="pii.email"), values=[checked_text(it, "value") for it in listed],
        reason=checked_text(reason, "reason"), products=checked_names(products, "products"), validate_only=dry_run,
    )  # fmt: skip
    method = transport.control(MaintenanceServiceStub).EraseSubject
    response = transport.call(method, request, timeout_seconds=_SECONDS)
    return Erasures(map(_erasure, response.erasures), response.searched)


def _erasure(message: erasure_pb2.Erasure) -> Erasure:
    return Erasure(
        id=message.id,
        product=message.product,
        tag=message.tag,
        subject_hash=message.subject_hash,
        key_id=message.key_id,
        principal=message.principal,
        reason=message.reason,
        erase_time=from_timestamp(message, "erase_time"),
        version=message.version,
        retired_versions=tuple(message.retired_versions),
        ports=tuple(ErasedPort(it.port, enum_member(PortKind, it.kind), it.count, tuple(it.versions)) for it in message.ports),
        is_complete=message.is_complete,
        subject_hashes=tuple(message.subject_hashes),
    )
