"""How figures are shown: a table in the terminal, and the page `docs/benchmarks.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.chart import age_chart, growth_chart, lineage_chart
from benchmarks.explanations import INTRODUCTION, MEANINGS, NOT_BUILT, WHY_MISSED

__all__ = ["markdown", "missed_by", "print_table"]

Entry = Mapping[str, Any]

_WIDTH = 120


def print_table(entries: Sequence[Entry]) -> None:
    """The entries are on standard output, one line each."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "peer", "ratio", "bar", "", title="Benchmarks", title_justify="left")
    for entry in entries:
        verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[entry["is_met"]]
        table.add_row(entry["name"], _value(entry), _peer_value(entry), _ratio(entry), entry["bar"] or "", verdict)
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=_WIDTH)).print(table)


def markdown(entries: Sequence[Entry]) -> str:
    """The page: how to read it, the figures, and where a bar is missed."""
    return "\n".join(
        [
            INTRODUCTION,
            *_figures(entries),
            *growth_chart(entries),
            *age_chart(entries),
            *lineage_chart(entries),
            *_missed(entries),
            *_machines(entries),
            NOT_BUILT,
        ]
    )


def missed_by(entry: Entry) -> str:
    """By how much the entry's bar is missed, in words like `0.61× instead of ≥ 0.7×`."""
    found = _ratio(entry) if str(entry["bar"]).endswith("×") else _value(entry)
    return f"{found} instead of {entry['bar']}"


def _figures(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| figure | what it is | value | peer | ratio | bar | |"
    yield "|---|---|---:|---|---:|---|---|"
    for entry in entries:
        verdict = {None: "", True: "met", False: "**missed**"}[entry["is_met"]]
        peer = f"{_peer_value(entry)}: {entry['peer']}" if entry["peer"] else "–"
        name, meaning, bar = f"`{entry['name']}`", MEANINGS.get(entry["name"], ""), entry["bar"] or "–"
        cells = [name, meaning, _value(entry), peer, _ratio(entry) or "–", bar, verdict]
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
    yield ""


def _missed(entries: Sequence[Entry]) -> Iterator[str]:
    yield "## Where a bar is missed\n"
    missed = [entry for entry in entries if entry["is_met"] is False]
    if not missed:
        yield "Nowhere.\n"
    for entry in missed:
        why = WHY_MISSED.get(entry["name"], "Not yet explained.")
        yield f"- `{entry['name']}`: {missed_by(entry)}. {why}"
    if missed:
        yield ""


def _machines(entries: Sequence[Entry]) -> Iterator[str]:
    yield "## Measured on\n"
    for text in dict.fromkeys(map(_measured_on, entries)):
        names = sorted({entry["name"].partition(".")[0] for entry in entries if _measured_on(entry) == text})
        yield f"- {text} ({', '.join(names)})"
    yield ""


def _measured_on(entry: Entry) -> str:
    code = f", code `{entry['code']}`" if entry["code"] else ""
    return f"{entry['measured_at'][:10]}{code}: {entry['machine']}"


def _value(entry: Entry) -> str:
    return f"{_number(entry['value'])} {entry['unit']}"


def _peer_value(entry: Entry) -> str:
    return "" if entry["peer_value"] is None else f"{_number(entry['peer_value'])} {entry['unit']}"


def _ratio(entry: Entry) -> str:
    ratio = entry["ratio"]
    return "" if ratio is None else f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.2f}×"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 or number == int(number) else f"{number:,.3g}"
