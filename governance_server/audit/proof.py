"""The proof as the server and `mesh audit verify --home` ask for it: with the keyring, or with keys kept elsewhere.

Owns where checkpoints and keys come from; what they prove is in `verification`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from governance_server.audit.checkpoints import read_checkpoint_lines
from governance_server.audit.verification import CHECKPOINTS, AuditProblem, AuditProof, signature_judge, verify_audit
from governance_server.keyring import CHECKPOINTS as PURPOSE
from governance_server.keyring import Keyring, UnknownKey
from governance_server.storage.checkpoints import StoredCheckpoint
from governance_server.storage.engine import Database

__all__ = ["prove"]


def prove(
    database: Database,
    keys: Keyring | None,
    *,
    file: Path | None = None,
    kept: Iterable[StoredCheckpoint] = (),
    trusted: Mapping[str, bytes] | None = None,
    includes_tables: bool = True,
) -> AuditProof:
    """What holds of all that is stored.

    Args:
        database: Holds the logs.
        keys: The server's keys; None if they are not at hand.
        file: Where the server appends its checkpoints; they count, if it is there.
        kept: Checkpoints from elsewhere.
        trusted: Public keys from elsewhere, by id; if given, no other is trusted.
        includes_tables: Also compare the tables with a replay.
    """

    def public_key(key_id: str) -> bytes | None:
        if trusted is not None or keys is None:
            return (trusted or {}).get(key_id)
        try:
            return keys.public_key(PURPOSE, key_id)
        except UnknownKey:
            return None

    problem = None
    appended: list[StoredCheckpoint] = []
    if file is not None and file.exists():
        try:
            appended = read_checkpoint_lines(file.read_text("utf-8", "surrogateescape"))
        except (ValueError, OSError) as error:
            problem = AuditProblem(CHECKPOINTS, 0, f"{file} cannot be read: {error}")
    proof = verify_audit(database, signature_judge(public_key), kept=(*appended, *kept), includes_tables=includes_tables)
    return proof if problem is None else replace(proof, problems=(*proof.problems, problem))
