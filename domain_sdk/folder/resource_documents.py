"""Each kind of resource as the document its file holds, and back; the two directions stand side by side.

A document has only what is set: an empty title is no title. What belongs to the server (times, etags, who did it) is in no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import approval_rule_pb2, domain_pb2, governed_tag_pb2, grant_pb2, principal_pb2

__all__ = [
    "approval_rule_document",
    "approval_rule_message",
    "domain_document",
    "domain_message",
    "grant_document",
    "grant_message",
    "guardrail_document",
    "guardrail_message",
    "membership_document",
    "membership_message",
    "principal_document",
    "principal_message",
    "purpose_document",
    "purpose_message",
    "release_document",
    "release_message",
    "role_document",
    "role_message",
    "tag_document",
    "tag_message",
]

Document = dict[str, Any]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def domain_document(domain: domain_pb2.Domain) -> Document:
    """`domain.yaml`: what the domain says about itself."""
    return _given(name=domain.name, description=domain.description)


def domain_message(document: Mapping[str, Any]) -> domain_pb2.Domain:
    """The domain with nothing but what its owners may change, roles apart."""
    return domain_pb2.Domain(**document)


def membership_document(domain: domain_pb2.Domain) -> Document:
    """An entry of `domains.yaml`: whose the domain is."""
    return _given(
        name=domain.name, title=domain.title, owners=domain.owners, members=domain.members, namespaces=domain.namespaces
    )


def membership_message(document: Mapping[str, Any]) -> domain_pb2.Domain:
    """The domain with nothing but what only the centre may change."""
    return domain_pb2.Domain(**document)


def role_document(role: domain_pb2.DomainRole) -> Document:
    """An entry of `roles`."""
    return _given(name=role.name, members=role.members)


def role_message(document: Mapping[str, Any]) -> domain_pb2.DomainRole:
    """A role within one domain."""
    return domain_pb2.DomainRole(**document)


def principal_document(principal: principal_pb2.Principal) -> Document:
    """An entry of `principals.yaml`."""
    return _given(
        name=principal.name,
        title=principal.title,
        groups=principal.groups,
        roles=principal.roles,
        purposes=principal.purposes,
        attributes=principal.attributes,
        is_administrator=principal.is_administrator,
        is_disabled=principal.is_disabled,
    )


def principal_message(document: Mapping[str, Any]) -> principal_pb2.Principal:
    """The principal."""
    return principal_pb2.Principal(**document)


def purpose_document(purpose: principal_pb2.Purpose) -> Document:
    """An entry of `purposes.yaml`."""
    return _given(name=purpose.name, parent=purpose.parent, description=purpose.description)


def purpose_message(document: Mapping[str, Any]) -> principal_pb2.Purpose:
    """The purpose."""
    return principal_pb2.Purpose(**document)


def tag_document(tag: governed_tag_pb2.GovernedTag) -> Document:
    """An entry of `tags`."""
    return _given(tag=tag.tag, description=tag.description)


def tag_message(document: Mapping[str, Any]) -> governed_tag_pb2.GovernedTag:
    """A tag that the centre governs."""
    return governed_tag_pb2.GovernedTag(**document)


def release_document(release: governed_tag_pb2.TagRelease) -> Document:
    """An entry of `releases`."""
    return _given(object=release.object, tag=release.tag, reason=release.reason)


def release_message(document: Mapping[str, Any]) -> governed_tag_pb2.TagRelease:
    """The centre's consent that a thing loses a governed tag."""
    return governed_tag_pb2.TagRelease(**document)


def guardrail_document(guardrail: grant_pb2.Guardrail) -> Document:
    """An entry of `guardrails.yaml`."""
    return _given(
        id=guardrail.id,
        description=guardrail.description,
        resource=guardrail.resource,
        mask=guardrail.mask,
        rows=guardrail.row_filter,
        deny_read=guardrail.deny_read,
        exempt=guardrail.exempt,
    )


def guardrail_message(document: Mapping[str, Any]) -> grant_pb2.Guardrail:
    """The guardrail."""
    return grant_pb2.Guardrail(**_with_filter(document))


def grant_document(grant: grant_pb2.Grant, *, id: str) -> Document:
    """An entry of `grants`, under the id it has in its file."""
    return _given(
        id=id,
        subject=grant.subject,
        resource=grant.resource,
        actions=grant.actions,
        deny=grant.effect == grant_pb2.EFFECT_DENY,
        purpose=grant.purpose,
        columns=grant.columns,
        rows=grant.row_filter,
        masks={it.column: it.mask for it in grant.masks},
        since=_time_text(grant.start_time) if grant.HasField("start_time") else "",
        until=_time_text(grant.expire_time) if grant.HasField("expire_time") else "",
        reason=grant.reason,
    )


def grant_message(document: Mapping[str, Any], *, id: str) -> grant_pb2.Grant:
    """The grant under its id in the mesh.

    Raises:
        ValueError: a time is none, such as the 30th of February; the message names it.
    """
    plain = {name: it for name, it in _with_filter(document).items() if name not in ("id", "deny", "masks", "since", "until")}
    effect = grant_pb2.EFFECT_DENY if document.get("deny") else grant_pb2.EFFECT_ALLOW
    grant = grant_pb2.Grant(**plain, id=id, effect=effect, masks=_masks(document))
    for name, field in (("since", grant.start_time), ("until", grant.expire_time)):
        if name in document:
            field.CopyFrom(_timestamp(document[name]))
    return grant


def approval_rule_document(rule: approval_rule_pb2.ApprovalRule, *, id: str) -> Document:
    """An entry of `approval_rules`, under the id it has in its file."""
    document = _given(
        id=id,
        subjects=rule.subjects,
        resource=rule.resource,
        purpose=rule.purpose,
        columns=rule.columns,
        rows=rule.row_filter,
        masks={it.column: it.mask for it in rule.masks},
        reason=rule.reason,
        is_disabled=rule.is_disabled,
    )
    return {**document, "longest_days": rule.longest_days} if rule.longest_days else document


def approval_rule_message(document: Mapping[str, Any], *, id: str) -> approval_rule_pb2.ApprovalRule:
    """The approval rule under its id in the mesh."""
    plain = {name: it for name, it in _with_filter(document).items() if name not in ("id", "masks")}
    return approval_rule_pb2.ApprovalRule(**plain, id=id, masks=_masks(document))


def _given(**fields: Any) -> Document:  # noqa: ANN401 # values of messages, of any kind
    """What is not empty: lists without repetitions, mappings by key."""
    document: Document = {}
    for name, value in fields.items():
        if value:
            document[name] = _plain(value)
    return document


def _plain(value: Any) -> Any:  # noqa: ANN401 # as above
    if isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    return list(dict.fromkeys(value))


def _with_filter(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `rows` under the name it has on the wire."""
    return {"row_filter" if name == "rows" else name: value for name, value in document.items()}


def _masks(document: Mapping[str, Any]) -> list[grant_pb2.ColumnMask]:
    return [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in sorted(document.get("masks", {}).items())]


def _time_text(stamp: Timestamp) -> str:
    """The day if it is midnight in UTC, else the time to the last digit that counts."""
    return str(stamp.ToJsonString()).removesuffix("T00:00:00Z")


def _timestamp(text: str) -> Timestamp:
    stamp = Timestamp()
    try:
        stamp.FromJsonString(f"{text}T00:00:00Z" if _DAY.match(text) else text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day and no time: write 2027-01-01 or 2027-01-01T12:00:00Z.") from error
    return stamp
