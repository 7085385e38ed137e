"""OpenLineage events as the mesh takes them in: receipts, and the runs they make.

Owns these values and the calls. Events go in as the text their producer wrote; what is in them is the server's to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domainmesh.v1 import open_lineage_pb2

__all__ = [
    "EventResult",
    "LineageReceipt",
    "LineageRun",
    "ReceiptEdge",
    "ReceivedEvent",
    "RunDataset",
    "RunSummary",
    "list_events",
    "list_runs",
    "record_events",
    "run_summaries",
    "set_dataset_alias",
]

_BATCH_EVENTS, _BATCH_BYTES = 500, 4 << 20


@dataclass(frozen=True, slots=True)
class ReceiptEdge:
    """What a run tells of one source and one target."""

    source: str
    """A port, or another dataset as `namespace|name`."""
    target: str
    """The same."""
    columns: int
    """How many edges between their columns."""
    basis: str
    """`EXPLICIT`, `COLUMNS`, `INFERRED` or `PRODUCT`: which facet says so. INFERRED was read from the job's query by the mesh,
    PRODUCT is OpenLineage's own reading of inputs and outputs."""


@dataclass(frozen=True, slots=True)
class LineageReceipt:
    """What an accepted event did."""

    sequence: int
    """Its position in the event stream."""
    is_repeated: bool
    """True if it told nothing that was not known."""
    created: tuple[str, ...]
    """What was not known before: `run …`, `job …`, `dataset …`."""
    edges: tuple[ReceiptEdge, ...]
    """The edges of its run, at most a thousand."""
    more_edges: int
    """How many further edges there are."""
    uninterpreted: tuple[str, ...]
    """Facets that are stored and mean nothing to the mesh, by path."""
    stubs: tuple[str, ...]
    """Datasets for which no port is known yet."""
    claims: tuple[str, ...]
    """What it says of others' jobs and datasets: kept, without effect."""
    notes: tuple[str, ...]
    """What was read otherwise than it was written."""


@dataclass(frozen=True, slots=True)
class EventResult:
    """One event: its receipt, or why it was refused."""

    receipt: LineageReceipt | None
    refusal: str | None
    """In words, with the path of what is wrong."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as the stream has it."""

    sequence: int
    """Its position, from 1."""
    receive_time: datetime
    sender: str
    """Who sent it; empty for publications from before senders were kept."""
    json: str
    """As it was received; empty if it was compacted."""


@dataclass(frozen=True, slots=True)
class RunDataset:
    """A dataset that a run read or wrote."""

    dataset: str
    """A port, or `namespace|name`; empty if you may not discover it."""
    version: str
    """As the event gave it; empty if it did not."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Runs of a job that ended alike and were compacted, as the server keeps events for a limited time."""

    state: str
    runs: int
    start_time: datetime
    """The earliest time that one of their events gave."""
    last_time: datetime
    """The latest."""


@dataclass(frozen=True, slots=True)
class LineageRun:
    """A run of a job, as its events tell."""

    run_id: str
    namespace: str
    job: str
    state: str
    """`START`, `RUNNING`, `COMPLETE`, `ABORT`, `FAIL` or `OTHER`; empty if no event said."""
    start_time: datetime
    last_time: datetime
    job_version: str
    """Changes when the job reads or writes other datasets."""
    parent: str
    """`namespace|job|run id`; empty if there is none."""
    inputs: tuple[RunDataset, ...]
    outputs: tuple[RunDataset, ...]
    owner: str
    """The domain that owns the job; empty if nobody does."""


def record_events(transport: Transport, events: Iterable[str | bytes]) -> Iterator[EventResult]:
    """For each event whether it was accepted, in their order; sent in batches of bounded size."""
    from domainmesh.v1.open_lineage_service_pb2 import RecordEventsRequest
    from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub

    stub = transport.control(OpenLineageServiceStub)
    for batch in _batches(events):
        answer = transport.call(stub.RecordEvents, RecordEventsRequest(events=batch))
        for result in answer.results:
            if result.HasField("receipt"):
                yield EventResult(_receipt(result.receipt), None)
            else:
                yield EventResult(
                    None, "\n".join([result.error.message, *(f"{v.path}: {v.message}" for v in result.error.violations)])
                )


