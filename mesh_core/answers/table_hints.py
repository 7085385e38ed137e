"""Why a question that names a table, or a column of one, gets no figure from it, and how to ask instead. Pure words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from mesh_core.answers.keys import listed_values, singular
from mesh_core.answers.measure_hints import nearly_said
from mesh_core.answers.measure_sql import GRAINS
from mesh_core.answers.terms import Word, best_matches, words_of
from mesh_core.contract.model import Port
from mesh_core.near_names import IN_TEXT, near_names

__all__ = ["left_over", "table_hints"]

_ASKS_FIGURES = re.compile(
    r"\b(?:how (?:many|much)|number of|total|sum|average|mean|median|minimum|maximum|lowest|highest)\b|"
    r"\A\W*(?:which|list|show|give)\b",
    re.IGNORECASE,
)
_EMPTY = frozenset({"no", "without", "missing", "empty", "null", "blank", "lack", "lacks", "lacking", "unknown"})
_MOST_PORTS, _MOST_MEASURES = 3, 6


def table_hints(clauses: Sequence[str], ports: Mapping[str, Port]) -> list[str]:
    """A sentence for each port that a clause for figures or rows names; for those who found nothing, as words are only alike."""
    said: dict[str, None] = {}
    for text in clauses:
        if _ASKS_FIGURES.search(text):
            said.update(dict.fromkeys(_hint(name, ports[name], text) for name in _named(words_of(text), ports)[:_MOST_PORTS]))
    return list(said)


def left_over(words: Sequence[Word], name: str, port: Port, dimensions: Sequence[str]) -> str:
    """What words of a question for a figure of the port mean nothing, or nothing that can be asked for."""
    columns = {it.name: best_matches(list(words), [it.name, *it.synonyms]) for it in port.columns}
    known = [column for column, found in columns.items() if found]
    listed = ", ".join(f"“{word.text}”" for word in words)
    if known and any(word.folded in _EMPTY for word in words):
        sql = f'mesh sql "SELECT count(*) FROM {name} WHERE {known[0]} IS NULL"'
        return f"{listed}: empty values of {', '.join(known)} cannot be asked for in words. Ask with `{sql}`."
    if known:
        value = f'{known[0]} "…"'
        told = f"{listed}: no value of {known[0]} of {name} is understood there."
        return f"{told}{_meant(words, port)} Write it in quotes, like {value}, or ask by {known[0]}."
    told = f"{listed}: not known to {name}.{_meant(words, port)} Its dimensions are {', '.join(dimensions) or 'none'}."
    return f"{told}{_named_value(port, dimensions)}"


def _named_value(port: Port, dimensions: Sequence[str]) -> str:
    """How a value is asked for that the contract does not list; empty if it lists those of each dimension."""
    texts = (it.name for it in port.columns if it.logical_type == "string" and not listed_values(it) and it.name in dimensions)
    return next((f' A value stands behind its column, like {it} "…".' for it in texts), "")


def _meant(words: Sequence[Word], port: Port) -> str:
    """The columns, or the values that the contract lists, that words are nearly written like; empty for none."""
    named = [other for it in port.dimensions for other in (it.name, *it.synonyms)]
    named += [other for it in port.columns for other in (it.name, *it.synonyms)]
    if meant := nearly_said(words, [*named, *GRAINS]):
        return f" Did you mean {' or '.join(meant)}?"
    for column in port.columns:
        values = [str(it) for it in listed_values(column)]
        if near := [it for word in words for it in near_names(word.folded, values, alike=IN_TEXT)[:1]]:
            return f" Did you mean {column.name} {' or '.join(dict.fromkeys(near))}?"
    return ""


def _named(words: list[Word], ports: Mapping[str, Port]) -> list[str]:
    """Ports that are called by their names; else those that have a column which is."""
    called = [name for name, port in ports.items() if best_matches(words, _names(port.name, port.synonyms))]
    return called or [
        name for name, port in ports.items() if any(best_matches(words, [it.name, *it.synonyms]) for it in port.columns)
    ]


def _names(name: str, synonyms: Collection[str]) -> list[str]:
    return [it for each in (name, *synonyms) for it in dict.fromkeys((each, singular(each)))]


def _hint(name: str, port: Port, text: str) -> str:
    defined = ", ".join([it.name for it in port.measures if it.position >= 0][:_MOST_MEASURES])
    measures = f"its measures are {defined}" if defined else "its contract defines none"
    return f"{name} has no measure for “{text}”: {measures}. Ask with `mesh sql`, or let its owner define one."
