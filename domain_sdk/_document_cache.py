"""What became of documents that were published before: passages with their vectors and the record, kept by content.

A key is the digest of all that decides the outcome: the file's bytes and name, the readers' versions, the rules of this package,
the embedding model. So a changed file, reader or model is a miss, an interrupted publication resumes, and nothing is ever stale.
Entries hold the documents' text: the folder is its owner's alone. MESH_DOCUMENT_CACHE names another folder, or is `off`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DocumentCache"]

_RULES = "41"
"""Raised when this package reads, cuts, tags or indexes documents in another way."""
_READERS = ("kreuzberg", "pypdfium2", "lingua-language-detector", "phonenumbers")
_RECORD = b"domain_mesh.document_record"
_MOST_BYTES = 4 << 30


class DocumentCache:
    """A folder of finished documents."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing is kept and nothing is found."""
        self._folder = folder
        self._versions = "\0".join((_RULES, *(f"{name} {_version(name)}" for name in _READERS)))

    @classmethod
    def configured(cls) -> DocumentCache:
        """The cache that MESH_DOCUMENT_CACHE names, by default a folder of the user's cache."""
        asked = os.environ.get("MESH_DOCUMENT_CACHE", "")
        if asked == "off":
            return cls(None)
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(Path(asked) if asked else base / "domain-mesh" / "documents")

    def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
        """The digest for a document made of these files under this name, heard by this engine. Raises: OSError."""
        parts = (self._versions, os.environ.get("MESH_OCR_LANGUAGES", ""), name, model, *filter(None, [engine]))
        digest = hashlib.sha256("\0".join(parts).encode())
        for file in files:
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()

    def find(self, key: str) -> tuple[pa.RecordBatch, dict[str, Any]] | None:
        """The passages and the record; None if they are not here, or cannot be read any more."""
        import pyarrow as pa

        if self._folder is None:
            return None
        path = self._path(key)
        try:
            with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as reader:
                table = reader.read_all().combine_chunks()
                record = json.loads((reader.schema.metadata or {})[_RECORD])
        except (OSError, ValueError, KeyError):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read is of use, too
            os.utime(path)
        batches = table.to_batches()
        return (batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)), record

    def keep(self, key: str, passages: pa.RecordBatch, record: dict[str, Any]) -> None:
        """The document is here, whole or not at all; a full disk leaves it out."""
        import pyarrow as pa

        if self._folder is None:
            return
        path = self._path(key)
        schema = passages.schema.with_metadata({**(passages.schema.metadata or {}), _RECORD: json.dumps(record).encode()})
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder.chmod(0o700)
            handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
            try:
                with os.fdopen(handle, "wb") as file:
                    _lock(file, is_patient=True)  # until it is closed, or its writer is gone
                    with pa.ipc.new_file(file, schema) as writer:
                        writer.write_batch(pa.RecordBatch.from_arrays(passages.columns, schema=schema))
                    os.replace(partial, path)
            finally:
                Path(partial).unlink(missing_ok=True)

    def prune(self) -> None:
        """The folder holds at most 4 GiB, what was used least recently is gone, and what publishers left that were killed."""
        if self._folder is None or not self._folder.is_dir():
            return
        for partial in self._folder.glob("*/*.partial"):
            _remove_unwritten(partial)
        with contextlib.suppress(OSError):
            files = sorted(((it.stat().st_mtime, it.stat().st_size, it) for it in self._folder.glob("*/*.arrow")), reverse=True)
            used = 0
            for _, size, file in files:
                used += size
                if used > _MOST_BYTES:
                    file.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key}.arrow"


def _remove_unwritten(partial: Path) -> None:
    """The file is gone if no process writes it."""
    with contextlib.suppress(OSError), partial.open("rb") as file:
        if _lock(file, is_patient=False):
            partial.unlink()


def _lock(file: IO[bytes], *, is_patient: bool) -> bool:
    """True once the file is locked; False where there are no locks. Raises: OSError, if another has it and is not waited for."""
    try:
        import fcntl
    except ImportError:
        return False
    fcntl.flock(file, fcntl.LOCK_EX if is_patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
