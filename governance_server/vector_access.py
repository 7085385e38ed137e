"""The server's vector store and embedder, each opened on first use; the only place that holds the store's key."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder
    from mesh_core.vectors.store import VectorStore

__all__ = ["VectorAccess", "attribute_types", "modules_in_use"]


_REMEMBERED = 32
_QUESTION_SECONDS = 20
"""A client of the mesh waits half a minute for a search."""
_PROMISE_SECONDS = 22.0
"""Whatever holds up an embedder elsewhere: an endpoint's own limit, which says more, comes first."""
_EMBEDDING = 8
"""Questions that are embedded at once; others wait."""


def attribute_types() -> dict[str, type]:
    """What is kept of a passage beside its text, by name: what row filters may use, and where its personal data is."""
    return {"document": str, "title": str, "heading": str, "about": str, "personal": str}


def modules_in_use(url: str) -> tuple[str, ...]:
    """What is worth loading before the first search: an embedded store's library, if it holds anything: seconds of loading."""
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    is_used = parts.scheme == "lancedb" and folder.is_dir() and any(folder.iterdir())
    return ("mesh_core.vectors.lancedb_store",) if is_used else ()


class VectorAccess:
    """Opens store and embedder when they are first needed; safe from several threads."""

    def __init__(self, url: str, embedder: str, *, api_key: str | None, embedder_api_key: str | None = None) -> None:
        self._url = url
        self._embedder_name = embedder
        self._api_key = api_key
        self._embedder_api_key = embedder_api_key
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._store: VectorStore | None = None
        self._failed: tuple[float, str] = (-1.0, "")
        self._embedder: Embedder | None = None
        self._embedding = ThreadPoolExecutor(_EMBEDDING, thread_name_prefix="embedding")
        self._questions: OrderedDict[tuple[str, str], Future[Sequence[float]]] = OrderedDict()

    @property
    def store(self) -> VectorStore:
        """The store. Raises: mesh_core.vectors.store.VectorStoreError, to all who waited while it could not be opened."""
        asked = time.monotonic()
        with self._opening:
            if self._store is None:
                from mesh_core.vectors.store import StoreUnavailable, open_store

                failed, why = self._failed
                if failed > asked:  # the next who waits would wait as long once more, behind all before it
                    raise StoreUnavailable(why)
                try:
                    self._store = open_store(self._url, api_key=self._api_key)
                except StoreUnavailable as error:
                    self._failed = time.monotonic(), str(error)
                    raise
            return self._store

    @property
    def embedder(self) -> Embedder:
        """The embedder of passages and questions."""
        with self._lock:
            if self._embedder is None:
                from mesh_core.core_threads import core_count
                from mesh_core.embedding import open_embedder

                self._embedder = open_embedder(self._embedder_name, api_key=self._embedder_api_key, threads=core_count())
            return self._embedder

    def question_vector(self, text: str, *, asker: str = "") -> Future[Sequence[float]]:
        """The promise of a question's vector; a question that an asker puts to several collections is embedded once.

        Not once for all askers: who asks what another has asked must not be answered sooner. It fails with EmbedderUnavailable.
        """
        key = (asker, text)
        with self._lock:
            known = self._questions.get(key)
            if known is None or (known.done() and known.exception() is not None):
                known = self._questions[key] = self._promised(text)
                while len(self._questions) > _REMEMBERED:
                    self._questions.popitem(last=False)
            return known

    def _promised(self, text: str) -> Future[Sequence[float]]:
        made = self._embedding.submit(self._embedded, text, time.monotonic() + _QUESTION_SECONDS)
        if "://" not in self._embedder_name:
            return made
        promise: Future[Sequence[float]] = Future()

        def give_up() -> None:
            from mesh_core.embedding import EmbedderUnavailable

            with suppress(InvalidStateError):  # it was made just now
                promise.set_exception(EmbedderUnavailable(f"no vector was made within {_PROMISE_SECONDS:g} s: repeat later."))
            made.cancel()

        watch = threading.Timer(_PROMISE_SECONDS, give_up)
        watch.daemon = True
        watch.start()

        def settle(_: object) -> None:
            watch.cancel()
            with suppress(InvalidStateError, CancelledError):  # it was given up
                if (error := made.exception()) is not None:
                    promise.set_exception(error)
                else:
                    promise.set_result(made.result())

        made.add_done_callback(settle)
        return promise

    def _embedded(self, text: str, deadline: float) -> Sequence[float]:
        from mesh_core.embedding import TimelyEmbedder

        embedder = self.embedder
        if isinstance(embedder, TimelyEmbedder):
            vectors = embedder.embed_within([text], deadline - time.monotonic())
        else:
            vectors = embedder.embed([text])
        asked: list[float] = vectors[0].tolist()
        return asked

    @property
    def model(self) -> str:
        """The model's id."""
        return self.embedder.model

    @property
    def dimensions(self) -> int:
        """The length of its vectors."""
        return self.embedder.dimensions

    def close(self) -> None:
        """Connections are released."""
        self._embedding.shutdown()
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None
