"""Which measures a question asks for, by what, of which values, and in which period.

A measure counts as asked for where the question asks for a figure ("how much", "total", "by region") and names it. Every other
word of that clause must then be understood, too: a filter that was overlooked would give a wrong figure, so one unknown word
makes the clause unclear. Pure words; the query is built elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from mesh_core.answers.counting import counts_rows
from mesh_core.answers.intervals import Interval, TimeSpan, intervals_in
from mesh_core.answers.keys import Given, given_values, listed_values, nouns_of
from mesh_core.answers.measure_sql import GRAINS, MeasureQuery, Values
from mesh_core.answers.table_hints import left_over, table_hints
from mesh_core.answers.terms import Match, Word, best_matches, names_of, term_words, words_of
from mesh_core.answers.undefined_figures import undefined_figures
from mesh_core.contract.model import Column, Port
from mesh_core.contract.semantics import Measure

__all__ = ["AskedFigures", "AskedMeasures", "asked_measures"]

_ASKS = "what|how|which|who|when|why|where|may|can|must|should|do|does|is|are"
_CLAUSE = re.compile(rf"[;?!]|\.(?=\s|\Z)|,?\s+and\s+(?=(?:{_ASKS})\b)", re.IGNORECASE)
_HOW_MANY = re.compile(r"\b(?:how many|number of|most)\b", re.IGNORECASE)
_MANY_OF = re.compile(r"\b(?:how many|number of)\s+(?:[\w-]+\s+){0,2}\Z", re.IGNORECASE)
_BY = frozenset({"by", "per", "each", "every"})
_TOP = re.compile(r"\btop (\d{1,3})\b", re.IGNORECASE)
_MOST = re.compile(r"\A\W*(?:which|what|who)\b[^,]*?\b(?:the )?(?P<word>most|highest|largest|greatest)\s", re.IGNORECASE)
_ASKING = re.compile(
    r"\b(?:how (?:much|many)|what(?:['’]s| (?:is|was|were|are))|total|sum|average|mean|number of|show|give|list|tell|compute|"
    r"calculate|compare|report|figures?|value|amount of|top \d+)\b",
    re.IGNORECASE,
)
_FILLERS = frozenset({
    "a", "across", "all", "altogether", "amount", "an", "and", "are", "at", "average", "be", "been", "between", "broken", "by",
    "calculate", "compare", "compute", "did", "do", "does", "down", "during", "each", "every", "figure", "figures", "following",
    "for", "from", "give", "grouped", "had", "has", "have", "how", "i", "in", "including", "is", "it", "its", "just",
    "list", "made", "make", "many", "me", "mean", "much", "my", "number", "of", "on", "only", "or", "our", "over", "overall",
    "per",
    "please", "report", "show", "so", "split", "sum", "tell", "than", "that", "the", "their", "them", "there", "these", "this",
    "those", "to", "together", "top", "total", "us", "value", "was", "we", "we'd", "were", "what", "what's", "where", "which",
    "will", "with", "within", "would", "you", "your",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class AskedMeasures:
    """Measures of one port that a question asks for."""

    port: str
    query: MeasureQuery

    when: str = ""
    """What the period is of, where the port has several dates."""

    @property
    def limits(self) -> str:
        """The period and the values that count, in words; empty for all."""
        parts = [f"{self.when} {self.query.period}".strip()] if self.query.period is not None else []
        return ", ".join([*parts, *(f"{it.name} {' or '.join(it.values)}" for it in self.query.only)])

    @property
    def words(self) -> str:
        """What is computed, in words."""
        by = f"by {', '.join(self.query.by)}" if self.query.by else ""
        return ", ".join(filter(None, (f"{', '.join(self.query.measures)} of {self.port}", self.limits, by)))


@dataclass(slots=True)
class _Clause:
    """One clause of a question, and which of its words are understood."""

    text: str
    words: list[Word]
    spans: tuple[TimeSpan, ...] | None
    ports: Mapping[str, Port]
    used: set[int] = field(default_factory=set)
    given: dict[str, list[Given]] = field(default_factory=dict)
    """Keys and listed values that are named, by the port whose they are."""
    found: list[AskedMeasures] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def take(self, first: int, last: int) -> None:
        """The words have a meaning."""
        self.used.update(range(first, last))

    def is_free(self, match: Match) -> bool:
        """True if no word of the name has a meaning yet."""
        return not self.used & set(range(match.first, match.last))


@dataclass(frozen=True, slots=True)
class AskedFigures:
    """The figures that a question asks for, and what of it is `unclear` or `undefined`, in sentences."""

    found: tuple[AskedMeasures, ...]
    unclear: tuple[str, ...]
    undefined: tuple[str, ...] = ()
    is_whole: bool = False
    """The question asks for nothing else."""
    hints: tuple[str, ...] = ()
    """Why tables that the question may be about give no figure; for those who find nothing else."""


def asked_measures(question: str, ports: Mapping[str, Port], *, today: date) -> AskedFigures:
    """Each figure that is asked for, and what is not clear."""
    texts = [it for it in _clauses(question) if it]
    clauses = [_Clause(text, words_of(text), intervals_in(text, today), ports) for text in texts]
    for clause in clauses:
        for span in clause.spans or ():
            clause.used.update(at for at, word in enumerate(clause.words) if span.begin <= word.begin < span.finish)
        _read(clause)
    found = tuple(it for clause in clauses for it in clause.found)
    unclear = tuple(it for clause in clauses for it in clause.unclear)
    if not found and not unclear:
        asking = [(it.text, it.spans) for it in clauses if _ASKING.search(it.text)]
        undefined = tuple(undefined_figures(asking, ports))
        return AskedFigures((), (), undefined, hints=() if undefined else tuple(table_hints(texts, ports)))
    return AskedFigures(found, unclear, is_whole=all(it.found or it.unclear for it in clauses))


def _clauses(question: str) -> Iterator[str]:
    """The clauses; what stands in quotes is in one of them, whole."""
    begin = 0
    for match in _CLAUSE.finditer(question):
        if question.count('"', 0, match.start()) % 2 == 0:
            yield question[begin : match.start()].strip()
            begin = match.end()
    yield question[begin:].strip()


def _read(clause: _Clause) -> None:
    matches = _measure_matches(clause)
    if not matches:
        return
    for name, port in clause.ports.items():  # keys and named values have a meaning whatever port they are of
        columns = (it for it in port.columns if listed_values(it) or it.primary_key_position)
        clause.given[name] = [it for column in columns for it in _given(clause, port, column, matches)]
        for it in clause.given[name]:
            clause.take(it.first, it.last)
    free = [it for it in matches if clause.is_free(it)]
    if not free or not _is_asked(clause, free):
        return
    chosen = _chosen(clause, free)
    if isinstance(chosen, str):
        clause.unclear.append(chosen)
        return
    name, measures = chosen
    for it in (it for others in clause.given.values() for it in others):  # of another port: no filter of this one
        clause.used.difference_update(range(it.first, it.last))
    for match in matches:
        clause.take(match.first, match.last)
    if clause.spans is None:
        clause.unclear.append(f"{name} is by calendar: it does not say when a fiscal year begins. Name the months.")
        return
    if backward := next((it for it in clause.spans if it.interval.is_backward), None):
        clause.unclear.append(f"“{clause.text[backward.begin : backward.finish]}” ends before it begins.")
        return
    port = clause.ports[name]
    given = [it for column in _asked_columns(port) for it in _given(clause, port, column, matches)]
    _queries(clause, name, measures, [*given, *_known_elsewhere(clause, name, given)])


def _known_elsewhere(clause: _Clause, name: str, given: Sequence[Given]) -> list[Given]:
    """Values that another port lists for a column of the same name."""
    columns = {it.name for it in _asked_columns(clause.ports[name])} - {it.column for it in given}
    others = [it for other, found in clause.given.items() if other != name for it in found]
    return list({it: None for it in others if it.column in columns})


def _given(clause: _Clause, port: Port, column: Column, measures: Sequence[Match]) -> list[Given]:
    """What the clause says the column is, but for words that are part of a measure's name."""
    every = given_values(clause.text, clause.words, port, column)
    return [it for it in every if not any(match.first <= it.first and it.last <= match.last for match in measures)]


