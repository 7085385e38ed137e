"""A gateway loads the library of its vector store before the first search, but only where there is something to search."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from governance_server.vector_access import modules_in_use


def test_nothing_is_loaded_for_a_store_without_collections(tmp_path: Path) -> None:
    assert modules_in_use(f"lancedb://{tmp_path / 'absent'}") == ()
    (tmp_path / "empty").mkdir()
    assert modules_in_use(f"lancedb://{tmp_path / 'empty'}") == ()
    assert modules_in_use("weaviate://127.0.0.1:8080?grpc_port=50051") == ()


def test_what_searches_a_store_with_collections_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "my vectors" / "pages.lance").mkdir(parents=True)
    (module,) = modules_in_use(f"lancedb://{tmp_path}/my%20vectors")
    assert hasattr(import_module(module), "LanceDbStore")
