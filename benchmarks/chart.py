"""How a decision's time grows with the number of rules, drawn in text: one bar a size, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["age_chart", "growth_chart", "lineage_chart"]

_WIDTH = 60
_SERIES = (("p50", "median"), ("p99", "slowest of a hundred"), ("kept_p50", "median, asked again"))
_LINEAGE_SERIES = (
    ("walk_p50", "ten hops, median"),
    ("walk_p99", "slowest of a hundred"),
    ("release", "one port's new lineage, tags brought up to date"),
    ("load", "the whole graph read and laid out"),
)
_SHORTEST_MICROSECONDS = 0.1
_LONGEST_MICROSECONDS = 1e6


def growth_chart(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The chart's lines of Markdown; none if growth was not measured. Stock casbin is drawn where it was."""
    values = {str(entry["name"]): float(entry["value"]) for entry in entries}
    sizes = sorted(int(name.rpartition("_")[2]) for name in values if name.startswith("decisions.p50_at_"))
    if not sizes:
        return
    yield "## Growth with the number of rules\n"
    yield "Microseconds of one decision in process; the bars are logarithmic, from 0.1 µs to a second.\n"
    yield "```text"
    for key, words in _SERIES:
        yield f"{words}:"
        yield from (_bar(f"{size:,}", values[f"decisions.{key}_at_{size}"]) for size in sizes)
    stock = next((e["peer_value"] for e in entries if e["name"] == "checks.in_process_p50" and e["peer_value"]), None)
    if stock:
        yield "casbin.Enforcer.enforce over the same rules, median:"
        yield _bar("100,000", float(stock))
    yield "```\n"


def lineage_chart(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How walks, tags and releases slow down with the size of the lineage graph; nothing if that was not measured."""
    values = {str(entry["name"]): float(entry["value"]) for entry in entries}
    sizes = sorted(int(name.rpartition("_")[2]) for name in values if name.startswith("lineage_graph.walk_p50_at_"))
    if not sizes:
        return
    yield "## Growth with the number of column edges\n"
    yield "Microseconds in process; the bars are logarithmic, from 0.1 µs to a second.\n"
    yield "```text"
    for key, words in _LINEAGE_SERIES:
        yield f"{words}:"
        yield from (_bar(f"{size:,}", values[f"lineage_graph.{key}_at_{size}"] * 1e3) for size in sizes)
    yield "```\n"


def _bar(label: str, microseconds: float) -> str:
    decades = math.log10(_LONGEST_MICROSECONDS / _SHORTEST_MICROSECONDS)
    share = math.log10(max(microseconds, _SHORTEST_MICROSECONDS) / _SHORTEST_MICROSECONDS) / decades
    return f"{label:>11} {'█' * max(1, round(share * _WIDTH)):<{_WIDTH}} {microseconds:,.3g}"


def age_chart(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The chart's lines of Markdown of how a product's versions cost; none if that was not measured."""
    values = {str(entry["name"]): float(entry["value"]) for entry in entries}
    sizes = sorted(int(name.rpartition("_")[2]) for name in values if name.startswith("growth.publish_at_"))
    if not sizes:
        return
    yield "## Growth with the number of versions\n"
    yield "Microseconds of one publication (overwrite) and of first and later reads, a thousand rows; logarithmic, to a second.\n"
    yield "```text"
    for what in ("publish", "first_read", "read"):
        yield f"{what.replace('_', ' ')}:"
        yield from (_bar(f"{size:,}", values[f"growth.{what}_at_{size}"] * 1e3) for size in sizes)
    yield "```\n"
