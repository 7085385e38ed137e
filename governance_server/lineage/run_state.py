"""What is known of one run (or of a declared job or dataset) as a fold of its events that no order and no repetition can change.

Every part is a join: of values that replace each other the one with the latest event time counts (of equal times the greater
digest), sets grow, the first start is the earliest. So any permutation of a run's events, with repetitions, folds to the same
state. Owns the state, the join and its text form; what the facets mean for edges is in `derivation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from governance_server.lineage.received import EventKind, ReceivedEvent
from mesh_core.dataset_names import dataset_node, job_node

__all__ = [
    "CATALOG",
    "JOB",
    "LONGEST_QUERY",
    "NAMES",
    "CatalogSchema",
    "DatasetState",
    "Held",
    "InputName",
    "RunState",
    "canonical",
    "joined",
    "parent_facet",
    "state_of",
    "target_of",
]

JOB = "job:"
"""How the node of a job begins, where one stands in the graph."""
LONGEST_QUERY = 20_000
"""Characters of a query that is read; longer ones stay in the event's bytes."""
_DEEPEST = 20
"""Objects and arrays within each other; those that lineage follows from are not nearly as many."""
_ENDED = frozenset({"COMPLETE", "ABORT", "FAIL"})
_FACETS = ("columnLineage", "lineage", "lifecycleStateChange", "version", "schema", "symlinks")
"""Facets of a dataset that say something of lineage; the others stay in the event's bytes."""


class Held(NamedTuple):
    """A value that a later one replaces: the greatest of (time, digest) counts."""

    time_ns: int
    digest: str
    value: Any


CATALOG = "catalog"
"""Where an input's columns stand that the catalog tells, beside the facets its events tell."""


class CatalogSchema(NamedTuple):
    """The columns of a port that a dataset is known to be, as the catalog has them."""

    node: str
    """The dataset as the event names it."""
    version: int
    columns: tuple[str, ...]


NAMES = "names"
"""Where an input's other names stand as far as its sender may say so: `[[name, of], …]`, sorted."""


class InputName(NamedTuple):
    """That an input and what its `symlinks` say are one dataset."""

    node: str
    """The input as the event names it."""
    name: str
    """The other name, or the input itself."""
    of: str
    """Of which dataset that is a name."""


DatasetState = dict[str, Held]
"""Facet → its newest value; None where it was deleted."""


@dataclass(slots=True)
class RunState:
    """A run, or with `is_declared` what its latest event alone declares of a job or dataset."""

    job: Held
    is_declared: bool
    first_ns: int
    last: Held
    end: Held | None = None
    parent: Held | None = None
    inputs: dict[str, DatasetState] = field(default_factory=dict)
    outputs: dict[str, DatasetState] = field(default_factory=dict)
    entries: dict[str, bool] = field(default_factory=dict)
    """Entries of the job's facet `lineage`, each as JSON text: those of a run add up."""
    has_entries: bool = False
    sql: Held | None = None
    """The query and the dialect of the job's facet `sql`; a value of None if it is deleted, or too long to be read."""

    @property
    def state(self) -> str:
        """How it ended, or what was told last."""
        return str((self.end or self.last).value)

    def to_text(self) -> str:
        """The state as JSON, equal for equal states."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        return canonical(parts)

    @classmethod
    def from_text(cls, text: str) -> RunState:
        """The state of `to_text`."""
        import orjson

        parts = orjson.loads(text)
        for name in ("job", "last", "end", "parent", "sql"):
            parts[name] = None if parts.get(name) is None else Held(*parts[name])
        for side in ("inputs", "outputs"):
            parts[side] = {node: {k: Held(*v) for k, v in facets.items()} for node, facets in parts[side].items()}
        return cls(**parts)


def canonical(value: object) -> str:
    """The value as JSON text, equal for equal values; of what is nested without end only what the mesh reads."""
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=list).decode()
    except orjson.JSONEncodeError:  # it writes fewer levels than it reads
        return orjson.dumps(_shallow(value, _DEEPEST), option=orjson.OPT_SORT_KEYS, default=list).decode()


def _shallow(value: Any, depth: int) -> Any:  # noqa: ANN401  # JSON
    """The value, null where it is nested deeper."""
    if isinstance(value, dict):
        return {key: _shallow(part, depth - 1) for key, part in value.items()} if depth else None
    if isinstance(value, list):
        return [_shallow(part, depth - 1) for part in value] if depth else None
    return value


def state_of(
    event: ReceivedEvent,
    schemas: Iterable[CatalogSchema] = (),
    claimed: Set[str] = frozenset(),
    names: Iterable[InputName] = (),
) -> RunState:
    """What this one event tells.

    Args:
        event: The event.
        schemas: What the catalog has of inputs whose own schema it does not bring.
        claimed: What it says of these nodes is no part of it, and so of nothing that is ever derived from its run.
        names: Of inputs, as far as its sender may say so.
    """

    def held(value: object) -> Held:
        return Held(event.time_ns, event.digest, value)

    content = event.content
    run_facets = content.get("run", {}).get("facets", {})
    job_facets = content.get("job", {}).get("facets", {})
    lineage = job_facets.get("lineage")
    datasets = [content["dataset"]] if event.kind is EventKind.DATASET else event.datasets("outputs")
    return RunState(
        job=held(list(event.job) if event.job is not None else None),
        is_declared=event.kind is not EventKind.RUN,
        first_ns=event.time_ns,
        last=held(event.state),
        end=held(event.state) if event.state in _ENDED else None,
        parent=held(_parent(parent)) if (parent := parent_facet(run_facets)) is not None else None,
        inputs=_with_names(_with_schemas(_datasets(event.datasets("inputs"), held), schemas), names, held),
        outputs=_datasets(datasets, held, claimed),
        entries={canonical(entry): True for entry in (lineage or {}).get("entries", []) if target_of(entry) not in claimed},
        has_entries=lineage is not None and not lineage.get("_deleted", False),
        sql=held(_query(job_facets["sql"])) if "sql" in job_facets else None,
    )


def joined(one: RunState | None, other: RunState) -> RunState:
    """Both as one state, in whichever order they came; neither is changed."""
    if one is None:
        return other
    if one.is_declared or other.is_declared:
        return max(one, other, key=lambda state: state.last[:2])
    return RunState(
        job=_later(one.job, other.job),
        is_declared=False,
        first_ns=min(one.first_ns, other.first_ns),
        last=_later(one.last, other.last),
        end=_latest(one.end, other.end),
        parent=_latest(one.parent, other.parent),
        inputs=_merged(one.inputs, other.inputs),
        outputs=_merged(one.outputs, other.outputs),
        entries={**one.entries, **other.entries},
        has_entries=one.has_entries or other.has_entries,
        sql=_latest(one.sql, other.sql),
    )


def parent_facet(facets: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The run's facet `parent`, which early Airflow integrations call `parentRun`; None if there is none to be read."""
    alias: Mapping[str, Any] = facets.get("parent") or facets.get("parentRun", {})
    job, run = alias.get("job"), alias.get("run")
    is_whole = isinstance(job, dict) and isinstance(run, dict) and {"namespace", "name"} <= job.keys() and "runId" in run
    return alias if is_whole and all(isinstance(it, str) for it in _parent(alias)) else None


