"""Questions over filings searched together: the right document, the page inside it, both at once; by kind of question."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from benchmarks.bench import Bench, NotRun
from benchmarks.bm25 import Bm25
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.weaviate_process import weaviate_server
from domain_sdk import Mesh

__all__ = ["FilingQuestion", "filing_questions", "filings", "kept_documents"]

_PORT = "finance.filings.pages"
_DEEP, _SHALLOW = 10, 5
_ALL = 100
_CONTRACT = """\
kind: DataContract
apiVersion: v3.2.0
id: finance.filings
name: Filings
version: 1.0.0
status: active
domain: finance
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {dimensions: 384, distanceMetric: cosine, embeddingModel: all-MiniLM-L6-v2}
"""


@dataclass(frozen=True)
class FilingQuestion:
    """A question, its kind, and where the evidence of its answer is: document and page from 1."""

    text: str
    kind: str
    document: str
    pages: frozenset[tuple[str, int]]


def filings(bench: Bench) -> Iterator[Figure]:
    """Filings published as one collection, and asked through `Mesh.retrieve` on both stores."""
    root = Path(os.environ.get("MESH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "filings"
    if not (root / "questions.jsonl").is_file():
        raise NotRun("the filings are not beside the checkout (../shared/data): put them there or set MESH_SHARED_DATA.")
    files = sorted(root.glob("*.pdf"), key=lambda path: path.stat().st_size)[: bench.scaled(16, least=1)]
    asked = [it for it in filing_questions(root / "questions.jsonl") if it.document in {file.name for file in files}]
    with weaviate_server(bench.folder / "filings-weaviate") as address, kept_documents():
        for store, settings in (("lancedb", {}), ("weaviate", {"MESH_VECTORS": address.url})):
            server = bench.server(f"filings-{store}", **settings)
            _publish(server, files)
            with server.user("user:ana") as mesh:
                yield from _asked(store, mesh, asked)
            server.stop()
    yield from _by_keywords(files, asked)


@contextmanager
def kept_documents() -> Iterator[None]:
    """Documents that were read and embedded before, in this run or another, are not again: no figure here is of publishing.

    So a run that was ended goes on where it was, document by document.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    with mock.patch.dict(os.environ, {"MESH_DOCUMENT_CACHE": str(base / "domain-mesh" / "documents")}):
        yield


def filing_questions(file: Path) -> list[FilingQuestion]:
    """The questions of the file, in order."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        FilingQuestion(
            row["question"], row["kind"], row["document"], frozenset((it["document"], it["page"] + 1) for it in row["evidence"])
        )
        for row in rows
    ]


def _publish(server: MeshProcess, files: Sequence[Path]) -> None:
    contract = server.home.parent / "filings.odcs.yaml"
    contract.write_text(_CONTRACT, encoding="utf-8")
    with server.administrator() as mesh:
        mesh.admin.create_domain("finance", owners=["user:fay"])
    with server.user("user:fay") as owner:
        owner.domain("finance").product("filings", contract=contract).publish(pages=list(files), progress=False)
        owner.grant("user:ana", "finance.filings", actions=["read"])


def _asked(store: str, mesh: Mesh, questions: Sequence[FilingQuestion]) -> Iterator[Figure]:
    first = 0
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    inside: list[tuple[bool, bool]] = []
    for question in questions:
        places = [(hit.document, hit.page or 0) for hit in mesh.retrieve(_PORT, question.text, limit=_ALL)]
        first += bool(places) and places[0][0] == question.document
        found[question.kind].append(_found(question, places))
        inside.append(_found(question, [place for place in places if place[0] == question.document]))
    total = [it for some in found.values() for it in some]
    yield Figure(f"filings.{store}_document_first", first / len(questions), "of 1")
    yield Figure(f"filings.{store}_page_in_document_at_5", _share(inside, 0), "of 1")
    yield Figure(f"filings.{store}_page_in_document_at_10", _share(inside, 1), "of 1")
    yield Figure(f"filings.{store}_at_5", _share(total, 0), "of 1", bar=Bar("≥", 0.65))
    yield Figure(f"filings.{store}_at_10", _share(total, 1), "of 1", bar=Bar("≥", 0.75))
    for kind, some in sorted(found.items()):
        name = re.sub(r"\W+", "_", kind)
        yield Figure(f"filings.{store}_{name}_at_5", _share(some, 0), f"of 1 ({len(some)} questions)")
        yield Figure(f"filings.{store}_{name}_at_10", _share(some, 1), f"of 1 ({len(some)} questions)")


def _found(question: FilingQuestion, places: Sequence[tuple[str, int]]) -> tuple[bool, bool]:
    """Whether a page with the evidence is among the first few, and among the first."""
    return not question.pages.isdisjoint(places[:_SHALLOW]), not question.pages.isdisjoint(places[:_DEEP])


def _share(found: Sequence[tuple[bool, bool]], place: int) -> float:
    return sum(it[place] for it in found) / max(1, len(found))


def _by_keywords(files: Sequence[Path], questions: Sequence[FilingQuestion]) -> Iterator[Figure]:
    """Plain BM25 over whole pages, as the peer."""
    from domain_sdk.documents import read_documents

    places: list[tuple[str, int]] = []
    texts: list[str] = []
    for document in read_documents(files):
        ends = [*(page.start for page in document.pages[1:]), len(document.text)]
        for page, end in zip(document.pages, ends, strict=True):
            places.append((document.name, page.number))
            texts.append(document.text[page.start : end])
    keywords = Bm25(texts)
    found = [
        tuple(not it.pages.isdisjoint({places[row] for row in keywords.best(it.text, limit)}) for limit in (_SHALLOW, _DEEP))
        for it in questions
    ]
    yield Figure("filings.bm25_at_5", sum(it[0] for it in found) / len(questions), "of 1")
    yield Figure("filings.bm25_at_10", sum(it[1] for it in found) / len(questions), "of 1")
