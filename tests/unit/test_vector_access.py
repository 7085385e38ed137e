"""A vector store that cannot be opened: all who wait for it are told at once, and whoever asks later tries anew."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from governance_server.vector_access import VectorAccess
from mesh_core.vectors.store import StoreUnavailable, VectorStoreError, open_store


def test_a_store_that_does_not_answer_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    everybody_waits = threading.Event()

    def hangs(url: str, *, api_key: str | None) -> Any:
        tried.append(url)
        everybody_waits.wait(10)
        raise StoreUnavailable("it does not answer.")

    monkeypatch.setattr("mesh_core.vectors.store.open_store", hangs)
    with closing(VectorAccess("weaviate://host", "hashing", api_key=None)) as vectors, ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(lambda: vectors.store) for _ in range(4)]
        threading.Timer(1, everybody_waits.set).start()
        assert [str(it.exception()) for it in waiting] == ["it does not answer."] * 4
        assert len(tried) == 1
        with pytest.raises(StoreUnavailable):
            _ = vectors.store
        assert len(tried) == 2


@pytest.mark.parametrize("url", ["weaviate://host:99999?grpc_port=50051", "weaviate://host:8080?grpc_port=gate"])
def test_a_port_that_is_none_is_told(url: str) -> None:
    with pytest.raises(VectorStoreError, match="has a port that is none"):
        open_store(url)
