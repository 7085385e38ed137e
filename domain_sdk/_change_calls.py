"""Change-set calls, from the wire to values and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from domain_sdk._paging import all_items
from domain_sdk._question_calls import to_impact
from domain_sdk._times import from_timestamp, to_instant
from domain_sdk._transport import Transport
from domain_sdk.changes import (
    ChangePlan,
    ChangeSet,
    ChangeSetState,
    FieldDifference,
    Kind,
    PlannedAction,
    PlannedChange,
    Resource,
)
from domain_sdk.errors import InvalidRequest, Violation
from domainmesh.v1 import change_set_pb2 as messages
from domainmesh.v1 import change_set_service_pb2 as pb
from domainmesh.v1.change_set_service_pb2_grpc import ChangeSetServiceStub

__all__ = ["apply", "approve", "export", "exported", "get", "list_sets", "plan", "reject", "to_desired", "withdraw"]

_EFFECTS = {"allow": "EFFECT_ALLOW", "deny": "EFFECT_DENY"}
_EFFECT_NAMES = {name: text for text, name in _EFFECTS.items()}


def plan(transport: Transport, resources: Iterable[Resource | messages.DesiredResource], source: str) -> ChangePlan:
    """What applying the resources would change."""
    request = pb.PlanChangesRequest(source=source, resources=to_desired(resources))
    response = transport.call(transport.control(ChangeSetServiceStub).PlanChanges, request)
    return ChangePlan(
        changes=_changes(response.changes), etag=response.etag, revision=response.revision,
        needs_second_person=response.needs_second_person, approvers=tuple(response.approvers),
        unmanaged=tuple(response.unmanaged), impact=to_impact(response.impact) if response.HasField("impact") else None,
    )  # fmt: skip


def apply(
    transport: Transport,
    resources: Iterable[Resource | messages.DesiredResource],
    *,
    source: str,
    reason: str,
    etag: str,
    validate_only: bool,
) -> ChangeSet:
    """All of it is written, or filed as a proposal."""
    request = pb.ApplyChangesRequest(
        source=source, resources=to_desired(resources), reason=reason, etag=etag, validate_only=validate_only
    )
    return to_change_set(transport.call(transport.control(ChangeSetServiceStub).ApplyChanges, request))


def approve(transport: Transport, id: str, reason: str) -> ChangeSet:
    """The proposal is applied."""
    request = pb.ApproveChangesRequest(id=id, reason=reason)
    return to_change_set(transport.call(transport.control(ChangeSetServiceStub).ApproveChanges, request))


def reject(transport: Transport, id: str, reason: str) -> ChangeSet:
    """The proposal is rejected."""
    request = pb.RejectChangesRequest(id=id, reason=reason)
    return to_change_set(transport.call(transport.control(ChangeSetServiceStub).RejectChanges, request))


def withdraw(transport: Transport, id: str) -> ChangeSet:
    """The proposal is taken back."""
    request = pb.WithdrawChangesRequest(id=id)
    return to_change_set(transport.call(transport.control(ChangeSetServiceStub).WithdrawChanges, request))


def get(transport: Transport, id: str) -> ChangeSet:
    """The change set with its resources."""
    return to_change_set(transport.call(transport.control(ChangeSetServiceStub).GetChanges, pb.GetChangesRequest(id=id)))


def list_sets(transport: Transport, *, state: str, source: str, limit: int | None) -> list[ChangeSet]:
    """The change sets the caller may see, newest first."""
    number = messages.CHANGE_SET_STATE_UNSPECIFIED
    if state:
        name = f"CHANGE_SET_STATE_{state.upper()}"
        if name not in messages.ChangeSetState.keys():  # noqa: SIM118  # an enum wrapper
            raise InvalidRequest(f"{state!r} is no state of a change set: use proposed, applied, rejected or withdrawn.")
        number = messages.ChangeSetState.Value(name)
    request = pb.ListChangeSetsRequest(state=number, source=source)
    method = transport.control(ChangeSetServiceStub).ListChangeSets
    return [to_change_set(it) for it in all_items(transport, method, request, field="change_sets", limit=limit)]


def exported(transport: Transport, *, source: str = "") -> list[messages.DesiredResource]:
    """The mesh as far as the caller administers it, as it came."""
    method = transport.control(ChangeSetServiceStub).ExportMesh
    return list(all_items(transport, method, pb.ExportMeshRequest(source=source), field="resources"))


def export(transport: Transport, *, source: str, include_requested: bool) -> list[Resource]:
    """The mesh as far as the caller administers it."""
    request = pb.ExportMeshRequest(source=source, include_requested=include_requested)
    method = transport.control(ChangeSetServiceStub).ExportMesh
    return [_resource(it) for it in all_items(transport, method, request, field="resources")]


def to_desired(resources: Iterable[Resource | messages.DesiredResource]) -> list[messages.DesiredResource]:
    """The resources on the wire. Raises: InvalidRequest, with every problem of every resource."""
    desired, problems = [], []
    for resource in resources:
        try:
            desired.append(_desired(resource) if isinstance(resource, Resource) else resource)
        except (ParseError, InvalidRequest, TypeError, ValueError) as error:
            assert isinstance(resource, Resource)
            name = resource.fields.get("name") or resource.fields.get("id") or ""
            problems.append(Violation(f"{resource.kind} {name}".strip(), str(error)))
    if problems:
        raise InvalidRequest("The resources cannot be understood: mend what is listed.", violations=problems)
    return desired


def _desired(resource: Resource) -> messages.DesiredResource:
    desired = messages.DesiredResource(is_absent=resource.is_absent)
    if resource.kind not in {field.name for field in messages.DesiredResource.DESCRIPTOR.oneofs[0].fields}:
        raise InvalidRequest(f"{resource.kind!r} is no kind of resource that a change set holds.")
    message = getattr(desired, resource.kind)
    message.SetInParent()
    ParseDict(_wire_fields(resource.fields, message.DESCRIPTOR), message)
    return desired


def _wire_fields(fields: Mapping[str, object], descriptor: Descriptor) -> dict[str, object]:
    """The fields as proto's JSON has them: times in full, effects by their enum's names."""
    wire: dict[str, object] = {}
    for name, value in fields.items():
        known = descriptor.fields_by_name.get(name)
        kind = known.message_type.full_name if known is not None and known.message_type is not None else ""
        if kind == "google.protobuf.Timestamp" and isinstance(value, str | date):
            wire[name] = to_instant(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        elif name == "effect" and isinstance(value, str):
            wire[name] = _EFFECTS.get(value, value)
        else:
            wire[name] = value
    return wire


def _resource(desired: messages.DesiredResource) -> Resource:
    kind = cast(Kind, desired.WhichOneof("resource"))
    fields: dict[str, Any] = MessageToDict(getattr(desired, kind), preserving_proto_field_name=True)
    if "effect" in fields:
        fields["effect"] = _EFFECT_NAMES.get(fields["effect"], fields["effect"])
    return Resource(kind, fields, desired.is_absent)


def to_change_set(message: messages.ChangeSet) -> ChangeSet:
    state = messages.ChangeSetState.Name(message.state).removeprefix("CHANGE_SET_STATE_").lower()
    return ChangeSet(
        id=message.id, source=message.source, resources=tuple(map(_resource, message.resources)), reason=message.reason,
        state=cast(ChangeSetState, state), changes=_changes(message.changes), proposer=message.proposer,
        create_time=from_timestamp(message, "create_time"), approver=message.approver,
        decide_time=from_timestamp(message, "decide_time"), decision_reason=message.decision_reason,
        base_revision=message.base_revision, etag=message.etag, approvers=tuple(message.approvers),
        impact=to_impact(message.impact) if message.HasField("impact") else None,
    )  # fmt: skip


def _changes(changes: Iterable[messages.PlannedChange]) -> tuple[PlannedChange, ...]:
    return tuple(
        PlannedChange(
            action=cast(
                PlannedAction, messages.PlannedAction.Name(change.action).removeprefix("PLANNED_ACTION_").lower()
            ),
            kind=cast(Kind, change.kind), name=change.name, differences=_differences(change.differences),
            drift=_differences(change.drift), is_central=change.is_central, is_pruned=change.is_pruned,
        )
        for change in changes
    )  # fmt: skip


def _differences(found: Iterable[messages.FieldDifference]) -> tuple[FieldDifference, ...]:
    return tuple(FieldDifference(it.field, it.before, it.after) for it in found)
