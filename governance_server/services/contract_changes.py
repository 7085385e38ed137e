"""ContractChangeService: whom a contract would break, and the acceptance of those it breaks (ADR 0021)."""

from __future__ import annotations

from collections.abc import Iterable

import grpc

from domainmesh.v1 import contract_change_pb2 as messages
from domainmesh.v1 import contract_change_service_pb2 as pb
from domainmesh.v1 import contract_change_service_pb2_grpc, notice_pb2, product_pb2
from governance_server.backend import Backend, Page, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.contracts import parse_contract
from governance_server.editing.committed import Committed
from governance_server.editing.state import State
from governance_server.journal.command import Outcome, Transaction
from governance_server.notices import News, notices
from governance_server.publishing.contract_gate import ContractGate, Study, accepted_parties
from governance_server.publishing.entries import check_servable
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, IncompatibleContract, Invalid, Precondition
from governance_server.rules.policy_rows import ANY
from governance_server.rules.refusals import denied, unconfirmed
from governance_server.rules.second_person import Person, check_two_persons
from mesh_core.names import MESH, parse_product

__all__ = ["ContractChangeService", "awaiting"]

_LONGEST_REASON = 4000
_OPEN = messages.CONTRACT_CHANGE_STATE_OPEN


class ContractChangeService(contract_change_service_pb2_grpc.ContractChangeServiceServicer):
    """Serves contract changes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._gate = ContractGate(backend, parse_contract)

    def PlanContract(self, request: pb.PlanContractRequest, context: grpc.ServicerContext) -> messages.ContractImpact:
        """Says what a contract would change and whom that breaks."""
        caller, state = current_caller(), Committed.now(self._backend)
        product, study = self._study(state, caller, request.product, request.contract_text)
        impact = self._gate.shown(self._gate.impact(study, accepted_parties(state, study.step)), caller)
        try:
            self._gate.check(state, caller, product, parse_contract(request.contract_text), study)
        except IncompatibleContract as error:
            impact.refusals.append(error.message)
            impact.refusals.extend(f"{it.path}: {it.message}" for it in error.problems)
        return impact

    def ProposeContractChange(
        self, request: pb.ProposeContractChangeRequest, context: grpc.ServicerContext
    ) -> messages.ContractChange:
        """Asks everybody whom a contract would break to accept exactly these changes."""
        _check_reason(request.reason, request.product)
        change_id = f"cc-{self._backend.new_id()}"
        _, study = self._study(Committed.now(self._backend), current_caller(), request.product, request.contract_text)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "write", request.product)
            product = _product(tx, request.product)
            if study.base != product.version:
                raise Precondition(f"{request.product} was published meanwhile: propose it again.", resource=request.product)
            if not study.gating:
                raise Precondition(
                    f"Nobody has to accept this contract of {request.product}: publish it.", resource=request.product
                )
            change = messages.ContractChange(
                id=change_id, impact=self._gate.impact(study, frozenset()), proposer=caller.name, reason=request.reason,
                state=_OPEN, create_time=stamp(tx.time), proposer_makers=sorted(caller.token_makers),
            )  # fmt: skip
            product.open_contract_changes.append(change_id)
            entries = (store(kinds.CONTRACT_CHANGE, change_id, change), store(kinds.PRODUCT, product.name, product))
            writes = (*entries, *_told(tx, change, study))
            return Outcome("contract_change.proposed", request.product, writes, change.SerializeToString())

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(messages.ContractChange.FromString(receipt.reply), current_caller())

    def GetContractChange(self, request: pb.GetContractChangeRequest, context: grpc.ServicerContext) -> messages.ContractChange:
        """Returns one."""
        caller = current_caller()
        return self._shown(self._find(Committed.now(self._backend), caller, request.id), caller)

    def ListContractChanges(
        self, request: pb.ListContractChangesRequest, context: grpc.ServicerContext
    ) -> pb.ListContractChangesResponse:
        """Lists those the caller may see, newest first."""
        page, caller = Page.of(request.page_size, request.page_token), current_caller()
        found = [
            change
            for change in _every(Committed.now(self._backend))
            if request.product in ("", change.impact.product)
            and not (request.only_open and change.state != _OPEN)
            and self._may_see(change, caller)
        ]
        found.sort(key=lambda it: (it.create_time.seconds, it.create_time.nanos, it.id), reverse=True)
        start = page.position
        more = Page.token(str(start + page.size)) if len(found) > start + page.size else ""
        shown = [self._shown(change, caller) for change in found[start : start + page.size]]
        return pb.ListContractChangesResponse(contract_changes=shown, next_page_token=more)

    def AcceptContractChange(
        self, request: pb.AcceptContractChangeRequest, context: grpc.ServicerContext
    ) -> messages.ContractChange:
        """Accepts, for the parties the caller answers for."""
        _check_reason(request.reason, request.id)

        def run(tx: Transaction, caller: Caller) -> Outcome:
            change = self._open(tx, caller, request.id)
            own = _own_parties(self._backend, change, caller)
            for party in self._parties(change, caller, own, request.party):
                kept = [it for it in change.acceptances if it.party != party]
                del change.acceptances[:]
                change.acceptances.extend(kept)
                entry = change.acceptances.add(
                    party=party, principal=caller.name, reason=request.reason, is_on_behalf=party not in own
                )
                entry.create_time.CopyFrom(stamp(tx.time))
            return self._outcome("contract_change.accepted", change)

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(messages.ContractChange.FromString(receipt.reply), current_caller())

    def WithdrawAcceptance(self, request: pb.WithdrawAcceptanceRequest, context: grpc.ServicerContext) -> messages.ContractChange:
        """Takes acceptances back."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            change = self._open(tx, caller, request.id)
            own = _own_parties(self._backend, change, caller)
            parties = set(self._parties(change, caller, own, request.party))
            kept = [it for it in change.acceptances if it.party not in parties]
            if len(kept) == len(change.acceptances):
                raise Precondition(f"You have accepted nothing of {request.id}.", resource=request.id)
            del change.acceptances[:]
            change.acceptances.extend(kept)
            return self._outcome("contract_change.acceptance_withdrawn", change)

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(messages.ContractChange.FromString(receipt.reply), current_caller())

    def WithdrawContractChange(
        self, request: pb.WithdrawContractChangeRequest, context: grpc.ServicerContext
    ) -> messages.ContractChange:
        """Takes a proposal back."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            change = self._open(tx, caller, request.id)
            self._backend.policy.authorise(caller, "write", change.impact.product)
            change.state = messages.CONTRACT_CHANGE_STATE_WITHDRAWN
            product = _product(tx, change.impact.product)
            product.open_contract_changes.remove(change.id)
            return self._outcome("contract_change.withdrawn", change, store(kinds.PRODUCT, product.name, product))

        receipt = self._backend.submit(request, request.request_id, run)
        return self._shown(messages.ContractChange.FromString(receipt.reply), current_caller())

    # -- steps -------------------------------------------------------------------------------------------------------

    def _study(self, state: State, caller: Caller, name: str, text: str) -> tuple[product_pb2.Product, Study]:
        """The served product and the study of the contract. Raises: AccessDenied, InvalidContractText."""
        parse_product(name)
        self._backend.policy.authorise(caller, "write", name)
        contract = check_servable(parse_contract(text), name)
        product = _product(state, name)
        return product, self._gate.study(state, caller, product, contract)

    def _outcome(self, kind: str, change: messages.ContractChange, *besides: ResourceWrite) -> Outcome:
        writes = (store(kinds.CONTRACT_CHANGE, change.id, change), *besides)
        return Outcome(kind, change.impact.product, writes, change.SerializeToString())

    def _find(self, state: State, caller: Caller, change_id: str) -> messages.ContractChange:
        """The change, if the caller may see it. Raises: AccessDenied."""
        change = messages.ContractChange.FromString(state.get(kinds.CONTRACT_CHANGE, change_id) or b"")
        if not change.id or not self._may_see(change, caller):
            raise denied("see the contract change", change_id)
        return change

    def _open(self, tx: Transaction, caller: Caller, change_id: str) -> messages.ContractChange:
        change = self._find(tx, caller, change_id)
        if change.state != _OPEN:
            word = messages.ContractChangeState.Name(change.state).rpartition("_")[2].lower()
            raise Precondition(f"The contract change {change_id} is {word}: nothing of it can be changed.", resource=change_id)
        return change

    def _may_see(self, change: messages.ContractChange, caller: Caller) -> bool:
        if not caller.covers("discover", change.impact.product):
            return False
        return bool(
            self._is_publisher(change, caller)
            or _own_parties(self._backend, change, caller)
            or self._backend.policy.check(caller, "administer", MESH).allowed
        )

    def _is_publisher(self, change: messages.ContractChange, caller: Caller) -> bool:
        return self._backend.policy.check(caller, "write", change.impact.product).allowed

    def _parties(self, change: messages.ContractChange, caller: Caller, own: frozenset[str], party: str) -> Iterable[str]:
        """Whom the caller decides for. Raises: AccessDenied."""
        if caller.is_unconfirmed:
            raise unconfirmed("accept a change of", change.impact.product, token=caller.token)
        known = {it.party for it in change.impact.affected if it.needs_acceptance}
        if not party and own:
            return sorted(own)
        if party in own:
            return [party]
        if party in known and self._backend.policy.check(caller, "administer", MESH).allowed:
            proposer = Person.of(change.proposer, change.proposer_makers)
            if caller.name == change.proposer:
                raise AccessDenied("Who proposes a change accepts it for nobody else.", resource=change.id)
            check_two_persons(Person(caller.name, caller.token_makers), proposer, did="proposed this", resource=change.id)
            return [party]
        raise AccessDenied(
            f"You answer for nobody whom {change.id} breaks{f' under the name {party}' if party else ''}.", resource=change.id
        )

    def _shown(self, change: messages.ContractChange, caller: Caller) -> messages.ContractChange:
        """The change as the caller may see it: the publisher without hidden names, a consumer with what concerns it."""
        change.ClearField("proposer_makers")
        accepted = {it.party for it in change.acceptances}
        for entry in change.impact.affected:
            entry.is_accepted = entry.party in accepted
        if self._is_publisher(change, caller) or self._backend.policy.check(caller, "administer", MESH).allowed:
            self._gate.shown(change.impact, caller)
            seen = frozenset(it.party for it in change.impact.affected)
        else:
            seen = _reduced(change.impact, _own_parties(self._backend, change, caller))
        kept = [it for it in change.acceptances if it.party in seen]
        del change.acceptances[:]
        change.acceptances.extend(kept)
        return change


def awaiting(backend: Backend, caller: Caller) -> list[messages.ContractChange]:
    """The open changes that wait for the caller's acceptance, as it may see them, oldest first."""
    found = []
    for _, body in backend.catalog.walk(kinds.CONTRACT_CHANGE, ["open"]):
        change = messages.ContractChange.FromString(body)
        own = _own_parties(backend, change, caller)
        is_waiting = own - {it.party for it in change.acceptances}
        if is_waiting and caller.covers("discover", change.impact.product):
            change.ClearField("proposer_makers")
            _reduced(change.impact, own)
            del change.acceptances[:]
            found.append(change)
    return found


