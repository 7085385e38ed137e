"""An earlier answer, given again: its passages and figures are read anew as the asker may read today, in the versions they had.

What comes back must be what it was (by digest); a sentence that rests on anything else is not shown. So the same answer comes
again, or less of it, and never anything that the asker may not read now.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from domainmesh.v1 import answer_pb2
from governance_server.asking.answering import Begun, Part, Timing
from governance_server.asking.evidence import Asking, Evidence, Readers
from governance_server.asking.retold import Retold, is_of_figure, retold
from governance_server.asking.scope import Looked, Scope, look
from governance_server.rules.errors import GovernanceError, Overloaded, Unavailable
from mesh_core.answers.answer import Answer, Recommendation, Sentence, Span
from mesh_core.answers.asked_parts import asked_parts
from mesh_core.answers.sentences import said
from mesh_core.answers.sources import Cited
from mesh_core.answers.support import Support, supported
from mesh_core.answers.wire import recommendation_from_wire
from mesh_core.expressions.tree import TRUE, Column, Compare, Literal

__all__ = ["GONE", "answer_again"]

_LOG = logging.getLogger(__name__)
_LOOKED_THROUGH, _MOST_QUESTIONS, _LONGEST_QUESTION = 100, 8, 4000
GONE = "Parts of this answer are not shown: they rest on what you may not read any more, or on what is no longer kept."


def answer_again(readers: Readers, asking: Asking, kept: answer_pb2.Answer) -> Iterator[Part]:
    """The parts of the answer as they come, the answer itself last. Raises: AccessDenied, if access changes meanwhile."""
    timing = Timing()
    yield Begun("planning")
    with timing.spent("planning"):
        evidence = _evidence(readers, asking, kept)
    yield timing.stage("planning")
    numbers: dict[int, int] = {}
    yield Begun("retrieving")
    with timing.spent("retrieving"):
        for citation in (*kept.citations, *kept.closest):
            if number := _passage(evidence, citation, _questions(kept, citation.number)):
                numbers[citation.number] = number
    yield timing.stage("retrieving")
    yield Begun("computing")
    with timing.spent("computing"):
        for figure in kept.figures:
            if number := _figure(evidence, figure):
                numbers[figure.number] = number
    yield timing.stage("computing")
    yield Begun("verifying")
    cited = Cited(evidence.sources)
    beside = retold(readers.backend, asking.caller, kept)
    caveats = []
    for sentence in kept.caveats:
        is_told = bool(sentence.sources) or (beside.may_read_tables and beside.tells(sentence.text))
        if is_told and (told := _sentence(evidence, sentence, numbers)) is not None:
            fresh, shown = cited.caveat(told)
            yield from fresh
            caveats.append(shown)
    for sentence in kept.sentences:
        with timing.spent("verifying"):
            again = _sentence(evidence, sentence, numbers)
            evidence.check()
        if again is not None:
            fresh, shown = cited.add(again, _support(again, cited))
            yield from fresh
            yield shown
    yield timing.stage("verifying")
    closest = cited.beside([_looked_at(evidence, it, numbers[it.number]) for it in kept.closest if it.number in numbers])
    evidence.check()
    recommendation = _recommendation(kept, numbers, beside)
    notices = _notices(kept, numbers, beside)
    if recommendation is not None:
        fresh, recommendation = cited.recommended(recommendation)
        yield from fresh
    is_less = (len(cited.sentences), len(caveats), len(closest)) != (len(kept.sentences), len(kept.caveats), len(kept.closest))
    is_less = is_less or (recommendation is None and kept.HasField("recommendation")) or len(notices) != len(kept.notices)
    is_less = is_less or (recommendation is not None and len(recommendation.missing) != len(kept.recommendation.missing))
    yield Answer(
        id=kept.id, question=kept.question, purpose=kept.purpose, sentences=tuple(cited.sentences), citations=cited.citations,
        figures=cited.figures, ports=tuple(evidence.used[key] for key in sorted(evidence.used)), revision=kept.revision,
        writer=kept.writer, notices=notices + ((GONE,) if is_less else ()), stages=timing.stages(), recommendation=recommendation,
        caveats=tuple(caveats), closest=closest,
    )  # fmt: skip


def _evidence(readers: Readers, asking: Asking, kept: answer_pb2.Answer) -> Evidence:
    """What the asker may read today of what the answer rests on."""
    backend = readers.backend
    tables: dict[str, Looked] = {}
    for figure in kept.figures:
        for used in figure.ports:
            if found := look(backend, asking.caller, used.port, asking.purpose):
                tables[used.port] = replace(found, version=used.version)
    return Evidence(readers, asking, Scope((), tuple(tables.values()), kept.revision))


def _passage(evidence: Evidence, citation: answer_pb2.AnswerCitation, questions: Iterable[str]) -> int:
    """The passage's number among what is found for one of the questions, 0 if it is not there as it was."""
    asking = evidence.asking
    shelf = look(evidence.readers.backend, asking.caller, citation.port, asking.purpose)
    if shelf is None:
        return 0
    is_named = any(it.name == "document" and it.is_clear for it in shelf.plan.columns)
    document = Compare("=", Column("document"), Literal(citation.document)) if citation.document and is_named else TRUE
    then = replace(shelf, version=citation.version)
    try:
        for question in questions:
            for it in evidence.passages(then, question, limit=_LOOKED_THROUGH, within=document):
                if it.passage == citation.passage and it.digest == citation.digest:
                    return it.number
    except (Unavailable, Overloaded):
        raise  # it may well be there: whoever asks tries again
    except GovernanceError as error:
        _LOG.info("passage not given again port=%s reason=%s", citation.port, type(error).__name__)
    return 0


