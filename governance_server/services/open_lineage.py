"""OpenLineageService: takes in events over gRPC, with the same receipts as over HTTP, and tells of runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import grpc

from domainmesh.v1 import open_lineage_pb2, open_lineage_service_pb2_grpc
from domainmesh.v1 import open_lineage_service_pb2 as pb
from governance_server.backend import Backend, Page
from governance_server.caller import current_caller
from governance_server.interceptors import error_detail
from governance_server.lineage.intake import LineageIntake
from governance_server.lineage.receipt import LineageReceipt
from governance_server.policy.lineage_sight import LineageSight
from governance_server.rules.errors import GovernanceError, Invalid, TooLarge
from governance_server.storage.lineage_queries import FoundRun, runs_of_dataset, runs_of_job
from governance_server.storage.times import from_microseconds
from mesh_core.dataset_names import DatasetName, dataset_node, parse_node
from mesh_core.names import parse_port

__all__ = ["OpenLineageService"]

_MOST_EVENTS = 10_000


class OpenLineageService(open_lineage_service_pb2_grpc.OpenLineageServiceServicer):
    """Serves events and runs."""

    def __init__(self, backend: Backend, intake: LineageIntake) -> None:
        self._backend = backend
        self._intake = intake

    def RecordEvent(self, request: pb.RecordEventRequest, context: grpc.ServicerContext) -> pb.RecordEventResponse:
        """Takes in one event."""
        receipt = self._intake.receive(request.event, current_caller()).result()
        return pb.RecordEventResponse(receipt=_receipt(receipt))

    def RecordEvents(self, request: pb.RecordEventsRequest, context: grpc.ServicerContext) -> pb.RecordEventsResponse:
        """Takes in many events."""
        if len(request.events) > _MOST_EVENTS:
            raise TooLarge(f"{len(request.events)} events in one call: send at most {_MOST_EVENTS}.")
        caller = current_caller()
        taken: list[Future[LineageReceipt] | GovernanceError] = []
        for event in request.events:
            try:
                taken.append(self._intake.receive(event, caller))
            except GovernanceError as error:
                taken.append(error)
        return pb.RecordEventsResponse(results=[_result(it, caller.call_id) for it in taken])

    def ListRuns(self, request: pb.ListRunsRequest, context: grpc.ServicerContext) -> pb.ListRunsResponse:
        """Lists runs, newest first."""
        if bool(request.dataset) == bool(request.job or request.namespace):
            raise Invalid("Ask for the runs of a job (namespace and job) or of a dataset: give one of the two.")
        page = Page.of(request.page_size, request.page_token)
        sight = LineageSight(self._backend.policy, current_caller())
        reader = self._backend.database.reader()
        if request.dataset:
            node = _node(request.dataset)
            sight.require(node)
            nodes = [node, *self._backend.policy.facts().observed.datasets_of(node)]
            found = runs_of_dataset(reader, nodes, after=page.after, limit=page.size + 1)
        else:
            sight.require_job(DatasetName(request.namespace, request.job))
            found = runs_of_job(reader, request.namespace, request.job, after=page.after, limit=page.size + 1)
        shown = [_run(run, sight) for run in found[: page.size] if sight.sees_job(DatasetName(run.namespace, run.job))]
        more = Page.token(found[page.size - 1].position) if len(found) > page.size else ""
        return pb.ListRunsResponse(runs=shown, next_page_token=more)


def _node(text: str) -> str:
    return dataset_node(*parse_node(text)) if "|" in text else str(parse_port(text))


def _result(taken: Future[LineageReceipt] | GovernanceError, call_id: str) -> open_lineage_pb2.EventResult:
    try:
        if isinstance(taken, GovernanceError):
            raise taken
        return open_lineage_pb2.EventResult(receipt=_receipt(taken.result()))
    except GovernanceError as error:
        return open_lineage_pb2.EventResult(error=error_detail(error, call_id))


def _receipt(receipt: LineageReceipt) -> open_lineage_pb2.LineageReceipt:
    edges = [
        open_lineage_pb2.ReceiptEdge(source=it.source, target=it.target, columns=it.columns, basis=it.basis)
        for it in receipt.edges
    ]
    return open_lineage_pb2.LineageReceipt(
        sequence=receipt.sequence, is_repeated=receipt.is_repeated, created=receipt.created, edges=edges,
        more_edges=receipt.more_edges, uninterpreted=receipt.uninterpreted, stubs=receipt.stubs, claims=receipt.claims,
        notes=receipt.notes,
    )  # fmt: skip


def _run(run: FoundRun, sight: LineageSight) -> open_lineage_pb2.LineageRun:
    def datasets(given: Sequence[tuple[str, str]]) -> list[open_lineage_pb2.RunDataset]:
        return [
            open_lineage_pb2.RunDataset(dataset=port, version=version) if sight.sees(port) else open_lineage_pb2.RunDataset()
            for port, version in ((sight.port_of(node), version) for node, version in given)
        ]

    message = open_lineage_pb2.LineageRun(
        run_id=run.run_id, namespace=run.namespace, job=run.job, state=run.state, job_version=run.job_version,
        parent=run.parent, inputs=datasets(run.inputs), outputs=datasets(run.outputs), owner=run.owner,
    )  # fmt: skip
    for field, time_us in ((message.start_time, run.first_us), (message.last_time, run.last_us)):
        field.FromDatetime(from_microseconds(time_us))
    return message
