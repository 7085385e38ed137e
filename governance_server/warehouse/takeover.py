"""Delivered files become the server's own: moved into the table's folder, where no log entry names them yet.

A publisher may still hold a file open. Where it runs as another user, or the file has a second name, the bytes are copied,
so that what is verified afterwards cannot change. Verify the files *after* taking them over;
`give_up` removes them if that fails.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from governance_server.warehouse.delivered import DeliveredFile
from governance_server.warehouse.durable import sync_file, sync_folder
from governance_server.warehouse.errors import DeliveryRejected, StorageUnavailable
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import check_publication_id

__all__ = ["give_up", "take_over", "taken_name"]

_MAX_NAME_BYTES = 255
_File = TypeVar("_File", bound=DeliveredFile)


def taken_name(publication_id: str, name: str) -> str:
    """The name a delivered file gets in the table's folder: unique, made of safe characters, the same on every repeat."""
    return f"{check_publication_id(publication_id)}-{hashlib.sha256(name.encode()).hexdigest()[:24]}.parquet"


def take_over(folder: Path, files: Sequence[_File], table_root: Path, publication_id: str) -> tuple[_File, ...]:
    """The files lie in `table_root` under new names, on the disk; returned are the same values with those names.

    May be repeated after a crash at any point: what was moved stays, the rest follows.

    Raises: DeliveryRejected if a file is missing, is no regular file or has another size; StorageUnavailable.
    """
    taken = tuple(replace(file, name=taken_name(publication_id, file.name)) for file in files)
    try:
        table_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        problems = [p for file, new in zip(files, taken, strict=True) if (p := _problem(folder, file, table_root / new.name))]
        if problems:
            raise DeliveryRejected(problems)
        for file, new in zip(files, taken, strict=True):
            _take(folder / file.name, table_root / new.name)
            fault_point("take_over.file")
        sync_folder(table_root)
        sync_folder(table_root.parent)
    except OSError as error:
        raise StorageUnavailable(error.filename or table_root, error.strerror or str(error)) from error
    fault_point("take_over.done")
    return taken


def give_up(table_root: Path, files: Sequence[DeliveredFile], publication_id: str) -> None:
    """Files of a failed publication that `take_over` brought are gone; repeating it is harmless.

    Only for a publication that has no entry in the Delta log. `files` carry their taken names.

    Raises: StorageUnavailable.
    """
    prefix = check_publication_id(publication_id) + "-"
    try:
        for file in files:
            if file.name.startswith(prefix) and os.sep not in file.name:
                (table_root / file.name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageUnavailable(error.filename or table_root, error.strerror or str(error)) from error


def _problem(folder: Path, file: DeliveredFile, target: Path) -> str | None:
    if not file.name or file.name in {".", ".."} or os.sep in file.name or "\0" in file.name:
        return f"{file.name!r} is not a plain file name."
    if len(os.fsencode(file.name)) > _MAX_NAME_BYTES:
        return f"{file.name[:40]}…: the name is longer than {_MAX_NAME_BYTES} bytes."
    source = folder / file.name
    try:
        found = target.lstat() if target.exists() else source.lstat()
    except FileNotFoundError:
        return f"{file.name}: the file is missing."
    if not stat.S_ISREG(found.st_mode):
        return f"{file.name}: it is not a regular file."
    if found.st_size != file.size:
        return f"{file.name}: {found.st_size} bytes, declared were {file.size}."
    return None


def _take(source: Path, target: Path) -> None:
    if target.exists():
        source.unlink(missing_ok=True)
        return
    found = source.lstat()
    shares_device = found.st_dev == target.parent.stat().st_dev
    if found.st_uid == os.getuid() and found.st_nlink == 1 and shares_device:
        sync_file(source)
        source.rename(target)
        return
    _copy(source, target)
    source.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as reader, partial.open("wb") as writer:
        os.fchmod(writer.fileno(), 0o600)
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        fault_point("take_over.copied")
        os.fsync(writer.fileno())
    partial.rename(target)
