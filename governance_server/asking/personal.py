"""What is known of whom a question is about: looked up as the asker, and the words of it that direct the search.

Which tables may be used for that is decided in `scope`; nothing tells a table that may not be used from a row that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance_server.asking.evidence import Evidence, compute_all
from mesh_core.answers.answer import Figure
from mesh_core.contract.model import Port

__all__ = ["UNKNOWN", "known_about"]

_MOST_LOOK_UPS = 4
_MOST_WORDS, _LONGEST = 12, 40
UNKNOWN = "Nothing that you may use for this purpose is known of whom the question is about."


def known_about(evidence: Evidence) -> list[str]:
    """Words that say what whom the question is about is like; the rows they are from are sources of the answer from now on.

    Words are values of dimensions (`segment`, `region`) that the contract names and the asker sees unmasked: never a name or key.
    """
    from mesh_core.answers.look_ups import look_ups

    asking, backend = evidence.asking, evidence.readers.backend
    if not asking.about:
        return []
    tables = {it.port: it for it in evidence.scope.models(backend)}
    before = len(evidence.sources.figures)
    compute_all(evidence, look_ups(asking.about, tables, today=backend.now().date())[:_MOST_LOOK_UPS])
    found = evidence.sources.figures[before:]
    if not found:
        evidence.notices.append(UNKNOWN)
    said = (
        word for figure in found for used in figure.ports if used.port in tables
        for word in _words(figure, tables[used.port].definition, tables[used.port].masked)
    )  # fmt: skip
    return list(dict.fromkeys(said))[:_MOST_WORDS]


def _words(figure: Figure, port: Port, masked: frozenset[str]) -> Iterator[str]:
    """The values of the row's dimensions, if it is one row."""
    if len(figure.rows) != 1:
        return
    row = dict(zip(figure.columns, figure.rows[0], strict=True))
    keys = {column.name for column in port.primary_key}
    named = {dimension.name for dimension in port.dimensions}
    for column in port.columns:
        value = row.get(column.name, "")
        if column.name in named and column.name not in keys | masked and not column.tags and 0 < len(value) <= _LONGEST:
            yield value
