"""Folding accepted events into runs and into what their jobs tell of lineage, inside the transaction that stores them.

Owns which of a job's runs count: those that completed; while none has, the others. A completed run that began its target anew
(CREATE, OVERWRITE, …) takes the place of the earlier ones, every other adds to them, as what they wrote may still be there.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance_server.lineage.derivation import REPLACING, digest_of, lineages_of
from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.run_state import RunState, canonical, joined, state_of
from governance_server.storage import lineage_runs as rows
from governance_server.storage.drivers import Connection
from mesh_core.dataset_names import job_node
from mesh_core.lineage import PortLineage
from mesh_core.lineage_wire import lineage_to_wire

__all__ = ["Folded", "Folding", "counting", "read_lineage", "resource_name", "run_key"]

_RUNS_KEPT = 2000
_DERIVATIONS_KEPT = 2000
_EVIDENCE_KEPT = 100_000
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


@dataclass(slots=True)
class _Run:
    """A run as it was folded last."""

    sequence: int
    state: RunState
    text: str
    lineages: Mapping[str, PortLineage]
    digests: Mapping[str, str]
    told: dict[str, rows.Output] = field(default_factory=dict)


class Folding:
    """Folds events; one writer at a time, which holds the stream's head. What it remembers is only ever a copy."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._bytes = 0
        self._derivations: OrderedDict[bytes, tuple[Mapping[str, PortLineage], Mapping[str, str]]] = OrderedDict()
        self._evidenced: set[str] = set()
        """Digests of lineages that are stored already."""
        self._counting: dict[tuple[str, str, str], frozenset[str]] = {}
        """(namespace, job, target) → the digests that counted when last looked at, all of completed runs."""
        self.due: set[rows.Due] = set()

    def forget(self) -> None:
        """Nothing is remembered: what was folded since the last commit may not have happened."""
        self._runs.clear()
        self._bytes = 0
        self._counting.clear()
        self._evidenced.clear()
        self.due.clear()

    def fold(self, connection: Connection, sequence: int, accepted: AcceptedEvent) -> Folded:
        """The event is part of its run, and `due` names what its job tells otherwise now."""
        key = run_key(accepted)
        known = self._find(connection, key)
        told = state_of(accepted.event)
        state = joined(known.state if known is not None else None, told)
        if known is not None and state == known.state:
            return Folded(None, known.lineages)
        run = self._derived(known, state, sequence, accepted)
        created = self._write(connection, key, known, run, accepted)
        self._keep(key, run)
        return Folded(created, run.lineages)

    def _find(self, connection: Connection, key: str) -> _Run | None:
        kept = self._runs.get(key)
        found = rows.find_run(connection, key, known_sequence=kept.sequence if kept is not None else -1)
        if found is None:
            return None
        sequence, body = found
        if body is None:
            return kept
        state = RunState.from_text(body)
        told = rows.outputs_of(connection, key)
        return _Run(sequence, state, body, *self._lineages(state), told)

    def _derived(self, known: _Run | None, state: RunState, sequence: int, accepted: AcceptedEvent) -> _Run:
        text = state.to_text()
        if not accepted.tells:
            return _Run(sequence, state, text, {}, {})
        told = known.told if known is not None else {}
        if known is not None and _relevant(known.state) == _relevant(state):
            return _Run(sequence, state, text, known.lineages, known.digests, told)
        lineages, digests = self._lineages(state)
        if accepted.claimed:
            lineages = {target: it for target, it in lineages.items() if target not in accepted.claimed}
        return _Run(sequence, state, text, lineages, digests, told)

    def _lineages(self, state: RunState) -> tuple[Mapping[str, PortLineage], Mapping[str, str]]:
        """The lineage of each target and its digest; most runs of a job tell what an earlier one did."""
        key = hashlib.sha256(canonical(_relevant(state)).encode()).digest()
        kept = self._derivations.pop(key, None)
        if kept is None:
            lineages = lineages_of(state)
            kept = (lineages, {target: digest_of(it) for target, it in lineages.items()})
        self._derivations[key] = kept
        if len(self._derivations) > _DERIVATIONS_KEPT:
            self._derivations.popitem(last=False)
        return kept

    def _write(self, connection: Connection, key: str, known: _Run | None, run: _Run, accepted: AcceptedEvent) -> tuple[str, ...]:
        row = _row(key, run, accepted)
        created = []
        if known is None:
            created.append(f"run {row.run_id}" if row.run_id else f"declaration of {accepted.event.kind.value} {row.job}")
            if row.job and not rows.is_known_job(connection, row.namespace, row.job):
                created.append(f"job {row.namespace} {row.job}")
        io = _io(key, run.state)
        fresh = io if known is None else [it for it in io if it not in set(_io(key, known.state))]
        for _, _, node, _ in fresh:
            if not rows.is_known_dataset(connection, node):
                created.append(f"dataset {node}")
        rows.put_run(connection, row)
        rows.put_io(connection, fresh)
        self._tell(connection, row, run, accepted)
        return tuple(dict.fromkeys(created))

    def _tell(self, connection: Connection, row: rows.RunRow, run: _Run, accepted: AcceptedEvent) -> None:
        """The job's lineage is what its runs tell, this one included."""
        outputs = {target: _output(row, run, target) for target in run.lineages}
        changed = [it for target, it in outputs.items() if run.told.get(target) != it]
        gone = [it for target, it in run.told.items() if target not in outputs]
        for it in changed:
            if it.digest not in self._evidenced:
                self._evidenced.add(it.digest)
                body = lineage_to_wire(run.lineages[it.target]).SerializeToString(deterministic=True)
                rows.put_evidence(connection, it.digest, body)
        rows.put_outputs(connection, changed, [(it.key, it.target) for it in gone])
        moved = [it for it in run.told.values() if it.job != row.job]
        for place in dict.fromkeys((it.namespace, it.job, it.target) for it in (*changed, *gone, *moved)):
            output = outputs.get(place[2])
            if output is not None and place[1] == row.job and self._is_counted(place, output, run.told.get(place[2])):
                continue
            self._counting.pop(place, None)
            due = rows.Due(*place, accepted.principal)
            self.due.add(due)
            rows.put_due(connection, [due])
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


