"""The way from a question to an answer: plan, retrieve, compute, write, and verify every sentence before it is given.

Owns the steps, their times, and what happens when a writer fails. A sentence leaves only if its sources support it and its asker
may still see them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from governance_server.asking.evidence import Asking, Evidence, Readers, compute_all
from governance_server.asking.personal import known_about
from governance_server.asking.recommending import recommended
from governance_server.asking.scope import Scope, find_scope
from governance_server.asking.withheld import opened_by_purposes
from governance_server.asking.writing import EXTRACTIVE, ExtractiveWriter, Writer, WriterFailed
from mesh_core.answers.answer import Answer, Citation, Figure, Sentence, Stage
from mesh_core.answers.sources import Cited
from mesh_core.answers.support import supported

__all__ = ["Answering", "Begun", "Part", "Timing"]

_LOG = logging.getLogger(__name__)
_MOST_FIGURES = 8
_MOST_SENTENCES = 20
_MOST_UNBORN = 3


@dataclass(frozen=True, slots=True)
class Begun:
    """A step begins."""

    stage: str


Part = Begun | Stage | Citation | Figure | Sentence | Answer
"""What an answer comes in; the answer itself is last."""


@dataclass(slots=True)
class Timing:
    """How long each step took, in the order in which they began."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def spent(self, stage: str) -> Iterator[None]:
        """What is done in the block counts to the step."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begin

    def stage(self, name: str) -> Stage:
        """The step as it is told."""
        return Stage(name, round(self.seconds.get(name, 0.0), 6))

    def stages(self) -> tuple[Stage, ...]:
        """All of them."""
        return tuple(map(self.stage, self.seconds))


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers questions.

    Args:
        readers: The governed ways to read.
        extractive: The writer that is always there.
        model: The writer that is used if there is one.
        new_id: Makes ids that nobody can guess.
    """

    readers: Readers
    extractive: ExtractiveWriter
    model: Writer | None
    new_id: Callable[[], str]

    def answer(
        self, asking: Asking, *, collections: Sequence[str] = (), as_of: int = 0, is_extractive: bool = False
    ) -> Iterator[Part]:
        """The parts of the answer as they come.

        Raises:
            AccessDenied: a collection that is named may not be searched, or access changed meanwhile.
            PurposeNotHeld, Invalid, Unavailable, Precondition, Overloaded: as `find_scope` and `Evidence` say.
        """
        timing = Timing()
        yield Begun("planning")
        with timing.spent("planning"):
            backend = self.readers.backend
            scope = find_scope(
                backend, asking.caller, asking.question, purpose=asking.purpose, collections=collections, as_of=as_of
            )
            evidence = Evidence(self.readers, asking, scope)
            if as_of:
                evidence.notices.append(_as_of(scope, as_of))
                evidence.caveats += _unborn(scope, as_of)
        yield timing.stage("planning")
        yield Begun("retrieving")
        with timing.spent("retrieving"):
            evidence.search(" ".join([asking.question, *known_about(evidence)]))
        yield timing.stage("retrieving")
        yield Begun("computing")
        with timing.spent("computing"):
            _compute(evidence, has_model=self.model is not None and not is_extractive)
            evidence.recommendation = recommended(evidence)
            evidence.notices += opened_by_purposes(evidence) if evidence.recommendation is None else []
        yield timing.stage("computing")
        yield Begun("writing")
        cited = Cited(evidence.sources)
        caveats = yield from _caveats(evidence, cited)
        writer = yield from self._written(evidence, cited, timing, is_extractive=is_extractive)
        if not cited.sentences and evidence.recommendation is None:
            evidence.notices += evidence.hints
        closest = () if cited.sentences else cited.beside(self.extractive.closest(evidence))
        recommendation = None
        if closest:
            evidence.check()
        if evidence.recommendation is not None:
            evidence.check()
            fresh, recommendation = cited.recommended(evidence.recommendation)
            yield from fresh
        yield timing.stage("writing")
        yield timing.stage("verifying")
        yield Answer(
            id=f"a-{self.new_id()}", question=asking.question, purpose=asking.purpose, sentences=tuple(cited.sentences),
            citations=cited.citations, figures=cited.figures, ports=tuple(evidence.used[key] for key in sorted(evidence.used)),
            revision=scope.revision, writer=writer, notices=tuple(evidence.notices), stages=timing.stages(),
            recommendation=recommendation, caveats=caveats, closest=closest,
        )  # fmt: skip

    def _written(self, evidence: Evidence, cited: Cited, timing: Timing, *, is_extractive: bool) -> Generator[Part, None, str]:
        """The sentences that stand; returned is who wrote them."""
        if self.model is not None and not is_extractive:
            try:
                dropped = yield from self._verified(self.model, evidence, cited, timing)
            except WriterFailed as error:
                _LOG.warning("model failed model=%s", self.model.name, exc_info=error)
                if cited.sentences:
                    evidence.notices.append(f"{error} What is given was checked; there may be more to say.")
                    return self.model.name
                evidence.notices.append(f"{error} This answer was put together without it.")
            else:
                if dropped:
                    evidence.notices.append("Sentences of the model that their sources do not support were left out.")
                if cited.sentences or not dropped:
                    return self.model.name
        try:
            yield from self._verified(self.extractive, evidence, cited, timing)
        except WriterFailed as error:
            evidence.notices.append(str(error))
        return EXTRACTIVE

    def _verified(self, writer: Writer, evidence: Evidence, cited: Cited, timing: Timing) -> Generator[Part, None, int]:
        """The sentences that their sources support, each behind those it is the first to cite; returned is how many are not."""
        dropped = 0
        sentences = writer.write(evidence)
        while len(cited.sentences) < _MOST_SENTENCES:
            with timing.spent("writing"):
                sentence = next(sentences, None)
            if sentence is None:
                break
            if any(it.text == sentence.text for it in cited.sentences):
                continue  # once is enough; a model may repeat itself without end, and its time ends
            with timing.spent("verifying"):
                support = supported(sentence.text, cited.support_of(sentence))
                evidence.check()
            if support is None:
                dropped += 1
                continue
            fresh, shown = cited.add(sentence if len(support.places) == 1 else replace(sentence, quote=None), support)
            yield from fresh
            yield shown
        timing.seconds.setdefault("verifying", 0.0)
        return dropped


