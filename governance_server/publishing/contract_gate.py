"""The gate of contract changes: what a contract would change, whom that breaks, and whether they accepted it (ADR 0021).

Reads are recorded and lineage is walked before a command is queued; acceptances are looked up inside it, so that one
that is taken back counts no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from domainmesh.v1 import contract_change_pb2 as messages
from domainmesh.v1 import product_pb2
from governance_server.audit.recorded_reads import RecordedReads
from governance_server.backend import Backend, store
from governance_server.caller import Caller
from governance_server.publishing.contract_step import Resource, contract_step
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.compatibility import ContractStep, check_step
from governance_server.rules.contract_changes import CompatibilityMode, ContractChange
from governance_server.rules.contract_impact import (
    Consumer,
    ConsumerKind,
    derived_consumers,
    reading_consumers,
    starts,
)
from governance_server.rules.errors import IncompatibleContract, Problem
from governance_server.rules.policy_rows import domain_of
from governance_server.storage.resources import ResourceList
from mesh_core.contract import Contract
from mesh_core.names import column_object

if TYPE_CHECKING:
    from governance_server.rules.lineage_graph import Graph
    from governance_server.rules.lineage_walk import Node

__all__ = ["ContractGate", "Study", "accepted_parties", "open_changes"]

_DEPTH = 1000
_GATING = (CompatibilityMode.BACKWARD, CompatibilityMode.FULL)
_MODES = {mode: messages.CompatibilityMode.Value(f"COMPATIBILITY_MODE_{mode.value}") for mode in CompatibilityMode}
_KINDS = {ConsumerKind.DERIVED: messages.AFFECTED_KIND_DERIVED, ConsumerKind.READER: messages.AFFECTED_KIND_READER}


class Resources(Resource, Protocol):
    """Where all resources of a kind are found."""

    def list(self, kind: str, *, prefix: str | None = None) -> ResourceList:
        """Names and messages of every such resource whose name begins so."""
        ...


@dataclass(frozen=True, slots=True)
class Study:
    """The step to a contract from the release of this version, and whom it breaks."""

    base: int
    step: ContractStep
    consumers: tuple[Consumer, ...]

    @property
    def gating(self) -> tuple[Consumer, ...]:
        """Those who must accept: outside of the product's domain, with somebody who answers for them."""
        if self.step.mode not in _GATING:
            return ()
        return tuple(it for it in self.consumers if it.party and not it.is_own)


def open_changes(reader: Resource, product: str) -> Sequence[messages.ContractChange]:
    """The proposals for the product that wait for a release, oldest first."""
    entry = product_pb2.Product.FromString(reader.get(kinds.PRODUCT, product) or b"")
    found = (reader.get(kinds.CONTRACT_CHANGE, change_id) for change_id in entry.open_contract_changes)
    return [messages.ContractChange.FromString(body) for body in found if body is not None]


def accepted_parties(reader: Resource, step: ContractStep) -> frozenset[str]:
    """Who accepted exactly these changes."""
    same = (change for change in open_changes(reader, step.product) if change.impact.digest == step.digest)
    return frozenset(it.party for change in same for it in change.acceptances)


