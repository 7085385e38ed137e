"""Publishing the same documents twice without computing their vectors twice: a benchmark of stores is none of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["RememberingEmbedder", "publishing_with"]


class RememberingEmbedder:
    """The mesh's own embedder, which keeps every vector it made by its text."""

    def __init__(self) -> None:
        from mesh_core.embedding import open_embedder

        self._embedder: Embedder = open_embedder()
        self._known: dict[str, Vectors] = {}
        self.model = self._embedder.model
        self.dimensions = self._embedder.dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, in order; only texts not seen before are computed."""
        import numpy as np

        missing = list(dict.fromkeys(text for text in texts if text not in self._known))
        if missing:
            self._known.update(zip(missing, self._embedder.embed(missing), strict=True))
        return np.stack([self._known[text] for text in texts])


@contextmanager
def publishing_with(embedder: Embedder) -> Iterator[None]:
    """Documents published while the block runs are embedded by this embedder."""
    with mock.patch("domain_sdk._delivery.embedder_for_publishing", return_value=embedder):
        yield
