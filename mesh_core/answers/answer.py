"""The values of an answer: its sentences, the numbered passages and figures they rest on, and what it was made from.

Passages and figures share one numbering from 1: `[2]` in the text is the one thing that has the number 2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "NOT_FOUND",
    "Answer",
    "Citation",
    "Figure",
    "Finding",
    "Recommendation",
    "Sentence",
    "Span",
    "Stage",
    "UsedPort",
    "Verdict",
    "text_digest",
]

NOT_FOUND = "Not found in what you may read."
"""The whole answer where nothing supports one. It is the same for what does not exist and for what the asker may not read."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a document's text, in characters: `end` is excluded."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that sentences of the answer rest on."""

    number: int
    port: str
    """The collection, like `policy.handbook.pages`."""
    version: int
    """The product's version that was searched."""
    passage: str
    """The passage's id in that version."""
    document: str
    """Empty if the asker may not see it; so are title and section."""
    title: str
    section: str
    """The headings above it, joined by ` > `."""
    page: int | None
    """From 1; None if the document has no pages."""
    span: Span
    """Where the passage lies in the document."""
    text: str
    """The passage, whole."""
    quotes: tuple[Span, ...] = ()
    """Which parts of the document the answer rests on, in their order; they lie within `span`. All of it, if it is masked."""
    tags: tuple[str, ...] = ()
    """Its tags, like `pii.email`; of what is masked for the asker, too."""

    @property
    def product(self) -> str:
        """The product, like `policy.handbook`."""
        return self.port.rpartition(".")[0]

    @property
    def is_masked(self) -> bool:
        """True if the text is not the document's, as data in it is masked: no place in it is then one in the document."""
        return len(self.text) != self.span.end - self.span.start

    @property
    def digest(self) -> str:
        """SHA-256 of the passage's text, in hexadecimal."""
        return text_digest(self.text)


@dataclass(frozen=True, slots=True)
class UsedPort:
    """A port that an answer was made from."""

    port: str
    version: int
    columns: tuple[str, ...] = ()
    """Of a table: those its queries needed. Empty for a collection."""
    masked_columns: tuple[str, ...] = ()
    """Those of them that the asker sees masked, on some rows at least."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The result of a governed query that sentences of the answer rest on."""

    number: int
    sql: str
    """The query, its ports pinned to their versions: it can be run again as it stands."""
    basis: str
    """What it is, in words: the measure and its dimensions, or the row that was looked up."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The values as they are written in sentences; an absent one is empty."""
    ports: tuple[UsedPort, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of columns and rows, in hexadecimal."""
        return text_digest("\n".join("\t".join(row) for row in (self.columns, *self.rows)))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, without its marks, and the numbers of what it rests on: none only if it tells what is not there."""

    text: str
    sources: tuple[int, ...]
    quote: Span | None = None
    """Where it stands in the document of its one source, if it is taken from there word for word."""

    def __str__(self) -> str:
        """The sentence with its marks."""
        return f"{self.text} {''.join(f'[{number}]' for number in self.sources)}".rstrip()


class Verdict(StrEnum):
    """How a rule stands to a case."""

    APPLIES = "applies"
    """All its conditions hold."""
    FAILS = "does not apply"
    """One of its conditions does not hold."""
    OPEN = "open"
    """That cannot be told from what the asker may read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, word for word, held against the figures of a case."""

    rule: str
    source: int
    """The number of the passage that it stands in."""
    verdict: Verdict
    because: str
    """What was compared with what, in words."""
    figures: tuple[int, ...] = ()
    """The numbers of the figures that were compared."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What rules say of a case: those that apply first, and what is missing to be sure.

    It is made by comparing, without a model; whoever decides reads the rules themselves.
    """

    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
    """What is not on record, what the asker may not read, and what nobody has recorded, in sentences."""

    @property
    def text(self) -> str:
        """The rules that apply, with their numbers; empty if none does."""
        return " ".join(f"{it.rule} [{it.source}]" for it in self.findings if it.verdict is Verdict.APPLIES)


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of answering, and how long it took."""

    name: str
    """`planning`, `retrieving`, `computing`, `writing` or `verifying`."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `sentences` is empty if nothing that the asker may read supports one."""

    id: str
    """Asks for the same answer again: `mesh ask --as-of ID`."""
    question: str
    purpose: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    figures: tuple[Figure, ...]
    ports: tuple[UsedPort, ...]
    """Every port that was searched or queried, by name: also those that nothing of the answer rests on."""
    revision: int
    """The journal revision it was decided at."""
    writer: str
    """`extractive`, or the name of the model that wrote it."""
    notices: tuple[str, ...] = ()
    """What the reader should know: that the model failed, or that sentences were left out."""
    stages: tuple[Stage, ...] = ()
    recommendation: Recommendation | None = None
    """Of a question about a case that rules speak of."""
    caveats: tuple[Sentence, ...] = ()
    """What must be known before anything else: that what is asked for is done already, that things which the question names
    together are not of each other, that a record is not found, that several are asked about, or that documents did not exist yet.
    Told by comparing; the sources are the rows that were compared, if there are any."""
    closest: tuple[Citation, ...] = ()
    """Where nothing was found: the passages nearest to the question, best first, to look at. They may not answer it, and nothing
    of the answer rests on them. The quote of each is its sentence that is nearest to the question."""

    @property
    def is_found(self) -> bool:
        """True if there is an answer."""
        return bool(self.sentences)

    @property
    def text(self) -> str:
        """The caveats and the sentences with their marks, or that nothing was found."""
        return " ".join([*map(str, self.caveats), *(map(str, self.sentences) if self.sentences else (NOT_FOUND,))])


def text_digest(text: str) -> str:
    """SHA-256 of the text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
