"""An embedder behind HTTP: any endpoint that speaks OpenAI's `POST /embeddings`, checked answer by answer.

Named by a URL with model and dimension, which both are part of what a collection is published with:
`https://host/v1?model=text-embedding-3-small&dimensions=1536`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPResponse
from typing import Any

import numpy as np

from mesh_core.embedding import EmbedderUnavailable, Vectors
from mesh_core.http_endpoint import EndpointFailed, endpoint_address, posted

__all__ = ["EndpointEmbedder"]

_BATCH = 128
_BYTES_A_NUMBER, _BYTES_BESIDE = 64, 1 << 20
"""As much as an answer needs: numbers with all their digits, one a line, and what stands around them."""
_CHUNK = 64 << 10
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.5


class EndpointEmbedder:
    """Texts become vectors at an endpoint. `model` names endpoint model and dimension, never the address or the key.

    Args:
        url: Like `https://host/v1?model=NAME&dimensions=1536`.
        api_key: Sent as a bearer token, if there is one.
        timeout_seconds: How long each answer may take, to its last byte, and how long is waited in all, for one part of the
            texts, while the endpoint is too busy or not well (429, 5xx): as it asks (Retry-After), else twice as long each time.
        pause: Waits so many seconds.

    Raises:
        EmbedderUnavailable: the URL does not say model and dimension.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_seconds: float = 30,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        found = endpoint_address(url)
        options = found[2] if found else {}
        name, dimensions = options.get("model", ""), options.get("dimensions", "")
        if found is None or not name or not dimensions.isdecimal() or not int(dimensions):
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
        self._pause = pause

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One L2-normalised row per text, in the order given.

        Raises:
            EmbedderUnavailable: the endpoint does not answer in time, refuses, or answers with other vectors than it should.
        """
        return self._embedded(texts, math.inf)

    def embed_within(self, texts: Sequence[str], seconds: float) -> Vectors:
        """See TimelyEmbedder.

        Raises:
            EmbedderUnavailable: as `embed`; also if all attempts, and the pauses between them, take longer.
        """
        return self._embedded(texts, time.monotonic() + seconds)

    def _embedded(self, texts: Sequence[str], deadline: float) -> Vectors:
        rows = [self._asked(texts[start : start + _BATCH], deadline) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(rows) if rows else np.empty((0, self.dimensions), dtype=np.float32)

    def _asked(self, texts: Sequence[str], deadline: float) -> Vectors:
        body = {"model": self._name, "input": list(texts), "encoding_format": "float"}
        patience, wait = self._timeout, _FIRST_PAUSE_SECONDS
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                seconds = max(0.001, min(self._timeout, deadline - time.monotonic()))
                return self._checked(self._posted(body, seconds), len(texts))
            except EndpointFailed as error:
                asked = wait if error.wait_seconds is None else error.wait_seconds
                is_too_long = asked > min(patience, deadline - time.monotonic())
                if not error.is_passing or attempt == _ATTEMPTS or is_too_long:
                    raise self._failure(str(error)) from error
            self._pause(asked)
            patience, wait = patience - asked, 2 * wait
        raise AssertionError("the last attempt returns or raises")

    def _posted(self, body: Mapping[str, Any], seconds: float) -> Any:  # noqa: ANN401  (what an endpoint says)
        """What the endpoint says. Raises: EndpointFailed."""
        with posted(
            self._address, body, api_key=self._api_key, key_setting="MESH_EMBEDDER_API_KEY", timeout_seconds=seconds
        ) as answer:
            try:
                return json.loads(b"".join(self._chunks(answer, len(body["input"]))))
            except RecursionError as error:
                raise EndpointFailed("answered with JSON that nests without end: check its address") from error

    def _chunks(self, answer: HTTPResponse, count: int) -> Iterator[bytes]:
        """What is sent. Raises: EndpointFailed, if it is too much."""
        left = count * self.dimensions * _BYTES_A_NUMBER + _BYTES_BESIDE
        while chunk := answer.read1(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise EndpointFailed("answered with more than vectors need: check its address")
            yield chunk

    def _checked(self, found: Any, count: int) -> Vectors:  # noqa: ANN401  (what an endpoint says)
        try:
            ordered = sorted(found["data"], key=lambda item: int(item["index"]))
            rows = [np.asarray(item["embedding"], dtype=np.float64) for item in ordered]
            places = [int(item["index"]) for item in ordered]
        except (KeyError, TypeError, ValueError, ArithmeticError):
            raise self._failure("answered with no embeddings: check that it speaks OpenAI's API") from None
        if places != list(range(count)):
            raise self._failure(f"answered {len(rows)} vectors for {count} texts: repeat, or use another endpoint")
        wrong = next((row.shape for row in rows if row.shape != (self.dimensions,)), None)
        if wrong is not None:
            raise self._failure(f"made a vector of shape {wrong}, not of {self.dimensions} dimensions: correct `dimensions`")
        matrix = np.stack(rows)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise self._failure("made a vector with NaN or infinite numbers, or of zeros only: use another model")
        scaled: Vectors = (matrix / lengths).astype(np.float32, copy=False)
        return scaled

    def _failure(self, what: str) -> EmbedderUnavailable:
        return EmbedderUnavailable(f"the embedding endpoint {self._shown} {what}.")
