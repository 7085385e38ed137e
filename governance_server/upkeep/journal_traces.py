"""What the journal still tells of an erased subject: statistics of delivered files, samples of checks. Their payloads go.

The chain stays whole: a payload becomes a tombstone, and a later change records it (ADR 0007). States that are still valid and
tell nothing of the subject are written anew, so that the change they came with can go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from governance_server.backend import Backend
from governance_server.journal.command import Transaction
from governance_server.rules import kinds
from governance_server.rules.apply import Change, ResourceWrite
from governance_server.upkeep.subject_survey import Subject

__all__ = ["traces", "without_traces"]

_PAGE = 500
_RELEASED = "publication.committed"


def traces(backend: Backend, product: str, subject: Subject, kept_releases: frozenset[str]) -> list[Change]:
    """The product's publications of which the journal has the subject's value, oldest first.

    Left out are changes by which a release became visible that may still be read: the tags it had then are read from them.
    """
    return [
        change
        for change in _publications(backend)
        if change.subject == product and _tells(change.body, subject) and not _made(change, kept_releases)
    ]


def without_traces(
    tx: Transaction, found: Sequence[Change], writes: Sequence[ResourceWrite], subject: Subject
) -> tuple[list[ResourceWrite], tuple[int, ...]]:
    """All that is to be written, and the revisions whose payloads can go then."""
    states = {(write.kind, write.name): write for write in writes}
    erases = []
    for change in found:
        valid = [it for it in change.writes if it.body is not None and tx.get(it.kind, it.name) == it.body]
        again = [it for it in valid if (it.kind, it.name) not in states]
        if any(_tells(it.body, subject) for it in again):
            continue
        states.update({(it.kind, it.name): it for it in again})
        erases.append(change.revision)
    return list(states.values()), tuple(erases)


def _publications(backend: Backend) -> Iterator[Change]:
    after = 0
    while page := backend.journal.read_changes(after, _PAGE, [kinds.PUBLICATION]):
        yield from page
        after = page[-1].revision


def _tells(body: bytes | None, subject: Subject) -> bool:
    if body is None:
        return False
    text = body.decode("utf-8", "replace").lower()
    return any(value.strip(" ").lower() in text for value in subject.values)


def _made(change: Change, kept_releases: frozenset[str]) -> bool:
    return change.kind == _RELEASED and any(it.kind == kinds.RELEASE and it.name in kept_releases for it in change.writes)
