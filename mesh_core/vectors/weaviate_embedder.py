"""An embedder that a Weaviate server is: a vectorizer module that runs there makes the vectors of passages and questions.

Named by a URL with module, model and dimension, which all are part of what a collection is published with:
`weaviate://host:8080?grpc_port=50051&module=text2vec-ollama&model=nomic-embed-text&dimensions=768`. Further parameters are
settings of the module (`apiEndpoint=http://127.0.0.1:11434`). The module's own keys are the server's. Texts pass through a
collection of their own, which holds none for longer than a call; it may be another server than the one that passages are kept on.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import weaviate
from weaviate.classes.config import Configure, DataType, Property
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateBaseError

from mesh_core.embedding import EmbedderUnavailable, Vectors
from mesh_core.vectors.weaviate_connection import BROKEN_OFF

__all__ = ["WeaviateEmbedder"]

_BATCH = 100
_OURS = ("grpc_port", "secure", "module", "model", "dimensions")


class WeaviateEmbedder:
    """Texts become vectors by a module of a Weaviate server. `model` names module, model and dimension, never address or key.

    Raises:
        EmbedderUnavailable: the URL does not say module, model and dimension.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_seconds: int = 30) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        module, name, dimensions = (options.get(it, "") for it in ("module", "model", "dimensions"))
        if not (parts.hostname and module and name and dimensions.isdigit() and int(dimensions)):
            raise EmbedderUnavailable(
                "a vectorizer of Weaviate is named like weaviate://host:8080?grpc_port=50051&module=text2vec-ollama&model=NAME"
                "&dimensions=768: state address, module, model and dimension."
            )
        self.dimensions = int(dimensions)
        self.model = f"{module}/{name}@{self.dimensions}"
        self._module = module
        self._settings = {"model": name, "vectorizeClassName": False}
        self._settings |= {key: value for key, value in options.items() if key not in _OURS}
        self._address = (parts.hostname, parts.port or 8080, int(options.get("grpc_port", "50051")))
        self._secure = options.get("secure") == "true"
        self._api_key = api_key
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._client: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One L2-normalised row per text, in the order given.

        Raises:
            EmbedderUnavailable: the server or its module does not answer in time, refuses, or makes other vectors than it should.
        """
        rows = [self._asked(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(rows) if rows else np.empty((0, self.dimensions), dtype=np.float32)

    def close(self) -> None:
        """The connection is released; the next call makes a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _asked(self, texts: Sequence[str]) -> Vectors:
        keys = [uuid.uuid4() for _ in texts]
        objects = [DataObject(properties={"text": text}, uuid=key) for text, key in zip(texts, keys, strict=True)]
        with self._told():
            collection = self._collection()
            try:
                errors = collection.data.insert_many(objects).errors
                if errors:
                    raise self._failure(next(iter(errors.values())).message)
                found = collection.query.fetch_objects_by_ids(
                    keys, limit=len(keys), include_vector=True, return_properties=[]
                ).objects
            finally:
                collection.data.delete_many(where=Filter.by_id().contains_any(keys))
        vectors = {item.uuid: np.asarray(item.vector.get("default", ()), dtype=np.float32) for item in found}
        return self._checked([vectors.get(key, np.empty(0, dtype=np.float32)) for key in keys])

    def _checked(self, rows: Sequence[Vectors]) -> Vectors:
        wrong = next((row.shape for row in rows if row.shape != (self.dimensions,)), None)
        if wrong is not None:
            raise self._failure(f"it made a vector of shape {wrong}, not of {self.dimensions} dimensions: correct `dimensions`")
        matrix = np.stack(rows)
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(matrix).all() or not lengths.all():
            raise self._failure("it made a vector with NaN or infinite numbers, or of zeros only: use another model")
        scaled: Vectors = (matrix / lengths).astype(np.float32, copy=False)
        return scaled

    def _collection(self) -> Any:  # noqa: ANN401
        """The collection that texts pass through; connected and made on first use."""
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            said = json.dumps([self._module, self._settings], sort_keys=True)
            name = f"Mesh_embedder_{hashlib.sha256(said.encode()).hexdigest()[:16]}"
            if not self._client.collections.exists(name):
                vectors = Configure.Vectors.custom(
                    module_name=self._module,
                    module_config=self._settings,
                    source_properties=["text"],
                    vector_index_config=Configure.VectorIndex.flat(),
                )
                text = Property(name="text", data_type=DataType.TEXT, index_filterable=False, index_searchable=False)
                self._client.collections.create(name, properties=[text], vector_config=vectors)
            return self._client.collections.use(name)

    def _connected(self) -> Any:  # noqa: ANN401
        host, http_port, grpc_port = self._address
        return weaviate.connect_to_custom(
            http_host=host,
            http_port=http_port,
            http_secure=self._secure,
            grpc_host=host,
            grpc_port=grpc_port,
            grpc_secure=self._secure,
            auth_credentials=Auth.api_key(self._api_key) if self._api_key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(query=self._timeout, insert=self._timeout), trust_env=self._secure
            ),
            skip_init_checks=True,
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (WeaviateBaseError, BROKEN_OFF) as error:
            raise self._failure(str(error)) from error

    def _failure(self, what: str) -> EmbedderUnavailable:
        host, http_port, _ = self._address
        return EmbedderUnavailable(
            f"Weaviate at {host}:{http_port} could not embed with {self._module}: {what}. "
            "Check that it runs with this module (ENABLE_MODULES), the module's key, and MESH_EMBEDDER_API_KEY."
        )
