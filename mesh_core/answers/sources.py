"""What an answer may rest on while it is written, and the numbers that its reader sees.

A writer knows every passage and figure that was found by a number of its own; the reader is given those that are cited, numbered
from 1 in the order in which they are first cited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mesh_core.answers.answer import Citation, Figure, Recommendation, Sentence, Span
from mesh_core.answers.support import Source, Support, supported

__all__ = ["Cited", "Sources", "source_of"]


def source_of(found: Citation | Figure, said: str = "") -> Source:
    """What sentences that cite it are held against. `said` is how the rows of a figure are said, a line each."""
    if isinstance(found, Citation):
        return Source(found.text, f"{found.title}\n{found.section}\n{found.document}")
    lines = [
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(found.columns, row, strict=True))
        for row in found.rows
    ]
    return Source("\n".join([*(f"{line}." for line in lines), said]).strip(), found.basis, is_rows=True)


@dataclass(slots=True)
class Sources:
    """What was found, by number from 1; a passage that is found again keeps its number."""

    found: dict[int, Citation | Figure] = field(default_factory=dict)
    texts: dict[int, Source] = field(default_factory=dict)
    _known: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def add_passage(self, citation: Citation) -> Citation:
        """The passage under its number."""
        key = (citation.port, citation.version, citation.passage)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.found) + 1
            self.found[number] = replace(citation, number=number)
            self.texts[number] = source_of(citation)
        kept = self.found[number]
        assert isinstance(kept, Citation)
        return kept

    def add_figure(self, figure: Figure, said: str = "") -> Figure:
        """The figure under its number; `said` is how its rows are said."""
        number = len(self.found) + 1
        kept = replace(figure, number=number)
        self.found[number] = kept
        self.texts[number] = source_of(figure, said)
        return kept

    @property
    def citations(self) -> list[Citation]:
        """The passages, in the order they were found."""
        return [it for it in self.found.values() if isinstance(it, Citation)]

    @property
    def figures(self) -> list[Figure]:
        """The figures, in the order they were computed."""
        return [it for it in self.found.values() if isinstance(it, Figure)]


@dataclass(slots=True)
class Cited:
    """What the reader is given: cited sources in the order of their first use."""

    sources: Sources
    sentences: list[Sentence] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)
    _quotes: dict[int, list[Span]] = field(default_factory=dict)

    def add(self, sentence: Sentence, support: Support) -> tuple[list[Citation | Figure], Sentence]:
        """The sentence in the reader's numbers, and the sources that it is the first to cite."""
        numbers = sorted(support.places)
        fresh = self._numbered(numbers)
        for number, place in support.places.items():
            self._quote(number, place)
        shown = replace(sentence, sources=tuple(self._numbers[number] for number in numbers))
        self.sentences.append(shown)
        return [self._shown(number) for number in fresh], shown

    def caveat(self, sentence: Sentence) -> tuple[list[Citation | Figure], Sentence]:
        """The caveat in the reader's numbers, and the sources that it is the first to cite."""
        fresh = self._numbered(sentence.sources)
        shown = replace(sentence, sources=tuple(self._numbers[number] for number in sentence.sources))
        return [self._shown(number) for number in fresh], shown

    def recommended(self, recommendation: Recommendation) -> tuple[list[Citation | Figure], Recommendation]:
        """The recommendation in the reader's numbers, and the sources that it is the first to cite."""
        fresh: list[int] = []
        for finding in recommendation.findings:
            fresh += self._numbered((finding.source, *finding.figures))
            found = supported(finding.rule, {finding.source: self.sources.texts[finding.source]})
            for number, place in found.places.items() if found else ():
                self._quote(number, place)
        findings = tuple(
            replace(it, source=self._numbers[it.source], figures=tuple(self._numbers[number] for number in it.figures))
            for it in recommendation.findings
        )
        return [self._shown(number) for number in fresh], replace(recommendation, findings=findings)

    def beside(self, closest: Sequence[Sentence]) -> tuple[Citation, ...]:
        """The passages of the sentences, which nothing rests on, numbered behind what is cited, with the sentences as quotes."""
        told: list[Citation] = []
        for number, sentence in enumerate(closest, start=len(self._numbers) + 1):
            found = self.sources.found[sentence.sources[0]]
            assert isinstance(found, Citation)
            told.append(replace(found, number=number, quotes=(sentence.quote or found.span,)))
        return tuple(told)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The cited passages with all that is quoted of them."""
        return tuple(it for number in self._numbers if isinstance(it := self._shown(number), Citation))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The cited figures."""
        return tuple(it for number in self._numbers if isinstance(it := self._shown(number), Figure))

    def support_of(self, sentence: Sentence) -> Mapping[int, Source]:
        """What the writer's numbers in the sentence stand for, as far as there is such a source."""
        return {number: self.sources.texts[number] for number in sentence.sources if number in self.sources.texts}

    def _numbered(self, numbers: Sequence[int]) -> list[int]:
        """Those of the sources that had no number for the reader; now they have."""
        fresh = list(dict.fromkeys(number for number in numbers if number not in self._numbers))
        for number in fresh:
            self._numbers[number] = len(self._numbers) + 1
        return fresh

    def _quote(self, number: int, place: Span) -> None:
        found = self.sources.found[number]
        if isinstance(found, Citation):
            exact = Span(found.span.start + place.start, found.span.start + place.end)
            quote = found.span if found.is_masked else exact
            self._quotes[number] = sorted({*self._quotes.get(number, ()), quote}, key=lambda it: (it.start, it.end))

    def _shown(self, number: int) -> Citation | Figure:
        found = replace(self.sources.found[number], number=self._numbers[number])
        return replace(found, quotes=tuple(self._quotes.get(number, ()))) if isinstance(found, Citation) else found
