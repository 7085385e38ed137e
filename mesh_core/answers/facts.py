"""Facts of a case: what looked-up rows say, with the names by which rules may speak of it.

A value that is absent is a fact, too: that it is not on record. Values are as the asker sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation

from mesh_core.answers.answer import Figure
from mesh_core.answers.keys import nouns_of
from mesh_core.answers.tables import LookUp
from mesh_core.answers.terms import term_words
from mesh_core.answers.wording import STOP_WORDS, stem
from mesh_core.contract.model import Column, Port

__all__ = ["Fact", "facts_of", "facts_of_all", "facts_of_some", "row_nouns", "unknown_choices"]

_TIME_WORDS = frozenset({"on", "at", "date", "day", "time", "when", "timestamp"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of a looked-up row.

    Attributes:
        figure: The number of its figure.
        about: Stems of what it is called.
        rows: Stems of what its row is called, like `order`.
        day: Of a date.
        amount: Of a number.
        unit: What the number is counted in.
        text: The value as it is written; empty if there is none.
        choices: The values that the contract allows.
        is_masked: The asker sees it masked.
        names: Stems of each name of its column by itself.
        is_own: The question names its row by the row's own key.
        is_several: There are several such rows, so which value is meant cannot be told; `text` is empty then.
    """

    figure: int
    name: str
    row: str
    about: frozenset[str]
    rows: frozenset[str]
    kind: str
    text: str
    day: date | None = None
    amount: Decimal | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    is_masked: bool = False
    names: tuple[frozenset[str], ...] = ()
    is_own: bool = True
    is_several: bool = False


def facts_of(figure: Figure, look_up: LookUp) -> list[Fact]:
    """The facts of the one row that was found; of several rows only that there are several: none stands for the others."""
    if len(figure.rows) != 1:
        return facts_of_some(look_up, [" ".join(key) for key in _keys(figure, look_up.definition)])
    values = dict(zip(figure.columns, figure.rows[0], strict=True))
    port = look_up.definition
    keys = " ".join(values.get(it.name, "") for it in port.primary_key)
    row = f"{' '.join(term_words(port.name))} {keys}".strip()
    return [_fact(figure.number, row, port, it, look_up, values[it.name]) for it in port.columns if it.name in values]


def facts_of_all(found: Sequence[tuple[LookUp, Figure]]) -> list[Fact]:
    """The facts of the rows of several look-ups; of a table of which several rows are the case, only that there are several.

    A row is the case's if its own key is given, or if a row of another table refers to it: two orders, or the customers of two
    orders, are never taken for one case. Rows that were found in two ways say it once, as their own key found them.
    """
    ordered = sorted(found, key=lambda it: not it[0].is_own)
    once = list({figure.number: (look_up, figure) for look_up, figure in reversed(ordered)}.values())[::-1]
    cases: dict[str, dict[str, None]] = {}
    for look_up, figure in once:
        if look_up.is_own or look_up.referred_by.partition(" ")[0] not in ("", look_up.port):
            keys = (" ".join(key) for key in _keys(figure, look_up.definition))
            cases.setdefault(look_up.port, {}).update(dict.fromkeys(keys))
    several = {port: list(keys) for port, keys in cases.items() if len(keys) > 1}
    first = {look_up.port: look_up for look_up, _ in reversed(once)}
    told = [fact for look_up, figure in once if look_up.port not in several for fact in facts_of(figure, look_up)]
    return told + [fact for port, keys in several.items() for fact in facts_of_some(first[port], keys)]


def facts_of_some(look_up: LookUp, keys: Sequence[str] = ()) -> list[Fact]:
    """Facts without a value, of several rows (`keys` are theirs, if known): no rule can be compared with one of them."""
    port = look_up.definition
    row = f"{' '.join(term_words(port.name))} {' or '.join(keys)}".strip()
    return [replace(_fact(0, row, port, it, look_up, ""), is_several=True) for it in port.columns]


def _keys(figure: Figure, port: Port) -> list[list[str]]:
    """The rows' primary keys."""
    rows = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    return [[row.get(it.name, "") for it in port.primary_key] for row in rows]


def unknown_choices(ports: Iterable[Port], known: Sequence[Fact]) -> list[Fact]:
    """Facts without a value, of columns with listed values in rows of which nothing is known: a rule may be about one of them."""
    have = {(fact.rows, fact.name) for fact in known}
    return [
        Fact(
            0,
            it.name,
            " ".join(term_words(port.name)),
            frozenset(_stems([it.name, *it.synonyms])),
            row_nouns(port),
            it.logical_type or "",
            "",
            choices=tuple(str(value) for value in it.enum),
        )
        for port in ports
        for it in port.columns
        if it.enum and (row_nouns(port), it.name) not in have
    ]


def row_nouns(port: Port) -> frozenset[str]:
    """Stems of what a row of the port is called."""
    return frozenset(stem(word) for name in (port.name, *port.synonyms) for word in term_words(name))


def _fact(number: int, row: str, port: Port, column: Column, look_up: LookUp, text: str) -> Fact:
    kind = column.logical_type or ""
    return Fact(
        number,
        column.name,
        row,
        frozenset(_stems(nouns_of(port, column) if kind == "string" else [column.name, *column.synonyms])),
        row_nouns(port),
        kind,
        text,
        day=_day(text) if column.is_dated else None,
        amount=_amount(text) if kind in ("number", "integer") else None,
        unit=column.unit,
        choices=tuple(str(value) for value in column.enum),
        is_masked=column.name in look_up.masked,
        names=tuple(stems for name in (column.name, *column.synonyms) if (stems := frozenset(_stems([name])))),
        is_own=look_up.is_own,
    )


def _stems(names: Sequence[str]) -> Iterator[str]:
    return (stem(word) for name in names for word in term_words(name) if word not in STOP_WORDS and word not in _TIME_WORDS)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
