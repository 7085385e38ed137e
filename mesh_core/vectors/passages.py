"""Passages: the values a vector store keeps and gives back, and the checks that every one passes before it is stored.

Owns what a passage is and when two are the same. Knows nothing of any store, of files or of policy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mesh_core.vectors.word_pairs import with_word_pairs

__all__ = [
    "AttributeValue",
    "Candidate",
    "Hit",
    "InvalidPassage",
    "Passage",
    "StoredPassage",
    "check_passage",
    "check_vector",
    "content_digest",
    "indexed_text",
    "keyword_text",
    "tag_set",
]

AttributeValue = str | int | float | bool


class InvalidPassage(ValueError):
    """A passage or a query vector that no store may take; the message names it and the rule."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of a document, as handed to a store. `id` is unique in its collection at one version.

    Attributes:
        start: offset of the first character in the document's text, in characters from 0.
        end: offset behind the last character (excluded).
        page: page number from 1; None where the format has no pages.
        attributes: what row filters see, by declared name; an absent name is null.
        vector: as many finite numbers as the collection has dimensions, not all zero.
        indexed_text: what keyword search sees; "" means title, heading and text together.
    """

    id: str
    document: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None
    tags: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]
    vector: Sequence[float] | npt.NDArray[np.float32]
    indexed_text: str = ""


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as a store gives it back: everything but the vector and the indexed text. `tags` are sorted."""

    id: str
    document: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None
    tags: tuple[str, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a passage that could be an answer, before the best are chosen: enough to order it, not to read it."""

    document: str
    title: str
    page: int | None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search; `rank` counts from 1. Scores stay in the store: they tell of passages the reader may not see."""

    passage: StoredPassage
    rank: int


def indexed_text(title: str, heading: str, text: str) -> str:
    """What is embedded and keyword-indexed for a passage: the document's title, then the section's path, then the text."""
    return "\n".join(part for part in (title, heading, text) if part)


def keyword_text(passage: Passage) -> str:
    """What a store's keyword index is given for a passage: its indexed text with pairs of words."""
    return with_word_pairs(passage.indexed_text or indexed_text(passage.title, passage.heading, passage.text))


def tag_set(tags: Sequence[str]) -> str:
    """The identity of a set of tags, the same for any order and repetition: 32 hexadecimal digits."""
    return hashlib.sha256("\0".join(sorted(set(tags))).encode()).hexdigest()[:32]


def check_vector(vector: Sequence[float] | npt.NDArray[np.float32], *, dimensions: int, what: str) -> npt.NDArray[np.float32]:
    """The vector as float32 of shape (dimensions,), if it can be compared by angle.

    Raises:
        InvalidPassage: its length differs, a number is not finite in float32, or all are zero.
    """
    with np.errstate(over="ignore"):
        checked = np.asarray(vector, dtype=np.float32)
    if checked.shape != (dimensions,):
        raise InvalidPassage(
            f"{what} has a vector of shape {checked.shape}, its collection has {dimensions} dimensions: "
            "embed it with the collection's model."
        )
    if not np.isfinite(checked).all():
        raise InvalidPassage(f"{what} has a vector with NaN or infinite numbers: embed it again.")
    if not checked.any():
        raise InvalidPassage(f"{what} has a vector of zeros only, which has no direction: embed it again.")
    return checked


def check_passage(passage: Passage, *, dimensions: int, attributes: Mapping[str, type]) -> None:
    """Returns if a collection of these dimensions and declared attributes may take the passage.

    Raises:
        InvalidPassage: the vector, an attribute, the span or the identity breaks a rule; the message names the passage.
    """
    what = f"passage {passage.id!r} of {passage.document!r}"
    if not passage.id:
        raise InvalidPassage(f"a passage of {passage.document!r} has an empty id: give every passage its own id.")
    if not 0 <= passage.start <= passage.end:
        raise InvalidPassage(f"{what} spans [{passage.start}, {passage.end}): its offsets must be 0 or more and in order.")
    check_vector(passage.vector, dimensions=dimensions, what=what)
    for name, value in passage.attributes.items():
        kind = attributes.get(name)
        if kind is None:
            raise InvalidPassage(
                f"{what} has the attribute {name!r}, which its collection does not declare: add it to the contract."
            )
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits or (isinstance(value, float) and not np.isfinite(value)):
            raise InvalidPassage(f"{what}: attribute {name!r} is {value!r}, declared is a finite {kind.__name__}.")
        if type(value) is int and not -(2**53) <= value <= 2**53:
            raise InvalidPassage(f"{what}: attribute {name!r} is {value}, beyond ±2^53: declare it as a string.")


def content_digest(passage: Passage, keywords: str) -> str:
    """A digest of all that a store holds of a passage but its vector: 32 hexadecimal digits, equal only for equal contents.

    `keywords` is its `keyword_text`, which is part of it: under another rule for that a passage is another one.
    """
    content = [
        passage.id,
        passage.document,
        passage.title,
        passage.heading,
        passage.text,
        keywords,
        passage.start,
        passage.end,
        passage.page,
        sorted(set(passage.tags)),
        sorted(passage.attributes.items()),
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:32]
