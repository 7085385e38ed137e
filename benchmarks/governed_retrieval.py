"""Retrieval under policies that permit all, half, a tenth, a hundredth, a thousandth: against an index of only what is permitted.

The collection is made of a real handbook's passages, each many times over with some words left out and its vector turned a
little: near-duplicates, which are hard on graphs. Every passage stands under one of a thousand headings, at random; the policies
are row filters on them. The oracle of a policy is a product that holds only what it permits, asked by its owner; that of the
policy that permits all is the collection itself. Both sides of a latency embed the question, in words that nobody has used.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bare_vectors import BareStore, Document, bare_lancedb, bare_weaviate, embedding_alike
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.remembering import publishing_with
from benchmarks.retrieval import handbook_of
from benchmarks.timing import percentile
from benchmarks.weaviate_process import weaviate_server
from domain_sdk import Mesh

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mesh_core.embedding import Vectors

__all__ = ["governed_retrieval"]

_PASSAGES = 20_000
_WORDS = 90
_TURN = 0.35
"""How far a copy's vector is turned: the length of the noise beside the unit vector."""
_LIMIT = 10
_Ask = Callable[[str], object]
_ROUNDS = 3
_REFERENCE = re.compile(r"\bref([a-z]{5})\b")
_SHARES: Mapping[str, tuple[str, range]] = {
    "100": ("", range(1000)),
    "50": (" or ".join(f"heading like 'p{digit}%'" for digit in range(5)), range(500)),
    "10": ("heading like 'p0%'", range(100)),
    "1": ("heading like 'p00%'", range(10)),
    "0_1": ("heading = 'p000'", range(1)),
}
"""Per cent → the row filter, and the headings that it permits."""
_CONTRACT = """\
kind: DataContract
apiVersion: v3.2.0
id: shelf.{product}
name: Shelf
version: 1.0.0
status: active
domain: shelf
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {{name: document, logicalType: string, required: true}}
      - {{name: title, logicalType: string}}
      - {{name: heading, logicalType: string}}
      - {{name: text, logicalType: string, required: true}}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {{dimensions: 384, distanceMetric: cosine, embeddingModel: all-MiniLM-L6-v2}}
"""


@dataclass(frozen=True)
class _Shelf:
    """Passages at random headings, their vectors, and the questions."""

    texts: Sequence[str]
    headings: Sequence[int]
    vectors: npt.NDArray[np.float32]
    questions: Sequence[str]

    def write(self, folder: Path, headings: range) -> Path:
        """A file for each of these headings, with its passages.

        What is known of a document as a whole (title, whose it is) is part of each of its passages, and decides their order: so a
        policy permits whole documents, and the oracle of a policy holds the very same.
        """
        folder.mkdir(parents=True)
        for heading in headings:
            texts = [text for text, its in zip(self.texts, self.headings, strict=True) if its == heading]
            if texts:
                sections = "\n".join(f"## p{heading:03}\n\n{text}\n" for text in texts)
                (folder / f"file{heading:03}.md").write_text(sections, encoding="utf-8")
        return folder