def _every(state: State) -> list[messages.ContractChange]:
    return [messages.ContractChange.FromString(body) for _, body in state.list(kinds.CONTRACT_CHANGE)]


def _product(state: State, name: str) -> product_pb2.Product:
    body = state.get(kinds.PRODUCT, name)
    return product_pb2.Product.FromString(body) if body is not None else product_pb2.Product(name=name)


def _own_parties(backend: Backend, change: messages.ContractChange, caller: Caller) -> frozenset[str]:
    """The parties that the caller is, or that it answers for by its role."""
    names = backend.policy.names_of(caller.name, ANY)
    return frozenset(it.party for it in change.impact.affected if it.needs_acceptance and it.party in names)


def _reduced(impact: messages.ContractImpact, own: frozenset[str]) -> frozenset[str]:
    """The impact tells of nothing but what concerns these parties, who are returned."""
    entries = [it for it in impact.affected if it.party in own]
    paths = {path for it in entries for path in it.changes}
    differences = [it for it in impact.differences if it.path in paths]
    del impact.affected[:], impact.differences[:]
    impact.affected.extend(entries)
    impact.differences.extend(differences)
    return own


def _told(tx: Transaction, change: messages.ContractChange, study: Study) -> Iterable[ResourceWrite]:
    """The writes that tell each party once what is asked of it."""
    for consumer in {it.party: it for it in study.gating}.values():
        what = "; ".join(dict.fromkeys(str(it) for it in consumer.changes))
        text = (
            f"{change.proposer} wants to change {study.step.product}: {what}. {consumer.name} {consumer.words()}. "
            f"Look with `mesh contract-changes {change.id}`, agree with `mesh accept {change.id}`."
        )
        news = News(notice_pb2.NOTICE_KIND_CONTRACT_CHANGE, study.step.product, change.id, text)
        yield from notices(tx, news, [consumer.party])


def _check_reason(reason: str, resource: str) -> None:
    if len(reason) > _LONGEST_REASON:
        raise Invalid(f"Say why in at most {_LONGEST_REASON} characters.", resource=resource)