def _caveats(evidence: Evidence, cited: Cited) -> Generator[Part, None, tuple[Sentence, ...]]:
    """The caveats as the reader is given them, behind the sources that they are the first to cite."""
    told: list[Sentence] = []
    if evidence.caveats:
        evidence.check()
    for it in evidence.caveats:
        fresh, shown = cited.caveat(it)
        yield from fresh
        told.append(shown)
    return tuple(told)


def _as_of(scope: Scope, revision: int) -> str:
    if not (scope.collections or scope.tables):
        return f"At revision {revision} there was no data of what you may read now: ask as of a later one."
    return f"The data is as of revision {revision}; what you may read is as of revision {scope.revision}."


def _unborn(scope: Scope, revision: int) -> list[Sentence]:
    """That documents which may be read now were not published then, so that no rule of theirs is told."""
    if not scope.unborn:
        return []
    names = ", ".join(scope.unborn[:_MOST_UNBORN])
    return [Sentence(f"At revision {revision} nothing was published yet in {names}: no rules of theirs are told.", ())]


def _without_value(evidence: Evidence) -> list[str]:
    """That figures were computed of no value at all, such as a sum of no rows: a sentence each."""
    rows = {figure.number for _, figure in evidence.looked_up if figure is not None}
    unsaid = [it for it in evidence.sources.figures if not evidence.said.get(it.number, ("",)) and it.number not in rows]
    empty = [it.basis for it in unsaid if not any(cell for row in it.rows for cell in row)]
    return [f"There is no value of {basis}: no row that you may read has one." for basis in empty]


def _compute(evidence: Evidence, *, has_model: bool) -> None:
    """The figures that the question asks for are computed, or the reader is told what was not clear.

    A model that looks rows up itself may find what was not found (`order 4711` under `O-4711`): then that is a mere notice.
    """
    from mesh_core.answers.figures import plan_figures
    from mesh_core.answers.look_ups import values_without_rows
    from mesh_core.answers.mismatches import without_mismatches

    backend, tables = evidence.readers.backend, evidence.scope.models(evidence.readers.backend)
    plan = plan_figures(evidence.asking.question, tables, today=backend.now().date())
    evidence.notices += plan.unclear
    evidence.is_of_figures, evidence.hints = plan.is_whole, plan.hints
    queries = plan.queries[:_MOST_FIGURES]
    compute_all(evidence, queries)
    evidence.notices += _without_value(evidence)
    found_no = values_without_rows(queries, evidence.looked_up, evidence.crowded)
    unfound = [f"No row that you may read has {it}." for it in found_no]
    evidence.notices += unfound if has_model else []
    evidence.caveats += [Sentence(text, ()) for text in unfound if not has_model]
    matched = without_mismatches(evidence.looked_up)
    evidence.caveats += matched.told
    evidence.leave_out(matched.dropped)
