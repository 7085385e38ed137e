"""What a publication gave, as values: the release, its ports and the results of its checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from domain_sdk.catalog import PortKind

if TYPE_CHECKING:
    from mesh_core.lineage import PortLineage

__all__ = ["Preview", "QualityResult", "QualityStatus", "Release", "ReleasedPort"]


class QualityStatus(StrEnum):
    """How a check came out."""

    UNSPECIFIED = "unspecified"
    PASSED = "passed"
    FAILED = "failed"
    RECORDED = "recorded"


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
    """True if a failure stops the publication."""
    failing_rows: int
    total_rows: int
    message: str
    samples: tuple[str, ...]
    """Up to 10 values or keys like `row 3: null`, the first row being row 0; masked where tagged."""

    @property
    def is_violation(self) -> bool:
        """True if the rule is broken, blocking or not."""
        return self.status is QualityStatus.FAILED


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing would find, with nothing written."""

    product: str
    quality: tuple[QualityResult, ...]
    lineage: tuple[PortLineage, ...]

    @property
    def violations(self) -> tuple[QualityResult, ...]:
        """The failed checks that would stop the publication."""
        return tuple(result for result in self.quality if result.is_violation and result.is_blocking)

    @property
    def is_ok(self) -> bool:
        """True if nothing would stop the publication."""
        return not self.violations
