"""How principals and purposes are edited: by the central team. A principal ends by being disabled; its name stays taken."""

from __future__ import annotations

from collections.abc import Iterable

from domainmesh.v1 import access_request_pb2, approval_rule_pb2, grant_pb2, principal_pb2
from governance_server.backend import stamp, store
from governance_server.editing.central import is_administrator
from governance_server.editing.editor import Edit, Editor
from governance_server.editing.seats import check_seats
from governance_server.policy.projection import NO_PURPOSE
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid, NotFound, Precondition
from mesh_core.names import MESH, check_principal, check_purpose

__all__ = ["PrincipalEditor", "PurposeEditor"]


class PrincipalEditor(Editor[principal_pb2.Principal]):
    """Edits principals."""

    kind = kinds.PRINCIPAL
    message = principal_pb2.Principal
    ends_in_content = True

    def name_of(self, wanted: principal_pb2.Principal) -> str:
        """Its name."""
        return check_principal(wanted.name)

    def content(self, message: principal_pb2.Principal) -> principal_pb2.Principal:
        """Everything but its time of creation and etag; names sorted, each once."""
        return principal_pb2.Principal(
            name=message.name, title=message.title, groups=sorted(set(message.groups)), roles=sorted(set(message.roles)),
            purposes=sorted(set(message.purposes)), attributes=message.attributes, is_disabled=message.is_disabled,
            is_administrator=message.is_administrator,
        )  # fmt: skip

    def authorise(self, edit: Edit, live: principal_pb2.Principal | None, wanted: principal_pb2.Principal | None) -> bool:
        """Central, except for disabling somebody who is no administrator. Nobody ends its own seat."""
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
        if live is None:
            return True
        after = self._ended(live) if wanted is None else wanted
        seat = (live.is_disabled, live.is_administrator)
        if live.name == edit.caller.name and seat != (after.is_disabled, after.is_administrator):
            raise AccessDenied("Nobody ends its own seat in the central team: another one must.", resource=live.name)
        is_disabling = after.is_disabled and self.content(after) == self.content(self._ended(live))
        return not is_disabling or is_administrator(edit.backend.policy, live.name)

    def settle(
        self, edit: Edit, live: principal_pb2.Principal | None, wanted: principal_pb2.Principal
    ) -> principal_pb2.Principal:
        """With its time of creation and a new etag."""
        settled = principal_pb2.Principal()
        settled.CopyFrom(wanted)
        settled.create_time.CopyFrom(stamp(edit.state.time) if live is None else live.create_time)
        settled.etag = str(edit.state.revision)
        return settled

    def check(self, edit: Edit, live: principal_pb2.Principal | None, settled: principal_pb2.Principal) -> None:
        """Every name is one that may stand where it stands."""
        check_principal(settled.name)
        if not settled.name.startswith(("user:", "service:", "group:")):
            raise Invalid(f"{settled.name!r} cannot be a principal: use user:, service: or group:.", resource=settled.name)
        for group in settled.groups:
            if not check_principal(group).startswith("group:"):
                raise Invalid(f"{group!r} is not a group: write it as group:name.", resource=settled.name)
        for role in settled.roles:
            if not check_principal(role).startswith("role:") or role.startswith(("role:owner-of-", "role:administrator")):
                raise Invalid(f"{role!r} cannot be given as a mesh-wide role.", resource=settled.name)
        if settled.name in settled.groups:
            raise Invalid(f"{settled.name!r} cannot be in itself: leave it out of its groups.", resource=settled.name)
        for purpose in settled.purposes:
            check_purpose(purpose)
        for attribute in settled.attributes:
            if not attribute.isidentifier():
                raise Invalid(
                    f"Attribute {attribute!r} cannot be used in a filter: use letters, digits and _.", resource=settled.name
                )

        if settled.is_administrator or settled.groups:
            check_seats(edit)

    def is_ended(self, live: principal_pb2.Principal) -> bool:
        """A disabled principal is kept for the record."""
        return live.is_disabled

    def end(self, edit: Edit, live: principal_pb2.Principal) -> Iterable[ResourceWrite]:
        """It is disabled."""
        ended = self.settle(edit, live, self._ended(live))
        return (store(self.kind, ended.name, ended),)

    def _ended(self, live: principal_pb2.Principal) -> principal_pb2.Principal:
        ended = principal_pb2.Principal()
        ended.CopyFrom(live)
        ended.is_disabled = True
        return ended


class PurposeEditor(Editor[principal_pb2.Purpose]):
    """Edits purposes."""

    kind = kinds.PURPOSE
    message = principal_pb2.Purpose

    def name_of(self, wanted: principal_pb2.Purpose) -> str:
        """Its name."""
        return check_purpose(wanted.name)

    def content(self, message: principal_pb2.Purpose) -> principal_pb2.Purpose:
        """All of it."""
        return principal_pb2.Purpose(name=message.name, parent=message.parent, description=message.description)

    def authorise(self, edit: Edit, live: principal_pb2.Purpose | None, wanted: principal_pb2.Purpose | None) -> bool:
        """Central."""
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
        return True

    def settle(self, edit: Edit, live: principal_pb2.Purpose | None, wanted: principal_pb2.Purpose) -> principal_pb2.Purpose:
        """As wanted: the server sets nothing."""
        return self.content(wanted)

    def check(self, edit: Edit, live: principal_pb2.Purpose | None, settled: principal_pb2.Purpose) -> None:
        """Its name is free for purposes, and the purposes above it exist and do not come back to it."""
        if check_purpose(settled.name) == NO_PURPOSE:
            raise Invalid(f"{NO_PURPOSE!r} stands for no purpose: choose another name.", resource=settled.name)
        above, seen = settled.parent, {settled.name}
        while above:
            if above in seen:
                raise Invalid(f"The purposes above {settled.name!r} lead in a circle back to {above!r}.", resource=settled.name)
            seen.add(above)
            wider = self.live(edit.state, above)
            if wider is None:
                raise NotFound(f"There is no purpose {above!r} above {settled.name!r}: create it first.", resource=settled.name)
            above = wider.parent

    def check_end(self, edit: Edit, live: principal_pb2.Purpose) -> None:
        """A purpose that anything names stays."""
        users = list(_uses_of(edit, live.name))
        if users:
            shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
            raise Precondition(f"Purpose {live.name!r} cannot be removed while it is used by: {shown}.", resource=live.name)


def _uses_of(edit: Edit, purpose: str) -> Iterable[str]:
    for name, body in edit.state.list(kinds.PURPOSE):
        if principal_pb2.Purpose.FromString(body).parent == purpose:
            yield f"purpose {name}"
    for name, body in edit.state.list(kinds.PRINCIPAL):
        if purpose in principal_pb2.Principal.FromString(body).purposes:
            yield name
    for name, body in edit.state.list(kinds.GUARDRAIL):
        if f"purpose:{purpose}" in grant_pb2.Guardrail.FromString(body).exempt:
            yield f"guardrail {name}"
    for name, body in edit.state.list(kinds.GRANT):
        grant = grant_pb2.Grant.FromString(body)
        if grant.purpose == purpose and not grant.revoke_time.seconds:
            yield f"grant {name}"
    for name, body in edit.state.list(kinds.APPROVAL_RULE):
        if approval_rule_pb2.ApprovalRule.FromString(body).purpose == purpose:
            yield f"approval rule {name}"
    for name, body in edit.state.list(kinds.ACCESS_REQUEST):
        request = access_request_pb2.AccessRequest.FromString(body)
        if request.purpose == purpose and request.state == access_request_pb2.ACCESS_REQUEST_STATE_REQUESTED:
            yield f"access request {name}"