def _parent(facet: Mapping[str, Any]) -> list[str]:
    return [facet["job"]["namespace"], facet["job"]["name"], facet["run"]["runId"]]


def _query(facet: Mapping[str, Any]) -> list[str] | None:
    query = facet.get("query") or ""
    is_read = query and len(query) <= LONGEST_QUERY and not facet.get("_deleted")
    return [query, facet.get("dialect") or ""] if is_read else None


def target_of(entry: Mapping[str, Any]) -> str:
    """The node that an entry of the facet `lineage` is about; empty for the event's own job."""
    if "name" not in entry:
        return ""
    node = (job_node if entry["type"] == "JOB" else dataset_node)(entry["namespace"], entry["name"])
    return f"{JOB}{node}" if entry["type"] == "JOB" else node


def _datasets(
    given: list[dict[str, Any]], held: Callable[[object], Held], claimed: Set[str] = frozenset()
) -> dict[str, DatasetState]:
    found: dict[str, DatasetState] = {}
    for dataset in given:
        node = dataset_node(dataset["namespace"], dataset["name"])
        facets = dataset.get("facets", {})
        told = {name: held(_lean(name, facets[name], claimed)) for name in _FACETS if name in facets}
        found[node] = {**found.get(node, {}), **told}
    return found


def _with_schemas(inputs: dict[str, DatasetState], schemas: Iterable[CatalogSchema]) -> dict[str, DatasetState]:
    """The inputs with those schemas: of one run the newest version's counts, in whichever order its events came."""
    for schema in schemas:
        text = canonical(schema.columns)
        inputs[schema.node] = {**inputs[schema.node], CATALOG: Held(schema.version, text, text)}
    return inputs


def _with_names(
    inputs: dict[str, DatasetState], names: Iterable[InputName], held: Callable[[object], Held]
) -> dict[str, DatasetState]:
    """The inputs with those names; one whose `symlinks` give it none has none any more."""
    found: dict[str, list[list[str]]] = {node: [] for node, facets in inputs.items() if "symlinks" in facets}
    for it in names:
        found[it.node].append([it.name, it.of])
    for node, pairs in found.items():
        inputs[node] = {**inputs[node], NAMES: held([pair for pair, _ in groupby(sorted(pairs))])}
    return inputs


def _lean(name: str, facet: Mapping[str, Any], claimed: Set[str]) -> Any:  # noqa: ANN401  # JSON
    """The facet without what nothing is derived from, the large ones as JSON text; the event's bytes have it all."""
    if facet.get("_deleted"):
        return None
    if name == "schema":
        return canonical([it["name"] for it in facet.get("fields") or []])
    if name == "version":
        return facet["datasetVersion"]
    if name == "lifecycleStateChange":
        return facet["lifecycleStateChange"]
    if name == "symlinks":
        named = [[it["namespace"], it["name"]] for it in facet.get("identifiers") or []]
        return [it for it in named if dataset_node(*it) not in claimed] if claimed else named
    return canonical({key: value for key, value in facet.items() if not key.startswith("_")})


def _later(one: Held, other: Held) -> Held:
    return other if other[:2] > one[:2] else one


def _latest(one: Held | None, other: Held | None) -> Held | None:
    return other if one is None else one if other is None else _later(one, other)


def _merged(one: Mapping[str, DatasetState], other: Mapping[str, DatasetState]) -> dict[str, DatasetState]:
    merged = dict(one)
    for node, facets in other.items():
        known = merged.get(node)
        if known is None:
            merged[node] = facets
        else:
            merged[node] = {**known, **{k: _later(known[k], v) if k in known else v for k, v in facets.items()}}
    return merged
