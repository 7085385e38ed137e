"""The storage seam: one folder of files, on a local disk or in an object store, as the rest of the server sees it.

Everything that touches a table's files or a delivery goes through a `Folder`; which kind it is was decided by `MESH_WAREHOUSE`.
Both implementations keep the same promises and pass the same suites. Knows nothing of what the files contain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from governance_server.warehouse.errors import UnsafeName

__all__ = ["Folder", "FoundFile", "Upload", "check_part"]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is there: plain name, size in bytes, when it was written (milliseconds since 1970, UTC)."""

    name: str
    size: int
    modified_milliseconds: int
    is_regular: bool = True
    """False for what only looks like a file: a link, a pipe, a folder."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A request that puts exactly one file into a folder: PUT to `url` with `headers`. It carries no credential."""

    url: str
    headers: Mapping[str, str]


class Folder(Protocol):
    """One folder. Names are plain names; where a folder is absent, it has no files.

    Raises, in every method: StorageUnavailable if the storage cannot be reached, read or written.
    """

    @property
    def uri(self) -> str:
        """The folder as delta-rs and polars name it."""

    @property
    def storage_options(self) -> dict[str, str]:
        """What delta-rs and polars must be told to reach it; never a credential, these come from the environment."""

    def inside(self, *parts: str) -> Folder:
        """A folder further in, which need not exist. Raises: UnsafeName."""

    def exists(self) -> bool:
        """True if files can be looked for in it. An object store has every folder."""

    def make(self) -> None:
        """The folder exists, for the server alone."""

    def make_for_publishers(self, *parts: str) -> None:
        """The folder further in exists, and whoever may write here may write there."""

    def subfolders(self) -> Iterator[str]:
        """Names of the folders directly in it."""

    def files(self) -> Iterator[FoundFile]:
        """The files directly in it, in any order."""

    def find(self, name: str) -> FoundFile | None:
        """The file, without following a link."""

    def open(self, name: str) -> BinaryIO:
        """The file for reading, seekable; to be closed. Raises: FileNotFoundError; OSError if it is no regular file."""

    def take(self, name: str, source: Folder, source_name: str) -> None:
        """The file is here under `name`, whole, and gone from `source`; nobody who could write there can change it here.

        Nothing is done but the removal if it is here already. A crash leaves it here, there or at both places, never half.
        """

    def put(self, name: str, source: Path) -> None:
        """The local file `source`, which is the server's own, is here under `name`, whole and durable, and gone from there."""

    def replace(self, name: str, content: bytes) -> None:
        """The file holds the content, whole, whatever was there before; it survives a power cut."""

    def remove(self, name: str) -> None:
        """There is no such file."""

    def clear(self, part: str) -> None:
        """Nothing is left of what is called `part` here, a folder or a file. A link is removed, not followed."""

    def settle(self, *parts: str) -> None:
        """The folder's entries, and the file that `parts` lead to if given, survive a power cut."""

    def fetch(self, name: str, into: Path) -> None:
        """The file's bytes are in the local file `into`. Raises: FileNotFoundError; OSError if that cannot be written."""

    def upload(self, name: str, *, size: int, sha256: bytes, valid_for: timedelta) -> Upload | None:
        """A request that anybody can make for that time and that puts only these bytes here; None if files are put by path."""


def check_part(part: str) -> str:
    """The part, if it can name something inside a folder and nothing else. Raises: UnsafeName."""
    if part in {"", ".", ".."} or "/" in part or "\0" in part:
        raise UnsafeName(f"{part!r} is not a plain name.")
    return part
