"""Folding accepted events into runs and into what their jobs tell of lineage, inside the transaction that stores them.

Owns which of a job's runs count: those that completed; while none has, the others. A completed run that began its target anew
(CREATE, OVERWRITE, …) takes the place of the earlier ones, every other adds to them, as what they wrote may still be there.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from governance_server.lineage.derivation import REPLACING, digest_of, lineages_of
from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.receipt import Sources, sources_of
from governance_server.lineage.received import ReceivedEvent
from governance_server.lineage.run_state import CATALOG, NAMES, RunState, canonical, joined, state_of
from governance_server.storage import lineage_runs as rows
from governance_server.storage.drivers import Connection
from mesh_core.dataset_names import job_node
from mesh_core.lineage import PortLineage
from mesh_core.lineage_wire import lineage_to_wire

__all__ = ["Folded", "Folding", "counting", "read_lineage", "resource_name", "run_key"]

_RUNS_KEPT = 2000
_DERIVATIONS_KEPT = 2000
_EVIDENCE_KEPT = 100_000
_NAMES_KEPT = 100_000
_KEPT_BYTES = 64 << 20
_COMPLETE_WEIGHT, _OTHER_WEIGHT, _DECLARED_WEIGHT = 1, 0, 2
_MOST_US = 2**62
_TELLING = frozenset({"columnLineage", "lineage", "schema", "symlinks"})
"""Facets that decide which lineage is told."""


@dataclass(slots=True)
class Folded:
    """What an event did: `created` is None if it told nothing that was not known."""

    created: tuple[str, ...] | None
    lineages: Mapping[str, PortLineage]
    sources: Mapping[str, Sources]


class _Derivation(NamedTuple):
    """What follows from a state, by target; most runs of a job share one."""

    lineages: Mapping[str, PortLineage]
    digests: Mapping[str, str]
    sources: Mapping[str, Sources]


_NOTHING = _Derivation({}, {}, {})


@dataclass(slots=True)
class _Run:
    """A run as it was folded last."""

    sequence: int
    state: RunState
    relevant: bytes
    """A digest of what its lineages follow from."""
    lineages: Mapping[str, PortLineage]
    derivation: _Derivation
    told: dict[str, rows.Output] = field(default_factory=dict)
    text: str = ""
    """The state, once it was written."""


@dataclass(slots=True)
class _Group:
    """Events that are folded in one transaction: the runs as they are by now, and what is to be written."""

    connection: Connection
    sequences: Mapping[str, int]
    """Of the runs that were known before, the last event that changed each."""
    runs: dict[str, _Run] = field(default_factory=dict)
    last: dict[str, AcceptedEvent] = field(default_factory=dict)
    """The last event that changed each run."""
    pending: rows.Pending = field(default_factory=rows.Pending)


class Folding:
    """Folds events; one writer at a time, which holds the stream's head. What it remembers is only ever a copy."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._bytes = 0
        self._derivations: OrderedDict[bytes, _Derivation] = OrderedDict()
        self._evidenced: set[str] = set()
        """Digests of lineages that are stored already."""
        self._counting: dict[tuple[str, str, str], frozenset[str]] = {}
        """(namespace, job, target) → the digests that counted when last looked at, all of completed runs."""
        self._met: set[str] = set()
        """Jobs and datasets that are known."""
        self.due: set[rows.Due] = set()

    def forget(self) -> None:
        """Nothing is remembered: what was folded since the last commit may not have happened."""
        self._runs.clear()
        self._bytes = 0
        self._counting.clear()
        self._evidenced.clear()
        self._met.clear()
        self.due.clear()

    def fold(self, connection: Connection, first: int, events: Sequence[AcceptedEvent]) -> list[Folded]:
        """The events are part of their runs, and `due` names what their jobs tell otherwise now.

        `first` is the place of the first of them in the stream; the others follow without a gap.
        """
        keys = [run_key(accepted) for accepted in events]
        group = _Group(connection, rows.last_sequences(connection, list(dict.fromkeys(keys))))
        folded = []
        for sequence, (key, accepted) in enumerate(zip(keys, events, strict=True), first):
            folded.append(self._fold(group, key, sequence, accepted))
        for key, accepted in group.last.items():
            run = group.runs[key]
            run.text = run.state.to_text()
            group.pending.runs[key] = _row(key, run, accepted)
        group.pending.due = dict.fromkeys(self.due)
        group.pending.write(connection)
        for key, run in group.runs.items():
            self._keep(key, run)
        return folded

    def _fold(self, group: _Group, key: str, sequence: int, accepted: AcceptedEvent) -> Folded:
        known = group.runs.get(key)
        before = self._find(group, key) if known is None else None
        known = known or before
        told = state_of(accepted.event, accepted.schemas, accepted.claimed, accepted.names)
        state = joined(known.state if known is not None else None, told)
        if known is not None and state == known.state:
            return Folded(None, known.lineages, known.derivation.sources)
        if before is not None and accepted.event.run_id:
            group.pending.past.append(_past(key, before))
        run = self._derived(known, state, sequence, tells=accepted.tells)
        created = self._write(group, key, known, run, accepted)
        group.runs[key] = run
        return Folded(created, run.lineages, run.derivation.sources)

    def _find(self, group: _Group, key: str) -> _Run | None:
        sequence = group.sequences.get(key)
        if sequence is None:
            return None
        kept = self._runs.get(key)
        if kept is not None and kept.sequence == sequence:
            return kept
        text = rows.read_run(group.connection, key)
        state, told = RunState.from_text(text), rows.outputs_of(group.connection, key)
        relevant = _relevant(state)
        found = self._derivation(state, relevant)
        known = {target: lineage for target, lineage in found.lineages.items() if target in told}  # of a claim nothing was told
        return _Run(sequence, state, relevant, known, found, told, text)

    def _derived(self, known: _Run | None, state: RunState, sequence: int, *, tells: bool) -> _Run:
        if not tells:
            return _Run(sequence, state, b"", {}, _NOTHING)
        relevant, told = _relevant(state), known.told if known is not None else {}
        if known is not None and known.relevant == relevant:
            return _Run(sequence, state, relevant, known.lineages, known.derivation, told)
        found = self._derivation(state, relevant)
        return _Run(sequence, state, relevant, found.lineages, found, told)

    def _derivation(self, state: RunState, relevant: bytes) -> _Derivation:
        kept = self._derivations.pop(relevant, None)
        if kept is None:
            lineages = lineages_of(state)
            digests = {target: digest_of(it) for target, it in lineages.items()}
            kept = _Derivation(lineages, digests, {target: sources_of(it) for target, it in lineages.items()})
        self._derivations[relevant] = kept
        if len(self._derivations) > _DERIVATIONS_KEPT:
            self._derivations.popitem(last=False)
        return kept

    def _write(self, group: _Group, key: str, known: _Run | None, run: _Run, accepted: AcceptedEvent) -> tuple[str, ...]:
        """What the run is now is pending. Returns what nobody knew before."""
        (namespace, job), run_id = _named(run.state, accepted.event), accepted.event.run_id
        created: dict[str, None] = {}
        if known is None:
            declared = job or accepted.event.content.get("dataset", {}).get("name")
            created[f"run {run_id}" if run_id else f"declaration of {accepted.event.kind.value} {declared}"] = None
            if job and self._is_new_job(group.connection, namespace, job):
                created[f"job {namespace} {job}"] = None
        before = {} if known is None else _io(key, known.state)
        for place, version in _io(key, run.state).items():
            if before.get(place) != version:
                group.pending.io[place] = version
                if self._is_new_dataset(group.connection, place[2]):
                    created[f"dataset {place[2]}"] = None
        group.last[key] = accepted
        self._tell(group.pending, {it: _output(key, namespace, job, run, it) for it in run.lineages}, run, accepted)
        return tuple(created)

    def _is_new_job(self, connection: Connection, namespace: str, job: str) -> bool:
        return self._is_new(f"{namespace}\0{job}") and not rows.is_known_job(connection, namespace, job)

    def _is_new_dataset(self, connection: Connection, node: str) -> bool:
        return self._is_new(node) and not rows.is_known_dataset(connection, node)

    def _is_new(self, name: str) -> bool:
        """True if it was not met since names were last forgotten; it is met now."""
        if name in self._met:
            return False
        if len(self._met) >= _NAMES_KEPT:
            self._met.clear()
        self._met.add(name)
        return True

    def _tell(self, pending: rows.Pending, outputs: dict[str, rows.Output], run: _Run, accepted: AcceptedEvent) -> None:
        """The job's lineage is what its runs tell, this one included, which tells these outputs."""
        job = _named(run.state, accepted.event)[1]
        changed = [it for target, it in outputs.items() if run.told.get(target) != it]
        gone = [it for target, it in run.told.items() if target not in outputs]
        for it in changed:
            pending.outputs[it.key, it.target] = it
            if it.digest not in self._evidenced:
                self._evidenced.add(it.digest)
                pending.evidence[it.digest] = lineage_to_wire(run.lineages[it.target]).SerializeToString(deterministic=True)
        pending.outputs.update({(it.key, it.target): None for it in gone})
        moved = [it for it in run.told.values() if it.job != job]
        for place in dict.fromkeys((it.namespace, it.job, it.target) for it in (*changed, *gone, *moved)):
            output = outputs.get(place[2])
            if output is not None and place[1] == job and self._is_counted(place, output, run.told.get(place[2])):
                continue
            self._counting.pop(place, None)
            self.due.add(rows.Due(*place, accepted.principal))
        run.told = outputs

    def _is_counted(self, place: tuple[str, str, str], output: rows.Output, before: rows.Output | None) -> bool:
        """True if the output changes nothing of what its job tells: completed runs count, and some told just this."""
        counted = self._counting.get(place)
        if counted is None or (before is not None and before.weight >= _COMPLETE_WEIGHT):
            return False
        if output.weight < _COMPLETE_WEIGHT:
            return True
        return output.digest in counted and (not output.replaces or len(counted) == 1)

    def counted(self, place: tuple[str, str, str], told: list[rows.Told]) -> None:
        """Remembers what counts, once the journal has it."""
        if any(it.weight == _COMPLETE_WEIGHT for it in told):
            self._counting[place] = frozenset(counting(told))

    def _keep(self, key: str, run: _Run) -> None:
        if len(self._evidenced) > _EVIDENCE_KEPT:
            self._evidenced.clear()
        old = self._runs.pop(key, None)
        self._bytes += len(run.text) - (len(old.text) if old is not None else 0)
        self._runs[key] = run
        while len(self._runs) > _RUNS_KEPT or (self._bytes > _KEPT_BYTES and len(self._runs) > 1):
            _, gone = self._runs.popitem(last=False)
            self._bytes -= len(gone.text)