def _measure_matches(clause: _Clause) -> list[Match]:
    names = {other for port in clause.ports.values() for it in port.measures for other in _names(it)}
    return best_matches(clause.words, sorted(names))


def _names(measure: Measure) -> list[str]:
    return names_of(measure.name, [*([measure.title] if measure.title else []), *measure.synonyms])


def _is_asked(clause: _Clause, matches: Sequence[Match]) -> bool:
    """True if a figure is asked for: right before a measure, or by what follows it."""
    first = matches[0]
    between = [word.folded for at, word in enumerate(clause.words[: first.first]) if at not in clause.used]
    before = clause.text[: clause.words[first.first].begin]
    behind = [word.folded for word in clause.words[first.last :]]
    if (
        _TOP.search(before)
        or _MOST.search(before)
        or _MANY_OF.search(before)
        or _ASKING.match(clause.text, clause.words[first.first].begin)
    ):
        return True
    asks = bool(_ASKING.search(before)) and _only_fillers(between[-3:])
    starts = not any(word not in _FILLERS for word in between) and (not between or not _is_yes_no(between[0]))
    return asks or (starts and (bool(set(behind) & _BY) or bool(clause.spans) or not behind or bool(between)))


def _is_yes_no(word: str) -> bool:
    return word in ("may", "can", "must", "should", "is", "are", "do", "does", "did", "has", "have", "will", "would")


