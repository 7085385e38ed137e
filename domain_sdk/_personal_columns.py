"""Whether a publication tells of the personal data in its tables: findings become results of the check `pii.…`.

A column that certainly holds personal data must carry a `pii` tag: of its contract, or along its lineage. Else the publication is
refused, unless the publisher accepts that column by name; the acceptance is a quality result and so in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from domain_sdk.errors import InvalidRequest, MeshError, Violation
from domain_sdk.release import QualityResult, QualityStatus
from mesh_core.contract import Contract, Port
from mesh_core.lineage import PortLineage
from mesh_core.pii.findings import is_personal_tag

if TYPE_CHECKING:
    from domain_sdk._delivery import Delivered
    from domain_sdk._transport import Transport
    from domain_sdk.pii import ColumnFinding

__all__ = ["PersonalDataGate"]


class PersonalDataGate:
    """Judges the findings of one publication."""

    def __init__(self, transport: Transport, contract: Contract, accepted: Sequence[str]) -> None:
        """Raises: InvalidRequest if something accepted is no column of the contract."""
        self._transport = transport
        self._contract = contract
        self._accepted = frozenset(accepted)
        known = {
            name for port in contract.ports for column in port.columns for name in (column.name, f"{port.name}.{column.name}")
        }
        wrong = [Violation(name, "the contract has no such column.") for name in sorted(self._accepted - known)]
        if wrong:
            raise InvalidRequest("Personal data is accepted by the name of its column.", violations=wrong)

    def judged(self, delivered: Sequence[Delivered], lineage: Sequence[PortLineage]) -> list[Delivered]:
        """What was delivered, with a quality result for each finding."""
        origins = {it.target_port: it for it in lineage}
        ports = zip(self._contract.ports, delivered, strict=True)
        return [replace(it, quality=(*it.quality, *self._results(port, it, origins.get(it.port)))) for port, it in ports]

    def _results(self, port: Port, delivered: Delivered, lineage: PortLineage | None) -> Iterator[QualityResult]:
        if any(is_personal_tag(tag) for tag in (*port.tags, *self._contract.tags)):
            return
        for finding in delivered.personal:
            status, is_blocking, message = self._verdict(port, finding, lineage)
            yield QualityResult(
                port=delivered.port,
                column=finding.column,
                check=finding.tag,
                status=status,
                is_blocking=is_blocking,
                failing_rows=finding.matched,
                total_rows=finding.sampled,
                message=message,
                samples=(),
            )

    def _verdict(self, port: Port, finding: ColumnFinding, lineage: PortLineage | None) -> tuple[QualityStatus, bool, str]:
        name, words = finding.column, finding.words
        if not finding.is_certain:
            return QualityStatus.FAILED, False, f"{words}: if it does, tag the column `{finding.tag}` in the contract"
        if {name, f"{port.name}.{name}"} & self._accepted:
            return QualityStatus.RECORDED, True, f"{words}: accepted without a tag by the publisher"
        source = self._inherited_from(name, lineage)
        if source:
            return QualityStatus.PASSED, True, f"{words}: its tag comes along lineage from {source}"
        way = f"tag the column `{finding.tag}` in the contract, or accept it (accept_pii=[{name!r}], --accept-pii {name})"
        return QualityStatus.FAILED, True, f"{words}, and nothing declares it: {way}"

    def _inherited_from(self, column: str, lineage: PortLineage | None) -> str:
        """The source column whose personal tag flows into the column; empty if none does, or none may be seen."""
        if lineage is None:
            return ""
        direct = [edge for edge in lineage.edges if edge.target_column == column and edge.transformation.is_direct]
        for edge in direct:
            if not edge.transformation.is_breaker and edge.source_column in self._personal_columns(edge.source_port):
                return f"{edge.source_port}.{edge.source_column}"
        if not direct:
            for port in lineage.unknown_inputs:
                if self._personal_columns(port):
                    return port
        return ""

    def _personal_columns(self, port: str) -> frozenset[str]:
        """The columns of a port that carry a personal tag, as far as the caller may see."""
        from domain_sdk import _catalog_calls
        from domain_sdk.catalog import PortEntry

        try:
            entry = _catalog_calls.show(self._transport, port)
        except MeshError:
            return frozenset()
        columns = entry.columns if isinstance(entry, PortEntry) else ()
        tagged = {it.name: (*it.tags, *(derived.tag for derived in it.derived_tags)) for it in columns}
        return frozenset(name for name, tags in tagged.items() if any(map(is_personal_tag, tags)))
