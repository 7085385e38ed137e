"""Folders on a local disk: moves by rename, made durable by fsync, no symbolic link followed.

A publisher may still hold a file open. Where it runs as another user, or the file has a second name, the bytes are copied when
they are taken over, so that what is verified afterwards cannot change.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from governance_server.warehouse.durable import sync_file, sync_folder
from governance_server.warehouse.errors import StorageUnavailable, UnsafeName
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import Folder, FoundFile, Upload, check_part

__all__ = ["LocalFolder"]


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder at a path. See `Folder` for what the methods promise."""

    path: Path

    def __str__(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def uri(self) -> str:
        """See Folder."""
        return str(self.path)

    @property
    def storage_options(self) -> dict[str, str]:
        """See Folder. None are needed."""
        return {}

    def inside(self, *parts: str) -> LocalFolder:
        """See Folder. Raises: UnsafeName also if a part is a symbolic link."""
        path = self.path
        for part in parts:
            path = path / check_part(part)
            if path.is_symlink():
                raise UnsafeName(f"{path} is a symbolic link: the warehouse follows none. Remove it.")
        return LocalFolder(path)

    def exists(self) -> bool:
        """See Folder."""
        return not self.path.is_symlink() and self.path.is_dir()

    def make(self) -> None:
        """See Folder."""
        with _told(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def make_for_publishers(self, *parts: str) -> None:
        """See Folder: folders further in carry this one's mode, so an administrator decides who may deliver."""
        with _told(self.path):
            mode = stat.S_IMODE(self.path.stat().st_mode)
            path = self.path
            for part in parts:
                path = path / check_part(part)
                path.mkdir(mode=0o700, exist_ok=True)
                path.chmod(mode)
        self.inside(*parts)

    def subfolders(self) -> Iterator[str]:
        """See Folder."""
        with _told(self.path), suppress(FileNotFoundError):
            yield from [entry.name for entry in os.scandir(self.path) if entry.is_dir()]

    def files(self) -> Iterator[FoundFile]:
        """See Folder."""
        with _told(self.path), suppress(FileNotFoundError):
            names = [entry.name for entry in os.scandir(self.path) if entry.is_file(follow_symlinks=False)]
            yield from (found for name in names if (found := self.find(name)) is not None)

    def find(self, name: str) -> FoundFile | None:
        """See Folder."""
        try:
            found = (self.path / check_part(name)).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageUnavailable(error.filename or self.path, error.strerror or str(error)) from error
        return FoundFile(name, found.st_size, found.st_mtime_ns // 1_000_000, stat.S_ISREG(found.st_mode))

    def open(self, name: str) -> BinaryIO:
        """See Folder."""
        path = self.path / check_part(name)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError("it is not a regular file")
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")

    def take(self, name: str, source: Folder, source_name: str) -> None:
        """See Folder: a rename where that is safe and possible, else a copy."""
        assert isinstance(source, LocalFolder), "a local folder takes from a local folder"
        with _told(self.path):
            _take(source.path / check_part(source_name), self.path / check_part(name))

    def put(self, name: str, source: Path) -> None:
        """See Folder."""
        with _told(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _take(source, self.path / check_part(name))

    def replace(self, name: str, content: bytes) -> None:
        """See Folder."""
        target = self.path / check_part(name)
        partial = target.with_name(f".{name}.partial")
        with _told(self.path):
            with partial.open("wb") as writer:
                writer.write(content)
                writer.flush()
                os.fsync(writer.fileno())
            partial.rename(target)
            sync_folder(self.path)

    def create(self, name: str, source: Path) -> bool:
        """The local file's bytes are here under `name`, whole and on the disk; False if there is such a file already.

        Of several that create it at once one succeeds.
        """
        target = self.path / check_part(name)
        with _told(self.path):
            try:
                _link(source, target)
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """See Folder."""
        with _told(self.path):
            (self.path / check_part(name)).unlink(missing_ok=True)

    def clear(self, part: str) -> None:
        """See Folder."""
        path = self.path / check_part(part)
        with _told(self.path), suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def settle(self, *parts: str) -> None:
        """See Folder."""
        with _told(self.path):
            path = self.path.joinpath(*parts)
            if parts:
                sync_file(path)
            while path != self.path:
                path = path.parent
                sync_folder(path)
            if not parts:
                sync_folder(path)
                sync_folder(path.parent)

    def fetch(self, name: str, into: Path) -> None:
        """See Folder."""
        with self.open(name) as reader, into.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)

    def upload(self, name: str, *, size: int, sha256: bytes, valid_for: timedelta) -> Upload | None:
        """See Folder: files are put by path."""
        return None

    @contextmanager
    def receive(self, name: str) -> Iterator[BinaryIO]:
        """What is written within the block is here under `name` once that ends well, and nothing of it else."""
        target = self.path / check_part(name)
        partial = target.with_name(f".{secrets.token_hex(8)}.receiving")
        with _told(self.path):
            try:
                with partial.open("xb") as writer:
                    yield writer
                partial.rename(target)
            finally:
                partial.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """While in the block, what the disk refuses is StorageUnavailable."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(error.filename or path, error.strerror or str(error)) from error


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


def _link(source: Path, target: Path) -> None:
    """The file has the second name `target`. Raises: FileExistsError; OSError."""
    if source.lstat().st_dev == target.parent.stat().st_dev:
        sync_file(source)
        target.hardlink_to(source)
        return
    near = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        _copy(source, near)
        target.hardlink_to(near)
    finally:
        near.unlink(missing_ok=True)


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
