"""`mesh.admin`: what the central team sets up: domains, principals, tokens, purposes, guardrails, governed tags.

Owns the arguments of these calls; whether one is allowed is the server's decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_names, checked_text
from domain_sdk._times import Until
from domain_sdk.errors import InvalidRequest
from domain_sdk.identity import NewToken, Principal, Purpose, Token

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.access import Guardrail
    from domain_sdk.catalog import DomainEntry
    from domain_sdk.erasure import Erasures
    from domain_sdk.tags import GovernedTag, TagRelease

__all__ = ["Admin"]

_REPAIR_SECONDS = 1800.0

Roles = Mapping[str, Sequence[str]]
"""Role → the principals that have it."""


class Admin:
    """Administration of the mesh; most of it needs `administer` on `mesh`. Reached as `mesh.admin`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_domain(
        self,
        name: str,
        *,
        title: str = "",
        description: str = "",
        owners: Sequence[str] = (),
        members: Sequence[str] = (),
        roles: Roles | None = None,
        namespaces: Sequence[str] = (),
    ) -> DomainEntry:
        """The domain exists; its owners may do everything in it, `namespaces` are the OpenLineage namespaces it owns.

        Raises:
            AlreadyExists: there is a domain of that name.
        """
        from domain_sdk import _catalog_calls
        from domainmesh.v1 import domain_pb2

        sent = domain_pb2.Domain(name=name, title=title, description=description, owners=owners, members=members)
        sent.namespaces.extend(namespaces)
        sent.roles.extend(domain_pb2.DomainRole(name=role, members=who) for role, who in (roles or {}).items())
        return _catalog_calls.create_domain(self._transport, sent)

    def update_domain(
        self,
        name: str,
        *,
        title: str | None = None,
        description: str | None = None,
        owners: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        roles: Roles | None = None,
        namespaces: Sequence[str] | None = None,
        etag: str = "",
    ) -> DomainEntry:
        """What was given has the new value; None leaves it. With an etag, only if nobody changed the domain since.

        Raises:
            Conflict: the etag is stale.
        """
        from domain_sdk import _catalog_calls
        from domainmesh.v1 import domain_pb2

        given = {"title": title, "description": description, "owners": owners, "members": members, "roles": roles}
        given["namespaces"] = namespaces
        fields = [field for field, value in given.items() if value is not None]
        sent = domain_pb2.Domain(
            name=name, title=title or "", description=description or "", owners=owners, members=members, etag=etag
        )
        sent.roles.extend(domain_pb2.DomainRole(name=role, members=who) for role, who in (roles or {}).items())
        sent.namespaces.extend(namespaces or ())
        return _catalog_calls.update_domain(self._transport, sent, fields)

    def create_principal(
        self,
        name: str,
        *,
        title: str = "",
        groups: Sequence[str] = (),
        roles: Sequence[str] = (),
        purposes: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        is_administrator: bool = False,
    ) -> Principal:
        """The principal exists; it can call once it has a token.

        Raises:
            AlreadyExists: there is a principal of that name.
        """
        from domain_sdk import _identity_calls
        from domainmesh.v1 import principal_pb2

        sent = principal_pb2.Principal(
            name=name,
            title=title,
            groups=groups,
            roles=roles,
            purposes=purposes,
            attributes=attributes,
            is_administrator=is_administrator,
        )
        return _identity_calls.create_principal(self._transport, sent)

    def update_principal(
        self,
        name: str,
        *,
        title: str | None = None,
        groups: Sequence[str] | None = None,
        roles: Sequence[str] | None = None,
        purposes: Sequence[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        is_disabled: bool | None = None,
        is_administrator: bool | None = None,
        etag: str = "",
    ) -> Principal:
        """What was given has the new value; None leaves it. A disabled principal's tokens are refused from the next call on.

        Raises:
            Conflict: the etag is stale.
        """
        from domain_sdk import _identity_calls
        from domainmesh.v1 import principal_pb2

        given = {
            "title": title,
            "groups": groups,
            "roles": roles,
            "purposes": purposes,
            "attributes": attributes,
            "is_disabled": is_disabled,
            "is_administrator": is_administrator,
        }
        changed = {field: value for field, value in given.items() if value is not None}
        sent = principal_pb2.Principal(name=name, etag=etag, **changed)  # type: ignore[arg-type] # checked by the signature
        return _identity_calls.update_principal(self._transport, sent, list(changed))

    def link_identity(self, name: str, subject: str) -> None:
        """Who the identity provider calls `subject` is this principal from now on, with all its rights."""
        from domain_sdk import _identity_calls

        _identity_calls.link_identity(self._transport, checked_text(name, "name", example="user:ana"), subject)

    def unlink_identity(self, subject: str) -> None:
        """Who the identity provider calls `subject` is nobody here any more."""
        from domain_sdk import _identity_calls

        _identity_calls.link_identity(self._transport, "", subject)

    def principals(self) -> list[Principal]:
        """Every principal, by name."""
        from domain_sdk import _identity_calls

        return _identity_calls.list_principals(self._transport)

    def create_token(
        self,
        principal: str = "",
        *,
        description: str = "",
        until: Until | None = None,
        scope: Sequence[str] = (),
        purposes: Sequence[str] = (),
    ) -> NewToken:
        """A token of the principal (the caller when empty). Its secret is shown once.

        It is never wider than the token of this call, and ends with it: when that one expires, or is revoked.

        Args:
            principal: Whose identity it proves.
            description: What it is for.
            until: Exclusive end; None is 90 days, or the end of the token of this call if that is earlier.
            scope: What it is good for, like `["discover,read:finance.ledger"]`; everything when empty.
            purposes: Data is read for one of these only; for any that the principal holds when empty.
        """
        from domain_sdk import _identity_calls

        sent = _identity_calls.to_scope(checked_names(scope, "scope"), checked_names(purposes, "purposes"))
        return _identity_calls.create_token(
            self._transport, principal=principal, description=description, until=until, scope=sent
        )

    def activate_token(self, *, description: str = "") -> NewToken:
        """The token of this call, which somebody else made, is exchanged for one of the caller's own: connect with that.

        Every token that others made for the caller is refused from then on. The caller's approvals count as its own.

        Raises:
            WrongState: nobody else made the token, it has a scope, or the caller has a token or login of its own already.
        """
        from domain_sdk import _identity_calls

        return _identity_calls.activate_token(self._transport, description)

    def tokens(self, principal: str = "") -> list[Token]:
        """The principal's tokens without their secrets; the caller's own when empty."""
        from domain_sdk import _identity_calls

        return _identity_calls.list_tokens(self._transport, principal)

    def revoke_token(self, id: str) -> Token:
        """The token is refused from the next call on."""
        from domain_sdk import _identity_calls

        return _identity_calls.revoke_token(self._transport, id)

    def confirm_token(self, id: str) -> Token:
        """The right one has the token, which another administrator made: it is good for more than reading from now on.

        Ask its holder for the id first. What the holder got by exchange is its own then.

        Raises:
            AccessDenied: the caller is no administrator, or may have made the token itself.
            WrongState: it is not waiting for that.
        """
        from domain_sdk import _identity_calls

        return _identity_calls.confirm_token(self._transport, id)

    def create_purpose(self, name: str, *, parent: str = "", description: str = "") -> Purpose:
        """The purpose exists; what is granted for its parent is granted for it."""
        from domain_sdk import _identity_calls

        return _identity_calls.create_purpose(self._transport, Purpose(name, parent, description))

    def purposes(self) -> list[Purpose]:
        """Every purpose, by name."""
        from domain_sdk import _identity_calls

        return _identity_calls.list_purposes(self._transport)

    def create_guardrail(
        self,
        id: str,
        resource: str,
        *,
        mask: str = "",
        rows: str = "",
        deny_read: bool = False,
        exempt: Sequence[str] = (),
        description: str = "",
    ) -> Guardrail:
        """The guardrail binds every domain. Give exactly one of `mask`, `rows` (a SQL predicate) and `deny_read`.

        Raises:
            InvalidRequest: not exactly one rule was given, or the server refuses it.
        """
        from domain_sdk import _access_calls
        from domainmesh.v1 import grant_pb2

        if sum(map(bool, (mask, rows, deny_read))) != 1:
            raise InvalidRequest(f"Guardrail {id} needs one rule: give mask=, rows= or deny_read=True.", resource=resource)
        sent = grant_pb2.Guardrail(id=id, resource=resource, description=description, exempt=exempt)
        if mask:
            sent.mask = mask
        elif rows:
            sent.row_filter = rows
        else:
            sent.deny_read = True
        return _access_calls.create_guardrail(self._transport, sent)

    def delete_guardrail(self, id: str) -> Guardrail:
        """The guardrail binds no more."""
        from domain_sdk import _access_calls

        return _access_calls.delete_guardrail(self._transport, id)

    def govern_tag(self, tag: str, *, description: str = "") -> GovernedTag:
        """The tag, or the family `pii.*`, is governed: what was ever released with it keeps it until the centre lets it go.

        Raises:
            AlreadyExists: it is governed already.
        """
        from domain_sdk import _tag_calls

        return _tag_calls.govern(self._transport, tag, description)

    def ungovern_tag(self, tag: str) -> GovernedTag:
        """The tag belongs to the domains again, unless a guardrail binds it."""
        from domain_sdk import _tag_calls

        return _tag_calls.ungovern(self._transport, tag)

    def governed_tags(self) -> list[GovernedTag]:
        """The governed tags, by name; a tag that a guardrail binds is governed too and listed with `mesh.guardrails()`."""
        from domain_sdk import _tag_calls

        return _tag_calls.list_governed(self._transport)

    def release_tag(self, object: str, tag: str, *, reason: str) -> TagRelease:
        """The product, port or column (`finance.ledger.entries#iban`) may be released without the governed tag."""
        from domain_sdk import _tag_calls

        return _tag_calls.release(self._transport, object, tag, reason)

    def withdraw_tag_release(self, object: str, tag: str) -> TagRelease:
        """The thing may not lose the tag any more; releases that were made meanwhile stay."""
        from domain_sdk import _tag_calls

        return _tag_calls.withdraw(self._transport, object, tag)

    def tag_releases(self) -> list[TagRelease]:
        """The consents to lose a governed tag, of what the caller may discover."""
        from domain_sdk import _tag_calls

        return _tag_calls.list_releases(self._transport)

    def erase(
        self, tag: str, value: str | Sequence[str], *, reason: str = "", products: Sequence[str] = (), dry_run: bool = False
    ) -> Erasures:
        """The data subjects are in no version, file, passage or cache any more; returned are the receipts, one for each product.

        The list also says what was `searched`: without a receipt, the subjects were nowhere there.

        Versions that held one of them are retired, and one without them takes the place of the one served. Needs `administer` on
        each product. If it breaks off, repeat it. There is no way back.

        Args:
            tag: Of the columns that say who somebody is, like `pii.email`; narrower tags count.
            value: The subject's value in them, or those of several, at most 1,000; case and spaces around one do not count. They
                are looked for at any depth of a column, and neither stored nor logged.
            reason: Needed unless it is a preview; stays in the journal.
            products: Only these; all that the caller may administer when left out.
            dry_run: Only say what would be removed.

        Raises:
            AccessDenied: the caller does not administer a product that is named, or administers none.
            InvalidRequest: no column of these products carries the tag.
            Conflict: a product is half published.
            Overloaded: one is being published just now.
        """
        from domain_sdk import erasure

        return erasure.erase(self._transport, tag, value, reason=reason, products=products, dry_run=dry_run)

    def repair(self, product: str = "") -> tuple[list[str], list[str]]:
        """What crashed publishers and servers left behind is ended: the publications rolled forward, and those given up."""
        from domainmesh.v1.publication_service_pb2 import RepairPublicationsRequest
        from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub

        method = self._transport.control(PublicationServiceStub).RepairPublications
        request = RepairPublicationsRequest(product=product)
        response = self._transport.call(method, request, timeout_seconds=_REPAIR_SECONDS)  # as long as what it may have to repeat
        return list(response.committed), list(response.aborted)
