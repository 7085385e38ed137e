"""Calls about contract changes, from the wire to values."""

from __future__ import annotations

from domain_sdk._enums import enum_member
from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.contract_changes import (
    AffectedConsumer,
    AffectedKind,
    CompatibilityMode,
    ContractAcceptance,
    ContractChange,
    ContractChangeState,
    ContractDifference,
    ContractImpact,
)
from domainmesh.v1 import contract_change_pb2
from domainmesh.v1 import contract_change_service_pb2 as pb
from domainmesh.v1.contract_change_service_pb2_grpc import ContractChangeServiceStub

__all__ = ["accept", "get", "list_changes", "plan", "propose", "to_change", "to_impact", "withdraw", "withdraw_acceptance"]


def plan(transport: Transport, product: str, contract_text: str) -> ContractImpact:
    """What the contract would change."""
    request = pb.PlanContractRequest(product=product, contract_text=contract_text)
    return to_impact(transport.call(_stub(transport).PlanContract, request))


def propose(transport: Transport, product: str, contract_text: str, reason: str) -> ContractChange:
    """The change, once those it breaks are asked."""
    request = pb.ProposeContractChangeRequest(product=product, contract_text=contract_text, reason=reason)
    return to_change(transport.call(_stub(transport).ProposeContractChange, request))


def get(transport: Transport, id: str) -> ContractChange:
    """One change."""
    return to_change(transport.call(_stub(transport).GetContractChange, pb.GetContractChangeRequest(id=id)))


def list_changes(transport: Transport, product: str, *, only_open: bool, limit: int | None) -> list[ContractChange]:
    """The changes the caller may see, newest first."""
    request = pb.ListContractChangesRequest(product=product, only_open=only_open)
    method = _stub(transport).ListContractChanges
    return [to_change(it) for it in all_items(transport, method, request, field="contract_changes", limit=limit)]


def accept(transport: Transport, id: str, party: str, reason: str) -> ContractChange:
    """The change as it is accepted."""
    request = pb.AcceptContractChangeRequest(id=id, party=party, reason=reason)
    return to_change(transport.call(_stub(transport).AcceptContractChange, request))


def withdraw_acceptance(transport: Transport, id: str, party: str) -> ContractChange:
    """The change without the acceptance."""
    request = pb.WithdrawAcceptanceRequest(id=id, party=party)
    return to_change(transport.call(_stub(transport).WithdrawAcceptance, request))


def withdraw(transport: Transport, id: str) -> ContractChange:
    """The change, taken back."""
    return to_change(transport.call(_stub(transport).WithdrawContractChange, pb.WithdrawContractChangeRequest(id=id)))


def _stub(transport: Transport) -> ContractChangeServiceStub:
    return transport.control(ContractChangeServiceStub)


def to_change(message: contract_change_pb2.ContractChange) -> ContractChange:
    """The value of the message."""
    return ContractChange(
        id=message.id,
        impact=to_impact(message.impact),
        proposer=message.proposer,
        reason=message.reason,
        state=enum_member(ContractChangeState, message.state),
        acceptances=tuple(
            ContractAcceptance(it.party, it.principal, it.reason, from_timestamp(it, "create_time"), it.is_on_behalf)
            for it in message.acceptances
        ),
        time=from_timestamp(message, "create_time"),
    )


def to_impact(message: contract_change_pb2.ContractImpact) -> ContractImpact:
    """The value of the message."""
    return ContractImpact(
        product=message.product,
        served_version=message.served_version,
        wanted_version=message.wanted_version,
        mode=enum_member(CompatibilityMode, message.mode),
        next_version=message.next_version,
        differences=tuple(
            ContractDifference(it.path, it.kind, it.text, it.breaks_backward, it.breaks_forward) for it in message.differences
        ),
        affected=tuple(_affected(it) for it in message.affected),
        digest=message.digest,
        recorded_days=message.recorded_days,
        refusals=tuple(message.refusals),
    )


def _affected(message: contract_change_pb2.AffectedConsumer) -> AffectedConsumer:
    return AffectedConsumer(
        kind=enum_member(AffectedKind, message.kind),
        name=message.name,
        party=message.party,
        columns=tuple(message.columns),
        changes=tuple(message.changes),
        read_count=message.read_count,
        last_read_time=from_timestamp(message, "last_read_time"),
        needs_acceptance=message.needs_acceptance,
        is_accepted=message.is_accepted,
    )
