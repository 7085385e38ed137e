"""What a delivery makes of a table that stays: files that go out, files written anew, and whether keys hold over the whole.

Runs under the product's lease, before the intent is journaled: what it writes lies beside the delivered files, and either becomes
visible with them or is discarded with them. Owns the modes' meaning for rows; the Delta log and the journal are others' work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.publishing.delivery import storage_schema_of
from governance_server.publishing.modes import KEEP, MERGE, OVERWRITE, REPLACE_PARTITIONS
from governance_server.publishing.rewrites import Rewrites
from governance_server.rules.errors import Conflict, ContractViolated, Precondition, Problem
from governance_server.warehouse.layout import CHANGE_FOLDER
from governance_server.warehouse.takeover import taken_name
from mesh_core.contract import Contract, Port, PortKind

if TYPE_CHECKING:
    import polars as pl

    from governance_server.warehouse.delivered import VerifiedFile
    from governance_server.warehouse.folder import Folder
    from governance_server.warehouse.layout import Warehouse
    from governance_server.warehouse.matching import Matches
    from governance_server.warehouse.snapshot import Snapshot, StoredFile
    from mesh_core.quality import Check

__all__ = ["Combiner"]

_SHOWN_KEYS = 3


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One port's delivered files in the server's own folder."""

    port: Port
    name: str
    incoming: Folder
    files: tuple[StoredFile, ...]
    deleted: tuple[StoredFile, ...]


class Combiner:
    """Puts deliveries onto what tables hold."""

    def __init__(self, warehouse: Warehouse, scratch: Path, rewrites: Rewrites) -> None:
        self._warehouse = warehouse
        self._scratch = scratch
        self._rewrites = rewrites

    def combine(
        self,
        publication: publication_pb2.Publication,
        contract: Contract,
        verified: Sequence[publication_pb2.VerifiedPort],
        base: product_pb2.Product,
        since: Sequence[product_pb2.Release],
    ) -> None:
        """Each verified port says what goes out, what comes in and how much there is afterwards.

        Args:
            publication: What is being published.
            contract: Its contract.
            verified: Its ports; completed in place.
            base: The product as it is now.
            since: The releases that came after the one the publication was begun on.

        Raises: ContractViolated if keys do not hold over the whole, Conflict if a release that came meanwhile changed what this
            one changes, Precondition if the table has other columns.
        """
        held = {port.name: port for port in base.ports}
        problems: list[Problem] = []
        with tempfile.TemporaryDirectory(prefix="mesh-combine-", dir=self._scratch) as scratch:
            for port, found in zip(contract.ports, verified, strict=True):
                before = held.get(found.port) if base.version else None
                if before is None or found.mode == OVERWRITE or port.kind is PortKind.COLLECTION:
                    _whole(found, before)
                else:
                    one = _Combination(
                        self._delivery(publication.id, port, found), found, publication.id, Path(scratch) / port.name
                    )
                    one.scratch.mkdir()
                    snapshot = self._snapshot(publication.product, found.port, before.delta_version)
                    problems += one.run(snapshot, [it for release in since for it in release.ports if it.port == found.port])
        if problems:
            raise ContractViolated(
                f"{publication.product} would break its contract as a whole: nothing was published.",
                resource=publication.product,
                problems=problems,
            )

    def _snapshot(self, product: str, port: str, delta_version: int) -> Snapshot:
        from governance_server.warehouse.snapshot import open_snapshot
        from governance_server.warehouse.table_care import flatten

        root = self._warehouse.port_location(port)
        snapshot = open_snapshot(root, delta_version, self._warehouse.tables)
        if snapshot.is_in_folders:
            with self._rewrites.noted(product):
                flatten(root, scratch=self._scratch)
            snapshot = open_snapshot(root, delta_version, self._warehouse.tables)
        return snapshot

    def _delivery(self, publication_id: str, port: Port, found: publication_pb2.VerifiedPort) -> _Delivery:
        from governance_server.warehouse.snapshot import StoredFile

        incoming = self._warehouse.incoming_folder(publication_id, port.name)
        files = [StoredFile(incoming, it.name, it.size_bytes, it.row_count) for it in found.files]
        deleted = [StoredFile(incoming, it.name, it.size_bytes, it.row_count) for it in found.deleted_keys]
        return _Delivery(port, found.port, incoming, tuple(files), tuple(deleted))


