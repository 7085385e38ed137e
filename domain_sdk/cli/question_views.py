"""How answers about many look: sights and readers as tables, impacts and proofs in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from domain_sdk.cli.output import cell, details, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.questions import (
        AccessChange,
        AccessPath,
        ActionChange,
        ColumnChange,
        Impact,
        Proof,
        ReadChange,
        Readers,
        Sight,
        Visible,
    )

__all__ = ["impact_view", "path_words", "proof_view", "purposes_words", "readers_view", "visible_view"]

_STYLES = {"clear": "green", "masked": "yellow", "partly": "yellow", "hidden": "red"}
_ROWS = {"wider": "more rows", "narrower": "fewer rows", "unknown": "other rows"}
_MOST_SHOWN = 6


def visible_view(found: Visible) -> RenderableType:
    """A row for each port."""
    from rich.console import Group

    rows = [(it.port, purposes_words(it.purposes), _columns(it), _row_words(it), _paths(it.paths)) for it in found.sights]
    body = table(("port", "for", "columns", "rows", "by"), rows) if rows else cell("Nothing is visible.")
    note = [cell("Only of what you may ask about.", "dim")] if found.is_restricted else []
    return Group(body, *note)


def readers_view(resource: str, found: Readers) -> RenderableType:
    """A row for each principal."""
    from rich.console import Group

    rows = [
        (cell(it.principal, "bold"), purposes_words(it.purposes), _columns(it), _row_words(it), _paths(it.paths))
        for it in found.sights
    ]
    names = {it.principal for it in found.sights}
    body = table(("who", "for", "sees", "rows", "by"), rows, title=resource) if rows else cell(f"Nobody sees {resource}.")
    return Group(body, cell(f"{len(names)} of {found.principal_count} principals, groups and roles.", "dim"))


def impact_view(impact: Impact) -> RenderableType:
    """Who gains, who loses."""
    from rich.console import Group

    parts: list[RenderableType] = []
    if impact.access:
        parts.append(table(("who", "port", "for", "change"), [_access_row(it) for it in impact.access]))
    if impact.actions:
        acts = [(_names(it.principals, it.principal_count), it.resource, _may(it)) for it in impact.actions]
        parts.append(table(("who", "on", "change"), acts))
    if impact.reads:
        reads = [(it.principal, it.port, it.purpose, it.read_count, _read_words(it)) for it in impact.reads]
        parts.append(table(("who read", "port", "for", "times", "would"), reads, numbers=("times",)))
    if not parts:
        parts.append(cell("Nobody gains or loses anything."))
    return Group(*parts, _numbers(impact))


def _numbers(impact: Impact) -> RenderableType:
    affected = f"{impact.affected_read_count} of {impact.recorded_read_count} reads of {impact.recorded_days} days"
    facts = {
        "gain": f"{_counted(impact.gained_count, 'pair')} of principal and port",
        "lose": f"{_counted(impact.lost_count, 'pair')} of principal and port",
        "compared": f"{_counted(impact.principal_count, 'principal')} on {_counted(impact.compared_port_count, 'port')} "
        "that the changes can touch",
        "recorded": f"{affected} would show less" if impact.recorded_days else "",
        "left out": cell(impact.cut_reason, "yellow"),
        "of": "what you may ask about" if impact.is_restricted else "",
        "revision": impact.revision,
    }
    return details(facts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def proof_view(proof: Proof) -> RenderableType:
    """The claim, and what contradicts it."""
    from rich.console import Group

    verdict = cell("Holds: ", "bold green") if proof.holds else cell("Does not hold: ", "bold red")
    parts: list[RenderableType] = [verdict + cell(proof.claim, "bold")]
    if not proof.column_count:
        parts.append(
            cell("No column is concerned, so nothing was asked: look whether the tag or guardrail is written right.", "yellow")
        )
    for it in proof.counterexamples:
        shown = cell(f"{it.shown}{f': {it.mask}' if it.mask else ''}", _STYLES.get(str(it.shown), ""))
        facts = {
            "sees": cell(f"{it.column} ") + shown,
            "for": purposes_words(it.purposes),
            "from": it.from_time,
            "by": "\n".join(map(path_words, it.paths)),
            "exempt from": "\n".join(f"{path.rule} ({' → '.join(path.via)})" for path in it.exemptions),
        }
        parts += ["", details(facts, title=it.principal)]
    left = proof.counterexample_count - len(proof.counterexamples)
    numbers = {
        "left out": f"{left} more" if left else "",
        "enumerated": " × ".join(
            (
                f"{proof.principal_count} principals, groups and roles",
                f"{proof.purpose_count} purposes",
                f"{proof.column_count} columns",
                f"{proof.moment_count} moments",
            )
        ),
        "decided": proof.decision_count,
        "of": "what you may ask about" if proof.is_restricted else "",
        "revision": proof.revision,
    }
    return Group(*parts, "", details(numbers))


def purposes_words(purposes: Sequence[str]) -> str:
    """The purposes; what is held for none stated comes first."""
    return ", ".join(it or "any" if purposes == ("",) else it or "none stated" for it in purposes)


def path_words(path: AccessPath) -> str:
    """`g-1 (user:ana → group:analysts)`."""
    return f"{path.rule} ({' → '.join(path.via)})" if len(path.via) > 1 else path.rule


def _paths(paths: Iterable[AccessPath]) -> str:
    return "; ".join(dict.fromkeys(map(path_words, paths)))


def _columns(sight: Sight) -> Text:
    shown = [
        cell(it.name if it.shown == "clear" else f"{it.name} ({it.mask or it.shown})", _STYLES[str(it.shown)])
        for it in sight.columns
    ]
    hidden = [cell(f"{sight.hidden_column_count} hidden", "dim")] if sight.hidden_column_count and len(sight.columns) != 1 else []
    return cell(", ").join([*shown, *hidden])


def _row_words(sight: Sight) -> str:
    return "some (the rule is not yours to see)" if sight.row_filter == "restricted" else sight.row_filter or "all"


def _names(names: Sequence[str], count: int) -> str:
    shown = ", ".join(names[:_MOST_SHOWN])
    return shown if count <= _MOST_SHOWN else f"{shown} and {count - _MOST_SHOWN} more"


def _access_row(change: AccessChange) -> tuple[object, ...]:
    if change.can_read and not change.could_read:
        verdict = cell("may read: ", "green")
    elif change.could_read and not change.can_read:
        return (
            _names(change.principals, change.principal_count),
            change.port,
            purposes_words(change.purposes),
            cell("may read nothing", "red"),
        )
    else:
        verdict = cell("")
    words = [
        cell(_column_words(it), "green" if it.after == "clear" else "red" if it.after == "hidden" else "yellow")
        for it in change.columns
    ]
    rows = [cell(_ROWS[str(change.rows)], "yellow")] if change.could_read and str(change.rows) in _ROWS else []
    return (
        _names(change.principals, change.principal_count),
        change.port,
        purposes_words(change.purposes),
        verdict + cell(", ").join([*words, *rows]),
    )


def _column_words(column: ColumnChange) -> str:
    after = column.after_mask or str(column.after)
    return f"{column.column} {column.before_mask or column.before} → {after}"


def _read_words(change: ReadChange) -> Text:
    if change.is_denied:
        return cell("be denied", "red")
    words = [f"not show {', '.join(change.hidden_columns)}"] if change.hidden_columns else []
    words += [f"show less of {', '.join(change.masked_columns)}"] if change.masked_columns else []
    words += [f"show {_ROWS[str(change.rows)]}"] if str(change.rows) in _ROWS else []
    return cell("; ".join(words), "yellow")


def _may(change: ActionChange) -> Text:
    verdict = cell("may", "green") if change.is_allowed else cell("may no longer", "red")
    return verdict + cell(f" {change.action}") + cell(f" for {change.purpose}" if change.purpose else "")
