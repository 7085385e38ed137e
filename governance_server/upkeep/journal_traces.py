"""What the journal still tells of an erased subject: statistics of delivered files, samples of checks, names of documents.

The chain stays whole: a payload becomes a tombstone, and a later change records it (ADR 0007). States that are still valid and
tell nothing of the subject are written anew, so that the change they came with can go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from google.protobuf.message import Message

from governance_server.backend import Backend
from governance_server.journal.command import Transaction
from governance_server.rules import kinds
from governance_server.rules.apply import Change, ResourceWrite
from governance_server.upkeep.subject_survey import Subject
from mesh_core.expressions.values import as_utc

__all__ = ["Teller", "traces", "without_traces"]

_PAGE = 500
_TELLING = (kinds.PUBLICATION, kinds.MENTIONS, kinds.SUBJECT_ERASURE)
"""A change of one of these holds what was delivered, or what was found in it; an earlier erasure wrote such states anew."""
_APART = "\0"
"""Between texts that are looked through together: part of no word, and no space."""
_TIME_BEGINS = re.compile(r"(?<=\d-\d\d)T(?=\d\d:)")
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]?.*", re.ASCII)


class Teller:
    """Says which states tell of a subject. Remembers texts that do not: versions repeat them."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._meant = {it for it in map(_meant_by, subject.values) if it is not None}
        self._clean: set[str] = set()

    def tells(self, writes: Iterable[ResourceWrite]) -> bool:
        """True if one of the states has a text in which the subject is."""
        texts = {text for write in writes for text in _texts_of(write)} - self._clean
        joined = _APART.join(texts)
        said = {joined, _TIME_BEGINS.sub(" ", joined)}
        if any(map(self._subject.is_in, said)) or any(_meant_by(it) in self._meant for it in texts):
            return True
        self._clean |= texts
        return False


def traces(backend: Backend, product: str, subject: Subject, kept_releases: frozenset[str]) -> list[Change]:
    """The changes about the product of which the journal has the subject's value, oldest first.

    Left out are changes with a release that may still be read: the tags it had then are read from them.
    """
    teller = Teller(subject)
    return [
        change
        for change in _telling(backend)
        if _is_about(change, product) and not _made(change, product, kept_releases) and teller.tells(change.writes)
    ]


def without_traces(
    tx: Transaction, found: Sequence[Change], writes: Sequence[ResourceWrite], subject: Subject
) -> tuple[list[ResourceWrite], tuple[int, ...]]:
    """All that is to be written, and the revisions whose payloads can go then."""
    states = {(write.kind, write.name): write for write in writes}
    teller = Teller(subject)
    erases = []
    for change in found:
        valid = [it for it in change.writes if it.body is not None and tx.get(it.kind, it.name) == it.body]
        again = [it for it in valid if (it.kind, it.name) not in states]
        if teller.tells(again):
            continue
        states.update({(it.kind, it.name): it for it in again})
        erases.append(change.revision)
    return list(states.values()), tuple(erases)


def _telling(backend: Backend) -> Iterator[Change]:
    after = 0
    while page := backend.journal.read_changes(after, _PAGE, _TELLING):
        yield from page
        after = page[-1].revision


def _is_about(change: Change, product: str) -> bool:
    """True also for an erasure in another product that changed the mentions in this one's documents."""
    return change.subject == product or any(
        it.kind == kinds.MENTIONS and it.name.startswith(f"{product}.") for it in change.writes
    )


def _made(change: Change, product: str, kept_releases: frozenset[str]) -> bool:
    names = [it.name for it in change.writes if it.kind == kinds.RELEASE]
    return any(name in kept_releases or not name.startswith(f"{product}/") for name in names)


def _meant_by(text: str) -> Decimal | datetime | None:
    """The number or moment that the text is: statistics write those in another way than tables show them."""
    found = text.strip()
    if _NUMBER.fullmatch(found):
        return Decimal(found)
    if _MOMENT.fullmatch(found):
        with suppress(ValueError, OverflowError):  # in UTC it may lie before the first year, or behind the last
            return as_utc(datetime.fromisoformat(found))
    return None


def _texts_of(write: ResourceWrite) -> Iterator[str]:
    yield write.name
    message = kinds.MESSAGES.get(write.kind)
    if write.body and message is not None:
        yield from _texts_in(message.FromString(write.body))


def _texts_in(message: Message) -> Iterator[str]:
    """Every text within the message; of one that is JSON, as statistics are, also its numbers and what it writes its own way."""
    left: list[object] = [message]
    while left:
        match left.pop():
            case str() as text:
                yield text
                if text[:1] in ("{", "["):
                    left.append(_parsed(text))
            case Message() as inner:
                left.extend(value for _, value in inner.ListFields())
            case Mapping() as named:
                left.extend((*named, *named.values()))
            case Sequence() as several if not isinstance(several, bytes):
                left.extend(several)


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):  # a text that only begins like JSON
        return None
