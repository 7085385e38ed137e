"""The file of the mesh's keys: its format, and how it is made, read and replaced without anybody seeing half of it.

Owns what lies on disk. What keys are used for is the keyring's; nobody else reads the file.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = [
    "ACTIVE",
    "PURPOSES",
    "RETIRED",
    "Key",
    "UnusableKeys",
    "create_key_file",
    "key_file_lock",
    "new_key",
    "read_keys",
    "write_keys",
]

PURPOSES = ("tokens", "checkpoints", "masks")
"""What keys are for: the pepper of token secrets, the signature of journal checkpoints, the HMAC of masks."""
ACTIVE, RETIRED = "active", "retired"
_FORMAT, _KEY_BYTES, _MOST_BYTES = 1, 32, 1 << 20


class UnusableKeys(OSError):
    """The key file cannot be used; the message names it, says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: 32 random bytes, for HMAC-SHA-256 or as the seed of Ed25519."""

    id: str
    purpose: str
    version: int
    """1, 2, … within the purpose; a number is not used again."""
    state: str
    """`active`: what is made now is made with it; one for each purpose. `retired`: it only checks what was made with it."""
    create_time: datetime
    secret: bytes

    def __repr__(self) -> str:
        """All of it but the secret."""
        return f"Key({self.id!r}, {self.state})"


def new_key(purpose: str, *, version: int, now: datetime) -> Key:
    """An active key nobody else has."""
    return Key(f"{purpose}-{version}-{secrets.token_hex(4)}", purpose, version, ACTIVE, now, secrets.token_bytes(_KEY_BYTES))


def create_key_file(path: Path, *, now: datetime) -> bool:
    """True if the file was made, with a key for each purpose; of two starts at once one makes it. Raises: OSError."""
    if path.exists():
        return False
    candidate = _write_aside(path, [new_key(purpose, version=1, now=now) for purpose in PURPOSES])
    try:
        os.link(candidate, path)  # unlike a rename, it never replaces what another process has made meanwhile
    except FileExistsError:
        return False
    finally:
        candidate.unlink()
    _sync_folder(path)
    return True


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys, oldest first. Raises: UnusableKeys."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UnusableKeys(f"The key file {path} cannot be read ({error.strerror}): restore it from the backup.") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnusableKeys(f"The key file {path} is not a file: set MESH_KEYS to one.")
    if status.st_uid != os.geteuid():
        raise UnusableKeys(f"The key file {path} belongs to another user: make it the server's own (`chown`).")
    if status.st_mode & 0o077:
        raise UnusableKeys(f"The key file {path} can be read or written by others: `chmod 600 {path}`, and rotate its keys.")
    try:
        return _parsed(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableKeys(f"The key file {path} is damaged ({error}): restore it from the backup.") from None


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """The file holds exactly these keys; whoever reads meanwhile sees all or nothing of it. Hold the lock. Raises: OSError."""
    _write_aside(path, keys).replace(path)
    _sync_folder(path)


@contextmanager
def key_file_lock(path: Path) -> Iterator[None]:
    """Nobody else changes the file within the block. Raises: OSError."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parsed(text: bytes) -> tuple[Key, ...]:
    if len(text) > _MOST_BYTES:
        raise ValueError("it is too large")
    document: Any = json.loads(text)
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, this release knows {_FORMAT}")
    keys = tuple(_key(entry) for entry in document["keys"])
    if len({key.id for key in keys}) != len(keys):
        raise ValueError("two keys have one id")
    for purpose in PURPOSES:
        active = sum(key.purpose == purpose and key.state == ACTIVE for key in keys)
        if active != 1:
            raise ValueError(f"{active} active keys for {purpose}, where there must be one")
    return keys


def _key(entry: dict[str, Any]) -> Key:
    try:
        secret = base64.b64decode(entry["secret"], validate=True)
    except binascii.Error:
        raise ValueError("a secret is not base64") from None
    if len(secret) != _KEY_BYTES or entry["state"] not in (ACTIVE, RETIRED) or not isinstance(entry["id"], str):
        raise ValueError("a key is incomplete")
    created = datetime.fromisoformat(entry["create_time"])
    return Key(entry["id"], entry["purpose"], int(entry["version"]), entry["state"], created, secret)


def _write_aside(path: Path, keys: Sequence[Key]) -> Path:
    entries = [
        {
            "id": key.id, "purpose": key.purpose, "version": key.version, "state": key.state,
            "create_time": key.create_time.isoformat(timespec="seconds"), "secret": base64.b64encode(key.secret).decode(),
        }
        for key in keys
    ]  # fmt: skip
    candidate = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"format": _FORMAT, "keys": entries}, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    return candidate


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
