"""Objects into the vector stores: our adapters (versions, tags, attributes, read back) beside the bare clients.

Weaviate's peer stores the same objects: the collection is a copy of ours by its settings, the properties and vectors are those
that ours gave back, in batches as large and as many at once. What it does not do is what is measured: reading passages, comparing
them with earlier versions, digests, pairs of words, tag sets, counting what is there at the end, and waiting until Weaviate has
written it and so finds it by its words: tenths of a second, which weigh more the fewer the objects are.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.bare_vectors import CopyingWeaviate, Document, bare_lancedb, copying_weaviate
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.timing import seconds_of
from benchmarks.weaviate_process import WeaviateAddress, weaviate_server

if TYPE_CHECKING:
    from mesh_core.vectors.passages import Passage
    from mesh_core.vectors.store import VectorStore

__all__ = ["DIMENSIONS", "random_passages", "vectors"]

_FEW, _MANY = 5_000, 20_000
_ROUNDS = 3
DIMENSIONS = 384
_WORDS = 60


def vectors(bench: Bench) -> Iterator[Figure]:
    """Objects per second of one version of a collection, made of words and vectors at random."""
    few, many = (list(random_passages(bench.scaled(count, least=200))) for count in (_FEW, _MANY))
    yield _into_lancedb(bench, few)
    for name, passages in (("weaviate_few_in", few), ("weaviate_in", many)):
        with weaviate_server(bench.folder / name) as address:
            yield _into_weaviate(f"vectors.{name}", address, passages)


def _into_lancedb(bench: Bench, passages: Sequence[Passage]) -> Figure:
    import numpy as np

    from mesh_core.vectors.store import open_store

    documents: list[Document] = [(it.id, it.text, np.asarray(it.vector, dtype=np.float32)) for it in passages]
    with closing(open_store(f"lancedb://{bench.folder}/mesh")) as store, bare_lancedb(bench.folder / "bare") as client:
        ours = _staged(store, "bench.vectors.pages", passages)
        peer = seconds_of(lambda: client.insert(documents))
    words = "the bare client: id, text and vector, in batches of 1,000"
    return Figure("vectors.lancedb_in", len(passages) / ours, "objects/s", words, len(passages) / peer)


def _into_weaviate(name: str, address: WeaviateAddress, passages: Sequence[Passage]) -> Figure:
    """Into new collections in turns, so that neither always comes first."""
    from mesh_core.vectors.store import open_store
    from mesh_core.vectors.weaviate_rows import WeaviateRows

    ours: list[float] = []
    peers: list[float] = []
    with closing(open_store(address.url)) as store, copying_weaviate(address, writers=WeaviateRows.writers) as client:
        _staged(store, "bench.vectors0.pages", passages)
        client.read("bench.vectors0.pages")
        for number in range(1, _ROUNDS + 1):

            def copied(number: int = number) -> None:
                peers.append(_copied(client, number))

            def staged(number: int = number) -> None:
                ours.append(_staged(store, f"bench.vectors{number}.pages", passages))

            for turn in (copied, staged) if number % 2 else (staged, copied):
                address.rest()  # what Weaviate put off in one turn is not paid in the next
                turn()
    words = "the bare client: the same properties, vectors and settings, in batches as large and as many at once"
    count, bar = len(passages), Bar("≥", 0.9, of="ratio")
    return Figure(name, count / statistics.median(ours), "objects/s", words, count / statistics.median(peers), bar)


def _staged(store: VectorStore, name: str, passages: Sequence[Passage]) -> float:
    store.ensure_collection(name, dimensions=DIMENSIONS, attributes={"document": str})
    elapsed = seconds_of(lambda: store.stage(name, 1, passages))
    assert store.count(name, 1) == len(passages)
    return elapsed


def _copied(client: CopyingWeaviate, number: int) -> float:
    collection = client.empty(f"Copy{number}")
    return seconds_of(lambda: client.insert(collection))


def random_passages(count: int) -> Iterator[Passage]:
    """Passages of random words and vectors, the same each time, made as they are consumed."""
    import numpy as np

    from mesh_core.vectors.passages import Passage

    random = np.random.default_rng(3)
    words = np.array([f"word{number}" for number in range(5_000)])
    for number in range(count):
        yield Passage(
            id=f"p{number}", document=f"d{number // 20}.md", title=f"Document {number // 20}", heading="Heading",
            text=" ".join(random.choice(words, _WORDS)), start=0, end=10, page=None, tags=(),
            attributes={"document": f"d{number // 20}.md"}, vector=random.normal(size=DIMENSIONS).astype(np.float32),
        )  # fmt: skip
