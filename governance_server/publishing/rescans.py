"""Rescans: evidence that a column holds none of the personal data its sources are tagged with, so that a tag stops there.

The contract names the tags (`rescan`), the server looks at every value of what is going to be served; what a publisher says of it
is not asked. A passing rescan is a quality result of the release and evidence in the catalog for that version only: the next
version has its own, or none, and then the tag is back (design §5).
"""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.publishing.candidate_files import Candidate
from mesh_core.contract import Contract, Port, PortKind
from mesh_core.contract.rescan import rescan_tags

__all__ = ["note_rescans", "rescan"]

_PASSED, _FAILED = product_pb2.QUALITY_STATUS_PASSED, product_pb2.QUALITY_STATUS_FAILED


def rescan(candidate: Candidate) -> Iterator[product_pb2.QualityResult]:
    """The result of every rescan that the contract asks for; a failing one stops nothing but the tag's end."""
    for port in candidate.contract.ports:
        wanted = _wanted(port)
        if not wanted:
            continue
        held, rows = _held(candidate, port, wanted), candidate.rows[port.name]
        for column, tag in wanted:
            found = held[column, tag]
            said = f"{found} of {rows} values hold it, so the tag stays" if found else f"none of {rows} values holds it"
            yield product_pb2.QualityResult(
                port=f"{candidate.product}.{port.name}", column=column, check=_check(column, tag),
                status=_FAILED if found else _PASSED, is_blocking=False, failing_rows=found, total_rows=rows,
                message=f"{column} is free of {tag}: {said}",
            )  # fmt: skip


def note_rescans(entry: product_pb2.Product, contract: Contract, publication: publication_pb2.Publication) -> None:
    """The entry's columns carry what rescans of this publication have shown."""
    passed = {(it.port, it.check): it for it in publication.quality if it.status == _PASSED}
    for port, shown in zip(contract.ports, entry.ports, strict=True):
        columns = {column.name: column for column in shown.columns}
        for column, tag in _wanted(port):
            result = passed.get((shown.name, _check(column, tag)))
            if result is not None:
                columns[column].rescans.add(tag=tag, rows=result.total_rows, version=publication.version)


def _check(column: str, tag: str) -> str:
    return f"rescan {column} {tag}"


def _wanted(port: Port) -> list[tuple[str, str]]:
    is_table = port.kind is PortKind.TABLE
    return [(column.name, tag) for column in port.columns for tag in rescan_tags(column)] if is_table else []


def _held(candidate: Candidate, port: Port, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How many values hold what they are to be free of."""
    import polars as pl

    from mesh_core.pii.rescan import holding_values

    held = dict.fromkeys(wanted, 0)
    for batch in candidate.batches(port, sorted({column for column, _ in wanted})):
        frame = pl.DataFrame(batch)
        for column, tag in wanted:
            held[column, tag] += holding_values(frame[column], tag)
    return held
