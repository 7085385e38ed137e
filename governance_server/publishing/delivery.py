"""Checking a delivery: are these the files of this contract, do their footers keep it, and is the lineage about them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from domainmesh.v1 import lineage_pb2, product_pb2, publication_pb2
from governance_server.publishing.facets import checked_facets
from governance_server.publishing.modes import KEEP, MERGE, OVERWRITE, mode_of
from governance_server.rules.errors import ContractViolated, Invalid, Problem
from governance_server.warehouse.delivered import DeliveredFile, VerifiedFile
from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.takeover import take_over, taken_name
from mesh_core.contract import Contract, Port, PortKind
from mesh_core.names import InvalidName, parse_port

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_lineage", "check_quality", "sources_of", "unstorable", "verified_files", "verify_delivery"]


def verify_delivery(
    warehouse: Warehouse,
    publication: publication_pb2.Publication,
    contract: Contract,
    delivered: Sequence[publication_pb2.DeliveredPort],
) -> list[publication_pb2.VerifiedPort]:
    """What was delivered, taken in and then verified port by port, so that no publisher can change it any more.

    Raises: Invalid, ContractViolated with the problems of all ports; what was taken in is then gone and must be delivered anew.
    """
    by_name = _by_name(publication.product, contract, delivered)
    problems: list[Problem] = []
    verified = []
    for port in contract.ports:
        name = f"{publication.product}.{port.name}"
        verified.append(_verify_port(warehouse, publication, port, by_name[name], problems))
    if problems:
        warehouse.discard_incoming(publication.id)
        raise ContractViolated(
            f"The delivered files break the contract of {publication.product}: deliver what it says.",
            resource=publication.product,
            problems=problems,
        )
    return verified


def _by_name(
    product: str, contract: Contract, delivered: Sequence[publication_pb2.DeliveredPort]
) -> dict[str, publication_pb2.DeliveredPort]:
    by_name = {port.port: port for port in delivered}
    wanted = {f"{product}.{port.name}" for port in contract.ports}
    problems = [Problem(name, "not delivered") for name in sorted(wanted - set(by_name))]
    problems += [Problem(name, "not a port of the contract") for name in sorted(set(by_name) - wanted)]
    if len(by_name) < len(delivered):
        problems.append(Problem("ports", "a port is delivered twice"))
    if problems:
        raise Invalid("All ports of a product are published together: deliver every one of them once.", problems=problems)
    return by_name


def _verify_port(
    warehouse: Warehouse,
    publication: publication_pb2.Publication,
    port: Port,
    delivered: publication_pb2.DeliveredPort,
    problems: list[Problem],
) -> publication_pb2.VerifiedPort:
    from governance_server.warehouse.errors import DeliveryRejected
    from governance_server.warehouse.verify import verify_files

    mode = mode_of(publication, delivered.port)
    kind = product_pb2.PORT_KIND_TABLE if port.kind == PortKind.TABLE else product_pb2.PORT_KIND_COLLECTION
    found = publication_pb2.VerifiedPort(
        port=delivered.port, kind=kind, embedding_model=delivered.embedding_model, dimensions=delivered.dimensions, mode=mode
    )
    misplaced = [Problem(delivered.port, text) for text in _misplaced(delivered, mode)]
    problems += misplaced  # of all ports: one that is wrong hides nothing of the others
    if mode == KEEP or misplaced:
        return found
    files = [_declared(file) for file in (*delivered.files, *delivered.deleted_keys)]
    count = len(delivered.files)
    incoming = warehouse.incoming_folder(publication.id, port.name)
    try:
        taken = _take_in(warehouse, publication.id, port.name, files)
        found.files.extend(
            _kept(it) for it in _placed(incoming, verify_files(incoming, taken[:count], storage_schema_of(port)), port)
        )
        found.deleted_keys.extend(_kept(it) for it in verify_files(incoming, taken[count:], _key_schema(port)))
        if port.custom_properties.get("verification") == "full" and port.kind == PortKind.TABLE and mode == OVERWRITE:
            problems.extend(_recheck(incoming, taken, port))
    except DeliveryRejected as error:
        named = {taken_name(publication.id, file.name): file.name for file in files}
        problems.extend(Problem(delivered.port, _renamed(text, named)) for text in error.problems)
    if delivered.HasField("facets"):
        found.facets.CopyFrom(checked_facets(delivered))
    return found


def _misplaced(delivered: publication_pb2.DeliveredPort, mode: product_pb2.WriteMode.ValueType) -> Iterator[str]:
    if mode == KEEP and (delivered.files or delivered.deleted_keys):
        yield "files are delivered for a port that is to be kept"
    if mode != MERGE and delivered.deleted_keys:
        yield "only a merge deletes rows by their keys"


def _declared(file: publication_pb2.DeliveredFile) -> DeliveredFile:
    return DeliveredFile(name=file.name, size=file.size_bytes, rows=file.row_count)


def _kept(file: VerifiedFile) -> publication_pb2.VerifiedFile:
    values = {name: text for name, text in file.partition if text is not None}
    return publication_pb2.VerifiedFile(
        name=file.name, size_bytes=file.size, row_count=file.rows, stats=file.stats_json, partition_values=values
    )


def _placed(incoming: Folder, files: Sequence[VerifiedFile], port: Port) -> Iterator[VerifiedFile]:
    """The files with their partitions. Raises: DeliveryRejected if one holds rows of several."""
    from governance_server.warehouse.errors import DeliveryRejected
    from governance_server.warehouse.partitions import partition_of

    columns = [column.name for column in port.partition_key]
    if not columns:
        yield from files
        return
    placed = [(file, partition_of(incoming, file.name, columns)) for file in files]
    problems = [
        f"{file.name}: its rows are not in one partition of {', '.join(columns)}, or that is the empty text."
        for file, values in placed
        if values is None
    ]
    if problems:
        raise DeliveryRejected(problems)
    yield from (replace(file, partition=values) for file, values in placed if values is not None)


def _key_schema(port: Port) -> pa.Schema:
    """The storage schema of the primary key alone, in key order."""
    import pyarrow as pa

    whole = storage_schema_of(port)
    return pa.schema([whole.field(column.name) for column in port.primary_key])


def _take_in(warehouse: Warehouse, publication_id: str, port: str, files: Sequence[DeliveredFile]) -> tuple[DeliveredFile, ...]:
    folder = warehouse.find_drop_folder(publication_id, port)
    incoming = warehouse.incoming_folder(publication_id, port)
    if not folder.exists() and not incoming.exists():
        raise StorageUnavailable(folder.uri, "the folder was removed")
    return take_over(folder, files, incoming, publication_id)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with files called as the publisher called them."""
    taken = next((taken for taken in names if taken in text), "")
    return text.replace(taken, names[taken]) if taken else text


