"""An embedder behind HTTP: any endpoint that speaks OpenAI's `POST /embeddings`, checked answer by answer.

Named by a URL with model and dimension, which both are part of what a collection is published with:
`https://host/v1?model=text-embedding-3-small&dimensions=1536`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mesh_core.embedding import EmbedderUnavailable, Vectors
from mesh_core.http_endpoint import EndpointFailed, endpoint_address, posted

__all__ = ["EndpointEmbedder"]

_BATCH = 128
_MOST_BYTES = 256 << 20


class EndpointEmbedder:
    """Texts become vectors at an endpoint. `model` names endpoint model and dimension, never the address or the key.

    Raises:
        EmbedderUnavailable: the URL does not say model and dimension.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_seconds: float = 30) -> None:
        found = endpoint_address(url)
        options = found[2] if found else {}
        name, dimensions = options.get("model", ""), options.get("dimensions", "")
        if found is None or not name or not dimensions.isdigit() or not int(dimensions):
            raise EmbedderUnavailable(
                "an embedding endpoint is named like https://host/v1?model=NAME&dimensions=1536: "
                "state address, model and dimension."
            )
        self.dimensions = int(dimensions)
        self.model = f"{name}@{self.dimensions}"
        self._name = name
        self._address = f"{found[0]}/embeddings"
        self._shown = found[1]
        self._api_key = api_key
        self._timeout = timeout_seconds

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One L2-normalised row per text, in the order given.

        Raises:
            EmbedderUnavailable: the endpoint does not answer in time, refuses, or answers with other vectors than it should.
        """
        rows = [self._asked(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(rows) if rows else np.empty((0, self.dimensions), dtype=np.float32)

    def _asked(self, texts: Sequence[str]) -> Vectors:
        body = {"model": self._name, "input": list(texts), "encoding_format": "float"}
        try:
            with posted(
                self._address, body, api_key=self._api_key, key_setting="MESH_EMBEDDER_API_KEY", timeout_seconds=self._timeout
            ) as answer:
                found = json.loads(answer.read(_MOST_BYTES))
        except EndpointFailed as error:
            raise self._failure(str(error)) from error
        return self._checked(found, len(texts))

    def _checked(self, found: Any, count: int) -> Vectors:  # noqa: ANN401  (what an endpoint says)
        try:
            ordered = sorted(found["data"], key=lambda item: int(item["index"]))
            rows = [np.asarray(item["embedding"], dtype=np.float32) for item in ordered]
            places = [int(item["index"]) for item in ordered]
        except (KeyError, TypeError, ValueError) as error:
            raise self._failure("answered with no embeddings: check that it speaks OpenAI's API") from error
        if places != list(range(count)):
            raise self._failure(f"answered {len(rows)} vectors for {count} texts: repeat, or use another endpoint")
        wrong = next((row.shape for row in rows if row.shape != (self.dimensions,)), None)
        if wrong is not None:
            raise self._failure(f"made a vector of shape {wrong}, not of {self.dimensions} dimensions: correct `dimensions`")
        matrix = np.stack(rows)
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(matrix).all() or not lengths.all():
            raise self._failure("made a vector with NaN or infinite numbers, or of zeros only: use another model")
        scaled: Vectors = (matrix / lengths).astype(np.float32, copy=False)
        return scaled

    def _failure(self, what: str) -> EmbedderUnavailable:
        return EmbedderUnavailable(f"the embedding endpoint {self._shown} {what}.")