def list_runs(
    transport: Transport, *, dataset: str = "", namespace: str = "", job: str = "", as_of: int = 0, limit: int | None = None
) -> list[LineageRun]:
    """The runs of a job, or those that read or wrote a port or dataset; newest first; as they were at revision `as_of`."""
    from domain_sdk._paging import all_items
    from domainmesh.v1.open_lineage_service_pb2 import ListRunsRequest
    from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub

    method = transport.control(OpenLineageServiceStub).ListRuns
    request = ListRunsRequest(dataset=dataset, namespace=namespace, job=job, as_of=as_of)
    return [_run(it) for it in all_items(transport, method, request, field="runs", limit=limit)]


def run_summaries(transport: Transport, namespace: str, job: str) -> list[RunSummary]:
    """What is left of the job's runs that were compacted: for each way they ended how many there were."""
    from domainmesh.v1.open_lineage_service_pb2 import ListRunsRequest
    from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub

    request = ListRunsRequest(namespace=namespace, job=job, page_size=1)
    answer = transport.call(transport.control(OpenLineageServiceStub).ListRuns, request)
    return [
        RunSummary(it.state, it.runs, it.start_time.ToDatetime(tzinfo=UTC), it.last_time.ToDatetime(tzinfo=UTC))
        for it in answer.compacted
    ]


def set_dataset_alias(transport: Transport, dataset: str, port: str) -> None:
    """The dataset is the port under another name; with an empty port it is not any more."""
    from domainmesh.v1.open_lineage_service_pb2 import SetDatasetAliasRequest
    from domainmesh.v1.open_lineage_service_pb2_grpc import OpenLineageServiceStub

    request = SetDatasetAliasRequest(dataset=dataset, port=port)
    transport.call(transport.control(OpenLineageServiceStub).SetDatasetAlias, request)


def list_events(transport: Transport, *, after: int = 0, limit: int | None = None) -> list[ReceivedEvent]:
    """The events after a position of the stream, oldest first."""
    from domain_sdk._paging import all_items
    from domainmesh.v1.lineage_service_pb2 import ListLineageEventsRequest
    from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub

    method = transport.control(LineageServiceStub).ListLineageEvents
    found = all_items(transport, method, ListLineageEventsRequest(after=after), field="events", limit=limit)
    return [ReceivedEvent(it.sequence, it.receive_time.ToDatetime(tzinfo=UTC), it.sender, it.json) for it in found]


def _batches(events: Iterable[str | bytes]) -> Iterator[Sequence[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in chain(events):
        data = event.encode() if isinstance(event, str) else event
        if batch and (len(batch) >= _BATCH_EVENTS or size + len(data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield batch


def _receipt(message: open_lineage_pb2.LineageReceipt) -> LineageReceipt:
    return LineageReceipt(
        sequence=message.sequence,
        is_repeated=message.is_repeated,
        created=tuple(message.created),
        edges=tuple(ReceiptEdge(it.source, it.target, it.columns, it.basis) for it in message.edges),
        more_edges=message.more_edges,
        uninterpreted=tuple(message.uninterpreted),
        stubs=tuple(message.stubs),
        claims=tuple(message.claims),
        notes=tuple(message.notes),
    )


def _run(message: open_lineage_pb2.LineageRun) -> LineageRun:
    return LineageRun(
        run_id=message.run_id,
        namespace=message.namespace,
        job=message.job,
        state=message.state,
        start_time=message.start_time.ToDatetime(tzinfo=UTC),
        last_time=message.last_time.ToDatetime(tzinfo=UTC),
        job_version=message.job_version,
        parent=message.parent,
        inputs=tuple(RunDataset(it.dataset, it.version) for it in message.inputs),
        outputs=tuple(RunDataset(it.dataset, it.version) for it in message.outputs),
        owner=message.owner,
    )
