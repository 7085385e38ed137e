"""Runs of pipelines that may be repeated: which publication a run began, so that it becomes at most one release.

The chain that makes it so: run → publication (here) → product version → the Delta log's app transaction of that version, which is
looked up before an entry is written.
"""

from __future__ import annotations

from domainmesh.v1 import publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from governance_server.backend import Reader, store
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import Invalid, RequestIdReused

__all__ = ["begun_before", "check_run_id", "run_write"]

_LONGEST = 200


def check_run_id(run_id: str) -> None:
    """Returns if the text can name a run, or is empty. Raises: Invalid."""
    if len(run_id) > _LONGEST or not run_id.isprintable():
        raise Invalid(f"run_id is not printable or longer than {_LONGEST} characters: use something like orders-2026-11-23.")


def begun_before(tx: Reader, request: pb.BeginPublicationRequest, principal: str) -> publication_pb2.Publication | None:
    """The publication that the request's run began and that was not given up; None if there is none.

    Raises: RequestIdReused if it was another principal's run.
    """
    body = tx.get(kinds.PUBLICATION_RUN, _name(request)) if request.run_id else None
    if body is None:
        return None
    run = publication_pb2.PublicationRun.FromString(body)
    known = publication_pb2.Publication.FromString(tx.get(kinds.PUBLICATION, run.publication) or b"")
    if known.state == publication_pb2.PUBLICATION_STATE_ABORTED:
        return None
    if known.principal != principal:
        raise RequestIdReused(
            f"The run {request.run_id!r} of {request.product} is somebody else's: give your runs names of their own.",
            resource=request.product,
        )
    return known


def run_write(request: pb.BeginPublicationRequest, publication_id: str) -> tuple[ResourceWrite, ...]:
    """What remembers that the run began this publication; nothing without a run."""
    if not request.run_id:
        return ()
    run = publication_pb2.PublicationRun(product=request.product, run_id=request.run_id, publication=publication_id)
    return (store(kinds.PUBLICATION_RUN, _name(request), run),)


def _name(request: pb.BeginPublicationRequest) -> str:
    return f"{request.product}@{request.run_id}"