def _questions(kept: answer_pb2.Answer, number: int) -> list[str]:
    """What finds the passage of that number: what was asked, in parts, and own words that rest on it: a model asks otherwise."""
    own = (it.text[:_LONGEST_QUESTION] for it in (*kept.sentences, *kept.caveats) if number in it.sources and it.text)
    return list(dict.fromkeys([*asked_parts(kept.question), *own]))[:_MOST_QUESTIONS]


def _figure(evidence: Evidence, figure: answer_pb2.AnswerFigure) -> int:
    """The figure's number, 0 if it cannot be computed or is another one now."""
    try:
        found = evidence.recompute(figure.sql, figure.basis)
    except (Unavailable, Overloaded):
        raise  # it may well be there: whoever asks tries again
    except GovernanceError as error:
        _LOG.info("figure not given again reason=%s", type(error).__name__)
        return 0
    return found.number if found.digest == figure.digest else 0


def _notices(kept: answer_pb2.Answer, numbers: Mapping[int, int], beside: Retold) -> tuple[str, ...]:
    """The notices that may be told again; one that tells of a figure only with that figure."""
    given = {it.basis for it in kept.figures if it.number in numbers} - {
        it.basis for it in kept.figures if it.number not in numbers
    }
    return tuple(
        it
        for it in kept.notices
        if beside.tells(it) and (not is_of_figure(it) or it.endswith(tuple(f" ({basis})." for basis in given)))
    )


def _recommendation(kept: answer_pb2.Answer, numbers: Mapping[int, int], beside: Retold) -> Recommendation | None:
    """The recommendation in today's numbers; None if there was none, or a source or table of it is gone: it would be another."""
    recommendation = recommendation_from_wire(kept.recommendation)
    needed = {number for it in recommendation.findings for number in (it.source, *it.figures)}
    if not recommendation.findings or not needed <= numbers.keys() or not beside.may_read_tables:
        return None
    findings = [
        replace(it, source=numbers[it.source], figures=tuple(numbers[number] for number in it.figures))
        for it in recommendation.findings
    ]
    return Recommendation(tuple(findings), tuple(filter(beside.tells, recommendation.missing)))


def _looked_at(evidence: Evidence, kept: answer_pb2.AnswerCitation, number: int) -> Sentence:
    """The sentence that is the quote of a passage which was shown as one of the closest."""
    (passage,) = [it for it in evidence.sources.citations if it.number == number]
    quote = Span(kept.quotes[0].start, kept.quotes[0].end) if kept.quotes and not passage.is_masked else None
    return Sentence("", (number,), quote)


def _support(sentence: Sentence, cited: Cited) -> Support:
    """Where the sentence, which was checked when it was written and whose sources are the same, is supported."""
    texts = cited.support_of(sentence)
    return supported(sentence.text, texts) or Support({number: Span(0, len(source.text)) for number, source in texts.items()})


def _sentence(evidence: Evidence, kept: answer_pb2.AnswerSentence, numbers: dict[int, int]) -> Sentence | None:
    """The sentence in today's numbers, None if one of its sources is gone."""
    if not all(number in numbers for number in kept.sources):
        return None
    sources = tuple(numbers[number] for number in kept.sources)
    if not kept.HasField("quote"):
        return Sentence(kept.text, sources)
    (passage,) = [it for it in evidence.sources.citations if it.number == sources[0]]
    text = passage.text[kept.quote.start - passage.span.start : kept.quote.end - passage.span.start]
    return Sentence(said(text), sources, Span(kept.quote.start, kept.quote.end))
