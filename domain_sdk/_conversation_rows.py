"""Turns of conversations as rows, and what people prefer as pairs of rows. Imports polars: loaded on first use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from mesh_core.lineage import ColumnEdge, InputVersion, PortLineage, Subtype, Transformation

if TYPE_CHECKING:
    from domain_sdk.conversations import Turn
    from mesh_core.answers.answer import Answer

__all__ = ["DELETED", "NEEDED", "merge_frame", "preference_pairs", "turn_frame", "turn_lineage"]

DELETED = "is_deleted"
NEEDED = frozenset({"answer", "asked_at", "question", "text", "rating", "edit"})
"""The columns of `turns` that preferences are made of."""

_TIME = pl.Datetime("us", "UTC")
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "answer": pl.String, "conversation": pl.String, "asked_at": _TIME, "asker": pl.String, "purpose": pl.String,
    "question": pl.String, "text": pl.String, "is_found": pl.Boolean, "writer": pl.String, "revision": pl.Int64,
    "citations": pl.String, "sources": pl.String, "personal": pl.String, "rating": pl.String, "edit": pl.String,
    "comment": pl.String, "rated_at": _TIME,
}  # fmt: skip


def turn_frame(turns: Sequence[Turn]) -> pl.DataFrame:
    """The turns as rows of `turns`, one each; columns and types as in `conversations.odcs.yaml`."""
    return pl.DataFrame([_row(turn) for turn in turns], schema=_SCHEMA)


def merge_frame(turns: Sequence[Turn], expired: pl.DataFrame) -> pl.DataFrame:
    """The turns, and the keys (`answer`, `asked_at`) of expired rows, which `DELETED` marks; no key is there twice."""
    new = turn_frame(turns).with_columns(pl.lit(False).alias(DELETED))
    old = expired.select("answer", "asked_at").filter(~pl.col("answer").is_in(new["answer"].implode()))
    return pl.concat([new, old.with_columns(pl.lit(True).alias(DELETED))], how="diagonal")


def turn_lineage(turns: Sequence[Turn], *, port: str) -> PortLineage:
    """Where the answers' texts came from: the text of passages, and the columns that figures were computed from.

    So did what is said of an answer, and the digests of what it rests on, by which a guess of that could be tried. A column that
    its asker saw masked is a masking step: no value of it is in the answer.
    """
    step, masked = (Transformation.of(Subtype.TRANSFORMATION, masking=it) for it in (False, True))
    edges: set[ColumnEdge] = set()
    inputs: set[InputVersion] = set()
    for turn in turns:
        for citation in turn.answer.citations:
            inputs.add(InputVersion(citation.port, citation.version))
            edges.update(ColumnEdge(citation.port, "text", target, step) for target in _made_of_answer(turn))
        for used in (used for figure in turn.answer.figures for used in figure.ports):
            inputs.add(InputVersion(used.port, used.version))
            for column in used.columns:
                how = masked if column in used.masked_columns else step
                edges.update(ColumnEdge(used.port, column, target, how) for target in _made_of_answer(turn))
    return PortLineage(target_port=port, inputs=tuple(sorted(inputs)), edges=tuple(sorted(edges)), unknown_inputs=())


def _made_of_answer(turn: Turn) -> tuple[str, ...]:
    """The columns of the turn's row that hold the answer, repeat it or tell of it."""
    said = turn.feedback
    spoken = (("edit", said.edit), ("comment", said.comment)) if said else ()
    return "text", "citations", *(column for column, words in spoken if words)


def preference_pairs(turns: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs (pair, prompt, chosen, rejected, basis, asked_at) of the answers to one question; `asked_at` is the older turn's.

    An edit is preferred to what it edits. An answer that went up is preferred to every other one to the same question, in the
    same words, that went down. Answers that say nothing, and rows whose question or text is hidden, are in no pair.
    """
    told = turns.filter(pl.col("question").is_not_null(), pl.col("text").is_not_null(), pl.col("text") != "")
    edits = told.filter(pl.col("edit").is_not_null(), pl.col("edit") != "", pl.col("edit") != pl.col("text")).select(
        pair="answer", prompt="question", chosen="edit", rejected="text", basis=pl.lit("edit"), asked_at="asked_at"
    )
    rated = told.select("question", "text", "answer", "asked_at", "rating")
    ups, downs = (rated.filter(pl.col("rating") == it) for it in ("up", "down"))
    compared = (
        ups.join(downs, on="question", suffix="_down")
        .filter(pl.col("text") != pl.col("text_down"))
        .select(
            pair=pl.concat_str("answer", "answer_down", separator=" "), prompt="question", chosen="text", rejected="text_down",
            basis=pl.lit("rating"), asked_at=pl.min_horizontal("asked_at", "asked_at_down"),
        )
    )  # fmt: skip
    return pl.concat([edits, compared])


def _row(turn: Turn) -> dict[str, object]:
    answer, said = turn.answer, turn.feedback
    text = answer.text if answer.is_found else ""
    edit, comment = (said.edit or None, said.comment or None) if said else (None, None)
    ports = {it.port for it in answer.citations} | {used.port for figure in answer.figures for used in figure.ports}
    return {
        "answer": answer.id, "conversation": turn.conversation, "asked_at": turn.asked_at, "asker": turn.asker,
        "purpose": answer.purpose, "question": answer.question, "text": text, "is_found": answer.is_found,
        "writer": answer.writer, "revision": answer.revision, "citations": _citations(answer),
        "sources": " ".join(sorted(ports)), "personal": _personal(turn, text),
        "rating": (said.rating or None) if said else None, "edit": edit, "comment": comment,
        "rated_at": said.time if said else None,
    }  # fmt: skip


def _citations(answer: Answer) -> str:
    passages = [
        {"number": it.number, "port": it.port, "version": it.version, "passage": it.passage, "digest": it.digest}
        for it in answer.citations
    ]
    figures = [
        {
            "number": it.number,
            "sql": it.sql,
            "basis": it.basis,
            "digest": it.digest,
            "ports": [[p.port, p.version] for p in it.ports],
        }
        for it in answer.figures
    ]
    return json.dumps([*passages, *figures], ensure_ascii=False, sort_keys=True)


def _personal(turn: Turn, text: str) -> str:
    """Kinds of personal data that are found in the row, and those of the passages it rests on."""
    from mesh_core.pii.findings import is_personal_tag
    from mesh_core.pii.people import find_labelled_people
    from mesh_core.pii.text import find_personal_data

    said = (turn.feedback.edit, turn.feedback.comment) if turn.feedback else ()
    texts = (turn.answer.question, text, *said)
    found = {it.tag for words in texts for it in (*find_personal_data(words), *find_labelled_people(words))}
    found |= {tag for it in turn.answer.citations for tag in it.tags if is_personal_tag(tag)}
    return " ".join(sorted(found))
