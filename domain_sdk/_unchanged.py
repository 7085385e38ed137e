"""Holding a source still: what is read is what was there when reading began, or the publication fails with one clear error.

Owns how a change is noticed: files by size, time and identity, streams and plans by what they give. Imports polars.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl
import pyarrow as pa

from domain_sdk.errors import Conflict, InvalidRequest
from mesh_core.quality import SchemaChanged

__all__ = ["held_still", "source_files"]

_MOST_WORDS = 300
_Look = tuple[int, int, int]


@contextmanager
def held_still(name: str, files: Iterable[Path]) -> Iterator[None]:
    """Within the block the rows of a port are read; on leaving it the files are what they were on entering.

    Args:
        name: The port's three-part name.
        files: What the rows come from, as far as it is known.

    Raises:
        Conflict: a file, or the shape of the rows, changed while they were read.
        InvalidRequest: the rows cannot be read; the reader's own words say why.
    """
    before = {file: _look(file) for file in files}
    try:
        yield
    except SchemaChanged as error:
        raise Conflict(
            f"The rows for {name} changed while they were read: a later part has other columns or types than the first.",
            resource=name,
        ) from error
    except (pl.exceptions.PolarsError, pa.ArrowException, pl.exceptions.PanicException) as error:
        _check(name, before, error)
        raise InvalidRequest(f"The rows for {name} cannot be read: {_words(error)}", resource=name) from error
    _check(name, before, None)


def _check(name: str, before: dict[Path, _Look | None], cause: BaseException | None) -> None:
    changed = [str(file) for file, look in before.items() if _look(file) != look]
    if changed:
        raise Conflict(
            f"The rows for {name} changed while they were read ({', '.join(changed[:3])}): let nobody write there meanwhile, or "
            "publish from a copy.",
            resource=name,
        ) from cause


def _look(file: Path) -> _Look | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _words(error: BaseException) -> str:
    words = str(error).split("\n\n")[0].strip().rstrip(".")
    return f"{words[:_MOST_WORDS]}…" if len(words) > _MOST_WORDS else f"{words}."


def source_files(given: Any) -> list[Path]:  # noqa: ANN401 # any kind of rows
    """The local files that a lazy frame's plan reads; none where the plan does not show them."""
    if not isinstance(given, pl.LazyFrame):
        return []
    from domain_sdk._polars_plan.traversal import UnreadablePlan, scanned_paths

    try:
        return [path for it in scanned_paths(given) if (path := _local(it)) is not None]
    except (UnreadablePlan, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return []


def _local(path: str) -> Path | None:
    parts = urlsplit(path)
    if parts.scheme not in ("", "file"):
        return None
    found = Path(unquote(parts.path) if parts.scheme else path)
    return found if found.is_file() else None
