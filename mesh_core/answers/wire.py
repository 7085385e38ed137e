"""Answers on the wire: the values of `answer` as messages and back, for both sides and for the store of answers."""

from __future__ import annotations

from datetime import timedelta

from domainmesh.v1 import answer_pb2 as pb
from mesh_core.answers.answer import Answer, Citation, Figure, Finding, Recommendation, Sentence, Span, Stage, UsedPort, Verdict

__all__ = [
    "answer_from_wire",
    "answer_to_wire",
    "citation_from_wire",
    "citation_to_wire",
    "figure_from_wire",
    "figure_to_wire",
    "recommendation_from_wire",
    "sentence_from_wire",
    "sentence_to_wire",
    "stage_from_wire",
    "stage_to_wire",
]


def answer_to_wire(answer: Answer) -> pb.Answer:
    """The message; when it was answered is for the sender to say."""
    return pb.Answer(
        id=answer.id, question=answer.question, purpose=answer.purpose, revision=answer.revision, writer=answer.writer,
        sentences=map(sentence_to_wire, answer.sentences), citations=map(citation_to_wire, answer.citations),
        figures=map(figure_to_wire, answer.figures), ports=map(_port_to_wire, answer.ports), notices=answer.notices,
        stages=map(stage_to_wire, answer.stages),
        recommendation=_recommendation_to_wire(answer.recommendation) if answer.recommendation else None,
        caveats=map(sentence_to_wire, answer.caveats), closest=map(citation_to_wire, answer.closest),
    )  # fmt: skip


def answer_from_wire(sent: pb.Answer) -> Answer:
    """The answer."""
    return Answer(
        id=sent.id, question=sent.question, purpose=sent.purpose, revision=sent.revision, writer=sent.writer,
        sentences=tuple(map(sentence_from_wire, sent.sentences)), citations=tuple(map(citation_from_wire, sent.citations)),
        figures=tuple(map(figure_from_wire, sent.figures)), ports=tuple(map(_port_from_wire, sent.ports)),
        notices=tuple(sent.notices), stages=tuple(map(stage_from_wire, sent.stages)),
        recommendation=recommendation_from_wire(sent.recommendation) if sent.HasField("recommendation") else None,
        caveats=tuple(map(sentence_from_wire, sent.caveats)), closest=tuple(map(citation_from_wire, sent.closest)),
    )  # fmt: skip


_VERDICTS = {Verdict.APPLIES: pb.VERDICT_APPLIES, Verdict.FAILS: pb.VERDICT_FAILS, Verdict.OPEN: pb.VERDICT_OPEN}
_SENT_VERDICTS = {sent: verdict for verdict, sent in _VERDICTS.items()}


def _recommendation_to_wire(recommendation: Recommendation) -> pb.AnswerRecommendation:
    return pb.AnswerRecommendation(
        missing=recommendation.missing,
        findings=[
            pb.AnswerFinding(
                rule=it.rule, source=it.source, verdict=_VERDICTS[it.verdict], because=it.because, figures=it.figures
            )
            for it in recommendation.findings
        ],
    )


def recommendation_from_wire(sent: pb.AnswerRecommendation) -> Recommendation:
    """The recommendation; a verdict that is not known is open."""
    return Recommendation(
        tuple(
            Finding(it.rule, it.source, _SENT_VERDICTS.get(it.verdict, Verdict.OPEN), it.because, tuple(it.figures))
            for it in sent.findings
        ),
        tuple(sent.missing),
    )


def sentence_to_wire(sentence: Sentence) -> pb.AnswerSentence:
    """The message."""
    quote = _span_to_wire(sentence.quote) if sentence.quote else None
    return pb.AnswerSentence(text=sentence.text, sources=sentence.sources, quote=quote)


def sentence_from_wire(sent: pb.AnswerSentence) -> Sentence:
    """The sentence."""
    return Sentence(sent.text, tuple(sent.sources), _span_from_wire(sent.quote) if sent.HasField("quote") else None)


def citation_to_wire(citation: Citation) -> pb.AnswerCitation:
    """The message, with the digest of its text."""
    return pb.AnswerCitation(
        number=citation.number, port=citation.port, version=citation.version, passage=citation.passage,
        document=citation.document, title=citation.title, section=citation.section, page=citation.page or 0,
        span=_span_to_wire(citation.span), text=citation.text, quotes=map(_span_to_wire, citation.quotes),
        digest=citation.digest, tags=citation.tags,
    )  # fmt: skip


def citation_from_wire(sent: pb.AnswerCitation) -> Citation:
    """The citation."""
    return Citation(
        number=sent.number, port=sent.port, version=sent.version, passage=sent.passage, document=sent.document,
        title=sent.title, section=sent.section, page=sent.page or None, span=_span_from_wire(sent.span), text=sent.text,
        quotes=tuple(map(_span_from_wire, sent.quotes)), tags=tuple(sent.tags),
    )  # fmt: skip


def figure_to_wire(figure: Figure) -> pb.AnswerFigure:
    """The message, with the digest of its rows."""
    return pb.AnswerFigure(
        number=figure.number, sql=figure.sql, basis=figure.basis, columns=figure.columns,
        rows=[pb.AnswerRow(values=row) for row in figure.rows], ports=map(_port_to_wire, figure.ports), digest=figure.digest,
    )  # fmt: skip


def figure_from_wire(sent: pb.AnswerFigure) -> Figure:
    """The figure."""
    return Figure(
        number=sent.number, sql=sent.sql, basis=sent.basis, columns=tuple(sent.columns),
        rows=tuple(tuple(row.values) for row in sent.rows), ports=tuple(map(_port_from_wire, sent.ports)),
    )  # fmt: skip


def stage_to_wire(stage: Stage) -> pb.AnswerStage:
    """The message of a step that has ended."""
    sent = pb.AnswerStage(name=stage.name)
    sent.duration.FromTimedelta(timedelta(seconds=stage.seconds))
    return sent


def stage_from_wire(sent: pb.AnswerStage) -> Stage:
    """The step; 0 seconds while it lasts."""
    return Stage(sent.name, sent.duration.ToTimedelta().total_seconds())


def _port_to_wire(used: UsedPort) -> pb.AnswerPort:
    return pb.AnswerPort(port=used.port, version=used.version, columns=used.columns, masked_columns=used.masked_columns)


def _port_from_wire(sent: pb.AnswerPort) -> UsedPort:
    return UsedPort(sent.port, sent.version, tuple(sent.columns), tuple(sent.masked_columns))


def _span_to_wire(span: Span) -> pb.DocumentSpan:
    return pb.DocumentSpan(start=span.start, end=span.end)


def _span_from_wire(sent: pb.DocumentSpan) -> Span:
    return Span(sent.start, sent.end)