def _only_fillers(words: Sequence[str]) -> bool:
    return all(word in _FILLERS for word in words)


def _chosen(clause: _Clause, matches: Sequence[Match]) -> tuple[str, list[Measure]] | str:
    """The one port that has all the measures, and these; else what is not clear."""
    options: dict[str, list[Measure]] = {}
    places = [list(same) for _, same in groupby(matches, key=lambda it: (it.first, it.last))]
    for name, port in clause.ports.items():
        fitting = [[m for m in port.measures if {it.name for it in same} & set(_names(m))] for same in places]
        if all(fitting):
            options[name] = [measure for found in fitting for measure in found]
    words = " ".join(clause.words[at].text for at in range(matches[0].first, matches[0].last))
    if not options:
        return "The figures are of different ports: ask for them one by one."
    if len(options) > 1:
        options = _narrowed(clause, options) or _with_values(clause, options) or options
    if len(options) > 1:
        return f"“{words}” may be of {' or of '.join(options)}: say which."
    ((name, measures),) = options.items()
    if len(measures) > len(places) and _HOW_MANY.search(clause.text):
        measures = [it for it in measures if counts_rows(it)] or measures
    if len(measures) > len(places):
        return f"“{words}” may be {' or '.join(it.name for it in measures)} of {name}: say which."
    for match in matches:
        clause.take(match.first, match.last)
    return name, measures


