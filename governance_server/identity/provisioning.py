"""Principals by themselves: an identity seen for the first time becomes one, without rights; its groups follow its newest token.

Each step is decided inside the journal's transaction. An identity never becomes a principal that exists already: who may be whom
is said by the central team (`LinkIdentity`), not by a name that somebody has chosen at the provider.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from domainmesh.v1 import principal_pb2
from governance_server.backend import Backend, stamp, store
from governance_server.caller import Caller
from governance_server.identity.access_tokens import AccessToken
from governance_server.journal.command import Command, Outcome, Transaction
from governance_server.oidc_settings import OidcSettings
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.identities import PROVISIONER, group_names, identity_key, principal_name
from governance_server.storage.issue_times import is_newest_issue, note_issue
from mesh_core.names import MESH

__all__ = ["PROVISIONER", "Consequences", "NameTaken", "Provisioning"]

_LOG = logging.getLogger(__name__)
Consequences = Callable[[Transaction, Sequence[ResourceWrite], Caller], tuple[ResourceWrite, ...]]
"""The writes with what they bring about for others."""


class NameTaken(Exception):
    """The name that the identity would get is another one's; the message says how to link them."""


class Provisioning:
    """Turns verified access tokens into identities and principals of the journal."""

    def __init__(self, backend: Backend, settings: OidcSettings, with_consequences: Consequences) -> None:
        self._backend = backend
        self._settings = settings
        self._with_consequences = with_consequences

    def settle(self, token: AccessToken) -> None:
        """The token's identity is a principal, with the token's groups unless a newer one says otherwise.

        Raises: NameTaken, UnusableClaim, StorageUnavailable.
        """
        key = identity_key(token.issuer, token.subject)
        groups = self._harmless(group_names(token.claims, claim=self._settings.groups_claim))
        is_newest = bool(self._settings.groups_claim) and note_issue(self._backend.database, key, token.issued_at)
        body = self._backend.catalog.get(kinds.IDENTITY, key)
        known = principal_pb2.Identity.FromString(body) if body is not None else None
        if known is not None and (not is_newest or tuple(known.groups) == groups):
            return
        name = known.principal if known is not None else principal_name(token.claims, name_claim=self._settings.name_claim)

        def run(tx: Transaction) -> Outcome:
            return self._provisioned(tx, key, token, name=name, groups=self._harmless(groups))

        self._backend.journal.submit(Command(principal=PROVISIONER, request_id="", request_digest=b"", run=run))

    def _harmless(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """The groups without those that administer the mesh: nobody becomes an administrator by a claim."""
        policy = self._backend.policy
        dangerous = {group for group in groups if policy.check(Caller(group), "administer", MESH).allowed}
        if dangerous:
            _LOG.warning("groups of a claim left out, as they administer the mesh groups=%s", ",".join(sorted(dangerous)))
        return tuple(group for group in groups if group not in dangerous)

    def _provisioned(self, tx: Transaction, key: str, token: AccessToken, *, name: str, groups: tuple[str, ...]) -> Outcome:
        body = tx.get(kinds.IDENTITY, key)
        identity = principal_pb2.Identity.FromString(body) if body is not None else None
        writes: list[ResourceWrite] = []
        if identity is None:
            if tx.get(kinds.PRINCIPAL, name) is not None:
                raise NameTaken(f"{name} exists and is not this identity: link them with `mesh admin link-identity`")
            identity = principal_pb2.Identity(issuer=token.issuer, subject=token.subject, principal=name, creator=PROVISIONER)
            identity.create_time.CopyFrom(stamp(tx.time))
            principal = principal_pb2.Principal(name=name, create_time=stamp(tx.time), etag=str(tx.revision))
            writes.append(store(kinds.PRINCIPAL, name, principal))
        elif not is_newest_issue(tx.connection, key, token.issued_at) or tuple(identity.groups) == groups:
            return Outcome("identity.seen", identity.principal, (), b"")
        del identity.groups[:]
        identity.groups.extend(groups)
        writes.append(store(kinds.IDENTITY, key, identity))
        every = self._with_consequences(tx, writes, Caller(PROVISIONER))
        return Outcome("identity.seen", identity.principal, every, b"")
