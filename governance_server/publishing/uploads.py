"""Where publishers put files: a folder, where they reach it by path, or signed requests, one for each file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domainmesh.v1 import product_pb2, publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from governance_server.publishing.upload_tickets import UploadTickets
from governance_server.rules.errors import Invalid, Precondition, Problem
from governance_server.warehouse.errors import UnsafeName
from governance_server.warehouse.folder import Folder, check_part
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.local_folder import LocalFolder

__all__ = ["sign_uploads", "write_location"]

_MOST_FILES = 1000
_SHA256_BYTES = 32
_VALID_FOR = timedelta(hours=1)


def write_location(
    port: product_pb2.Port, folder: Folder, mode: product_pb2.WriteMode.ValueType
) -> publication_pb2.WriteLocation:
    """How the publisher is told where the port's files go."""
    path = str(folder.path) if isinstance(folder, LocalFolder) else ""
    return publication_pb2.WriteLocation(port=port.name, kind=port.kind, path=path, is_upload=not path, mode=mode)


def sign_uploads(
    places: tuple[Warehouse, UploadTickets],
    publication: publication_pb2.Publication,
    request: pb.SignUploadsRequest,
    now: datetime,
) -> pb.SignUploadsResponse:
    """A request for each file, valid for an hour or until the publication expires. Raises: Invalid, Precondition.

    To a bucket's own door, or to ours where the warehouse is a local one.
    """
    warehouse, tickets = places
    valid_for = min(_VALID_FOR, publication.expire_time.ToDatetime(tzinfo=UTC) - now)
    if publication.state != publication_pb2.PUBLICATION_STATE_OPEN or valid_for <= timedelta():
        raise Precondition(f"Publication {publication.id} takes no files any more: begin a new one.", resource=publication.id)
    _check(publication, request)
    response = pb.SignUploadsResponse()
    for file in request.files:
        port = file.port.rpartition(".")[2]
        folder = warehouse.find_drop_folder(publication.id, port)
        upload = folder.upload(file.name, size=file.size_bytes, sha256=file.sha256, valid_for=valid_for) or tickets.sign(
            publication.id, port, file.name, size=file.size_bytes, sha256=file.sha256, now=now, valid_for=valid_for
        )
        signed = response.uploads.add(url=upload.url, headers=dict(upload.headers))
        signed.expire_time.FromDatetime(now + valid_for)
    return response


def _check(publication: publication_pb2.Publication, request: pb.SignUploadsRequest) -> None:
    if len(request.files) > _MOST_FILES:
        raise Invalid(
            f"{len(request.files)} files are asked for: ask for at most {_MOST_FILES} at once.", resource=publication.id
        )
    ports = {location.port for location in publication.locations}
    problems = []
    for index, file in enumerate(request.files):
        if file.port not in ports:
            problems.append(Problem(f"files[{index}].port", f"{file.port!r} is no port of {publication.product}"))
        if len(file.sha256) != _SHA256_BYTES:
            problems.append(Problem(f"files[{index}].sha256", f"{len(file.sha256)} bytes: a SHA-256 has {_SHA256_BYTES}"))
        try:
            check_part(file.name)
        except UnsafeName as error:
            problems.append(Problem(f"files[{index}].name", str(error)))
    if problems:
        raise Invalid("The files cannot be uploaded as they are named.", resource=publication.id, problems=problems)
