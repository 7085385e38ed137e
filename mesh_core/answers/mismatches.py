"""What a question names together and the rows tell apart: `order O-7 of customer C-3`, where the order is of somebody else.

What is on record of the one must then decide nothing about the other, and neither must it where that cannot be told, as the
reference is masked for the asker or has no value. Told is what the question named; a value of a row never is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mesh_core.answers.answer import Figure, Sentence
from mesh_core.answers.keys import key_noun, plain_key, singular
from mesh_core.answers.references import identities
from mesh_core.answers.tables import FigureQuery, LookUp
from mesh_core.answers.terms import term_words
from mesh_core.contract.model import Column

__all__ = ["LookedUp", "Matched", "without_mismatches"]

LookedUp = tuple[FigureQuery, Figure | None]
"""A look-up, with its rows if there are any."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The look-ups that may decide, those that may not, and why, with the numbers of the figures that tell it."""

    kept: tuple[LookedUp, ...]
    dropped: tuple[LookedUp, ...]
    told: tuple[Sentence, ...]


class _Standing(Enum):
    SAME, OTHER, UNKNOWN = auto(), auto(), auto()


@dataclass(frozen=True, slots=True)
class _Named:
    """A key that the question names."""

    port: str
    column: str
    is_of: frozenset[str]
    """The columns that its values may be keys of."""
    noun: str
    values: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"{self.noun} {' or '.join(self.values)}"

    def has(self, value: str) -> bool:
        return plain_key(value) in map(plain_key, self.values)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that the question names by its own key."""

    look_up: LookUp
    number: int
    values: Mapping[str, str]

    @property
    def words(self) -> str:
        noun = " ".join(term_words(singular(self.look_up.definition.name)))
        return f"{noun} {self.values.get(self.look_up.by, '')}".strip()


def without_mismatches(found: Sequence[LookedUp]) -> Matched:
    """Without what is looked up by a key to which no row that is named beside it belongs, or for all that is known, may not."""
    rows = [row for query, figure in found if figure is not None for row in _rows(query, figure)]
    told: dict[Sentence, None] = {}
    lost: list[_Named] = []
    for named in dict.fromkeys(it for query, _ in found for it in _named(query)):
        linked = [(row, standing) for row in rows if (standing := _standing(row, named)) is not None]
        apart = [(row, standing) for row, standing in linked if standing is not _Standing.SAME]
        told.update(dict.fromkeys(_sentence(row, named, standing) for row, standing in apart))
        if apart and len(apart) == len(linked):
            lost.append(named)
    bases = {query.basis for query, _ in found if query.look_up is not None and _is_by(query.look_up, lost)}
    dropped = [_is_lost(query.look_up, lost, bases) for query, _ in found]
    return Matched(
        tuple(it for it, is_lost in zip(found, dropped, strict=True) if not is_lost),
        tuple(it for it, is_lost in zip(found, dropped, strict=True) if is_lost),
        tuple(told),
    )


def _rows(query: FigureQuery, figure: Figure) -> Iterator[_Row]:
    if query.look_up is not None and query.look_up.is_own and query.look_up.by:
        yield from (_Row(query.look_up, figure.number, dict(zip(figure.columns, row, strict=True))) for row in figure.rows)


def _named(query: FigureQuery) -> Iterator[_Named]:
    """The keys that a look-up is by, and those that its rows should have beside them."""
    look_up = query.look_up
    if look_up is None or not look_up.is_own:
        return
    columns = {it.name: it for it in look_up.definition.columns}
    for name, values in ((look_up.by, look_up.values), *look_up.beside):
        if column := columns.get(name):
            of = identities(column, look_up.port)
            yield _Named(look_up.port, name, of, key_noun(look_up.definition, column), values)


def _standing(row: _Row, named: _Named) -> _Standing | None:
    """Whether the row is of what is named; None if it has no column that would say so."""
    linked = [it for it in row.look_up.definition.columns if _links(row.look_up, it, named)]
    if not linked:
        return None
    known = [row.values.get(it.name, "") for it in linked if it.name not in row.look_up.masked]
    if any(map(named.has, filter(None, known))):
        return _Standing.SAME
    return _Standing.OTHER if len(known) == len(linked) and all(known) else _Standing.UNKNOWN


def _links(look_up: LookUp, column: Column, named: _Named) -> bool:
    """True if the column is the one that is named, or refers to it; a row's own key, under whatever name, links it to nothing."""
    own = next((it for it in look_up.definition.columns if it.name == look_up.by), None)
    if column is own:
        return False
    if (look_up.port, column.name) == (named.port, named.column):
        return True
    is_itself = own is not None and not identities(own, look_up.port).isdisjoint(named.is_of)
    return not is_itself and not identities(column, look_up.port).isdisjoint(named.is_of)


def _sentence(row: _Row, named: _Named, standing: _Standing) -> Sentence:
    without = f"what is on record of {' or '.join(named.values)} decides nothing here."
    if standing is _Standing.OTHER:
        text = f"{row.words} is of another {named.noun} than {' or '.join(named.values)}: {without}"
        return Sentence(text[:1].upper() + text[1:], (row.number,))
    return Sentence(f"Whether {row.words} is of {named.words} cannot be told from what you may read: {without}", (row.number,))


def _is_lost(look_up: LookUp | None, lost: Sequence[_Named], bases: Collection[str]) -> bool:
    """True for what is looked up by what is lost, and for what those rows refer to."""
    return look_up is not None and (_is_by(look_up, lost) or look_up.referred_by in bases)


def _is_by(look_up: LookUp, lost: Sequence[_Named]) -> bool:
    column = next((it for it in look_up.definition.columns if it.name == look_up.by), None) if look_up.by else None
    if column is None:
        return False
    of = identities(column, look_up.port)
    return any(it.values == look_up.values and not it.is_of.isdisjoint(of) for it in lost)
