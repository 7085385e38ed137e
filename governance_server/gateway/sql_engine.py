"""The engine behind governed SQL: DuckDB, which sees governed rows and nothing else (ADR 0016).

It has no extensions, no network, no settings to change and no files but those of which the caller may see every row; what it may
use of memory and time is bounded. A table is an object that hands out a fresh governed stream each time the engine scans it, or
files cut to columns. The home of duckdb.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from governance_server.gateway.sql_errors import EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused

__all__ = ["ClearFiles", "GovernedStream", "SqlEngine", "Table"]

_BATCH_ROWS = 65_536
_SPILL = 16
"""So many times its memory may a query write to disk."""
_INTERRUPT_SECONDS = 0.05
_LAST_SETTINGS = ("SET TimeZone = 'UTC'", "SET enable_external_access = false", "SET lock_configuration = true")
"""In this order: without external access the folder to spill to could not be named any more."""
_CASTS = {
    "HUGEINT": "BIGINT", "UHUGEINT": "UBIGINT", "BIGNUM": "VARCHAR", "INTERVAL": "VARCHAR", "ENUM": "VARCHAR", "BIT": "VARCHAR",
    "TIME WITH TIME ZONE": "VARCHAR", "UNION": "VARCHAR", "NULL": "INTEGER",
}  # fmt: skip
_ABOUT_VALUES = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|(?<!\w)[-+]?\d[\d.e+-]*", re.IGNORECASE)
"""Which of many bad values is met first depends on threads and on rows nobody may see; so none is named."""
_PLACE = re.compile(r"\n\s*(LINE \d+:.*|\^.*)\Z", re.DOTALL)


class GovernedStream:
    """One table for the engine, by the Arrow PyCapsule interface: each scan starts a governed read of its own.

    Args:
        schema: What the batches are.
        batches: Starts the read. What it raises is kept in `failure`, since the engine would make a text of it.
    """

    def __init__(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self.failure: Exception | None = None
        self._schema = schema
        self._batches = batches

    def __arrow_c_schema__(self) -> object:
        """The schema, without a read."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A fresh stream."""
        return pa.RecordBatchReader.from_batches(self._schema, self._kept()).__arrow_c_stream__(requested_schema)

    def _kept(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches()
        except Exception as error:
            self.failure = self.failure or error
            raise


@dataclass(frozen=True, slots=True)
class ClearFiles:
    """One table for the engine: Parquet files of one schema, of which the caller may see every row of these columns.

    The engine reads them itself and may carry a query's conditions into them: there is nothing behind them that is hidden.
    """

    paths: tuple[str, ...]
    columns: tuple[str, ...]


Table: TypeAlias = GovernedStream | ClearFiles


class _Watch:
    """Interrupts a query when its time is over: again and again, since an interrupt between two steps of the engine is lost."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._is_ending = threading.Event()
        self._is_over = threading.Event()

    def end(self) -> None:
        """What still runs is interrupted from now on."""
        self._is_ending.set()

    @contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """The connection's query is watched within the block."""
        thread = threading.Thread(target=self._run, args=(connection,), name="query-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._is_ending.set()
            thread.join()

    def _run(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._is_ending.wait(self._timeout_seconds)
        while not self._is_over.is_set():
            connection.interrupt()
            self._is_over.wait(_INTERRUPT_SECONDS)


@dataclass(frozen=True, slots=True)
class SqlEngine:
    """Runs queries. `spill_folder` is the only place on disk the engine may write to."""

    spill_folder: Path
    memory_bytes: int
    threads: int = 2

    def describe(self, sql: str, tables: Mapping[str, Table]) -> tuple[pa.Schema, str]:
        """The schema of the result and the engine's own plan, without reading a row. Raises: as `run`."""
        with self._connection(tables) as connection, _told(tables):
            rows = connection.execute(f"EXPLAIN {sql}").fetchall()
            result = _portable(connection.sql(sql)).limit(0).to_arrow_reader(1)
            return result.schema, "\n".join(str(row[-1]).rstrip() for row in rows)

    def run(self, sql: str, tables: Mapping[str, Table], *, timeout_seconds: float) -> Generator[pa.RecordBatch, None, None]:
        """The result, batch by batch, at least one; closing the iterator stops the query.

        Raises:
            QueryRefused: a name, type or value does not fit.
            EngineTimeout: it took longer than `timeout_seconds`.
            EngineOutOfMemory, EngineFailed: as they say.
            Exception: what a table's read raised.
        """
        watch = _Watch(timeout_seconds)
        with self._connection(tables) as connection, _told(tables), watch.over(connection):
            reader = _portable(connection.sql(sql)).to_arrow_reader(_BATCH_ROWS)
            try:
                yield pa.RecordBatch.from_pylist([], schema=reader.schema)
                yield from (batch for batch in reader)  # by itself, `yield from` would close it first
            finally:
                watch.end()  # a reader that is closed early goes on until its buffer is full: to the end, if little is found
                reader.close()

    @contextmanager
    def _connection(self, tables: Mapping[str, Table]) -> Iterator[duckdb.DuckDBPyConnection]:
        self.spill_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self.spill_folder / secrets.token_hex(8)  # each its own: the engine's names for its files are always the same
        settings: dict[str, Any] = {
            "threads": self.threads,
            "memory_limit": f"{self.memory_bytes >> 20}MiB",
            "max_temp_directory_size": f"{_SPILL * self.memory_bytes >> 20}MiB",
            "temp_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
        connection = duckdb.connect(config=settings)
        try:
            for name, table in tables.items():
                if isinstance(table, GovernedStream):
                    connection.register(name, table)
            files = {name: table for name, table in tables.items() if isinstance(table, ClearFiles)}
            allowed = [path for table in files.values() for path in table.paths]
            connection.execute(f"SET allowed_paths = [{', '.join(map(_text, allowed))}]")
            for statement in _LAST_SETTINGS:
                connection.execute(statement)
            for name, table in files.items():
                connection.execute(_view(name, table))
            yield connection
        finally:
            connection.close()
            shutil.rmtree(folder, ignore_errors=True)


def _view(name: str, table: ClearFiles) -> str:
    columns = ", ".join(_identifier(column) for column in table.columns)
    paths = ", ".join(map(_text, table.paths))
    return f"CREATE TEMP VIEW {_identifier(name)} AS SELECT {columns} FROM read_parquet([{paths}], hive_partitioning = false)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _portable(result: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The result with column names that differ and types that every Arrow reader knows; a sum of integers is a 64-bit integer."""
    taken: dict[str, int] = {}
    shown = []
    for position, (name, kind) in enumerate(zip(result.columns, result.types, strict=True), 1):
        count = taken[name.lower()] = taken.get(name.lower(), 0) + 1
        unique = name if count == 1 else f"{name}_{count - 1}"
        target = _CASTS.get(str(kind).partition("(")[0].strip('"'))
        value = f"CAST(#{position} AS {target})" if target else f"#{position}"
        shown.append(f"{value} AS {_identifier(unique)}")
    return result.project(", ".join(shown))


@contextmanager
def _told(tables: Mapping[str, Table]) -> Iterator[None]:
    """What the engine raises becomes one of our errors, or what a table's read raised."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        failures = (table.failure for table in tables.values() if isinstance(table, GovernedStream) and table.failure)
        failure = next(failures, None)
        if failure is not None:
            raise failure from None
        raise _as_ours(error) from None


def _as_ours(error: Exception) -> Exception:
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text[:40].upper():
        return EngineTimeout()
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or text.startswith("Out of Memory"):
        return EngineOutOfMemory()
    if isinstance(error, duckdb.InternalException | duckdb.FatalException | duckdb.IOException):
        return EngineFailed(f"{type(error).__name__}: {text[:500]}")
    told = _PLACE.sub("", text)
    if isinstance(error, _ABOUT_VALUES):
        told = _VALUE.sub("…", told)
    return QueryRefused(told.strip()[:1000])