def storage_schema_of(port: Port) -> pa.Schema:
    """The Arrow schema the port's files must have: passages for a collection, the contract's storage types for a table."""
    if port.kind == PortKind.COLLECTION:
        from mesh_core.vectors.schema import PASSAGE_SCHEMA

        return PASSAGE_SCHEMA
    from mesh_core.types import storage_schema

    return storage_schema(port)


def unstorable(port: Port) -> str:
    """Why the port's columns have no storage types; empty if they have."""
    from mesh_core.types import UnknownType

    try:
        storage_schema_of(port)
    except UnknownType as error:
        return str(error)
    return ""


def _recheck(folder: Folder, files: Sequence[DeliveredFile], port: Port) -> Iterator[Problem]:
    """Every rule of the contract, run again over the delivered rows."""
    import polars as pl
    import pyarrow.parquet as pq

    from mesh_core.quality import Checker

    checker = Checker(port)
    for file in files:
        with folder.open(file.name) as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=262_144):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                checker.observe(frame)
    for violation in checker.finish().violations:
        yield Problem(f"{port.name}.{violation.column or ''}".rstrip("."), violation.message)


def verified_files(files: Iterable[publication_pb2.VerifiedFile], port: Port) -> list[VerifiedFile]:
    """Verified files of the port as values."""
    columns = [column.name for column in port.partition_key]
    return [
        VerifiedFile(
            name=file.name, size=file.size_bytes, rows=file.row_count, stats_json=file.stats,
            partition=tuple((name, file.partition_values.get(name)) for name in columns),
        )
        for file in files
    ]  # fmt: skip


def check_quality(product: str, results: Iterable[product_pb2.QualityResult]) -> None:
    """Returns if no blocking check failed. Raises: ContractViolated with every failed one."""
    failed = [
        Problem(f"{r.port}.{r.column}".rstrip("."), f"{r.message}{_shown(r.samples)}")
        for r in results
        if r.is_blocking and r.status in (product_pb2.QUALITY_STATUS_FAILED, product_pb2.QUALITY_STATUS_NOT_RUN)
    ]
    if failed:
        raise ContractViolated(
            f"The data breaks the contract of {product}: mend it and publish again.", resource=product, problems=failed
        )


def _shown(samples: Sequence[str]) -> str:
    """The first rows at fault; there are samples only where the publisher may see their values."""
    return f" ({', '.join(samples[:3])}; the first row is row 0)" if samples else ""


def sources_of(lineages: Iterable[lineage_pb2.PortLineage]) -> list[str]:
    """Every port that the lineages name as a source, by name."""
    named = ((*(i.port for i in it.inputs), *(e.source_port for e in it.edges), *it.unknown_inputs) for it in lineages)
    return sorted({source for sources in named for source in sources})


def check_lineage(product: product_pb2.Product, lineages: Iterable[lineage_pb2.PortLineage]) -> None:
    """Returns if the lineage is about this product's ports and columns. Raises: Invalid with every problem."""
    columns = {port.name: {column.name for column in port.columns} for port in product.ports}
    problems: list[Problem] = []
    for lineage in lineages:
        if lineage.port not in columns:
            problems.append(Problem(lineage.port, "lineage of a port that is not published here"))
            continue
        problems += [Problem(source, text) for source in sources_of([lineage]) if (text := _name_problem(source))]
        targets = {edge.target_column for edge in lineage.edges} - columns[lineage.port]
        problems += [
            Problem(f"{lineage.port}.{name}", "lineage of a column the contract does not have") for name in sorted(targets)
        ]
    if problems:
        raise Invalid(f"The lineage of {product.name} cannot be understood.", resource=product.name, problems=problems)


def _name_problem(port: str) -> str:
    try:
        parse_port(port)
    except InvalidName as error:
        return str(error)
    return ""
