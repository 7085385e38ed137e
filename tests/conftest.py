"""Fixtures every test may use."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import RunningServer

os.environ.setdefault("MESH_DOCUMENT_CACHE", tempfile.mkdtemp(prefix="mesh-documents-"))  # never the user's own

pytest_plugins = ["tests.integration.weaviate_server", "tests.integration.s3_server", "tests.integration.ask_mesh"]


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers of the test's own."""
    started: list[RunningServer] = []

    def start(name: str = "mesh", **environment: str) -> RunningServer:
        started.append(RunningServer(tmp_path / name, **environment))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of a module."""
    running = RunningServer(tmp_path_factory.mktemp("server") / "mesh")
    yield running
    running.stop()


def pytest_sessionfinish() -> None:
    """What a test of this process started for all of them has ended, also in a worker that is not asked to clean up."""
    databases = sys.modules.get("tests.integration.journal_databases")
    if databases is not None:
        databases.stop_own_server()
    kept = os.environ.get("MESH_DOCUMENT_CACHE", "")
    if Path(kept).name.startswith("mesh-documents-"):
        shutil.rmtree(kept, ignore_errors=True)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Sets get one name in every process: the workers of a run must agree on the names of the tests."""
    return repr(sorted(val, key=repr)) if isinstance(val, set | frozenset) else None
