"""`mesh keys`: the server's own keys, worked on where their file lies. Running servers see a change at their next use.

Whoever may run it may read the file, so nothing more is asked; no key leaves the process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from governance_server.config import InvalidSettings, Settings
from governance_server.key_file import PURPOSES, Key, create_key_file
from governance_server.keyring import Keyring, UnknownKey

__all__ = ["KEY_USAGE", "run_key_command"]

KEY_USAGE = "keys list | keys rotate PURPOSE | keys remove ID | keys init"


def run_key_command(settings: Settings, arguments: Sequence[str]) -> int:
    """Does what the words say and prints one line of JSON. Raises: InvalidSettings, UnusableKeys, OSError, StorageError."""
    match arguments:
        case ["list"]:
            said: object = [_shown(key) for key in Keyring(settings.keys).list_keys()]
        case ["rotate", purpose]:
            if purpose not in PURPOSES:
                raise InvalidSettings(f"{purpose!r} is no purpose of keys: use {', '.join(PURPOSES)}.")
            said = _shown(Keyring(settings.keys).rotate(purpose, now=datetime.now(UTC)))
        case ["remove", key_id]:
            said = _removed(Keyring(settings.keys), key_id)
        case ["init"]:
            said = _begun(settings)
        case _:
            raise InvalidSettings(f"usage: {KEY_USAGE}")
    print(json.dumps(said), flush=True)
    return 0


def _removed(keys: Keyring, key_id: str) -> dict[str, object]:
    try:
        keys.remove(key_id)
    except UnknownKey:
        raise InvalidSettings(f"{key_id!r} is no retired key: see `mesh keys list`, and rotate an active key first.") from None
    return {"id": key_id, "is_removed": True}


def _begun(settings: Settings) -> dict[str, object]:
    """New keys in the place of lost ones, and a token with which the first administrator gets in again."""
    from governance_server.bootstrap import recover_administrator
    from governance_server.journal.journal import Journal
    from governance_server.storage.engine import open_database

    if not create_key_file(settings.keys, now=datetime.now(UTC)):
        raise InvalidSettings(f"The key file {settings.keys} exists: `mesh keys rotate` replaces its keys.")
    database = open_database(settings.database_url)
    journal = Journal(database, clock=lambda: datetime.now(UTC))
    try:
        recover_administrator(database, journal, settings.administrator_token_file, keys=Keyring(settings.keys))
    finally:
        journal.close()
        database.close()
    return {"keys": str(settings.keys), "administrator_token_file": str(settings.administrator_token_file)}


def _shown(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "purpose": key.purpose,
        "version": key.version,
        "state": key.state,
        "create_time": key.create_time.isoformat(),
    }
