"""The keyring: the one home of the mesh's keys, and all that is done with them.

Every use looks whether the file has changed (one `stat`), so a rotation is seen by every process at once, without a restart.
Secrets never leave this module: others hand in data and get a MAC or a signature with the id of the key that made it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from governance_server.key_file import (
    ACTIVE,
    PURPOSES,
    RETIRED,
    Key,
    UnusableKeys,
    create_key_file,
    key_file_lock,
    new_key,
    read_keys,
    write_keys,
)

__all__ = ["CHECKPOINTS", "MASKS", "PURPOSES", "TOKENS", "Keyring", "UnknownKey", "UnusableKeys", "is_signature"]

TOKENS, CHECKPOINTS, MASKS = PURPOSES
_MOST_PROVEN = 10_000


class UnknownKey(Exception):
    """A key that is not in the file, or not for this purpose: what was made with it can be checked no more."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The key {key_id!r} is not in the key file: restore the file that has it; what it made is refused.")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class _Read:
    """The file as it was read: which state of it, and its keys."""

    stamp: tuple[int, int, int]
    keys: dict[str, Key]
    active: dict[str, Key]
    proven: dict[tuple[str, str, bytes], bytes] = field(default_factory=dict)
    """MACs that were found right, with the digest of their data; worth nothing once the file is another."""


class Keyring:
    """The keys of one file. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        """The file's keys are usable. Raises: UnusableKeys."""
        self.path, self._file = path, str(path)
        self._lock = threading.Lock()
        self._known = self._load()

    @classmethod
    def open(cls, path: Path, *, now: datetime) -> Keyring:
        """The keyring of this file, which is made if there is none. Raises: UnusableKeys, OSError."""
        create_key_file(path, now=now)
        return cls(path)

    def hmac(self, purpose: str, data: bytes) -> tuple[str, bytes]:
        """The id of the active key and the HMAC-SHA-256 of the data under it, 32 bytes. Raises: UnusableKeys."""
        key = self._current().active[purpose]
        return key.id, hmac.digest(key.secret, data, hashlib.sha256)

    def check_hmac(self, purpose: str, key_id: str, data: bytes, mac: bytes) -> bool:
        """True if the named key made this MAC of the data. Raises: UnknownKey, UnusableKeys.

        What was right once is remembered by its digest: an HMAC lets go of the interpreter, which costs a busy server more than
        all the rest of telling who calls.
        """
        known = self._current()
        key = known.keys.get(key_id)
        if key is None or key.purpose != purpose:
            raise UnknownKey(key_id)
        digest, question = hashlib.sha256(data).digest(), (purpose, key_id, mac)
        proven = known.proven.get(question)
        if proven is not None and hmac.compare_digest(proven, digest):
            return True
        is_right = hmac.compare_digest(hmac.digest(key.secret, data, hashlib.sha256), mac)
        if is_right:
            if len(known.proven) >= _MOST_PROVEN:
                known.proven.clear()
            known.proven[question] = digest
        return is_right

    def sign(self, purpose: str, data: bytes) -> tuple[str, bytes]:
        """The id of the active key and its Ed25519 signature of the data, 64 bytes. Raises: UnusableKeys."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = self._current().active[purpose]
        return key.id, Ed25519PrivateKey.from_private_bytes(key.secret).sign(data)

    def verify(self, purpose: str, key_id: str, data: bytes, signature: bytes) -> bool:
        """True if the named key signed the data so. Raises: UnknownKey, UnusableKeys."""
        return is_signature(self.public_key(purpose, key_id), data, signature)

    def public_key(self, purpose: str, key_id: str) -> bytes:
        """The Ed25519 public key, 32 bytes, for who verifies elsewhere. Raises: UnknownKey, UnusableKeys."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._key(purpose, key_id).secret).public_key().public_bytes_raw()

    def list_keys(self) -> tuple[Key, ...]:
        """Every key, oldest first. Raises: UnusableKeys."""
        return tuple(self._current().keys.values())

    def rotate(self, purpose: str, *, now: datetime) -> Key:
        """The new active key of the purpose; the old one is retired and goes on checking. Raises: UnusableKeys, OSError."""

        def rotated(keys: tuple[Key, ...]) -> list[Key]:
            version = 1 + max(key.version for key in keys if key.purpose == purpose)
            retired = [replace(key, state=RETIRED) if key.purpose == purpose else key for key in keys]
            return [*retired, new_key(purpose, version=version, now=now)]

        return self._change(rotated)[-1]

    def remove(self, key_id: str) -> None:
        """The retired key is gone: what was made with it is refused. Raises: UnknownKey, UnusableKeys, OSError."""

        def without(keys: tuple[Key, ...]) -> list[Key]:
            if not any(key.id == key_id and key.state == RETIRED for key in keys):
                raise UnknownKey(key_id)
            return [key for key in keys if key.id != key_id]

        self._change(without)

    def _change(self, change: Callable[[tuple[Key, ...]], list[Key]]) -> list[Key]:
        with key_file_lock(self.path):
            keys = change(read_keys(self.path))
            write_keys(self.path, keys)
        return keys

    def _key(self, purpose: str, key_id: str) -> Key:
        key = self._current().keys.get(key_id)
        if key is None or key.purpose != purpose:
            raise UnknownKey(key_id)
        return key

    def _current(self) -> _Read:
        if self._stamp() != self._known.stamp:
            with self._lock:
                self._known = self._load()
        return self._known

    def _load(self) -> _Read:
        stamp = self._stamp()  # first, so that a change while it is read is seen by the next use
        keys = read_keys(self.path)
        active = {key.purpose: key for key in keys if key.state == ACTIVE}
        return _Read(stamp, {key.id: key for key in keys}, active)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._file)
        except OSError as error:
            raise UnusableKeys(f"The key file {self.path} is gone ({error.strerror}): restore it from the backup.") from error
        return status.st_ino, status.st_ctime_ns, status.st_size  # the time of a change of mode, too


def is_signature(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """True if the holder of this Ed25519 public key (raw) signed the data so; no key is needed from here."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):  # ValueError: no 32 bytes
        return False
    return True
