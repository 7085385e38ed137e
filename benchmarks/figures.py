"""Figures: what a benchmark found, how it compares with its peer and its bar, and the list of them that is kept.

Owns the form of `results.json`. Knows nothing of how anything is measured.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["FIELDS", "Bar", "Figure", "entry_of", "load_entries", "merged", "store_entries"]

FIELDS = ("name", "value", "unit", "peer", "peer_value", "ratio", "bar", "is_met", "measured_at", "code", "machine")
"""The keys of an entry of `results.json`, in order."""

_DIGITS = 4
_SIGNS = {"<": operator.lt, "≤": operator.le, "≥": operator.ge, "=": operator.eq}


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is held to: a bound on its value (in its unit) or on its ratio to the peer (×)."""

    sign: Literal["<", "≤", "≥", "="]
    limit: float
    of: Literal["value", "ratio"] = "value"

    def text(self, unit: str) -> str:
        """Like `< 2 s` or `≥ 0.7×`."""
        return f"{self.sign} {self.limit:,g}{'×' if self.of == 'ratio' else f' {unit}'.rstrip()}"

    def is_met_by(self, figure: Figure) -> bool:
        """True if the figure keeps to the bar; a ratio that could not be taken does not."""
        found = figure.ratio if self.of == "ratio" else figure.value
        return found is not None and bool(_SIGNS[self.sign](found, self.limit))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `name` is `<benchmark>.<what>`; `peer` says in words what `peer_value`, in the same unit, is of."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """The value in units of the peer's value; None without a peer."""
        return self.value / self.peer_value if self.peer_value else None


def entry_of(figure: Figure, *, measured_at: str, code: str, machine: str) -> dict[str, Any]:
    """The figure as an entry of `results.json`, with four significant digits; `code` is the commit that was measured."""
    return {
        "name": figure.name,
        "value": _rounded(figure.value),
        "unit": figure.unit,
        "peer": figure.peer,
        "peer_value": _rounded(figure.peer_value),
        "ratio": _rounded(figure.ratio),
        "bar": figure.bar.text(figure.unit) if figure.bar else None,
        "is_met": figure.bar.is_met_by(figure) if figure.bar else None,
        "measured_at": measured_at,
        "code": code,
        "machine": machine,
    }


def merged(
    kept: Iterable[Mapping[str, Any]], fresh: Sequence[Mapping[str, Any]], *, benchmarks: Iterable[str]
) -> list[Mapping[str, Any]]:
    """The fresh entries in place of all those of the same benchmarks; entries of other benchmarks are kept. By name."""
    replaced = set(benchmarks)
    others = [entry for entry in kept if entry["name"].partition(".")[0] not in replaced]
    return sorted([*others, *fresh], key=lambda entry: str(entry["name"]))


def load_entries(path: Path) -> list[dict[str, Any]]:
    """The entries in the file; none if there is no file."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def store_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """The file holds these entries."""
    path.write_text(json.dumps(list(entries), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.{_DIGITS}g}")
