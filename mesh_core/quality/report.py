"""What the checks found, all of it at once, as values and as text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mesh_core.quality.check import Kind

__all__ = ["MASKED", "MAX_SAMPLES", "CheckResult", "Outcome", "Report", "Sample"]

MASKED = "•••"
"""What stands for the value of a personal column."""

MAX_SAMPLES = 10
_SHOWN_SAMPLES = 3


class Outcome(StrEnum):
    """What became of a check; of one that is `recorded` (nothing to run) or `not_run` (it could not be) nothing is known."""

    PASSED = "passed"
    FAILED = "failed"
    RECORDED = "recorded"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value at fault: its row, counted from 0 in the order the batches came, and the value as text, masked if personal.

    `key` is the row's primary key, masked if that is personal; empty without one, or where it is the value itself.
    """

    row: int
    value: str
    key: str = ""

    def to_text(self) -> str:
        """Like `row 3, key 17: null`."""
        return f"row {self.row}{f', key {self.key}' if self.key else ''}: {self.value}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        check: The check's name.
        column: The column or path it is about; empty for the whole port.
        is_blocking: Whether its failure keeps the data from being published.
        failing_rows: Rows at fault; of a library rule the counted rows, whether it passed or not.
        total_rows: All rows seen.
        samples: At most ten of the rows at fault; empty unless the check failed.
        message: What was promised and what was found, or why it was not evaluated.
        measured: What a library rule counted, in its unit; empty for other checks.
        filled: Of the schema's check, optional columns that were not given and are stored as null.
    """

    check: str
    kind: Kind
    column: str
    outcome: Outcome
    is_blocking: bool
    failing_rows: int
    total_rows: int
    samples: tuple[Sample, ...]
    message: str
    measured: str = ""
    filled: tuple[str, ...] = ()

    def to_text(self) -> str:
        """One line, with up to three samples when the check failed."""
        shown = ", ".join(sample.to_text() for sample in self.samples[:_SHOWN_SAMPLES])
        more = ", …" if len(self.samples) > _SHOWN_SAMPLES else ""
        return f"{self.check}: {self.message}" + (f" ({shown}{more})" if shown else "")


@dataclass(frozen=True, slots=True)
class Report:
    """Every result of one pass over a port's data."""

    port: str
    total_rows: int
    results: tuple[CheckResult, ...]

    @property
    def violations(self) -> tuple[CheckResult, ...]:
        """The checks that block: failed, or not run although they must be."""
        stopping = (Outcome.FAILED, Outcome.NOT_RUN)
        return tuple(result for result in self.results if result.outcome in stopping and result.is_blocking)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The failed checks that do not block."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED and not result.is_blocking)

    @property
    def recorded(self) -> tuple[CheckResult, ...]:
        """The checks that were not evaluated."""
        unknown = (Outcome.RECORDED, Outcome.NOT_RUN)
        return tuple(result for result in self.results if result.outcome in unknown)

    @property
    def is_ok(self) -> bool:
        """Whether nothing blocks; warnings and recorded checks do not."""
        return not self.violations

    def to_text(self) -> str:
        """The report for people: a headline, then violations, warnings and what was not evaluated, a line each."""
        passed = sum(result.outcome is Outcome.PASSED for result in self.results)
        lines = [
            f"{self.port}: {'ok' if self.is_ok else 'not publishable'}, {self.total_rows} rows, {passed} checks passed, "
            f"{len(self.violations)} violated, {len(self.warnings)} warned, {len(self.recorded)} recorded and not enforced"
        ]
        for title, results in (("violated", self.violations), ("warned", self.warnings), ("recorded", self.recorded)):
            lines.extend(f"  {title}  {result.to_text()}" for result in results)
        return "\n".join(lines)
