"""The peers of the vector stores: LanceDB and Weaviate used bare, by their own clients, as one would without a mesh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.weaviate_process import WeaviateAddress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mesh_core.embedding import Embedder

__all__ = ["BareStore", "CopyingWeaviate", "Document", "bare_lancedb", "bare_weaviate", "copying_weaviate", "embedding_alike"]

Document = tuple[str, str, "npt.NDArray[np.float32]"]
"""Id, text and vector."""

_BATCH = 1000


class BareStore(Protocol):
    """What both clients can do."""

    def insert(self, documents: Sequence[Document]) -> None:
        """The documents are stored and found by words and by vectors."""

    def dense(self, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        """Ids of the nearest vectors."""

    def hybrid(self, text: str, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        """Ids of the best by words and vectors together, as the client fuses them: by relative scores, LanceDB by ranks."""


class _BareLanceDb:
    def __init__(self, folder: Path) -> None:
        import lancedb

        self._database: Any = lancedb.connect(str(folder))
        self._table: Any = None

    def insert(self, documents: Sequence[Document]) -> None:
        import numpy as np
        import pyarrow as pa
        from lancedb.index import FTS

        for start in range(0, len(documents), _BATCH):
            ids, texts, vectors = zip(*documents[start : start + _BATCH], strict=True)
            matrix = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(vectors)), len(vectors[0]))
            batch = pa.table({"id": pa.array(ids), "text": pa.array(texts), "vector": matrix})
            if self._table is None:
                self._table = self._database.create_table("bare", batch)
            else:
                self._table.add(batch)
        self._table.create_index("text", config=FTS(with_position=False))

    def dense(self, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        query = self._table.search(vector, query_type="vector").distance_type("cosine")
        return list(query.limit(limit).select(["id", "text", "_distance"]).to_arrow()["id"].to_pylist())

    def hybrid(self, text: str, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        query = self._table.search(query_type="hybrid").vector(vector).text(text).distance_type("cosine")
        return list(query.limit(limit).to_arrow()["id"].to_pylist())


class _BareWeaviate:
    def __init__(self, client: Any) -> None:  # noqa: ANN401  (made by connect_to_custom)
        from weaviate.classes.config import Configure, DataType, Property, VectorDistances

        properties = [Property(name="key", data_type=DataType.TEXT), Property(name="text", data_type=DataType.TEXT)]
        index = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
        client.collections.delete("Bare")
        vectors = Configure.Vectors.self_provided(vector_index_config=index)
        self._collection: Any = client.collections.create("Bare", properties=properties, vector_config=vectors)

    def insert(self, documents: Sequence[Document]) -> None:
        from weaviate.classes.data import DataObject

        for start in range(0, len(documents), _BATCH):
            some = documents[start : start + _BATCH]
            objects = [DataObject(properties={"key": key, "text": text}, vector=vector.tolist()) for key, text, vector in some]
            assert not self._collection.data.insert_many(objects).errors

    def dense(self, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        answer = self._collection.query.near_vector(vector.tolist(), limit=limit)
        return [str(item.properties["key"]) for item in answer.objects]

    def hybrid(self, text: str, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        from mesh_core.vectors.store import DEFAULT_ALPHA

        answer = self._collection.query.hybrid(
            text, vector=vector.tolist(), limit=limit, alpha=DEFAULT_ALPHA, query_properties=["text"]
        )
        return [str(item.properties["key"]) for item in answer.objects]


@contextmanager
def embedding_alike() -> Iterator[Embedder]:
    """The embedder of a bare client, which embeds a question on one core while the block runs, as the gateway does.

    BLAS's second thread would go on spinning after each question, on the core that the gateway then needs.
    """
    from threadpoolctl import threadpool_limits

    from mesh_core.embedding import open_embedder

    with threadpool_limits(limits=1, user_api="blas"):
        yield open_embedder()


@contextmanager
def bare_lancedb(folder: Path) -> Iterator[BareStore]:
    """An empty LanceDB table."""
    yield _BareLanceDb(folder)


@contextmanager
def bare_weaviate(address: WeaviateAddress) -> Iterator[BareStore]:
    """An empty Weaviate collection."""
    with _client(address) as client:
        yield _BareWeaviate(client)


class CopyingWeaviate:
    """Stores once more what a collection of the mesh holds, into copies of that collection, with nothing but the client."""

    def __init__(self, client: Any, writers: int) -> None:  # noqa: ANN401  (made by connect_to_custom)
        self._client = client
        self._writers = writers
        self._settings: dict[str, Any] = {}
        self._objects: list[tuple[Any, dict[str, Any], Any]] = []

    def read(self, name: str) -> None:
        """The collection's settings and objects are known, as the server gives them."""
        from mesh_core.vectors.identifiers import collection_identifier
        from mesh_core.vectors.weaviate_collections import tenant_of

        source = self._client.collections.use(collection_identifier(name)).with_tenant(tenant_of(name))
        self._settings = source.config.get().to_dict()
        for item in source.iterator(include_vector=True, cache_size=500):
            properties = {key: value for key, value in item.properties.items() if value is not None}
            self._objects.append((item.uuid, properties, item.vector["default"]))

    def empty(self, identifier: str) -> Any:  # noqa: ANN401
        """A new collection with the settings that were read, and one tenant."""
        from weaviate.classes.tenants import Tenant

        made = self._client.collections.create_from_dict({**self._settings, "class": identifier})
        made.tenants.create([Tenant(name="bench")])
        return made.with_tenant("bench")

    def insert(self, collection: Any) -> None:  # noqa: ANN401
        """The objects that were read are in the collection."""
        from weaviate.classes.data import DataObject

        def insert(start: int) -> None:
            some = self._objects[start : start + _BATCH]
            objects = [DataObject(uuid=key, properties=properties, vector=vector) for key, properties, vector in some]
            assert not collection.data.insert_many(objects).errors

        with ThreadPoolExecutor(self._writers) as pool:
            for _ in pool.map(insert, range(0, len(self._objects), _BATCH)):
                pass


@contextmanager
def copying_weaviate(address: WeaviateAddress, *, writers: int) -> Iterator[CopyingWeaviate]:
    """The bare client, writing so many batches at once."""
    with _client(address) as client:
        yield CopyingWeaviate(client, writers)


@contextmanager
def _client(address: WeaviateAddress) -> Iterator[Any]:
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Timeout

    client = weaviate.connect_to_custom(
        http_host="127.0.0.1", http_port=address.http_port, http_secure=False,
        grpc_host="127.0.0.1", grpc_port=address.grpc_port, grpc_secure=False,
        additional_config=AdditionalConfig(timeout=Timeout(query=30, insert=300)), skip_init_checks=True,
    )  # fmt: skip
    try:
        yield client
    finally:
        client.close()
