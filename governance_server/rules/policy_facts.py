"""What each resource means for policy: resources in, policy rows out.

Owns the translation of domains, principals, purposes, grants, guardrails and products into the rows of `policy/model.conf`
(design §5, ADR 0001 decisions 6 and 7). Pure; knows nothing of engines, storage or the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from sys import intern

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2, product_pb2
from governance_server.rules.policy_rows import (
    ACTIONS,
    ANY,
    FOREVER,
    FROM_THE_START,
    NO_EXEMPTION,
    Link,
    Row,
    Rule,
    domain_of,
)
from mesh_core.names import MESH, column_object, tag_object

__all__ = [
    "ADMINISTRATOR",
    "BASE_ROWS",
    "BREAK_GLASS_ROLE",
    "OWN_PEOPLE",
    "domain_rows",
    "exemption_role",
    "grant_rows",
    "guardrail_object",
    "guardrail_rows",
    "identity_rows",
    "own_data_rows",
    "policy_time",
    "principal_rows",
    "product_rows",
    "purpose_rows",
    "tag_link",
]

ADMINISTRATOR = "role:administrator"
"""The mesh-wide role of the central governance team: it governs everything and reads nothing."""

BREAK_GLASS_ROLE = "role:break-glass"
"""The mesh-wide role whose holders may open a port for themselves in an emergency (ADR 0009)."""

OWN_PEOPLE = "domain:*"
"""Exempt from a guardrail: in each domain its owners and members, for that domain's own data."""

_MEMBER_ACTIONS = ("discover", "request", "read", "write")


def _rule(rid: str, *, sub: str, obj: str, act: str, dom: str | None = None) -> Rule:
    return Rule(
        section="p", sub=sub, dom=domain_of(obj) if dom is None else dom, obj=obj, act=act, purpose=ANY, unless=NO_EXEMPTION,
        nbf=FROM_THE_START, exp=FOREVER, value="allow", kind="grant", rid=rid,
    )  # fmt: skip


BASE_ROWS: tuple[Row, ...] = tuple(
    _rule("base:administrator", sub=ADMINISTRATOR, obj=MESH, act=act) for act in ("administer", "discover", "grant", "request")
)
"""Rows that hold in every mesh: the central team governs, and may ask; none of these lets it read data, or let others read."""