def run_key(accepted: AcceptedEvent) -> str:
    """What tells runs apart: the owner, too, as nobody may add to another domain's run by its id."""
    event = accepted.event
    if event.kind.value == "run":
        assert event.job is not None
        parts = [accepted.owner, event.job.namespace, event.run_id]
    else:
        named = event.content[event.kind.value]
        parts = [accepted.owner, named["namespace"], named["name"], "" if accepted.tells else accepted.principal]
    text = canonical([event.kind.value, *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def counting(told: list[rows.Told]) -> list[str]:
    """The digests of the lineages that count, sorted: what is declared, and what the weightiest runs told."""
    declared = {it.digest for it in told if it.weight == _DECLARED_WEIGHT}
    observed = [it for it in told if it.weight != _DECLARED_WEIGHT]
    most = max((it.weight for it in observed), default=0)
    heavy = [it for it in observed if it.weight == most]
    floor = max((it.replaced_ns for it in heavy if it.replaced_ns is not None), default=None)
    return sorted(declared | {it.digest for it in heavy if floor is None or it.last_ns >= floor})


def resource_name(due: rows.Due, digest: str = "") -> str:
    """Under which name the journal keeps a job's lineage of a target; without a digest how all of them begin."""
    parts = (text.replace("<", "%3C").replace("@", "%40") for text in (due.target, job_node(due.namespace, due.job)))
    return f"{'<'.join(parts)}@{digest}"


def read_lineage(body: bytes, due: rows.Due, digest: str) -> bytes:
    """The evidence as the journal keeps it: with its source."""
    from domainmesh.v1 import lineage_pb2

    message = lineage_pb2.PortLineage.FromString(body)
    message.job = job_node(due.namespace, due.job)
    message.source = f"{message.job}@{digest}"
    return message.SerializeToString(deterministic=True)


def _relevant(state: RunState) -> bytes:
    """A digest of all that lineages follow from."""
    facets = {node: {name: told[name].value for name in _TELLING if name in told} for node, told in state.outputs.items()}
    names = {node: told[NAMES].value for node, told in state.inputs.items() if NAMES in told}
    relevant: list[object] = [sorted(state.inputs), facets, names, sorted(state.entries), state.has_entries, state.is_declared]
    if state.sql is not None and state.sql.value is not None:
        named = ("schema", "symlinks", CATALOG)
        inputs = {node: {name: told[name].value for name in named if name in told} for node, told in state.inputs.items()}
        relevant += [state.sql.value, inputs]
    return hashlib.sha256(canonical(relevant).encode()).digest()


def _named(state: RunState, event: ReceivedEvent) -> tuple[str, str]:
    """Namespace and name of the run's job; of a dataset's declaration its namespace."""
    if state.job.value is not None:
        return state.job.value[0], state.job.value[1]
    return event.content["dataset"]["namespace"], ""


def _row(key: str, run: _Run, accepted: AcceptedEvent) -> rows.RunRow:
    state, event = run.state, accepted.event
    namespace, job = _named(state, event)
    return rows.RunRow(
        key=key, kind=event.kind.value, owner=accepted.owner, namespace=namespace, job=job, run_id=event.run_id,
        state=state.state, first_us=_us(state.first_ns), last_us=_us(state.last.time_ns),
        parent=_parent(state), job_version=_job_version(state), last_sequence=run.sequence, body=run.text,
    )  # fmt: skip


def _past(key: str, run: _Run) -> rows.PastRun:
    state = run.state
    io = canonical([[side, node, version] for (_, side, node), version in _io(key, state).items()])
    first_us, last_us = _us(state.first_ns), _us(state.last.time_ns)
    return rows.PastRun(key, run.sequence, state.state, first_us, last_us, _parent(state), _job_version(state), io)


def _parent(state: RunState) -> str:
    parent = state.parent.value if state.parent is not None else None
    return job_node(parent[0], f"{parent[1]}|{parent[2]}") if parent is not None else ""


def _job_version(state: RunState) -> str:
    version = [sorted(state.inputs), sorted(state.outputs)]
    return hashlib.sha256(repr(version).encode()).hexdigest()[:16]


def _us(time_ns: int) -> int:
    return max(-_MOST_US, min(_MOST_US, time_ns // 1000))


def _io(key: str, state: RunState) -> dict[tuple[str, str, str], str]:
    sides = (("input", state.inputs), ("output", state.outputs))
    return {
        (key, side, node): str(facets["version"].value) if "version" in facets else ""
        for side, datasets in sides
        for node, facets in datasets.items()
    }


def _output(key: str, namespace: str, job: str, run: _Run, target: str) -> rows.Output:
    state = run.state
    change = state.outputs.get(target, {}).get("lifecycleStateChange")
    is_complete = state.state == "COMPLETE"
    weight = _DECLARED_WEIGHT if state.is_declared else _COMPLETE_WEIGHT if is_complete else _OTHER_WEIGHT
    replaces = state.is_declared or (change is not None and str(change.value).upper() in REPLACING)
    first_ns = state.first_ns if -(2**63) < state.first_ns < 2**63 else 0
    return rows.Output(key, target, namespace, job, run.derivation.digests[target], weight, int(replaces), first_ns)