def _whole(found: publication_pb2.VerifiedPort, before: product_pb2.Port | None) -> None:
    found.delivered_count = len(found.files)
    if found.mode == KEEP and before is not None:
        found.row_count = before.row_count
        return
    found.row_count = sum(file.row_count for file in found.files)
    found.size_bytes = sum(file.size_bytes for file in found.files)


@dataclass(slots=True)
class _Combination:
    """One port on its way."""

    delivery: _Delivery
    found: publication_pb2.VerifiedPort
    publication_id: str
    scratch: Path

    def run(self, table: Snapshot, since: Sequence[product_pb2.ReleasedPort]) -> list[Problem]:
        """The port is complete; returned is what breaks the contract. Raises: Conflict, Precondition."""
        self._refuse_other_columns(table)
        self.found.delivered_count = len(self.found.files)
        self.found.row_count = table.rows + sum(file.rows for file in self.delivery.files)
        self.found.size_bytes = table.size_bytes + sum(file.size for file in self.delivery.files)
        if self.found.mode == KEEP:
            return []
        self._refuse_changed_meanwhile(table, since)
        if self.found.mode == REPLACE_PARTITIONS:
            return self._replace_partitions(table)
        return self._merge(table) if self.found.mode == MERGE else self._keyed_problems(table)

    @property
    def _key(self) -> list[str]:
        return [column.name for column in self.delivery.port.primary_key]

    def _refuse_other_columns(self, table: Snapshot) -> None:
        from governance_server.warehouse.schemas import schema_differences

        differences = schema_differences(table.schema, storage_schema_of(self.delivery.port))
        if differences:
            raise Precondition(
                f"{self.delivery.name} has other columns than this contract: {' '.join(differences)} Overwrite the table.",
                resource=self.delivery.name,
            )

    def _refuse_changed_meanwhile(self, table: Snapshot, since: Sequence[product_pb2.ReleasedPort]) -> None:
        if self.found.mode not in (MERGE, REPLACE_PARTITIONS):
            return
        for release in since:
            if release.mode != KEEP and (not release.HasField("changes") or self._touches(_changed_files(table.folder, release))):
                raise Conflict(
                    f"Rows of {self.delivery.name} that this publication changes were changed by another one meanwhile: read "
                    "them again and begin a new publication.",
                    resource=self.delivery.name,
                )

    def _touches(self, changed: Sequence[StoredFile] | None) -> bool:
        """True if one of the files has a row that this publication changes, too; None stands for the whole table."""
        from governance_server.warehouse.matching import find_matches

        if changed is None:
            return True
        files, deleted = self.delivery.files, self.delivery.deleted
        if self.found.mode == MERGE:
            return find_matches(changed, files, self._key, scratch=self.scratch, deleted=deleted).rows > 0
        ours = _partitions(files, self.delivery.port)
        return ours.join(_partitions(changed, self.delivery.port), on=ours.columns, how="semi", nulls_equal=True).height > 0

    def _merge(self, table: Snapshot) -> list[Problem]:
        from governance_server.warehouse.matching import find_matches

        files, deleted = self.delivery.files, self.delivery.deleted
        both = find_matches(deleted, files, self._key, scratch=self.scratch)
        if both.rows:
            return [
                Problem(self.delivery.name, f"{both.rows} keys are delivered both as rows and as deleted: say one of the two")
            ]
        matches = find_matches(table, files, self._key, scratch=self.scratch, deleted=deleted)
        problems = self._keyed_problems(table, gone=matches)
        if not problems:
            self._rewrite(table, matches)
        return problems

    def _rewrite(self, table: Snapshot, matches: Matches) -> None:
        from governance_server.warehouse.rewriting import rewrite_without

        written = rewrite_without(matches, table.schema, self.scratch)
        for file in written.kept:
            self._bring(self.found.files.add(), file)
            self._place(self.found.files[-1])
        if written.replaced is not None:
            self._bring(self.found.replaced_files.add(), written.replaced)
        self.found.removed_files.extend(sorted(matches.marks))
        self.found.row_count -= matches.rows
        self.found.size_bytes -= sum(file.size for file in matches.files.values())
        self.found.size_bytes += sum(file.size for file in written.kept)

    def _bring(self, target: publication_pb2.VerifiedFile, file: VerifiedFile) -> None:
        """The file that was written lies beside the delivered ones."""
        name = taken_name(self.publication_id, file.name)
        self.delivery.incoming.put(name, self.scratch / file.name)
        target.name, target.size_bytes, target.row_count, target.stats = name, file.size, file.rows, file.stats_json

    def _place(self, file: publication_pb2.VerifiedFile) -> None:
        """The file says which partition its rows are in: that of the file they were in before."""
        from governance_server.warehouse.partitions import partition_of

        columns = [column.name for column in self.delivery.port.partition_key]
        values = partition_of(self.delivery.incoming, file.name, columns) if columns else ()
        file.partition_values.update({name: text for name, text in values or () if text is not None})

    def _replace_partitions(self, table: Snapshot) -> list[Problem]:
        gone = table.in_partitions(_partitions(self.delivery.files, self.delivery.port)) if self.delivery.files else []
        self.found.removed_files.extend(file.name for file in gone)
        self.found.row_count -= sum(file.rows for file in gone)
        self.found.size_bytes -= sum(file.size for file in gone)
        return self._keyed_problems(table.without(self.found.removed_files))

    def _keyed_problems(self, table: Snapshot, gone: Matches | None = None) -> list[Problem]:
        """What delivered rows repeat of the rows that stay."""
        from mesh_core.quality import Kind, compile_checks

        problems = []
        for check in compile_checks(self.delivery.port):
            is_merged = self.found.mode == MERGE and check.kind is Kind.PRIMARY_KEY
            if check.kind in (Kind.PRIMARY_KEY, Kind.UNIQUE) and len(check.path) < 2 and check.is_blocking and not is_merged:
                problems += self._repeated(table, check, gone)
        return problems

    def _repeated(self, table: Snapshot, check: Check, gone: Matches | None) -> list[Problem]:
        from governance_server.warehouse.matching import find_matches
        from mesh_core.quality.samples import sample_text

        found = find_matches(table, self.delivery.files, check.columns, scratch=self.scratch, besides=gone)
        if not found.rows:
            return []
        shown = ", ".join(sample_text(key[1:], is_personal=check.is_personal) for key in found.samples[:_SHOWN_KEYS])
        text = f"{found.rows} rows that stay have the same {', '.join(check.columns)} as a delivered one ({shown}): {check.name}"
        return [Problem(self.delivery.name, text)]


def _changed_files(folder: Folder, release: product_pb2.ReleasedPort) -> list[StoredFile] | None:
    """The files of every row that a release of the port put in or took out; None if it replaced the whole table."""
    from governance_server.warehouse.matching import stored_file

    if release.changes.replaced_version >= 0:
        return None
    aside = folder.inside(CHANGE_FOLDER)
    inside = [*release.changes.inserted_files, *release.changes.deleted_files]
    named = [(folder, name) for name in inside] + [(aside, name) for name in release.changes.replaced_files]
    return [stored_file(*place) for place in named]


def _partitions(files: Sequence[StoredFile], port: Port) -> pl.DataFrame:
    """The distinct values of the partition columns."""
    import polars as pl

    from governance_server.warehouse.matching import read_columns

    columns = [column.name for column in port.partition_key]
    parts = [rows.unique(columns) for file in files for rows in read_columns(file, columns)]
    return pl.concat(parts).unique(columns) if parts else pl.DataFrame(schema=columns)