def policy_time(stamp: Timestamp | None, *, default: str) -> str:
    """The stamp as policy text, cut to whole seconds; the default if it is not set."""
    if stamp is None or not (stamp.seconds or stamp.nanos):
        return default
    return datetime.fromtimestamp(stamp.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def domain_rows(domain: domain_pb2.Domain) -> Iterator[Row]:
    """Owners do everything in their domain; owners and members discover, request, read and write; local roles have members."""
    name = domain.name
    rid, everyone, owner = f"domain:{name}", f"domain:{name}", f"role:owner-of-{name}"
    for act in sorted(ACTIONS):
        yield _rule(rid, sub=owner, obj=name, act=act)
    for act in _MEMBER_ACTIONS:
        yield _rule(rid, sub=everyone, obj=name, act=act)
    for person in domain.owners:
        yield Link("g", person, owner, ANY)
        yield Link("g", person, everyone, ANY)
    for person in domain.members:
        yield Link("g", person, everyone, ANY)
    for role in domain.roles:
        for person in role.members:
            yield Link("g", person, role.name, name)


def principal_rows(principal: principal_pb2.Principal) -> Iterator[Row]:
    """A principal's groups and mesh-wide roles."""
    for parent in (*principal.groups, *principal.roles):
        yield Link("g", principal.name, parent, ANY)
    if principal.is_administrator:
        yield Link("g", principal.name, ADMINISTRATOR, ANY)


def identity_rows(identity: principal_pb2.Identity) -> Iterator[Row]:
    """The groups that the identity provider says its principal is in."""
    for group in identity.groups:
        yield Link("g", identity.principal, group, ANY)


def purpose_rows(purpose: principal_pb2.Purpose) -> Iterator[Row]:
    """A purpose's place in the hierarchy."""
    if purpose.parent:
        yield Link("g3", purpose.name, purpose.parent)


def grant_rows(grant: grant_pb2.Grant) -> Iterator[Row]:
    """The effect, masks and row filter of a grant, all with one `rid`; none once it is revoked."""
    if grant.revoke_time.seconds:
        return
    objects = [column_object(grant.resource, column) for column in grant.columns] or [grant.resource]
    effect = "deny" if grant.effect != grant_pb2.EFFECT_ALLOW else "allow"
    for act in sorted(set(grant.actions)):
        targets = objects if act == "read" else [grant.resource]
        for obj in targets:
            yield _grant_rule(grant, section="p", obj=obj, act=act, value=effect)
    if "read" in grant.actions:
        for mask in grant.masks:
            yield _grant_rule(grant, section="p2", obj=column_object(grant.resource, mask.column), act="read", value=mask.mask)
        if grant.row_filter:
            yield _grant_rule(grant, section="p3", obj=grant.resource, act="read", value=grant.id)


def _grant_rule(grant: grant_pb2.Grant, *, section: str, obj: str, act: str, value: str) -> Rule:
    return Rule(
        section=section,  # type: ignore[arg-type]  # p, p2 or p3, from the three calls above
        sub=intern(grant.subject), dom=intern(domain_of(obj)), obj=intern(obj), act=intern(act),
        purpose=intern(grant.purpose) or ANY, unless=NO_EXEMPTION,
        nbf=policy_time(grant.start_time, default=FROM_THE_START), exp=policy_time(grant.expire_time, default=FOREVER),
        value=value, kind="grant", rid=grant.id,
    )  # fmt: skip


def exemption_role(guardrail_id: str) -> str:
    """The role (and purpose) that whoever is exempt from the guardrail is linked to."""
    return f"exempt:{guardrail_id}"


def guardrail_rows(guardrail: grant_pb2.Guardrail) -> Iterator[Row]:
    """The obligation or ban of a guardrail, in every domain, and links of the exempt to its exemption role.

    If each domain's own people are exempt, its rule differs from domain to domain: see `own_data_rows`.
    """
    role = exemption_role(guardrail.id)
    if OWN_PEOPLE not in guardrail.exempt:
        yield _guard_rule(guardrail, dom=ANY, unless=role if guardrail.exempt else NO_EXEMPTION)
    for exempt in guardrail.exempt:
        if exempt.startswith("purpose:"):
            yield Link("g3", exempt.removeprefix("purpose:"), role)
        elif exempt != OWN_PEOPLE:
            yield Link("g", exempt, role, ANY)


def own_data_rows(guardrail: grant_pb2.Guardrail, domains: Iterable[str]) -> Iterator[Row]:
    """The rules, domain by domain, of a guardrail that does not bind a domain's own people on its own data.

    Whoever is exempt everywhere is exempt in each: its role leads to the role of the domain.
    """
    role, home = exemption_role(guardrail.id), domain_of(guardrail_object(guardrail.resource))
    kinds = {"g3" if exempt.startswith("purpose:") else "g" for exempt in guardrail.exempt if exempt != OWN_PEOPLE}
    for domain in domains:
        if home in (ANY, domain):
            own = f"{role}@{domain}"
            yield _guard_rule(guardrail, dom=domain, unless=own)
            yield Link("g", f"domain:{domain}", own, ANY)
            yield from (Link("g", role, own, ANY) if kind == "g" else Link("g3", role, own) for kind in sorted(kinds))


def _guard_rule(guardrail: grant_pb2.Guardrail, *, dom: str, unless: str) -> Rule:
    rule = guardrail.WhichOneof("rule")
    section, value = {"mask": ("p2", guardrail.mask), "row_filter": ("p3", guardrail.id)}.get(rule or "", ("p", "deny"))
    return Rule(
        section=section,  # type: ignore[arg-type]  # p, p2 or p3, from the table above
        sub=ANY, dom=dom, obj=guardrail_object(guardrail.resource), act="read", purpose=ANY, unless=unless,
        nbf=FROM_THE_START, exp=FOREVER, value=value, kind="guard", rid=guardrail.id,
    )  # fmt: skip


def guardrail_object(resource: str) -> str:
    """The object that a guardrail's rules are on."""
    return tag_object(resource) if resource.startswith("tag:") else resource


def tag_link(obj: str, tag: str) -> Link:
    """The link by which an object carries a tag."""
    return Link("g2", obj, tag_object(tag))


def product_rows(product: product_pb2.Product) -> Iterator[Row]:
    """The declared tags of a product, its ports and columns; and what keeps a quarantine to the owning domain's people."""
    yield from _tag_links(product.name, product.tags)
    for port in product.ports:
        yield from _tag_links(port.name, port.tags)
        for column in port.columns:
            yield from _tag_links(column_object(port.name, column.name), column.tags)
        if port.is_quarantine:
            yield from _quarantine_rows(port.name)


def _quarantine_rows(port: str) -> Iterator[Row]:
    """Nobody reads the port, whatever is granted, but the owners and members of its domain."""
    domain = domain_of(port)
    role = exemption_role(f"quarantine@{port}")
    yield Rule(
        section="p", sub=ANY, dom=domain, obj=port, act="read", purpose=ANY, unless=role, nbf=FROM_THE_START, exp=FOREVER,
        value="deny", kind="guard", rid=f"quarantine@{port}",
    )  # fmt: skip
    yield Link("g", f"domain:{domain}", role, ANY)


def _tag_links(obj: str, tags: Iterable[str]) -> Iterator[Link]:
    for tag in sorted(set(tags)):
        yield tag_link(obj, tag)
