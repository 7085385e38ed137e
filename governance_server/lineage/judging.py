"""Whether the sender may tell what an event tells: its own jobs and outputs; of anything else it only claims.

Owns that decision and what of an event is a mere claim. Knows nothing of storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from governance_server.caller import Caller
from governance_server.lineage.derivation import job_as_node
from governance_server.lineage.received import EventKind, ReceivedEvent
from governance_server.lineage.run_state import CatalogSchema, InputName
from governance_server.policy.projection import Facts, PolicyProjection
from governance_server.rules.errors import AccessDenied, Problem
from mesh_core.dataset_names import DatasetName, dataset_node, is_outside, parse_node
from mesh_core.names import MESH, column_object

__all__ = ["AcceptedEvent", "EventJudge"]

_HINT = "ask the central team to register the namespace for your domain (`mesh domain set DOMAIN --namespace …`)"


@dataclass(frozen=True, slots=True)
class AcceptedEvent:
    """An event that its sender may send.

    Attributes:
        principal: Who sent it.
        owner: The domain that owns its job (or dataset); empty if nobody does, and the central team sent it.
        claimed: Nodes of others' of which it tells something: kept, and without effect.
        tells: False if nothing of its lineage counts: a claim, or a publication of the mesh, whose lineage the journal has.
        schemas: Of inputs that are ports and whose columns the event does not tell, what the sender may know of them.
        names: Other names of inputs, as far as the sender may say so; `disputed` are those it may not.
    """

    event: ReceivedEvent
    principal: str
    owner: str
    claimed: frozenset[str] = frozenset()
    tells: bool = True
    schemas: tuple[CatalogSchema, ...] = ()
    names: tuple[InputName, ...] = ()
    disputed: frozenset[str] = frozenset()


class EventJudge:
    """Decides on events by the live policy."""

    def __init__(self, policy: PolicyProjection) -> None:
        self._policy = policy

    def judge(self, event: ReceivedEvent, caller: Caller) -> AcceptedEvent:
        """The event, if the caller may send it. Raises: AccessDenied with every job and output that is not the caller's."""
        with self._policy.pinned(caller.revision):  # the policy is caught up with once for all that is asked of it here
            return self._judged(event, caller)

    def _judged(self, event: ReceivedEvent, caller: Caller) -> AcceptedEvent:
        if event.kind is EventKind.DATASET:
            named = event.content["dataset"]
            node, owner = _owner(self._policy.facts(), DatasetName(named["namespace"], named["name"]))
            is_own = self._owns(caller, node, owner)
            return AcceptedEvent(event, caller.name, owner, frozenset() if is_own else frozenset({node}), tells=is_own)
        job = event.job
        assert job is not None, "only events about datasets have no job"
        facts = self._policy.facts()
        owner = facts.owners.owner_of(*job)
        problems = [] if self._owns(caller, "", owner) else [Problem("$.job", _refusal("job", job, owner))]
        for index, output in enumerate(event.datasets("outputs")):
            named = DatasetName(output["namespace"], output["name"])
            node, whose = _owner(facts, named)
            if (whose != owner or not is_outside(node) or problems) and not self._owns(caller, node, whose):
                problems.append(Problem(f"$.outputs[{index}]", _refusal("dataset", named, whose)))
        if problems:
            raise AccessDenied(f"This event is not yours to send: {problems[0].message}", problems=problems)
        claims, schemas = frozenset(self._claims(event, caller, facts)), tuple(self._schemas(event, caller, facts))
        names, disputed = self._names(event, caller, facts)
        return AcceptedEvent(event, caller.name, owner, claims, schemas=schemas, names=names, disputed=disputed)

    def _schemas(self, event: ReceivedEvent, caller: Caller, facts: Facts) -> Iterator[CatalogSchema]:
        """Columns for queries to be read with; none of a port of which the caller may not discover every column."""
        for given in event.datasets("inputs"):
            node = dataset_node(given["namespace"], given["name"])
            port = facts.observed.port_of(node)
            product = (
                None if is_outside(port) or "schema" in given.get("facets", {}) else facts.products.get(port.rpartition(".")[0])
            )
            columns = [column.name for it in product.ports if it.name == port for column in it.columns] if product else []
            if product and columns and self._discovers(caller, port, columns):
                yield CatalogSchema(node, product.version, tuple(columns))

    def _discovers(self, caller: Caller, port: str, columns: Sequence[str]) -> bool:
        objects = (port, *(column_object(port, column) for column in columns))
        return all(self._policy.check(caller, "discover", obj).allowed for obj in objects)

    def _names(self, event: ReceivedEvent, caller: Caller, facts: Facts) -> tuple[tuple[InputName, ...], frozenset[str]]:
        """Which names of inputs are one dataset, as far as the sender may say so, and the names of which it may not.

        Nobody renames what is another's: one of the names must be the sender's own, and those that nobody owns are names of that.
        """
        names: list[InputName] = []
        disputed: set[str] = set()
        for given in event.datasets("inputs"):
            facet = given.get("facets", {}).get("symlinks", {})
            told = facet.get("identifiers")
            if not told or facet.get("_deleted"):
                continue
            node = dataset_node(given["namespace"], given["name"])
            nodes = [node, *sorted({dataset_node(it["namespace"], it["name"]) for it in told} - {node})]
            owned = {it: _owner(facts, parse_node(it)) for it in nodes}
            known = [it for it in nodes if owned[it][1]]
            anchor = next((it for it in known or [node] if self._owns(caller, *owned[it])), None)
            ours = [it for it in nodes if anchor is not None and owned[it][1] in ("", owned[anchor][1])]
            names += [InputName(node, it, anchor) for it in ours if anchor is not None and it != anchor]
            disputed.update(it for it in nodes if it not in ours and it != node)
        return tuple(names), frozenset(disputed)

    def _claims(self, event: ReceivedEvent, caller: Caller, facts: Facts) -> Iterator[str]:
        """Targets of explicit lineage, and other names of the outputs, that are others'."""
        for output in event.datasets("outputs"):
            others = output.get("facets", {}).get("symlinks", {}).get("identifiers")
            owner = _owner(facts, DatasetName(output["namespace"], output["name"]))[1] if others else ""
            for it in others or ():
                named = DatasetName(it["namespace"], it["name"])
                if _owner(facts, named)[1] not in ("", owner):
                    yield dataset_node(*named)
        for entry in event.content["job"].get("facets", {}).get("lineage", {}).get("entries", ()):
            if "name" not in entry:
                continue
            named = DatasetName(entry["namespace"], entry["name"])
            if entry["type"] == "JOB":
                if not self._owns(caller, "", facts.owners.owner_of(*named)):
                    yield job_as_node(*named)
            elif not self._owns(caller, *_owner(facts, named)):
                yield dataset_node(*named)

    def _owns(self, caller: Caller, node: str, owner: str) -> bool:
        """True if the caller may write what it is, or acts for the centre where nobody owns it."""
        if not owner:
            return self._policy.check(caller, "administer", MESH).allowed
        obj = node if node and not is_outside(node) else owner
        return self._policy.check(caller, "write", obj).allowed


def _owner(facts: Facts, named: DatasetName) -> tuple[str, str]:
    """The dataset as the port it is, or its node, and the domain that owns it."""
    told = dataset_node(*named)
    owner = facts.owners.owner_of(*parse_node(told))
    if owner and is_outside(told):  # whoever registered it owns it, whatever others say it is
        return told, owner
    node = facts.observed.port_of(told)
    if not is_outside(node):
        return node, node.partition(".")[0]
    return node, facts.owners.owner_of(*parse_node(node))


def _refusal(what: str, named: DatasetName, owner: str) -> str:
    whose = "belongs to another domain" if owner else "lies in a namespace that no domain has registered"
    shown = f"{named.namespace[:200]} / {named.name[:200]}"
    return f"{what} {shown} {whose}, or you may not write there: " + ("send what is your own" if owner else _HINT)
