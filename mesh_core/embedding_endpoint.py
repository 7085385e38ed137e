"""An embedder behind HTTP: any endpoint that speaks OpenAI's `POST /embeddings`, checked answer by answer.

Named by a URL with model and dimension, which both are part of what a collection is published with:
`https://host/v1?model=text-embedding-3-small&dimensions=1536`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from mesh_core.embedding import EmbedderUnavailable, Vectors

__all__ = ["EndpointEmbedder"]

_BATCH = 128
_MOST_BYTES = 256 << 20


class EndpointEmbedder:
    """Texts become vectors at an endpoint. `model` names endpoint model and dimension, never the address or the key.

    Raises:
        EmbedderUnavailable: the URL does not say model and dimension.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_seconds: float = 30) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        name, dimensions = options.get("model", ""), options.get("dimensions", "")
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or not name
            or not dimensions.isdigit()
            or not int(dimensions)
        ):
            raise EmbedderUnavailable(
                "an embedding endpoint is named like https://host/v1?model=NAME&dimensions=1536: "
                "state address, model and dimension."
            )
        self.dimensions = int(dimensions)
        self.model = f"{name}@{self.dimensions}"
        self._name = name
        self._address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/embeddings"
        self._shown = parts.hostname
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
        body = json.dumps({"model": self._name, "input": list(texts), "encoding_format": "float"}).encode()
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        request = urllib.request.Request(self._address, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                found = json.loads(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._failure(f"refused with status {error.code}: check the model's name and MESH_EMBEDDER_API_KEY") from error
        except TimeoutError as error:
            raise self._failure(f"did not answer within {self._timeout:g} s: repeat when it is well") from error
        except urllib.error.URLError as error:
            is_late = isinstance(error.reason, TimeoutError)
            what = f"did not answer within {self._timeout:g} s" if is_late else "cannot be reached"
            raise self._failure(f"{what}: repeat when it is well") from error
        except (ValueError, OSError) as error:
            raise self._failure("answered with no JSON: check its address") from error
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
