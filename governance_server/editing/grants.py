"""How grants are edited: by who may grant on their resource. A grant ends by being revoked, and its record stays."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from domainmesh.v1 import approval_rule_pb2, grant_pb2
from governance_server.backend import Backend, stamp
from governance_server.editing.central import acts_for_the_centre
from governance_server.editing.editor import Edit, Editor
from governance_server.editing.ending import end_grant
from governance_server.editing.state import State
from governance_server.granting import check_lifting, rest_grant
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid, Precondition
from governance_server.rules.grants import check_grant, settle_resource
from governance_server.rules.refusals import unknown_purpose
from mesh_core.names import MESH, InvalidName, check_domain

__all__ = ["GrantEditor", "check_rule_id", "located", "prepare_grant", "source_of_resource"]

_ID = re.compile(r"g-[0-9a-f]{16}\Z")
_KEPT_ID = re.compile(r"(?P<domain>[a-z][a-z0-9_-]{0,62}):[a-z0-9][a-z0-9._-]{0,62}\Z")

R = TypeVar("R", grant_pb2.Grant, approval_rule_pb2.ApprovalRule)


class GrantEditor(Editor[grant_pb2.Grant]):
    """Edits grants."""

    kind = kinds.GRANT
    message = grant_pb2.Grant

    def name_of(self, wanted: grant_pb2.Grant) -> str:
        """Its id; a grant without one is named by what it says, so that the same grant is the same one again."""
        if not wanted.id:
            digest = hashlib.sha256(self.content(wanted).SerializeToString(deterministic=True)).hexdigest()
            return f"g-{digest[:16]}"
        if not _ID.match(wanted.id):
            check_rule_id(wanted.id, wanted.resource)
        return wanted.id

    def content(self, message: grant_pb2.Grant) -> grant_pb2.Grant:
        """What it gives to whom on what, for what, when and why; names sorted, each once."""
        content = grant_pb2.Grant(
            id=message.id, subject=message.subject, resource=message.resource, actions=sorted(set(message.actions)),
            effect=message.effect, purpose="" if message.purpose == "*" else message.purpose,
            columns=sorted(set(message.columns)), row_filter=message.row_filter,
            masks=sorted(message.masks, key=lambda mask: (mask.column, mask.mask)), reason=message.reason,
        )  # fmt: skip
        for field in ("start_time", "expire_time"):
            if message.HasField(field):
                getattr(content, field).CopyFrom(getattr(message, field))
        return content

    def authorise(self, edit: Edit, live: grant_pb2.Grant | None, wanted: grant_pb2.Grant | None) -> bool:
        """By who may grant on the resource, and on the one it was on before. Revoking an allowance is never central."""
        policy = edit.backend.policy
        if wanted is not None:  # first, as the other refusal tells that the id is taken
            policy.authorise(edit.caller, "grant", wanted.resource)
        if live is not None and not policy.check(edit.caller, "grant", live.resource).allowed:
            raise denied("change the grant", live.id)  # names no resource: who may not know it must not learn it
        if wanted is None and live is not None and live.effect == grant_pb2.EFFECT_ALLOW:
            return False
        resources = {grant.resource for grant in (live, wanted) if grant is not None}
        return any(it == MESH or acts_for_the_centre(policy, edit.caller, "grant", it) for it in resources)

    def settle(self, edit: Edit, live: grant_pb2.Grant | None, wanted: grant_pb2.Grant) -> grant_pb2.Grant:
        """With its id, its grantor and the time; a product with one port is that port if the grant has columns."""
        settled = grant_pb2.Grant()
        settled.CopyFrom(wanted)
        settled.id, settled.grantor = self.name_of(wanted), edit.caller.name
        _settle(edit.backend, edit.state, settled)
        return settled

    def check(self, edit: Edit, live: grant_pb2.Grant | None, settled: grant_pb2.Grant) -> None:
        """Nobody grants to itself or more than it holds, and the grant is understood and points at what exists."""
        if settled.subject == edit.caller.name:
            raise AccessDenied("Nobody grants to itself: another owner must.", resource=settled.resource)
        if live is not None and live.access_request and not self.is_ended(live):
            raise Precondition(
                f"Grant {live.id} came from request {live.access_request}: revoke it, or let it be requested anew.",
                resource=live.id,
            )
        if live is not None and not self.is_ended(live):
            check_lifting(edit.backend, edit.caller, live)
            if live.break_glass:
                raise Precondition(f"Grant {live.id} is a use of break-glass: end it instead.", resource=live.id)
        if edit.state.get(kinds.GUARDRAIL, settled.id) is not None:
            raise Invalid(f"There is a guardrail {settled.id!r}: choose another id.", resource=settled.resource)
        _check(edit.backend, edit.state, settled)
        rest_grant(edit.backend, edit.state, edit.caller, settled)

    def is_ended(self, live: grant_pb2.Grant) -> bool:
        """Once revoked."""
        return bool(live.revoke_time.seconds)

    def end(self, edit: Edit, live: grant_pb2.Grant, *, reason: str = "") -> Iterable[ResourceWrite]:
        """It is revoked, and the access request it came from is, too."""
        check_lifting(edit.backend, edit.caller, live)
        return list(end_grant(edit.state, live, edit.caller, reason=reason))

    def sources_of(self, message: grant_pb2.Grant) -> Sequence[str]:
        """The folder of its resource's domain; the centre's if it is on the whole mesh."""
        return (source_of_resource(message.resource),)

    def located(self, edit: Edit, content: grant_pb2.Grant) -> grant_pb2.Grant:
        """On the port of a product that has one only, if it is about columns or rows."""
        return located(edit.backend, content)

    def is_derived(self, live: grant_pb2.Grant) -> bool:
        """True if it came from an access request or an emergency."""
        return bool(live.access_request or live.break_glass)


def located(backend: Backend, content: R) -> R:
    """The grant or rule on the port of a product that has one only, if it has columns, masks or a row filter."""
    wanted = grant_pb2.Grant(
        resource=content.resource, columns=content.columns, masks=content.masks, row_filter=content.row_filter
    )
    with suppress(Invalid, InvalidName):  # what cannot be placed is refused when it is checked
        settle_resource(wanted, backend.policy.product_of(wanted.resource))
    placed = type(content)()
    placed.CopyFrom(content)
    placed.resource = wanted.resource
    return placed


def source_of_resource(resource: str) -> str:
    """The source that rules on the resource belong to."""
    return "centre" if resource == MESH else f"domain:{resource.partition('.')[0]}"


def check_rule_id(id: str, resource: str) -> None:
    """Returns if the id is one for a rule on the resource, like `sales:analysts-read`. Raises: Invalid, InvalidName."""
    source = source_of_resource(resource)
    prefix = source.removeprefix("domain:")
    if source != "centre":
        check_domain(prefix)
    found = _KEPT_ID.match(id)
    if found is None or found["domain"] != prefix:
        raise Invalid(
            f"{id!r} cannot be the id of a rule on {resource}: use {prefix}: and a name of a-z 0-9 . _ -, "
            f"like {prefix}:analysts.",
            resource=resource,
        )


def prepare_grant(backend: Backend, state: State, grant: grant_pb2.Grant) -> None:
    """The grant is complete, understood and points at something that exists. Raises: Invalid, InvalidFilter, NotFound."""
    _settle(backend, state, grant)
    _check(backend, state, grant)


def _settle(backend: Backend, state: State, grant: grant_pb2.Grant) -> None:
    settle_resource(grant, backend.policy.product_of(grant.resource))
    for field in ("revoke_time", "revoker", "revoke_reason", "access_request", "approval_rule", "renewed_by", "break_glass"):
        grant.ClearField(field)
    grant.create_time.CopyFrom(stamp(state.time))


def _check(backend: Backend, state: State, grant: grant_pb2.Grant) -> None:
    check_grant(grant, backend.policy.product_of(grant.resource), now=state.time)
    domain = grant.resource.partition(".")[0]
    if grant.resource != MESH and state.get(kinds.DOMAIN, domain) is None:
        raise Invalid(f"There is no domain {domain!r}: grant on a domain, product or port that exists.", resource=grant.resource)
    if grant.purpose and grant.purpose != "*" and state.get(kinds.PURPOSE, grant.purpose) is None:
        raise unknown_purpose(grant.purpose, (name for name, _ in state.list(kinds.PURPOSE)), resource=grant.resource)
