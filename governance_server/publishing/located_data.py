"""Passages ready to be indexed: nothing personal in what is searched, tags that say whether all of it can be masked (ADR 0028).

A tag of a passage whose data is all in its text, at known places, becomes *located*: who is bound by a mask on it gets the
passage with that data masked. A tag that is not located keeps its name: who is bound by it does not find the passage. So
passages of older publications, which say nothing of places, stay hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from domainmesh.v1 import mention_pb2
from mesh_core.pii import Finding, find_personal_data
from mesh_core.pii.masking import PersonalValues, spans_in, spans_text, tags_around
from mesh_core.pii.people import find_labelled_people

if TYPE_CHECKING:
    from mesh_core.embedding import Vectors
    from mesh_core.vectors.passages import Passage

__all__ = ["PERSONAL", "Mentioned", "TagsGiven", "is_located", "located", "located_passages", "plain_tag"]

PERSONAL = "personal"
"""The attribute that says where a passage's personal data is."""
_LOCATED = "located:"
"""No tag of a catalog begins so: `:` is in none."""
_BATCH = 256


def located(tag: str) -> str:
    """The tag of a passage all of whose such data is located."""
    return f"{_LOCATED}{tag}"


def is_located(tag: str) -> bool:
    """True for what `located` gives."""
    return tag.startswith(_LOCATED)


def plain_tag(tag: str) -> str:
    """The tag as the catalog knows it."""
    return tag.removeprefix(_LOCATED)


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Where a collection's passages mention records, and the tags that they get by it."""

    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Passage → tags."""
    places: Mapping[str, Sequence[tuple[str, int, int]]] = field(default_factory=dict)
    """Passage → tag, start and end in its document."""
    around: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Passage → tags of what its title, headings or document's name mention."""
    is_complete: bool = True
    """False if there are more places than these."""

    @classmethod
    def of(cls, mentions: mention_pb2.DocumentMentions) -> Mentioned:
        """The mentions of a collection that was verified."""
        tags: dict[str, list[str]] = defaultdict(list)
        around: dict[str, list[str]] = defaultdict(list)
        places: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for tagged in mentions.tagged:
            for passage in tagged.passages:
                tags[passage].append(tagged.tag)
            for passage in tagged.around:
                around[passage].append(tagged.tag)
        for it in mentions.mentions:
            places[it.passage].append((it.tag, it.start, it.end))
        return cls(tags, places, around, is_complete=len(mentions.mentions) >= mentions.mention_count)


def located_passages(
    passages: Iterable[Passage], mentioned: Mentioned, embed: Callable[[Sequence[str]], Vectors]
) -> Iterator[Passage]:
    """The passages with their places and located tags; embedded anew where what was to be indexed held personal data.

    Raises:
        MalformedSpans: a passage does not say rightly where its personal data is.
    """
    stream = iter(passages)
    while batch := list(islice(stream, _BATCH)):
        made = [_located(passage, mentioned) for passage in batch]
        changed = [new for new, old in zip(made, batch, strict=True) if new.indexed_text != old.indexed_text]
        vectors = dict(zip((it.id for it in changed), embed([it.indexed_text for it in changed]) if changed else (), strict=True))
        for passage in made:
            yield replace(passage, vector=vectors[passage.id]) if passage.id in vectors else passage


class TagsGiven:
    """The tags of passages that went by."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def over(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """The same passages, whose tags are known once they were asked for."""
        for passage in passages:
            self._given.update(passage.tags)
            yield passage

    @property
    def every(self) -> frozenset[str]:
        """Every tag that some passage had, as the catalog knows it."""
        return frozenset(map(plain_tag, self._given))

    @property
    def located(self) -> frozenset[str]:
        """Those of them that were located wherever they stood."""
        return self.every - self._given


def _located(passage: Passage, mentioned: Mentioned) -> Passage:
    from mesh_core.vectors.passages import indexed_text

    tags = sorted({*passage.tags, *mentioned.tags.get(passage.id, ())})
    said = str(passage.attributes.get(PERSONAL, ""))
    stated = spans_in(said, length=len(passage.text))
    known = [
        Finding(tag, start - passage.start, end - passage.start, is_checked=True)
        for tag, start, end in mentioned.places.get(passage.id, ())
        if passage.start <= start < end <= passage.start + len(passage.text)
    ]
    inside = [*stated, *known]
    if not tags and not inside:
        return replace(passage, attributes={**passage.attributes, PERSONAL: ""})
    values = PersonalValues(passage.text, inside)
    places = [*inside, *values.again_in(passage.text)]
    around = "\n".join((passage.document, passage.title, passage.heading, str(passage.attributes.get("about", ""))))
    named = mentioned.around.get(passage.id, ())
    outside = {it.tag for it in (*find_personal_data(around), *find_labelled_people(around), *values.again_in(around))}
    outside |= {*named, *tags_around(said)}
    if not mentioned.is_complete:
        outside.update(mentioned.tags.get(passage.id, ()))
    found = {it.tag for it in inside} - outside
    indexed = passage.indexed_text or indexed_text(passage.title, passage.heading, passage.text)
    if named:  # what the title says is known to hashes only: it is not indexed at all
        indexed = passage.text
    return replace(
        passage,
        tags=tuple(located(tag) if tag in found else tag for tag in tags),
        attributes={**passage.attributes, PERSONAL: spans_text(places)},
        indexed_text=values.again_out_of(indexed),
    )
