"""The proof without a server: on the database of one that is stopped, for who does not trust what runs there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from governance_server.audit.checkpoints import read_checkpoint_lines
from governance_server.audit.proof import prove
from governance_server.config import InvalidSettings, Settings
from governance_server.keyring import Keyring
from governance_server.storage.checkpoints import StoredCheckpoint
from governance_server.storage.engine import open_database

__all__ = ["prove_offline"]

_SQLITE = "sqlite:///"


def prove_offline(settings: Settings, environ: Mapping[str, str]) -> dict[str, object]:
    """The proof, in JSON's own types.

    `MESH_VERIFY_CHECKPOINTS` and `MESH_VERIFY_KEYS` name files that were kept elsewhere, `MESH_VERIFY_CHAIN_ONLY` leaves the
    replay out.

    Raises: InvalidSettings if a file is missing or none of ours, StorageError.
    """
    path = Path(settings.database_url.removeprefix(_SQLITE))
    if settings.database_url.startswith(_SQLITE) and not path.is_file():
        raise InvalidSettings(f"There is no database {path}: give the folder that MESH_HOME was with --home.")
    kept = _checkpoints(environ["MESH_VERIFY_CHECKPOINTS"]) if environ.get("MESH_VERIFY_CHECKPOINTS") else []
    trusted = _keys(_text(environ["MESH_VERIFY_KEYS"])) if environ.get("MESH_VERIFY_KEYS") else None
    keyring = Keyring(settings.keys) if settings.keys.is_file() else None
    database = open_database(settings.database_url)
    try:
        proof = prove(
            database, keyring, file=settings.checkpoints, kept=kept, trusted=trusted,
            includes_tables=not environ.get("MESH_VERIFY_CHAIN_ONLY"),
        )  # fmt: skip
    finally:
        database.close()
    logs = [
        {
            "stream": log.stream,
            "checked": log.checked,
            "sequence": log.sequence,
            "hash": log.hash.hex(),
            "pruned_sequence": log.pruned_sequence,
        }
        for log in proof.logs
    ]
    problems = [{"stream": it.stream, "sequence": it.sequence, "text": it.text} for it in proof.problems]
    return {"is_intact": proof.ok, "logs": logs, "problems": problems, "checkpoints": proof.checkpoints}


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} cannot be read: {error}") from error


def _checkpoints(path: str) -> list[StoredCheckpoint]:
    try:
        return read_checkpoint_lines(_text(path))
    except ValueError as error:
        raise InvalidSettings(f"{path}: {error}") from error


def _keys(text: str) -> dict[str, bytes]:
    try:
        return {str(id): bytes.fromhex(key) for id, key in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidSettings("The file of keys is none that `mesh audit keys --json` printed: give that one.") from error