def _relevant(state: RunState) -> object:
    facets = {node: {name: told[name].value for name in _TELLING if name in told} for node, told in state.outputs.items()}
    relevant: list[object] = [sorted(state.inputs), facets, sorted(state.entries), state.has_entries, state.is_declared]
    if state.sql is not None and state.sql.value is not None:
        named = ("schema", "symlinks")
        inputs = {node: {name: told[name].value for name in named if name in told} for node, told in state.inputs.items()}
        relevant += [state.sql.value, inputs]
    return relevant


def _row(key: str, run: _Run, accepted: AcceptedEvent) -> rows.RunRow:
    state, event = run.state, accepted.event
    namespace, job = state.job.value or (event.content["dataset"]["namespace"], "")
    parent = state.parent.value if state.parent is not None else None
    version = [sorted(state.inputs), sorted(state.outputs)]
    return rows.RunRow(
        key=key, kind=event.kind.value, owner=accepted.owner, namespace=namespace, job=job, run_id=event.run_id,
        state=state.state, first_us=_us(state.first_ns), last_us=_us(state.last.time_ns),
        parent=job_node(parent[0], f"{parent[1]}|{parent[2]}") if parent is not None else "",
        job_version=hashlib.sha256(repr(version).encode()).hexdigest()[:16], last_sequence=run.sequence, body=run.text,
    )  # fmt: skip


def _us(time_ns: int) -> int:
    return max(-_MOST_US, min(_MOST_US, time_ns // 1000))


def _io(key: str, state: RunState) -> list[tuple[str, str, str, str]]:
    sides = (("input", state.inputs), ("output", state.outputs))
    return [
        (key, side, node, str(facets["version"].value) if "version" in facets else "")
        for side, datasets in sides
        for node, facets in datasets.items()
    ]


def _output(row: rows.RunRow, run: _Run, target: str) -> rows.Output:
    state = run.state
    change = state.outputs.get(target, {}).get("lifecycleStateChange")
    is_complete = state.state == "COMPLETE"
    weight = _DECLARED_WEIGHT if state.is_declared else _COMPLETE_WEIGHT if is_complete else _OTHER_WEIGHT
    replaces = state.is_declared or (change is not None and str(change.value).upper() in REPLACING)
    first_ns = state.first_ns if -(2**63) < state.first_ns < 2**63 else 0
    return rows.Output(row.key, target, row.namespace, row.job, run.digests[target], weight, int(replaces), first_ns)
