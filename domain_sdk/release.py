"""What a publication gave, as values: the release, its ports and the results of its checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from domain_sdk.catalog import PortKind
from mesh_core.pii.findings import is_personal_tag

if TYPE_CHECKING:
    from domain_sdk.contract_changes import ContractImpact
    from domain_sdk.expectations import ExpectationResult
    from mesh_core.lineage import PortLineage

__all__ = ["Preview", "QualityResult", "QualityStatus", "Release", "ReleasedPort"]


class QualityStatus(StrEnum):
    """How a check came out."""

    UNSPECIFIED = "unspecified"
    PASSED = "passed"
    FAILED = "failed"
    RECORDED = "recorded"
    """By its nature nothing to run, like a text."""
    NOT_RUN = "not_run"
    """It was to be run and could not be."""


@dataclass(frozen=True, slots=True)
class QualityResult:
    """The result of one check."""

    port: str
    column: str
    """Empty for the whole port."""
    check: str
    """Like `required` or `library:rowCount`."""
    status: QualityStatus
    is_blocking: bool
    """True if a failure stops the publication; of a rule that could not be run, whether that does."""
    failing_rows: int
    total_rows: int
    message: str
    samples: tuple[str, ...]
    """Up to 10 values or keys like `row 3: null`, the first row being row 0; masked where tagged."""
    measured: str = ""
    """What a library or sql rule measured; empty for other checks."""
    filled_columns: tuple[str, ...] = ()
    """Of a `schema` check, the optional columns that were not among those given and are null in the release."""

    @property
    def is_violation(self) -> bool:
        """True if the rule is broken, blocking or not."""
        return self.status is QualityStatus.FAILED

    @property
    def stops(self) -> bool:
        """True if the publication is refused for it."""
        return self.is_blocking and self.status in (QualityStatus.FAILED, QualityStatus.NOT_RUN)


def proposed_tags(results: Iterable[QualityResult]) -> dict[str, str]:
    """Column → the tag that a check for personal data proposes, accepted or not; nothing for columns that inherit one."""
    found = [it for it in results if is_personal_tag(it.check) and it.status is not QualityStatus.PASSED]
    return {f"{it.port}.{it.column}": it.check for it in reversed(found)}


@dataclass(frozen=True, slots=True)
class ReleasedPort:
    """One port of a release."""

    port: str
    kind: PortKind
    row_count: int
    """Rows or passages."""
    size_bytes: int
    """Of the data files."""


@dataclass(frozen=True, slots=True)
class Release:
    """One atomic publication of all ports of a product."""

    product: str
    version: int
    contract_version: str
    ports: tuple[ReleasedPort, ...]
    quality: tuple[QualityResult, ...]
    """Every check that was run, and every rule that was recorded without running it."""
    lineage: tuple[PortLineage, ...]
    """What was said of where each port came from; empty on releases fetched later."""
    publish_time: datetime | None
    principal: str
    publication: str
    not_enforced: tuple[str, ...] = ()
    """What the contract says and nobody enforces, in words."""

    @property
    def proposed_tags(self) -> dict[str, str]:
        """Column (`sales.orders.orders.contact`) → the tag that its values ask for and its contract does not declare."""
        return proposed_tags(self.quality)

    expectations: tuple[ExpectationResult, ...] = ()
    """How what consumers expect came out; to who may write the product."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing would find, with nothing written."""

    product: str
    quality: tuple[QualityResult, ...]
    lineage: tuple[PortLineage, ...]
    not_enforced: tuple[str, ...] = ()
    """What the contract says and nobody enforces, in words."""
    impact: ContractImpact | None = None
    """What the contract would change and whom that breaks."""
    expectations: tuple[ExpectationResult, ...] = ()
    """How what consumers expect would come out; empty if the contract is broken already."""

    @property
    def broken_expectations(self) -> tuple[ExpectationResult, ...]:
        """What consumers expect and the release would break."""
        return tuple(result for result in self.expectations if result.status == "broken")

    @property
    def proposed_tags(self) -> dict[str, str]:
        """Column (`sales.orders.orders.contact`) → the tag that its values ask for and its contract does not declare."""
        return proposed_tags(self.quality)

    @property
    def violations(self) -> tuple[QualityResult, ...]:
        """The checks that would stop the publication."""
        return tuple(result for result in self.quality if result.stops)

    @property
    def is_ok(self) -> bool:
        """True if nothing would stop the publication."""
        return not self.violations and not any(result.is_blocking for result in self.broken_expectations)