def _narrowed(clause: _Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those that the question names otherwise: by the product's or the port's name."""
    named: dict[str, list[Measure]] = {}
    for name, measures in options.items():
        domain, product, port = name.split(".")
        found = [
            it for it in best_matches(clause.words, [port, product, domain, *clause.ports[name].synonyms]) if clause.is_free(it)
        ]
        own = {it.name for measure in measures for it in best_matches(clause.words, _names(measure))}
        if any(it.name not in own for it in found):
            named[name] = measures
            for it in found:
                clause.take(it.first, it.last)
    return named


def _with_values(clause: _Clause, options: Mapping[str, list[Measure]]) -> dict[str, list[Measure]]:
    """Those whose own columns have most of the values that the clause names."""
    counts = {name: len(clause.given.get(name, ())) for name in options}
    most = max(counts.values())
    return {name: measures for name, measures in options.items() if most and counts[name] == most}


def _queries(clause: _Clause, name: str, measures: Sequence[Measure], given: Sequence[Given]) -> None:
    """A query for each period; or what is not clear."""
    port = clause.ports[name]
    for it in given:
        clause.take(it.first, it.last)
    top, most = _TOP.search(clause.text), _MOST.search(clause.text)
    for begin, end in [*([top.span()] if top else []), *([most.span("word")] if most else [])]:
        clause.used.update(at for at, word in enumerate(clause.words) if begin <= word.begin < end)
    by = _groups(clause, port, is_ranked=top is not None or most is not None)
    _take_names(clause, name, port)
    if clause.spans:
        times = {word for it in measures for word in term_words(port.time_dimension(it))[:1]}
        clause.used.update(at for at, word in enumerate(clause.words) if word.folded in times)
    left = [word for at, word in enumerate(clause.words) if at not in clause.used and word.folded not in _FILLERS]
    if left:
        clause.unclear.append(left_over(left, name, port, _dimension_names(port)))
        return
    only = tuple(_merged(given))
    periods: list[Interval | None] = [it.interval for it in clause.spans or ()]
    for period in periods or [None]:
        count = (int(top[1]) if top else 1 if most else 0) if by else 0
        query = MeasureQuery(tuple(it.name for it in measures), by, only=only, period=period, top=count)
        clause.found.append(AskedMeasures(name, query, _named_time(port, measures)))


def _named_time(port: Port, measures: Sequence[Measure]) -> str:
    """What a period is compared with, in words, if the port has several dates; empty if it has one, or measures differ."""
    dates = [it for it in port.columns if it.logical_type in ("date", "timestamp")]
    times = {port.time_dimension(it) for it in measures}
    return times.pop().replace("_", " ") if len(dates) > 1 and len(times) == 1 else ""


def _asked_columns(port: Port) -> list[Column]:
    """Columns that a filter may be of: dimensions, keys, references and listed values; all, if it names no dimension."""
    named = {it.name for it in port.dimensions if not it.expression}
    return [
        it
        for it in port.columns
        if not named or it.name in named or listed_values(it) or it.primary_key_position or it.unique or it.relationships
    ]


def _merged(given: Sequence[Given]) -> Iterator[Values]:
    """Values of one column are alternatives."""
    for column in dict.fromkeys(it.column for it in given):
        values = dict.fromkeys(value for it in given if it.column == column for value in it.values)
        yield Values(column, tuple(values))


def _groups(clause: _Clause, port: Port, *, is_ranked: bool) -> tuple[str, ...]:
    """Dimensions and grains behind `by`, `per` or `each`; of a ranking the dimension that is ranked."""
    known: dict[str, str] = {}
    for dimension in port.dimensions:
        for other in names_of(dimension.name, [*([dimension.title] if dimension.title else []), *dimension.synonyms]):
            known.setdefault(other, dimension.name)
    for column in port.columns:
        if any(it.name == column.name for it in port.dimensions) or not port.dimensions:
            for other in nouns_of(port, column):
                known.setdefault(other, column.name)
    for grain in GRAINS:
        known.setdefault(grain, grain)
    found: dict[str, None] = {}
    for match in best_matches(clause.words, sorted(known)):
        if clause.is_free(match) and (is_ranked or _is_grouping(clause, match.first, found)):
            found[known[match.name]] = None
            clause.take(match.first, match.last)
    return tuple(found)


def _is_grouping(clause: _Clause, first: int, found: Mapping[str, None]) -> bool:
    """True behind `by` and the like, or behind a group that was found and `and` or a comma."""
    before = clause.words[first - 1].folded if first else ""
    if before in _BY:
        return True
    place = first - 1 if before in ("and", "or") else first
    between = clause.text[clause.words[place - 1].finish : clause.words[place].begin] if place else ""
    return bool(found) and (place - 1) in clause.used and (before in ("and", "or") or "," in between)


def _take_names(clause: _Clause, name: str, port: Port) -> None:
    """Names of the port itself mean nothing more than it."""
    for match in best_matches(clause.words, [*name.split("."), *port.synonyms]):
        if clause.is_free(match):
            clause.take(match.first, match.last)


def _dimension_names(port: Port) -> list[str]:
    return [it.name for it in port.dimensions] or [it.name for it in port.columns]
