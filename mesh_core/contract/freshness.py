"""How old data may be: the service levels `latency` and `freshness` of a contract, in seconds, and what age is counted from.

Source: ODCS 3.2 SLA: units d, y and their like; `element` names `port.column`, several apart by commas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh_core.contract.coverage import FRESHNESS
from mesh_core.contract.model import Contract

__all__ = ["AgeLimit", "age_limits", "age_words"]

_SECONDS = {
    name: seconds
    for names, seconds in (
        ("s sec second", 1), ("m min minute", 60), ("h hr hour", 3600), ("d day", 86400), ("w week", 604800),
        ("mo month", 2592000), ("y yr year", 31536000),
    )
    for name in names.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgeLimit:
    """Data of a port may be this old.

    Attributes:
        port: The port's name in the contract.
        column: The date or timestamp whose newest value counts; empty if the time of publication does.
        seconds: The most it may be.
        words: The promise as written, like `latency 4 d`.
    """

    port: str
    column: str
    seconds: int
    words: str


def age_limits(contract: Contract) -> tuple[AgeLimit, ...]:
    """The limits a contract sets, in order; one whose value or unit says no time is left out."""
    return tuple(limit for entry in contract.sla for limit in _limits(contract, entry))


def _limits(contract: Contract, entry: Mapping[str, Any]) -> Iterator[AgeLimit]:
    if str(entry["property"]).strip().casefold() not in FRESHNESS:
        return
    seconds = _seconds(entry.get("value"), str(entry.get("unit", "")))
    if seconds is None:
        return
    words = " ".join(str(entry[name]) for name in ("property", "value", "unit") if entry.get(name) not in (None, ""))
    named = entry.get("element") or contract.document.get("slaDefaultElement") or ""
    elements = [element.strip() for element in str(named).split(",") if element.strip()]
    for element in elements or [port.name for port in contract.ports]:
        name, _, column = element.partition(".")
        port = next((port for port in contract.ports if port.name == name), None)
        if port is not None:
            dated = any(it.name == column and it.is_dated for it in port.columns)
            yield AgeLimit(port.name, column if dated else "", seconds, words)


def _seconds(value: object, unit: str) -> int | None:
    """The time in seconds; None if it is none. Without a unit the number may carry one: `4h`."""
    text = str(value).strip()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    word = (unit.strip() or text[len(digits) :].strip() or "d").casefold()
    factor = _SECONDS.get(word) or _SECONDS.get(word.removesuffix("s"))
    try:
        number = float(digits)
    except ValueError:
        return None
    return int(number * factor) if factor and 0 <= number < 1e9 else None


def age_words(seconds: float) -> str:
    """Like `3 days` or `5 hours`: the largest unit that is not below two, rounded down."""
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} seconds"
