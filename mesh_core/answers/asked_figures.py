"""What a question asks of measures: which of them, of which rows, by what, and between which two figures a difference."""

from __future__ import annotations

from dataclasses import dataclass

from mesh_core.answers.changes import Sides
from mesh_core.answers.measure_sql import MeasureQuery

__all__ = ["AskedFigures", "AskedMeasures"]


@dataclass(frozen=True, slots=True)
class AskedMeasures:
    """Measures of one port that a question asks for."""

    port: str
    query: MeasureQuery

    when: str = ""
    """What the period is of, where the port has several dates."""
    sides: Sides | None = None
    """The two figures that are compared, of which `query` is the first."""

    @property
    def limits(self) -> str:
        """The period and the values that count, in words; empty for all."""
        return self.limits_of(self.query)

    def limits_of(self, query: MeasureQuery) -> str:
        """The same of another query of the port."""
        parts = [f"{self.when} {query.period}".strip()] if query.period is not None else []
        return ", ".join([*parts, *map(str, query.only)])

    @property
    def words(self) -> str:
        """What is computed, in words."""
        by = f"by {', '.join(self.query.by)}" if self.query.by else ""
        share = f"{self.query.share} in percent of " if self.query.share else ""
        limits = self.limits if self.sides is None else " compared with ".join(map(self.limits_of, self.sides.both))
        measures = (" per " if self.query.is_ratio else ", ").join(self.query.measures)
        return ", ".join(filter(None, (f"{share}{measures} of {self.port}", limits, by)))


@dataclass(frozen=True, slots=True)
class AskedFigures:
    """The figures that a question asks for, and what of it is `unclear` or `undefined`, in sentences."""

    found: tuple[AskedMeasures, ...]
    unclear: tuple[str, ...]
    undefined: tuple[str, ...] = ()
    is_whole: bool = False
    """The question asks for nothing else."""
    hints: tuple[str, ...] = ()
    """Why tables that the question may be about give no figure; for those who find nothing else."""
    near: tuple[str, ...] = ()
    """Why what is nearly a measure's name gives none; for those who find nothing else, whatever rows were looked up."""