class ContractGate:
    """Judges the step from the contract served to another one. `parse` gives the contract of a text and may keep it."""

    def __init__(self, backend: Backend, parse: Callable[[str], Contract]) -> None:
        self._backend = backend
        self._parse = parse
        self._reads = RecordedReads(backend.database, now=backend.now)

    def study(self, reader: Resource, caller: Caller, product: product_pb2.Product, contract: Contract) -> Study:
        """What the contract changes and whom it breaks, for this publisher."""
        step = contract_step(reader, product, contract, self._parse)
        broken = [change for change in step.changes if change.breaks_backward]
        consumers = (*self._derived(product, broken), *self._readers(caller, product, broken)) if broken else ()
        return Study(product.version, step, tuple(consumers))

    def check(
        self, reader: Resources, caller: Caller, product: product_pb2.Product, contract: Contract, study: Study
    ) -> messages.ContractImpact:
        """The impact as the caller may see it, if the contract may follow. Raises: IncompatibleContract."""
        current = study if study.base == product.version else self.study(reader, caller, product, contract)
        accepted = accepted_parties(reader, current.step) if current.gating else frozenset()
        check_step(current.step, lambda change: self._broken_words(caller, current, change))
        self._check_accepted(caller, current, accepted)
        return self.shown(self.impact(current, accepted), caller)

    def ending_writes(self, tx: Resource, product: product_pb2.Product, contract: Contract) -> Sequence[ResourceWrite]:
        """The writes that end what was proposed for the product, once a release has changed its contract; it then knows of none.

        `product` is changed in place.
        """
        step = contract_step(tx, product, contract, self._parse)
        writes = []
        for change in open_changes(tx, product.name) if step.changes else ():
            is_it = change.impact.digest == step.digest
            change.state = messages.CONTRACT_CHANGE_STATE_RELEASED if is_it else messages.CONTRACT_CHANGE_STATE_OVERTAKEN
            writes.append(store(kinds.CONTRACT_CHANGE, change.id, change))
        if step.changes:
            product.ClearField("open_contract_changes")
        return writes

    def impact(self, study: Study, accepted: frozenset[str]) -> messages.ContractImpact:
        """The whole impact, with every name."""
        step, gating = study.step, study.gating
        found = messages.ContractImpact(
            product=step.product, served_version=step.served, wanted_version=step.wanted, mode=_MODES[step.mode],
            next_version=step.next_version, digest=step.digest, recorded_days=self._days,
            differences=[
                messages.ContractDifference(
                    port=it.port, column=it.column, path=it.path, kind=it.kind.value, text=it.text,
                    breaks_backward=it.breaks_backward, breaks_forward=it.breaks_forward,
                )
                for it in step.changes
            ],
        )  # fmt: skip
        for it in study.consumers:
            entry = found.affected.add(
                kind=_KINDS[it.kind], name=it.name, party=it.party, columns=it.columns, changes=[c.path for c in it.changes],
                read_count=it.read_count, needs_acceptance=it in gating, is_accepted=it.party in accepted,
            )  # fmt: skip
            if it.last_read is not None:
                entry.last_read_time.FromDatetime(it.last_read)
        return found

    def shown(self, impact: messages.ContractImpact, caller: Caller) -> messages.ContractImpact:
        """The impact without the names of what the caller may not see; the shape stays."""
        may_see = self._sight(caller, impact.product)
        for entry in impact.affected:
            if not may_see(entry.kind, entry.name, entry.party):
                for field in ("name", "party", "columns", "read_count", "last_read_time"):
                    entry.ClearField(field)
        return impact

    @property
    def _days(self) -> int:
        return self._backend.settings.impact_days

    def _derived(self, product: product_pb2.Product, broken: list[ContractChange]) -> list[Consumer]:
        from governance_server.rules.lineage_walk import Direction, walk

        def downstream(graph: Graph, start: str) -> Sequence[Node]:
            return walk(graph, start, Direction.DOWNSTREAM, depth=_DEPTH, is_visible=lambda _: True).nodes

        policy = self._backend.policy
        ports = [(port.name, [column.name for column in port.columns]) for port in product.ports]
        with policy.pinned():  # the graph is live: nobody changes it meanwhile
            graph = policy.facts().graph
            touched = [
                (change, [node.id for start in starts(product.name, change, ports) for node in downstream(graph, start)])
                for change in broken
            ]
        return [it for it in derived_consumers(product.name, touched) if not it.name.startswith(f"{product.name}.")]

    def _readers(self, caller: Caller, product: product_pb2.Product, broken: list[ContractChange]) -> list[Consumer]:
        """Who read, and still may; the publisher knows what it does."""
        policy, domain = self._backend.policy, domain_of(product.name)
        reads = [
            it
            for it in self._reads.reads_since(self._days, resource=product.name, includes_running=True)
            if it.is_allowed and self._may_still_read(it.principal, it.port, it.columns, it.purpose)
        ]
        return reading_consumers(
            product.name, broken, reads,
            is_own=lambda name: name == caller.name or f"domain:{domain}" in policy.names_of(name, domain),
        )  # fmt: skip

    def _may_still_read(self, principal: str, port: str, columns: tuple[str, ...], purpose: str) -> bool:
        found = self._backend.policy.caller_of(principal)
        known = self._backend.policy.facts().principals.get(principal)
        if found is None or known is None or known.is_disabled:
            return False
        check = self._backend.policy.check
        every = getattr(self._backend.policy.find_port(port), "columns", ())
        wanted = columns or tuple(column.name for column in every)  # whose rows were only counted may have been any
        return any(check(found, "read", column_object(port, column), purpose).allowed for column in wanted)

    def _sight(self, caller: Caller, product: str) -> Callable[[messages.AffectedKind.ValueType, str, str], bool]:
        """Whether the caller may know a consumer: readers, if it may grant on the product; ports, if it may discover them."""
        policy = self._backend.policy
        knows_readers = policy.check(caller, "grant", product).allowed
        visible = policy.visibility(caller)

        def may_see(kind: messages.AffectedKind.ValueType, name: str, party: str) -> bool:
            if kind == messages.AFFECTED_KIND_READER:
                return knows_readers or name == caller.name
            return visible.allows(name) if party else knows_readers

        return may_see

    def _split(self, caller: Caller, product: str, consumers: tuple[Consumer, ...]) -> tuple[list[Consumer], int]:
        may_see = self._sight(caller, product)
        seen = [it for it in consumers if may_see(_KINDS[it.kind], it.name, it.party)]
        return seen, len(consumers) - len(seen)

    def _broken_words(self, caller: Caller, study: Study, change: ContractChange) -> str:
        """Whom the change breaks; empty if nobody."""
        concerned = tuple(it for it in study.consumers if change in it.changes)
        if not concerned:
            return ""
        seen, hidden = self._split(caller, study.step.product, concerned)
        named = [f"{it.name} ({it.words()})" for it in seen]
        return "; breaks " + ", ".join([*named, *([hidden_words(hidden)] if hidden else [])])

    def _check_accepted(self, caller: Caller, study: Study, accepted: frozenset[str]) -> None:
        missing = tuple(it for it in study.gating if it.party not in accepted)
        if not missing:
            return
        product = study.step.product
        raise IncompatibleContract(
            f"This contract of {product} breaks consumers who have not accepted it: ask them with `mesh propose {product} "
            "--contract FILE`, and publish once they have, or take the changes back.",
            resource=product,
            problems=tuple(self._missing(caller, product, missing)),
        )

    def _missing(self, caller: Caller, product: str, missing: tuple[Consumer, ...]) -> Iterator[Problem]:
        seen, hidden = self._split(caller, product, missing)
        for it in seen:
            what = ", ".join(dict.fromkeys(str(change) for change in it.changes))
            who = it.party if it.kind is ConsumerKind.DERIVED else "it"
            yield Problem(it.name, f"{it.words()} ({what}); {who} has not accepted")
        if hidden:
            yield Problem("consumers", f"{hidden_words(hidden)} have not accepted")


def hidden_words(count: int) -> str:
    """So many consumers without a name."""
    return "1 consumer you may not see" if count == 1 else f"{count} consumers you may not see"
