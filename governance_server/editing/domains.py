"""How domains are edited: the centre names owners and members, an owner describes its domain and keeps its roles."""

from __future__ import annotations

from collections.abc import Sequence

from domainmesh.v1 import domain_pb2, grant_pb2
from governance_server.backend import stamp
from governance_server.editing.central import acts_for_the_centre
from governance_server.editing.editor import Edit, Editor, merged
from governance_server.granting import holds_office
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.change_plans import CENTRE
from governance_server.rules.errors import AccessDenied, Invalid, Precondition
from governance_server.rules.namespace_owners import check_registration
from governance_server.rules.policy_facts import domain_rows
from governance_server.rules.policy_rows import Link, UnreadableRule, check_link, check_rule
from mesh_core.names import MESH, check_domain, check_principal

__all__ = ["CENTRAL_FIELDS", "OWNER_FIELDS", "DomainEditor"]

CENTRAL_FIELDS = frozenset({"title", "owners", "members", "namespaces"})
OWNER_FIELDS = frozenset({"description", "roles"})
_FIELDS = ("title", "owners", "members", "description", "roles", "namespaces")
_RESERVED = frozenset({"domain", "base", "centre"})
"""Names whose grants would be called like base rights (`domain:sales`, `base:administrator`)."""


class DomainEditor(Editor[domain_pb2.Domain]):
    """Edits domains."""

    kind = kinds.DOMAIN
    message = domain_pb2.Domain

    def name_of(self, wanted: domain_pb2.Domain) -> str:
        """Its name."""
        return check_domain(wanted.name)

    def content(self, message: domain_pb2.Domain) -> domain_pb2.Domain:
        """Name, title, description, owners, members, roles and namespaces; names sorted, each once."""
        roles = [
            domain_pb2.DomainRole(name=role.name, members=sorted(set(role.members)))
            for role in sorted(message.roles, key=lambda role: role.name)
        ]
        return domain_pb2.Domain(
            name=message.name, title=message.title, description=message.description, owners=sorted(set(message.owners)),
            members=sorted(set(message.members)), roles=roles, namespaces=sorted(set(message.namespaces)),
        )  # fmt: skip

    def authorise(self, edit: Edit, live: domain_pb2.Domain | None, wanted: domain_pb2.Domain | None) -> bool:
        """Creating, ending, owners, members and title are the centre's; the rest is an owner's, too."""
        name = (live or wanted or domain_pb2.Domain()).name
        policy = edit.backend.policy
        if live is None or wanted is None or self._has_central_change(live, wanted):
            if not policy.check(edit.caller, "administer", MESH).allowed:
                raise denied("administer", name)
            return True
        policy.authorise(edit.caller, "administer", name)
        return acts_for_the_centre(policy, edit.caller, "administer", name)

    def _has_central_change(self, live: domain_pb2.Domain, wanted: domain_pb2.Domain) -> bool:
        before, after = self.content(live), self.content(wanted)
        return any(getattr(before, field) != getattr(after, field) for field in CENTRAL_FIELDS)

    def settle(self, edit: Edit, live: domain_pb2.Domain | None, wanted: domain_pb2.Domain) -> domain_pb2.Domain:
        """With its time of creation and a new etag."""
        settled = domain_pb2.Domain()
        settled.CopyFrom(wanted)
        settled.create_time.CopyFrom(stamp(edit.state.time) if live is None else live.create_time)
        settled.etag = str(edit.state.revision)
        return settled

    def check(self, edit: Edit, live: domain_pb2.Domain | None, settled: domain_pb2.Domain) -> None:
        """Every name is one, and the rows it means are understood."""
        if check_domain(settled.name) in _RESERVED:
            raise Invalid(f"{settled.name!r} stands for something else in rules: choose another name.", resource=settled.name)
        if live is not None and _joins(live, settled) and not holds_office(edit.backend, edit.caller, settled.name):
            raise AccessDenied(
                "Whoever joins a role gets what it may do: an owner of the domain must add it.", resource=settled.name
            )
        for person in (*settled.owners, *settled.members, *(p for role in settled.roles for p in role.members)):
            check_principal(person)
        for role in settled.roles:
            check_principal(role.name)
            if not role.name.startswith("role:") or role.name.startswith("role:owner-of-") or role.name == "role:administrator":
                raise Invalid(f"{role.name!r} cannot be a role of a domain: use a name like role:analyst.", resource=settled.name)
        _check_namespaces(edit, settled)
        try:
            for row in domain_rows(settled):
                check_link(row) if isinstance(row, Link) else check_rule(row)
        except UnreadableRule as error:
            raise Invalid(str(error), resource=settled.name) from None

    def check_end(self, edit: Edit, live: domain_pb2.Domain) -> None:
        """A domain with products, grants or approval rules stays."""
        name, users = live.name, []
        users += [f"product {product}" for product, _ in edit.state.list(kinds.PRODUCT, domain=name)]
        users += [f"contract of {product}" for product, _ in edit.state.list(kinds.REGISTERED_CONTRACT, domain=name)]
        for _, body in edit.state.list(kinds.GRANT):
            grant = grant_pb2.Grant.FromString(body)
            on_it = grant.resource.partition(".")[0] == name or grant.subject == f"domain:{name}"
            if on_it and not grant.revoke_time.seconds:
                users.append(f"grant {grant.id}")
        users += [f"approval rule {rule}" for rule, _ in edit.state.list(kinds.APPROVAL_RULE, prefix=f"{name}:")]
        for _, body in edit.state.list(kinds.GUARDRAIL):
            guardrail = grant_pb2.Guardrail.FromString(body)
            if guardrail.resource.partition(".")[0] == name or f"domain:{name}" in guardrail.exempt:
                users.append(f"guardrail {guardrail.id}")
        if users:
            shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
            raise Precondition(f"Domain {name!r} cannot be removed while there are: {shown}.", resource=name)

    def sources_of(self, message: domain_pb2.Domain) -> Sequence[str]:
        """Whose it is belongs to the centre, what it says of itself to its own folder."""
        return (CENTRE, f"domain:{message.name}")

    def view(self, content: domain_pb2.Domain, source: str) -> domain_pb2.Domain:
        """The fields of the centre or those of the domain's own folder."""
        view = domain_pb2.Domain()
        view.CopyFrom(content)
        for field in _others(source):
            view.ClearField(field)  # type: ignore[arg-type]  # names of fields of Domain
        return view

    def complete(self, live: domain_pb2.Domain | None, content: domain_pb2.Domain, source: str) -> domain_pb2.Domain:
        """With what the other source says; a domain begins with the centre."""
        if live is None and source not in ("", CENTRE):
            raise Invalid(f"There is no domain {content.name!r} yet: the central team creates it first.", resource=content.name)
        return content if live is None else merged(self.content(live), content, frozenset(_FIELDS) - _others(source))


def _check_namespaces(edit: Edit, settled: domain_pb2.Domain) -> None:
    """Returns if every namespace is one and no other domain has it. Raises: InvalidName, Invalid."""
    wanted = {check_registration(text) for text in settled.namespaces}
    for name, body in edit.state.list(kinds.DOMAIN) if wanted else ():
        taken = wanted & set(domain_pb2.Domain.FromString(body).namespaces) if name != settled.name else set()
        if taken:
            shown = ", ".join(sorted(taken))
            raise Invalid(f"{shown} is registered for {name!r}: a namespace has one owner.", resource=settled.name)


def _others(source: str) -> frozenset[str]:
    """The fields that are not the source's to say."""
    return frozenset() if not source else OWNER_FIELDS if source == CENTRE else CENTRAL_FIELDS


def _joins(before: domain_pb2.Domain, after: domain_pb2.Domain) -> bool:
    """True if somebody gains a role of the domain."""
    had, has = ({(role.name, member) for role in domain.roles for member in role.members} for domain in (before, after))
    return not has <= had
