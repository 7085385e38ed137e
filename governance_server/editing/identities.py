"""Which principal a subject of the identity provider is: said by the central team, for principals that exist already."""

from __future__ import annotations

from domainmesh.v1 import principal_pb2
from governance_server.backend import stamp, store
from governance_server.editing.central import is_administrator, second_persons
from governance_server.editing.editor import Edit, finish
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid, NotFound, Precondition, SecondPersonNeeded
from governance_server.rules.identities import identity_key, linkers
from mesh_core.names import check_principal

__all__ = ["link_identity"]

_LONGEST_SUBJECT = 255


def link_identity(edit: Edit, principal: str, subject: str) -> principal_pb2.Identity:
    """The subject of this mesh's provider is the principal, or with an empty one nobody's, on the edit's state.

    Raises: Precondition without a provider, Invalid, NotFound, SecondPersonNeeded if it is another administrator's.
    """
    oidc = edit.backend.settings.oidc
    if oidc is None:
        raise Precondition("This mesh has no identity provider: set MESH_OIDC_ISSUER.")
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise Invalid(f"A subject has 1 to {_LONGEST_SUBJECT} characters: copy the claim `sub`.")
    key = identity_key(oidc.issuer, subject)
    identity = principal_pb2.Identity(issuer=oidc.issuer, subject=subject, principal=principal, creator=edit.caller.name)
    identity.makers.extend(edit.caller.makers_for(principal))
    identity.create_time.CopyFrom(stamp(edit.state.time))
    if principal:
        _check_principal(edit, principal)
        identity = _confirmed(edit, key, identity)
        edit.state.write([store(kinds.IDENTITY, key, identity)])
    elif edit.state.get(kinds.IDENTITY, key) is not None:
        edit.state.write([ResourceWrite(kinds.IDENTITY, key, None)])
    finish(edit)
    return identity


def _confirmed(edit: Edit, key: str, identity: principal_pb2.Identity) -> principal_pb2.Identity:
    """The identity, or the one that somebody else linked to the same principal before, confirmed by who links it now."""
    body = edit.state.get(kinds.IDENTITY, key)
    before = principal_pb2.Identity.FromString(body) if body is not None else principal_pb2.Identity()
    others, caller = linkers(before), edit.caller
    is_same = before.principal == identity.principal and bool(others) and caller.name not in {*others, identity.principal}
    if not is_same or not others.isdisjoint(caller.token_makers) or identity.principal in caller.token_makers:
        return identity
    before.confirmer = before.confirmer or caller.name
    return before


def _check_principal(edit: Edit, principal: str) -> None:
    if not check_principal(principal).startswith(("user:", "service:")) or edit.state.get(kinds.PRINCIPAL, principal) is None:
        raise NotFound(f"There is no principal {principal!r} that could sign in: create it first.", resource=principal)
    policy = edit.backend.policy
    is_other = principal != edit.caller.name and is_administrator(policy, principal)
    if is_other and second_persons(policy, edit.caller.name):
        raise SecondPersonNeeded(
            f"{principal} is an administrator, and one administrator alone must not speak as another: it links itself with "
            "`mesh admin link-identity`.",
            resource=principal,
        )
