"""Governed retrieval from a real handbook on both vector stores: latency beside the bare client's, and recall beside BM25."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bare_vectors import BareStore, Document, bare_lancedb, bare_weaviate, embedding_alike
from benchmarks.bench import Bench, NotRun
from benchmarks.bm25 import Bm25
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.remembering import RememberingEmbedder, publishing_with
from benchmarks.timing import percentile
from benchmarks.weaviate_process import weaviate_server
from domain_sdk import Mesh

__all__ = ["handbook_of", "retrieval"]

_PORT = "policy.handbook.pages"
_CONTRACT = Path(__file__).resolve().parent.parent / "sample_domains" / "policy" / "handbook" / "contract.odcs.yaml"
_LIMIT = 5
_ROUNDS = 4
_PAGES = 246


@dataclass(frozen=True)
class _Handbook:
    """The pages that are published, and what is asked of them."""

    folder: Path
    questions: list[tuple[str, frozenset[str]]]
    """Question and the pages that hold its answer."""


def retrieval(bench: Bench) -> Iterator[Figure]:
    """The handbook is published and asked its questions, on LanceDB and on Weaviate."""
    handbook = handbook_of(bench.folder / "handbook", most_pages=bench.scaled(_PAGES, least=12))
    with weaviate_server(bench.folder / "weaviate") as address, publishing_with(RememberingEmbedder()):
        server = bench.server("lancedb")
        seconds = _publish(server, handbook)
        documents, pages = _published(server)
        yield Figure("retrieval.published", len(documents) / seconds, "passages/s")
        with server.user("user:ana") as mesh:
            yield from _answered(handbook, mesh)
        yield from _asked("lancedb", server, handbook, (documents, bare_lancedb(bench.folder / "bare")))
        server.stop()
        server = bench.server("weaviate-mesh", MESH_VECTORS=address.url)
        _publish(server, handbook)
        yield from _asked("weaviate", server, handbook, (documents, bare_weaviate(address)))
        server.stop()
    keywords = Bm25([text for _, text, _ in documents])
    found = _recall(handbook, lambda question: [pages[row] for row in keywords.best(question, _LIMIT)])
    yield Figure("retrieval.bm25_recall_at_5", found, "of 1")


def _asked(
    store: str, server: MeshProcess, handbook: _Handbook, peer: tuple[list[Document], AbstractContextManager[BareStore]]
) -> Iterator[Figure]:
    documents, bare = peer
    with server.user("user:ana") as mesh, bare as client:
        client.insert(documents)
        ours, theirs, dense = _latencies(handbook, lambda question: mesh.retrieve(_PORT, question, limit=_LIMIT), client)
        recall = _recall(handbook, lambda question: [hit.document for hit in mesh.retrieve(_PORT, question, limit=_LIMIT)])
    words = f"the bare {store} client: question embedded in process, its own hybrid query"
    yield Figure(f"retrieval.{store}_p50", percentile(ours, 0.5), "ms", words, percentile(theirs, 0.5), Bar("≤", 1.2, of="ratio"))
    yield Figure(f"retrieval.{store}_p95", percentile(ours, 0.95), "ms", words, percentile(theirs, 0.95))
    yield Figure(f"retrieval.{store}_bare_dense_p50", percentile(dense, 0.5), "ms")
    yield Figure(f"retrieval.{store}_recall_at_5", recall, "of 1")


def _answered(handbook: _Handbook, mesh: Mesh) -> Iterator[Figure]:
    """What `ask` says without a model: to questions with an answer, from which page, and to those without one."""
    said = [({it.document for it in mesh.ask(question).citations}, gold) for question, gold in handbook.questions]
    yield Figure("retrieval.ask_answered", statistics.mean(bool(pages) for pages, gold in said if gold), "of 1")
    yield Figure("retrieval.ask_from_its_page", statistics.mean(bool(pages & gold) for pages, gold in said if gold), "of 1")
    declined = [not pages for pages, gold in said if not gold]
    yield Figure("retrieval.unanswerable_declined", statistics.mean(declined), "of 1", bar=Bar("≥", 0.9))


def _publish(server: MeshProcess, handbook: _Handbook) -> float:
    """The pages are a collection that user:ana may read; returned is how long the publication took."""
    with server.administrator() as mesh:
        mesh.admin.create_domain("policy", owners=["user:paul"])
    with server.user("user:paul") as owner:
        begin = time.perf_counter()
        owner.domain("policy").product("handbook", contract=_CONTRACT).publish(pages=handbook.folder, progress=False)
        elapsed = time.perf_counter() - begin
        owner.grant("user:ana", "policy.handbook", actions=["read"])
    return elapsed


def _latencies(
    handbook: _Handbook, governed: Callable[[str], object], client: BareStore
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each question: governed, bare hybrid with its embedding, bare vector query alone; in turns."""
    durations: tuple[list[float], list[float], list[float]] = ([], [], [])
    with embedding_alike() as embedder:
        questions = [question for question, _ in handbook.questions]
        vectors = dict(zip(questions, embedder.embed(questions), strict=True))

        def bare(question: str) -> object:
            return client.hybrid(question, embedder.embed([question])[0], _LIMIT)

        def dense(question: str) -> object:
            return client.dense(vectors[question], _LIMIT)

        for number in range(_ROUNDS + 1):
            for question in questions:
                for way, found in zip((governed, bare, dense), durations, strict=True):
                    begin = time.perf_counter()
                    way(question)
                    if number:
                        found.append((time.perf_counter() - begin) * 1e3)
    return durations


def _recall(handbook: _Handbook, documents: Callable[[str], Sequence[str]]) -> float:
    """The share of answerable questions with at least one of their pages among the documents found."""
    answerable = [(question, pages) for question, pages in handbook.questions if pages]
    return statistics.mean(bool(pages & set(documents(question))) for question, pages in answerable)


def _published(server: MeshProcess) -> tuple[list[Document], list[str]]:
    """The passages as the server indexed them in LanceDB, for the peers: so all stores hold the same; and the page of each."""
    import lancedb
    import numpy as np

    from mesh_core.vectors.identifiers import collection_identifier

    database: Any = lancedb.connect(str(server.home / "vectors"))
    table = database.open_table(collection_identifier(_PORT)).to_arrow()
    rows = table.select(["id", "indexed_text", "document", "vector"]).to_pylist()
    documents = [
        (row["id"], row["indexed_text"].rpartition("\n")[0], np.asarray(row["vector"], dtype=np.float32)) for row in rows
    ]
    return documents, [row["document"] for row in rows]


def handbook_of(copy: Path, *, most_pages: int) -> _Handbook:
    """Found beside the checkout, as the tests find it; pages without text, which no publication takes, are not copied.

    Raises:
        NotRun: it is not there.
    """
    from domain_sdk.documents import read_documents

    root = Path(os.environ.get("MESH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    folder, questions = root / "handbook", root / "handbook_questions.jsonl"
    if not folder.is_dir() or not questions.is_file():
        raise NotRun("the handbook is not beside the checkout (../shared/data): put it there or set MESH_SHARED_DATA.")
    readable = [document.name for document in read_documents(folder, on_problem=lambda problem: None)]
    for name in readable[:most_pages]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, copy / name)
    lines = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    return _Handbook(copy, [(it["question"], frozenset(part["document"] for part in it["evidence"])) for it in lines])
