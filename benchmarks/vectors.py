"""Objects into the vector stores: our adapters (versions, tags, attributes, read back) beside the bare clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING

from benchmarks.bare_vectors import BareStore, Document, bare_lancedb, bare_weaviate
from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.timing import seconds_of
from benchmarks.weaviate_process import weaviate_server

if TYPE_CHECKING:
    from mesh_core.vectors.passages import Passage

__all__ = ["DIMENSIONS", "random_passages", "vectors"]

_OBJECTS = 10_000
DIMENSIONS = 384
_WORDS = 60


def vectors(bench: Bench) -> Iterator[Figure]:
    """Objects per second of one version of a collection, made of words and vectors at random."""
    passages = list(random_passages(bench.scaled(_OBJECTS, least=200)))
    yield from _objects_in("lancedb", f"lancedb://{bench.folder}/mesh", passages, bare_lancedb(bench.folder / "bare"))
    with weaviate_server(bench.folder / "weaviate") as address:
        yield from _objects_in("weaviate", address.url, passages, bare_weaviate(address))


def _objects_in(store: str, url: str, passages: Sequence[Passage], bare: AbstractContextManager[BareStore]) -> Iterator[Figure]:
    import numpy as np

    from mesh_core.vectors.store import open_store

    documents: list[Document] = [(it.id, it.text, np.asarray(it.vector, dtype=np.float32)) for it in passages]
    with closing(open_store(url)) as adapter, bare as client:
        adapter.ensure_collection("bench.vectors.pages", dimensions=DIMENSIONS, attributes={"document": str})
        governed = seconds_of(lambda: adapter.stage("bench.vectors.pages", 1, passages))
        assert adapter.count("bench.vectors.pages", 1) == len(passages)
        peer = seconds_of(lambda: client.insert(documents))
    count = len(passages)
    bar = Bar("≥", 0.9, of="ratio") if store == "weaviate" else None
    yield Figure(f"vectors.{store}_in", count / governed, "objects/s", "the bare client, in batches of 1,000", count / peer, bar)


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