class _ShelfEmbedder:
    """The mesh's model in name; the vector of a passage is looked up by the reference in its text."""

    def __init__(self, shelf: _Shelf) -> None:
        from mesh_core.embedding import MiniLm

        self._shelf = shelf
        self.model, self.dimensions = MiniLm.model, MiniLm.dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, in order."""
        return self._shelf.vectors[[_number_in(text) for text in texts]]


def governed_retrieval(bench: Bench) -> Iterator[Figure]:
    """Recall at 10 and latency by the share that a policy permits, on both stores."""
    shelf = _shelf(bench)
    with weaviate_server(bench.folder / "weaviate") as address:
        server = bench.server("lancedb")
        yield from _measured("lancedb", server, shelf, bare_lancedb(bench.folder / "bare"))
        server.stop()
        server = bench.server("weaviate-mesh", MESH_VECTORS=address.url)
        yield from _measured("weaviate", server, shelf, bare_weaviate(address))
        server.stop()


def _measured(store: str, server: MeshProcess, shelf: _Shelf, peer: AbstractContextManager[BareStore]) -> Iterator[Figure]:
    documents: list[Document] = [(str(n), text, shelf.vectors[n]) for n, text in enumerate(shelf.texts)]
    _publish(server, shelf)
    words = f"the bare {store} client over everything: question embedded in process, its own hybrid query"
    with server.user("user:olga") as owner, peer as client, ExitStack() as readers:
        client.insert(documents)
        asked = {share: readers.enter_context(server.user(f"user:reader-{share.replace('_', '-')}")) for share in _SHARES}
        for share, reader in asked.items():
            oracle = f"shelf.{'all' if share == '100' else f'only-{share}'.replace('_', '-')}.pages"
            recall = _recall(shelf, reader, owner, oracle=oracle)
            yield Figure(f"governed_retrieval.{store}_recall_at_{share}", recall, "of 1", bar=Bar("≥", 0.99))
        newcomers = zip(_newcomers(server, owner), shelf.questions, strict=False)
        first = [_milliseconds(ask, f"{question} (first)") for ask, question in newcomers]
        ours, theirs = _latencies(shelf, asked, client)
    for share, durations in ours.items():
        bar = Bar("≤", 1.2, of="ratio") if share == "100" else None
        for part, at in (("p50", 0.5), ("p95", 0.95)):
            name = f"governed_retrieval.{store}_{part}_at_{share}"
            yield Figure(name, percentile(durations, at), "ms", words, percentile(theirs, at), bar if part == "p50" else None)
    settled = percentile(ours["10"], 0.5)
    yield Figure(f"governed_retrieval.{store}_first_in_scope", percentile(first, 0.5), "ms", "later questions", settled)


def _publish(server: MeshProcess, shelf: _Shelf) -> None:
    """The shelf, a reader for each policy, and the oracle of each policy."""
    with server.administrator() as mesh:
        mesh.admin.create_domain("shelf", owners=["user:olga"])
    with server.user("user:olga") as owner, publishing_with(_ShelfEmbedder(shelf)):
        only = {f"only-{share.replace('_', '-')}": it for share, (_, it) in _SHARES.items() if share != "100"}
        shelves = {"all": range(1000), **only}
        for product, headings in shelves.items():
            folder = shelf.write(server.home.parent / f"{server.home.name}-{product}", headings)
            contract = folder.with_suffix(".yaml")
            contract.write_text(_CONTRACT.format(product=product), encoding="utf-8")
            owner.domain("shelf").product(product, contract=contract).publish(pages=folder, progress=False)
        for share, (rows, _) in _SHARES.items():
            name = f"user:reader-{share.replace('_', '-')}"
            server.token(name)
            owner.grant(name, "shelf.all", actions=["read"], rows=rows)


def _recall(shelf: _Shelf, reader: Mesh, owner: Mesh, *, oracle: str) -> float:
    """The share of what the oracle gives that the reader gets, over all questions."""
    found = wanted = 0
    for question in shelf.questions:
        right = {_number_in(hit.text) for hit in owner.retrieve(oracle, question, limit=_LIMIT)}
        got = {_number_in(hit.text) for hit in reader.retrieve("shelf.all.pages", question, limit=_LIMIT)}
        found, wanted = found + len(right & got), wanted + len(right)
    return found / max(1, wanted)


def _newcomers(server: MeshProcess, owner: Mesh) -> Iterator[_Ask]:
    """Readers of a tenth each, none of whom has asked."""
    for digit in range(10):
        name = f"user:newcomer-{digit}"
        server.token(name)
        owner.grant(name, "shelf.all", actions=["read"], rows=f"heading like 'p_{digit}%'")
        with server.user(name) as reader:
            yield partial(_retrieved, reader)


def _latencies(shelf: _Shelf, asked: Mapping[str, Mesh], client: BareStore) -> tuple[dict[str, list[float]], list[float]]:
    """Milliseconds of each question, in turns: governed by share, and bare with its embedding."""
    ours: dict[str, list[float]] = {share: [] for share in asked}
    theirs: list[float] = []
    takes = count(1)

    with embedding_alike() as embedder:

        def bare(question: str) -> object:
            return client.hybrid(question, embedder.embed([question])[0], _LIMIT)

        for number in range(_ROUNDS + 1):
            for question in shelf.questions:
                for share, reader in asked.items():
                    if share == "100" or number < 2:
                        elapsed = _milliseconds(partial(_retrieved, reader), f"{question} (take {next(takes)})")
                        ours[share] += [elapsed] if number else []
                elapsed = _milliseconds(bare, f"{question} (take {next(takes)})")
                theirs += [elapsed] if number else []
    return ours, theirs


def _retrieved(reader: Mesh, question: str) -> object:
    return reader.retrieve("shelf.all.pages", question, limit=_LIMIT)


def _milliseconds(ask: _Ask, question: str) -> float:
    begin = time.perf_counter()
    ask(question)
    return (time.perf_counter() - begin) * 1e3


def _shelf(bench: Bench) -> _Shelf:
    import numpy as np

    from domain_sdk.documents import passages, read_documents

    handbook = handbook_of(bench.folder / "handbook", most_pages=bench.scaled(246, least=12))
    read = read_documents(handbook.folder, on_problem=lambda problem: None)
    whole = [_words(text.text) for document in read for text in passages(document)]
    kept = [words for words in whole if len(words) > 20]
    originals = _embedded([" ".join(words) for words in kept])
    random = np.random.default_rng(11)
    total = bench.scaled(_PASSAGES, least=1000)
    sources = np.arange(total) % len(kept)
    noise = random.normal(size=(total, originals.shape[1])).astype(np.float32)
    vectors = originals[sources] + _TURN * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = []
    for number, source in enumerate(sources):
        words = [word for word in kept[source] if random.random() > 0.15]
        texts.append(f"ref{_letters(number)} {' '.join(words)}.")
    return _Shelf(texts, [int(it) for it in random.permutation(total) % 1000], vectors, [it for it, _ in handbook.questions])


def _embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The vectors of the texts, kept in the user's cache: no figure here is of embedding them."""
    import numpy as np

    from mesh_core.embedding import MiniLm, open_embedder

    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "bench"
    file = base / f"shelf-{hashlib.sha256(chr(0).join([MiniLm.model, *texts]).encode()).hexdigest()[:16]}.npy"
    if not file.exists():
        base.mkdir(parents=True, exist_ok=True)
        made = file.with_suffix(f".{os.getpid()}.npy")
        np.save(made, open_embedder().embed(texts))
        made.replace(file)
    found: npt.NDArray[np.float32] = np.load(file)
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z][A-Za-z'-]*", text)[:_WORDS]


def _letters(number: int) -> str:
    return "".join(chr(97 + number // 26**place % 26) for place in range(5))


def _number_in(text: str) -> int:
    found = _REFERENCE.search(text)
    assert found, "every passage has its reference"
    return sum((ord(letter) - 97) * 26**place for place, letter in enumerate(found.group(1)))
