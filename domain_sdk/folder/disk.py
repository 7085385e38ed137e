"""The folder on disk: which of its files are read, and how an export is written. Knows names and bytes, not what they mean."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from domain_sdk.errors import InvalidRequest
from domain_sdk.folder.layout import is_known, strange_files
from domain_sdk.folder.tree import FolderProblem, Place

__all__ = ["MAX_BYTES", "load_files", "store_files"]

MAX_BYTES = 4 * 1024 * 1024
"""The largest file that is read."""
_DEPTH = 3


def load_files(root: Path) -> tuple[dict[str, bytes], list[FolderProblem]]:
    """The files of the format by relative path, and what could not be read; hidden files and folders are left out.

    Raises:
        InvalidRequest: there is no such folder.
    """
    if not root.is_dir():
        raise InvalidRequest(f"{root} is no folder: give one with a domain.yaml, or with the folders of domains and the centre.")
    files: dict[str, bytes] = {}
    problems: list[FolderProblem] = []
    others = []
    for path in sorted(_yaml_files(root, "")):
        if not is_known(path):
            others.append(path)
            continue
        try:
            files[path] = _content(root / path)
        except _NotRead as error:
            problems.append(FolderProblem(Place(path), str(error)))
        except OSError as error:
            problems.append(FolderProblem(Place(path), f"it cannot be read: {error.strerror}."))
    return files, [*problems, *strange_files(others)]


class _NotRead(Exception):
    """The file is there and is not read; the message says why."""


def _yaml_files(root: Path, folder: str) -> Iterator[str]:
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith((".yaml", ".yml")) and not entry.is_dir():
                yield path
            elif entry.is_dir(follow_symlinks=False) and path.count("/") + 1 < _DEPTH:
                yield from _yaml_files(root, path)


def _content(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _NotRead("it is no file.")
    if status.st_size > MAX_BYTES:
        raise _NotRead(f"it has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    return path.read_bytes()


def store_files(root: Path, files: Mapping[str, bytes], *, force: bool = False) -> list[str]:
    """The paths that were written, in order; with `force` only what a tree may hold and this one does not is removed.

    Raises:
        InvalidRequest: the folder holds something and `force` is not set.
    """
    if root.exists() and not root.is_dir():
        raise InvalidRequest(f"{root} is no folder: name one that is empty or does not exist.")
    before = [path for path in _yaml_files(root, "") if is_known(path)] if root.is_dir() else []
    if root.is_dir() and any(root.iterdir()) and not force:
        raise InvalidRequest(
            f"{root} is not empty, so nothing was written: name another, or add --force to replace what it has of the format."
        )
    for path in sorted(files):
        _write(root / path, files[path])
    for path in set(before) - set(files):
        if not path.endswith("policies.test.yaml"):  # no export can bring a test back
            (root / path).unlink()
    return sorted(files)


def _write(path: Path, data: bytes) -> None:
    """The file holds the data, or what it held before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
