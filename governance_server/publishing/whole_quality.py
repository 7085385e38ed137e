"""Quality of a port whose rows are only partly new: rules about the whole table are judged on the whole table.

Counts add up: what was counted before, less what went out, plus what came in. Where they do not (repeated values, a contract with
other rules, counts that nobody made), every row is looked at once more. Source: ODCS 3.2 quality; a rule is a promise about
the port, so it is never judged on a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.publishing.modes import KEEP, OVERWRITE
from mesh_core.contract import Contract, Port, PortKind

if TYPE_CHECKING:
    import polars as pl

    from governance_server.warehouse.layout import Warehouse
    from governance_server.warehouse.snapshot import StoredFile
    from mesh_core.quality import Check, CheckResult

__all__ = ["Before", "WholeQuality"]

_PASSED, _FAILED = product_pb2.QUALITY_STATUS_PASSED, product_pb2.QUALITY_STATUS_FAILED


@dataclass(frozen=True, slots=True)
class Before:
    """The release that is built on: the product, its contract and its results."""

    product: product_pb2.Product
    contract: Contract | None
    quality: Sequence[product_pb2.QualityResult]


class WholeQuality:
    """Judges ports as they will be."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def judged(
        self,
        publication: publication_pb2.Publication,
        contract: Contract,
        verified: Sequence[publication_pb2.VerifiedPort],
        delivered: Iterable[product_pb2.QualityResult],
        before: Before,
    ) -> list[product_pb2.QualityResult]:
        """The results of every port: the publisher's where it wrote the whole, else of the whole that will be."""
        given = list(delivered)
        results: list[product_pb2.QualityResult] = []
        for port, found in zip(contract.ports, verified, strict=True):
            own = [it for it in given if it.port == found.port]
            earlier = [it for it in before.quality if it.port == found.port]
            if found.mode == KEEP and (port.kind is PortKind.COLLECTION or _has_same_rules(port, before.contract)):
                results += earlier
            elif found.mode == OVERWRITE or port.kind is PortKind.COLLECTION or not before.product.version:
                results += own
            else:
                results += self._of_whole(publication.id, port, found, own, earlier, before)
        return results

    def _of_whole(
        self,
        publication_id: str,
        port: Port,
        found: publication_pb2.VerifiedPort,
        own: Sequence[product_pb2.QualityResult],
        earlier: Sequence[product_pb2.QualityResult],
        before: Before,
    ) -> list[product_pb2.QualityResult]:
        if not _has_same_rules(port, before.contract) or _needs_every_row(port):
            return self._with_looked_at(publication_id, port, found, own, before.product)
        gone = self._gone(publication_id, port, found)
        added = _added_up(port, own, {it.check: it for it in earlier}, gone, found.row_count)
        if added is None:
            return self._with_looked_at(publication_id, port, found, own, before.product)
        return [added.get(it.check, it) for it in own]

    def _with_looked_at(
        self,
        publication_id: str,
        port: Port,
        found: publication_pb2.VerifiedPort,
        own: Sequence[product_pb2.QualityResult],
        product: product_pb2.Product,
    ) -> list[product_pb2.QualityResult]:
        """The publisher's results, with those of a look at every row in place of what that tells."""
        from mesh_core.quality.check import RECORDED

        results = self._looked_at(publication_id, port, found, product)
        looked = {it.check: _message(found.port, it) for it in results if it.kind not in RECORDED}
        kept = [looked.pop(it.check, it) for it in own]
        return [*kept, *looked.values()]

    def _gone(self, publication_id: str, port: Port, found: publication_pb2.VerifiedPort) -> Mapping[str, int]:
        """Check → what is counted of it in the rows that go out; empty if nothing is counted."""
        from governance_server.warehouse.matching import stored_file

        if not any(_is_counted(check) for check in _whole_checks(port)):
            return {}
        incoming = self._warehouse.incoming_folder(publication_id, port.name)
        table = self._warehouse.port_location(found.port)
        files = [stored_file(incoming, it.name) for it in found.replaced_files]
        if not found.replaced_files:
            files = [stored_file(table, name) for name in found.removed_files]
        return {it.check: it.failing_rows for it in _results(port, files)}

    def _looked_at(
        self, publication_id: str, port: Port, found: publication_pb2.VerifiedPort, product: product_pb2.Product
    ) -> Sequence[CheckResult]:
        from governance_server.warehouse.matching import stored_file
        from governance_server.warehouse.snapshot import open_snapshot

        held = next((it for it in product.ports if it.name == found.port), None)
        incoming = self._warehouse.incoming_folder(publication_id, port.name)
        files = [stored_file(incoming, it.name) for it in found.files]
        if held is not None:
            table = open_snapshot(self._warehouse.port_location(found.port), held.delta_version, self._warehouse.tables)
            files = [*table.without(found.removed_files).files(), *files]
        return _results(port, files)


