"""Questions over tables and the paragraphs beside them (TAT-QA dev), all searched together, beside BM25 in the same run."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, NotRun
from benchmarks.bm25 import Bm25, stemmed_words
from benchmarks.figures import Bar, Figure
from domain_sdk import Mesh

__all__ = ["ContextQuestion", "context_files", "tatqa", "tatqa_contexts"]

_PORT = "finance.notes.contexts"
_CONTRACT = """\
kind: DataContract
apiVersion: v3.2.0
id: finance.notes
version: 1.0.0
status: active
domain: finance
schema:
  - name: contexts
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: text, logicalType: string, required: true}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {dimensions: 384, distanceMetric: cosine, embeddingModel: all-MiniLM-L6-v2}
"""
_SHALLOW, _DEEP = 1, 5
_BARS = {_SHALLOW: 0.624, _DEEP: 0.858}
"""Five points above what BM25 finds over passages of 110 words."""


@dataclass(frozen=True)
class ContextQuestion:
    """A question, what its answer is read from (table, text or both), and the context it belongs to."""

    text: str
    kind: str
    document: str


def tatqa(bench: Bench) -> Iterator[Figure]:
    """The contexts published as one collection of documents, and asked through `Mesh.retrieve`."""
    contexts = tatqa_contexts()[: bench.scaled(278, least=20)]
    folder = bench.folder / "contexts"
    questions = context_files(contexts, folder)
    server = bench.server("tatqa")
    contract = bench.folder / "notes.odcs.yaml"
    contract.write_text(_CONTRACT, encoding="utf-8")
    with server.administrator() as mesh:
        mesh.admin.create_domain("finance", owners=["user:fay"])
    with server.user("user:fay") as owner:
        owner.domain("finance").product("notes", contract=contract).publish(contexts=folder, progress=False)
        yield from _asked(owner, questions, _by_keywords(folder, questions))


def tatqa_contexts() -> list[Mapping[str, Any]]:
    """The contexts of the dev set, in order. Raises: NotRun."""
    root = Path(os.environ.get("MESH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = root / "tatqa" / "dev.json"
    if not path.is_file():
        raise NotRun("TAT-QA is not beside the checkout (../shared/data): put it there or set MESH_SHARED_DATA.")
    return list(json.loads(path.read_text(encoding="utf-8")))


def context_files(contexts: Sequence[Mapping[str, Any]], folder: Path) -> list[ContextQuestion]:
    """Each context is a Markdown file, its table first; returned are the questions."""
    folder.mkdir(parents=True)
    questions: list[ContextQuestion] = []
    for number, context in enumerate(contexts):
        rows = [[" ".join(str(cell).replace("|", "/").split()) for cell in row] for row in context["table"]["table"]]
        width = max(map(len, rows))
        lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
        paragraphs = [it["text"] for it in sorted(context["paragraphs"], key=lambda it: int(it["order"]))]
        table = "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])
        name = f"{number:03}.md"
        (folder / name).write_text("\n\n".join([table, *paragraphs]) + "\n", encoding="utf-8")
        questions += [ContextQuestion(it["question"], it["answer_from"], name) for it in context["questions"]]
    return questions


def _asked(mesh: Mesh, questions: Sequence[ContextQuestion], words: Mapping[int, float]) -> Iterator[Figure]:
    found: dict[str, list[int]] = defaultdict(list)
    for question in questions:
        names = [hit.document for hit in mesh.retrieve(_PORT, question.text, limit=_DEEP)]
        found[question.kind].append(names.index(question.document) + 1 if question.document in names else _DEEP + 1)
    places = [place for some in found.values() for place in some]
    for depth, bar in _BARS.items():
        yield Figure(
            f"tatqa.at_{depth}", _share(places, depth), "of 1", "BM25 over the same passages", words[depth], Bar("≥", bar)
        )
        for kind, some in sorted(found.items()):
            yield Figure(f"tatqa.{kind.replace('-', '_')}_at_{depth}", _share(some, depth), f"of 1 ({len(some)} questions)")


def _share(places: Sequence[int], depth: int) -> float:
    return sum(place <= depth for place in places) / max(1, len(places))


def _by_keywords(folder: Path, questions: Sequence[ContextQuestion]) -> dict[int, float]:
    """How often plain BM25, with stop words and endings dropped, has a passage of the right context among the first."""
    from domain_sdk.documents import passages, read_documents

    cut = [passage for document in read_documents(folder) for passage in passages(document)]
    keywords = Bm25([passage.indexed_text for passage in cut], stemmed_words)
    found: dict[int, int] = defaultdict(int)
    for question in questions:
        best = [cut[row].document for row in keywords.best(question.text, _DEEP)]
        for depth in _BARS:
            found[depth] += question.document in best[:depth]
    return {depth: found[depth] / max(1, len(questions)) for depth in _BARS}
