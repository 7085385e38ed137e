"""OpenLineageService: takes in events over gRPC, with the same receipts as over HTTP, and tells of runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import grpc

from domainmesh.v1 import lineage_pb2, open_lineage_pb2, open_lineage_service_pb2_grpc
from domainmesh.v1 import open_lineage_service_pb2 as pb
from governance_server.backend import Backend, Page
from governance_server.caller import Caller, current_caller
from governance_server.error_details import error_detail
from governance_server.journal.command import Outcome, Transaction
from governance_server.journal.feed import read_changes
from governance_server.lineage.intake import LineageIntake, take_all
from governance_server.lineage.json_parts import Part
from governance_server.lineage.receipt import LineageReceipt
from governance_server.policy.lineage_sight import LineageSight
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import GovernanceError, Invalid, TooLarge
from governance_server.storage.events import EventLog
from governance_server.storage.lineage_queries import FoundRun, RunPage, runs_of_dataset, runs_of_job
from governance_server.storage.lineage_retention import summaries_of
from governance_server.storage.times import from_microseconds, to_microseconds
from mesh_core.dataset_names import DatasetName, dataset_node, is_outside, parse_node
from mesh_core.lineage import Basis, InputVersion, PortLineage
from mesh_core.lineage_wire import lineage_to_wire
from mesh_core.names import MESH, parse_port

__all__ = ["OpenLineageService"]

_MOST_EVENTS = 10_000


class OpenLineageService(open_lineage_service_pb2_grpc.OpenLineageServiceServicer):
    """Serves events and runs."""

    def __init__(self, backend: Backend, intake: LineageIntake, events: EventLog) -> None:
        self._backend = backend
        self._intake = intake
        self._events = events

    def RecordEvent(self, request: pb.RecordEventRequest, context: grpc.ServicerContext) -> pb.RecordEventResponse:
        """Takes in one event."""
        (found,) = take_all(self._intake, [Part(request.event)], current_caller())
        if isinstance(found, GovernanceError):
            raise found
        return pb.RecordEventResponse(receipt=_receipt(found))

    def RecordEvents(self, request: pb.RecordEventsRequest, context: grpc.ServicerContext) -> pb.RecordEventsResponse:
        """Takes in many events."""
        if len(request.events) > _MOST_EVENTS:
            raise TooLarge(f"{len(request.events)} events in one call: send at most {_MOST_EVENTS}.")
        caller = current_caller()
        results = [_result(it, caller.call_id) for it in take_all(self._intake, map(Part, request.events), caller)]
        return pb.RecordEventsResponse(results=results)

    def SetDatasetAlias(self, request: pb.SetDatasetAliasRequest, context: grpc.ServicerContext) -> pb.SetDatasetAliasResponse:
        """Says that a dataset is a port, or takes that back."""
        dataset = _node(request.dataset) if "|" in request.dataset else ""
        if not is_outside(dataset):
            raise Invalid(f"{request.dataset!r} is no dataset outside the mesh: write it as 'namespace|name'.")
        port = str(parse_port(request.port)) if request.port else ""
        name = f"{dataset}<alias"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            stored = tx.get(kinds.OBSERVED_LINEAGE, name)
            known = lineage_pb2.PortLineage.FromString(stored).inputs[0].port if stored else ""
            for named in {port, known} - {""}:
                self._authorise_alias(caller, dataset, named)
            if not port and not known:
                raise denied("change the alias of", dataset)
            if port == known:
                return Outcome("lineage.aliased", dataset, (), b"")
            alias = PortLineage(dataset, (InputVersion(port, 0),), (), source=f"{dataset}<alias", basis=Basis.ALIAS)
            body = lineage_to_wire(alias).SerializeToString(deterministic=True) if port else None
            return Outcome("lineage.aliased", dataset, (ResourceWrite(kinds.OBSERVED_LINEAGE, name, body),), b"")

        self._backend.submit(request, request.request_id, run)
        return pb.SetDatasetAliasResponse()

    def _authorise_alias(self, caller: Caller, dataset: str, port: str) -> None:
        """Returns if the caller may say that this dataset is this port. Raises: AccessDenied."""
        policy = self._backend.policy
        policy.authorise(caller, "write", port)
        owner = policy.facts().owners.owner_of(*parse_node(dataset))
        if owner != port.partition(".")[0]:
            policy.authorise(caller, "administer", MESH)

    def ListRuns(self, request: pb.ListRunsRequest, context: grpc.ServicerContext) -> pb.ListRunsResponse:
        """Lists runs, newest first."""
        if bool(request.dataset) == bool(request.job or request.namespace):
            raise Invalid("Ask for the runs of a job (namespace and job) or of a dataset: give one of the two.")
        page = Page.of(request.page_size, request.page_token)
        sights = self._sights(request.as_of)
        found = self._found(request, sights, RunPage(page.after, page.size + 1, self._through(request.as_of)))
        shown = [_run(run, sights) for run in found[: page.size]]
        more = Page.token(found[page.size - 1].position) if len(found) > page.size else ""
        response = pb.ListRunsResponse(runs=shown, next_page_token=more)
        if request.job and not page.after:
            for summary in summaries_of(self._backend.database.reader(), request.namespace, request.job):
                message = response.compacted.add(state=summary.state, runs=summary.runs)
                message.start_time.FromDatetime(from_microseconds(summary.first_us))
                message.last_time.FromDatetime(from_microseconds(summary.last_us))
        return response

    def _sights(self, as_of: int) -> list[LineageSight]:
        """What the caller may know: as of the revision first, and now."""
        policies = [self._backend.policy_at(as_of), self._backend.policy] if as_of else [self._backend.policy]
        return [LineageSight(policy, current_caller()) for policy in policies]

    def _through(self, as_of: int) -> int | None:
        """The last event that was there when the revision was written; None for now."""
        if not as_of:
            return None
        (change,) = read_changes(self._backend.database.reader(), as_of - 1, 1)
        return self._events.sequence_at(to_microseconds(change.time))

    def _found(self, request: pb.ListRunsRequest, sights: Sequence[LineageSight], page: RunPage) -> list[FoundRun]:
        """Raises: AccessDenied, Invalid."""
        reader = self._backend.database.reader()
        if request.dataset:
            node = sights[0].port_of(_node(request.dataset))
            for sight in sights:
                sight.require(node)
            return runs_of_dataset(reader, [node, *sights[0].datasets_of(node)], page, is_shown=partial(_is_shown, sights))
        for sight in sights:
            sight.require_job(DatasetName(request.namespace, request.job))
        return runs_of_job(reader, request.namespace, request.job, page)


def _node(text: str) -> str:
    return dataset_node(*parse_node(text)) if "|" in text else str(parse_port(text))


def _is_shown(sights: Sequence[LineageSight], run: FoundRun) -> bool:
    return all(sight.sees_job(DatasetName(run.namespace, run.job)) for sight in sights)


def _result(taken: LineageReceipt | GovernanceError, call_id: str) -> open_lineage_pb2.EventResult:
    if isinstance(taken, GovernanceError):
        return open_lineage_pb2.EventResult(error=error_detail(taken, call_id))
    return open_lineage_pb2.EventResult(receipt=_receipt(taken))


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


def _run(run: FoundRun, sights: Sequence[LineageSight]) -> open_lineage_pb2.LineageRun:
    def datasets(given: Sequence[tuple[str, str]]) -> list[open_lineage_pb2.RunDataset]:
        return [
            open_lineage_pb2.RunDataset(dataset=port, version=version)
            if all(sight.sees(port) for sight in sights)
            else open_lineage_pb2.RunDataset()
            for port, version in ((sights[0].port_of(node), version) for node, version in given)
        ]

    parent = run.parent if all(sight.sees_job(parse_node(run.parent)) for sight in sights) else ""
    message = open_lineage_pb2.LineageRun(
        run_id=run.run_id, namespace=run.namespace, job=run.job, state=run.state, job_version=run.job_version,
        parent=parent, inputs=datasets(run.inputs), outputs=datasets(run.outputs), owner=run.owner,
    )  # fmt: skip
    for field, time_us in ((message.start_time, run.first_us), (message.last_time, run.last_us)):
        field.FromDatetime(from_microseconds(time_us))
    return message
