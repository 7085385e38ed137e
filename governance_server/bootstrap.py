"""The first start: the first administrator, whose token goes to a 0600 file and nowhere else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from pathlib import Path

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2
from governance_server.authentication import mint_token
from governance_server.backend import stamp, store
from governance_server.journal.command import Command, Outcome, Transaction
from governance_server.journal.journal import Journal
from governance_server.keyring import Keyring, UnusableKeys
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.policy_facts import domain_rows, identity_rows, principal_rows
from governance_server.rules.policy_rows import ANY, Link
from governance_server.rules.token_chain import BOOTSTRAP, find_chain, owner_key
from governance_server.storage.catalog import Catalog
from governance_server.storage.engine import Database
from mesh_core.names import MESH

__all__ = [
    "FIRST_ADMINISTRATOR",
    "check_keys_are_there",
    "ensure_administrator",
    "ensure_token_owners",
    "recover_administrator",
]

_LOG = logging.getLogger(__name__)

FIRST_ADMINISTRATOR = "user:admin"
_AGE = timedelta(days=365)


def ensure_administrator(database: Database, journal: Journal, token_file: Path, *, keys: Keyring) -> bool:
    """True if this was the first start: the administrator now exists and its token is in the file. Raises: OSError."""
    if Catalog(database).get(kinds.PRINCIPAL, FIRST_ADMINISTRATOR) is not None:
        _settle(Catalog(database), token_file)
        return False
    minted = mint_token(keys)
    # Written before it is journaled, under a name of its own: whoever else starts first, `token_file` gets the token that counts.
    candidate = token_file.with_name(f"{token_file.name}.{minted.id}")
    _write_secret(candidate, minted.text)

    def run(tx: Transaction) -> Outcome:
        if tx.get(kinds.PRINCIPAL, FIRST_ADMINISTRATOR) is not None:
            return Outcome("principal.created", FIRST_ADMINISTRATOR, (), b"exists")
        principal = principal_pb2.Principal(
            name=FIRST_ADMINISTRATOR,
            title="First administrator",
            is_administrator=True,
            create_time=stamp(tx.time),
            etag=str(tx.revision),
        )
        token = principal_pb2.Token(
            id=minted.id, principal=FIRST_ADMINISTRATOR, description="first start", create_time=stamp(tx.time),
            expire_time=stamp(tx.time, plus=_AGE), creator=BOOTSTRAP,
        )  # fmt: skip
        writes = (
            store(kinds.PRINCIPAL, FIRST_ADMINISTRATOR, principal),
            store(kinds.TOKEN, minted.id, minted.stored(token)),
            _owner_entry(token),
        )
        return Outcome("principal.created", FIRST_ADMINISTRATOR, writes, b"")

    receipt = journal.submit(Command(principal=BOOTSTRAP, request_id="", request_digest=b"", run=run))
    _settle(Catalog(database), token_file)
    return receipt.reply == b""


def recover_administrator(database: Database, journal: Journal, token_file: Path, *, keys: Keyring) -> None:
    """The first administrator is enabled, has its seat and a new token, which is in the file. For whoever has the server's files.

    Seats of principals that have neither a live token nor an identity at the provider end, whether they are their own, a group's
    or by a grant on the mesh: nobody could act in them, and every central change would wait for them.

    Raises: OSError.
    """
    minted = mint_token(keys)
    candidate = token_file.with_name(f"{token_file.name}.{minted.id}")
    _write_secret(candidate, minted.text)

    def run(tx: Transaction) -> Outcome:
        body = tx.get(kinds.PRINCIPAL, FIRST_ADMINISTRATOR)
        principal = principal_pb2.Principal.FromString(body or b"")
        principal.name, principal.is_administrator, principal.is_disabled = FIRST_ADMINISTRATOR, True, False
        principal.etag = str(tx.revision)
        token = principal_pb2.Token(
            id=minted.id, principal=FIRST_ADMINISTRATOR, description="recovered", create_time=stamp(tx.time),
            expire_time=stamp(tx.time, plus=_AGE), creator=BOOTSTRAP,
        )  # fmt: skip
        stored = store(kinds.TOKEN, minted.id, minted.stored(token))
        ended = tuple(_empty_seats(tx, principal))
        writes = (store(kinds.PRINCIPAL, FIRST_ADMINISTRATOR, principal), stored, _owner_entry(token), *ended)
        return Outcome("principal.recovered", FIRST_ADMINISTRATOR, writes, b"")

    journal.submit(Command(principal=BOOTSTRAP, request_id="", request_digest=b"", run=run))
    _LOG.warning("administrator.recovered principal=%s", FIRST_ADMINISTRATOR)
    _settle(Catalog(database), token_file)


def _empty_seats(tx: Transaction, first: principal_pb2.Principal) -> Iterator[ResourceWrite]:
    """The other seats in which nobody can log in, ended: of principals, of groups, and grants that let somebody administer."""
    acting = _who_can_act(tx, first)
    for name, body in tx.list(kinds.PRINCIPAL):
        principal = principal_pb2.Principal.FromString(body)
        if principal.is_administrator and name not in acting:
            principal.is_administrator, principal.etag = False, str(tx.revision)
            yield store(kinds.PRINCIPAL, name, principal)
    for name, body in tx.list(kinds.GRANT):
        grant = grant_pb2.Grant.FromString(body)
        is_seat = grant.resource == MESH and "administer" in grant.actions and not grant.revoke_time.seconds
        if is_seat and grant.effect == grant_pb2.EFFECT_ALLOW and grant.subject not in acting | {ANY}:
            grant.revoke_time.CopyFrom(stamp(tx.time))
            grant.revoker, grant.revoke_reason = BOOTSTRAP, "Nobody could log in to use it."
            yield store(kinds.GRANT, name, grant)


def _who_can_act(tx: Transaction, first: principal_pb2.Principal) -> set[str]:
    """The names that somebody who can log in goes by: its own, and its groups and mesh-wide roles to any depth."""
    stored = (principal_pb2.StoredToken.FromString(body) for _, body in tx.list(kinds.TOKEN))
    chains = (find_chain(tx.get, each.token.id) for each in stored)
    able = {it.own.token.principal for it in chains if it is not None and it.is_valid(tx.time)}
    identities = [principal_pb2.Identity.FromString(body) for _, body in tx.list(kinds.IDENTITY)]
    principals = {name: principal_pb2.Principal.FromString(body) for name, body in tx.list(kinds.PRINCIPAL)}
    principals[first.name] = first
    domains = (domain_pb2.Domain.FromString(body) for _, body in tx.list(kinds.DOMAIN))
    said = chain(map(principal_rows, principals.values()), map(identity_rows, identities), map(domain_rows, domains))
    above: dict[str, set[str]] = {}
    for row in chain.from_iterable(said):
        if isinstance(row, Link) and row.domain == ANY:
            above.setdefault(row.child, set()).add(row.parent)
    disabled = {name for name, it in principals.items() if it.is_disabled}
    acting: set[str] = set()
    todo = {first.name, *able, *(it.principal for it in identities)} - disabled
    while todo:
        name = todo.pop()
        acting.add(name)
        todo |= above.get(name, set()) - acting - disabled
    return acting


def check_keys_are_there(database: Database, path: Path) -> None:
    """Returns unless the key file is gone while tokens were made with it. Raises: UnusableKeys."""
    if path.exists():
        return
    rows = Catalog(database).list(kinds.TOKEN, limit=None)
    were_used = any(principal_pb2.StoredToken.FromString(body).key_id for _, body in rows)
    if were_used and not path.exists():  # another process may have made both meanwhile: keys first, then a token
        raise UnusableKeys(
            f"The key file {path} is gone, and tokens were made with its keys: restore it from the backup. If it is lost for "
            "good, `mesh keys init` makes new keys and a token for the first administrator; every other token must be made anew."
        )


def ensure_token_owners(database: Database, journal: Journal) -> None:
    """Every token is found by its principal, those of a release that did not keep them so, too."""
    if database.head_of((kinds.TOKEN_OWNER,)) or not database.head_of((kinds.TOKEN,)):
        return

    def run(tx: Transaction) -> Outcome:
        stored = (principal_pb2.StoredToken.FromString(body) for _, body in tx.list(kinds.TOKEN))
        return Outcome("token.indexed", "token", tuple(_owner_entry(each.token) for each in stored), b"")

    journal.submit(Command(principal=BOOTSTRAP, request_id="", request_digest=b"", run=run))


def _owner_entry(token: principal_pb2.Token) -> ResourceWrite:
    entry = principal_pb2.Token(id=token.id, principal=token.principal)
    return store(kinds.TOKEN_OWNER, owner_key(token.principal, token.id), entry)


def _settle(catalog: Catalog, token_file: Path) -> None:
    """Of the tokens written by first starts the journaled one is in `token_file`, the others are gone; after a crash, too."""
    for candidate in token_file.parent.glob(f"{token_file.name}.*"):
        if catalog.get(kinds.TOKEN, candidate.suffix.removeprefix(".")) is not None:
            with suppress(FileNotFoundError):  # another start has settled it at this moment
                candidate.replace(token_file)
        else:
            candidate.unlink(missing_ok=True)


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
