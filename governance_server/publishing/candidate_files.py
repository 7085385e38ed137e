"""What is about to be published, as the checks see it: the contract, its ports' files, and other ports these refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.caller import Caller
from governance_server.publishing.modes import OVERWRITE
from governance_server.rules.errors import Conflict
from governance_server.warehouse.errors import VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract, Port

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from governance_server.gateway.sql_jobs import FilesRead, TableRead, WholeRead

__all__ = ["Candidate", "Found", "NotRunnable", "OtherPorts", "OtherTable", "WholeTable", "candidate_of"]


_BATCH_ROWS = 131_072
_Files: TypeAlias = "tuple[tuple[Folder, str], ...]"


class NotRunnable(Exception):
    """A check that cannot be run; the message says why, in words for the publisher."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found. `samples` are shown to who may write the product."""

    holds: bool
    message: str
    failing_rows: int = 0
    measured: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is going to be published: each port's files in order, in the folders where they lie, and its rows."""

    product: str
    contract: Contract
    files: Mapping[str, _Files]
    rows: Mapping[str, int]

    def batches(self, port: Port, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The port's rows in order, wherever its files lie."""
        import pyarrow.parquet as pq

        for folder, name in self.files[port.name]:
            with folder.open(name) as source:
                wanted = list(columns) if columns is not None else None
                yield from pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS, columns=wanted)


@dataclass(frozen=True, slots=True)
class OtherTable:
    """A port of another product in a query; `is_current` raises once the caller may see something else of it."""

    read: TableRead
    is_current: Callable[[], None]


@dataclass(frozen=True, slots=True)
class WholeTable:
    """Every row of a table, whoever may see it; `is_current` raises once the caller may not even know of it."""

    read: FilesRead | WholeRead
    schema: pl.Schema
    is_current: Callable[[], None]


class OtherPorts(Protocol):
    """Ports of other products, as they are served now."""

    def table(self, caller: Caller, port: str, version: int, needed: Callable[[list[str]], list[str]]) -> OtherTable:
        """What a query can scan, of the rows and columns that the caller may see. Raises: GovernanceError."""

    def whole(self, caller: Caller, port: str) -> WholeTable:
        """All its rows, to be read with the server's own rights. Raises: NotRunnable if the caller may not even know of it."""

    def shows(self, caller: Caller, port: str, columns: list[str]) -> bool:
        """Whether the caller sees every row of these columns clear."""


def candidate_of(
    warehouse: Warehouse,
    publication: publication_pb2.Publication,
    contract: Contract,
    verified: Sequence[publication_pb2.VerifiedPort],
    base: product_pb2.Product,
) -> Candidate:
    """The candidate whose files were taken in for the publication, with those files of the product as it is that stay.

    A table's log is opened when its files are asked for first; that raises Conflict if the log has moved on.
    """
    held = {port.name: port for port in base.ports} if base.version else {}

    def files_of(port: str, found: publication_pb2.VerifiedPort) -> _Files:
        incoming = warehouse.incoming_folder(publication.id, port)
        try:
            staying = _staying(warehouse, found, held.get(found.port))
        except VersionConflict as error:
            raise Conflict(f"Begin a new publication of {publication.product}: {error}", resource=found.port) from error
        return (*staying, *((incoming, file.name) for file in found.files))

    delivered = {port.name: found for port, found in zip(contract.ports, verified, strict=True)}
    rows = {name: found.row_count for name, found in delivered.items()}
    return Candidate(publication.product, contract, _FilesByPort(delivered, files_of), rows)


class _FilesByPort(Mapping[str, "_Files"]):
    """Each port's files, found when they are asked for first."""

    def __init__(
        self,
        delivered: Mapping[str, publication_pb2.VerifiedPort],
        files_of: Callable[[str, publication_pb2.VerifiedPort], _Files],
    ) -> None:
        self._delivered = delivered
        self._files_of = files_of
        self._found: dict[str, _Files] = {}

    def __getitem__(self, port: str) -> _Files:
        if port not in self._found:
            self._found[port] = self._files_of(port, self._delivered[port])
        return self._found[port]

    def __iter__(self) -> Iterator[str]:
        return iter(self._delivered)

    def __len__(self) -> int:
        return len(self._delivered)


def _staying(
    warehouse: Warehouse, found: publication_pb2.VerifiedPort, held: product_pb2.Port | None
) -> list[tuple[Folder, str]]:
    """The table's files that stay in it."""
    from governance_server.warehouse.snapshot import open_snapshot

    if held is None or found.mode == OVERWRITE or held.kind != product_pb2.PORT_KIND_TABLE:
        return []
    table = open_snapshot(warehouse.port_location(found.port), held.delta_version, warehouse.tables).without(found.removed_files)
    return [(file.folder, file.name) for file in table.files()]