def _results(port: Port, files: Sequence[StoredFile]) -> Sequence[CheckResult]:
    from contextlib import closing

    from mesh_core.quality import Checker

    with closing(Checker(port)) as checker:
        for batch in _batches(port, files):
            checker.observe(batch)
        return checker.finish().results


def _batches(port: Port, files: Sequence[StoredFile]) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa

    from governance_server.publishing.delivery import storage_schema_of
    from governance_server.warehouse.matching import read_columns

    schema = storage_schema_of(port)
    empty = pl.DataFrame(pa.table(schema.empty_table()))
    yield empty
    for file in files:
        for rows in read_columns(file, schema.names):
            yield rows.cast(empty.schema)


def _has_same_rules(port: Port, contract: Contract | None) -> bool:
    from mesh_core.quality import compile_checks

    old = {it.name: it for it in contract.ports}.get(port.name) if contract is not None else None
    return old is not None and compile_checks(old) == compile_checks(port)


def _needs_every_row(port: Port) -> bool:
    """True if a rule's count does not follow from counts of parts, or the server is to check every row itself."""
    from mesh_core.quality import Kind, compile_checks

    is_full = port.custom_properties.get("verification") == "full"
    return is_full or any(check.kind is Kind.DUPLICATE_VALUES for check in compile_checks(port))


def _whole_checks(port: Port) -> list[Check]:
    from mesh_core.quality import LIBRARY, compile_checks

    return [check for check in compile_checks(port) if check.kind in LIBRARY]


def _is_counted(check: Check) -> bool:
    from mesh_core.quality import Kind

    return check.kind is not Kind.ROW_COUNT


def _added_up(
    port: Port,
    own: Sequence[product_pb2.QualityResult],
    earlier: Mapping[str, product_pb2.QualityResult],
    gone: Mapping[str, int],
    row_count: int,
) -> dict[str, product_pb2.QualityResult] | None:
    """Check → its result on the whole; None if some count is not known."""
    from mesh_core.quality.judge import judge

    mine = {it.check: it for it in own}
    results: dict[str, product_pb2.QualityResult] = {}
    for check in _whole_checks(port):
        rows = row_count
        if _is_counted(check):
            known = earlier.get(check.name)
            if known is None or check.name not in mine:
                return None
            if known.status not in (_PASSED, _FAILED):
                results[check.name] = known
                continue
            rows = known.failing_rows + mine[check.name].failing_rows - gone.get(check.name, 0)
        results[check.name] = _message(mine[check.name].port, judge(check, rows, row_count, (), None))
    return results


def _message(port: str, result: CheckResult) -> product_pb2.QualityResult:
    return product_pb2.QualityResult(
        port=port,
        column=result.column,
        check=result.check,
        status=product_pb2.QualityStatus.Value(f"QUALITY_STATUS_{result.outcome.name}"),
        is_blocking=result.is_blocking,
        failing_rows=result.failing_rows,
        total_rows=result.total_rows,
        message=result.message,
        measured=result.measured,
        samples=[f"row {sample.row}: {sample.value}" for sample in result.samples],
    )
