"""Uploads to a local warehouse: `PUT /uploads/{publication}/{port}/{name}`, for publishers that do not see the drop folder.

Thin: ticket, state of the publication, bytes, checksum. What lies in the drop area afterwards is verified at Commit like any
delivery, so a ticket gives no more than a drop folder does.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import ExitStack
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO

from domainmesh.v1 import publication_pb2
from governance_server.backend import Backend
from governance_server.http.server import Identify
from governance_server.publishing.upload_tickets import PATH, UploadTicket, UploadTickets
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid, Precondition, Unavailable
from governance_server.warehouse.errors import WarehouseError
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.local_folder import LocalFolder

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["UploadsApi"]

_LOG = logging.getLogger(__name__)
_SILENCE_SECONDS = 60.0
_CHUNK_BYTES = 1 << 20
_OPEN = publication_pb2.PUBLICATION_STATE_OPEN


class UploadsApi:
    """Serves the path."""

    def __init__(self, backend: Backend, warehouse: Warehouse, tickets: UploadTickets) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._tickets = tickets

    def mount(self, application: web.Application, identify: Identify) -> None:
        """The path is the application's. A ticket says who may, so no token is asked for."""
        application.router.add_put(f"{PATH}/{{publication}}/{{port}}/{{name}}", self._put)

    async def _put(self, request: web.Request) -> web.Response:
        from aiohttp import web

        ticket = self._tickets.check(request.match_info, request.query, self._backend.now())
        folder = await asyncio.to_thread(self._place, ticket)
        try:
            await self._receive(request, ticket, folder)
        except WarehouseError as error:
            _LOG.warning("upload failed publication=%s port=%s error=%s", ticket.publication, ticket.port, error)
            raise Unavailable("The drop area took no file: tell the operator.", resource=ticket.publication) from error
        return web.Response(status=201)

    def _place(self, ticket: UploadTicket) -> LocalFolder:
        """Where the file goes. Raises: AccessDenied if its publisher may publish no more, Precondition."""
        body = self._backend.catalog.get(kinds.PUBLICATION, ticket.publication)
        publication = publication_pb2.Publication.FromString(body or b"")
        facts, policy = self._backend.policy.facts(), self._backend.policy
        caller, known = policy.caller_of(publication.principal), facts.principals.get(publication.principal)
        is_allowed = caller is not None and known is not None and not known.is_disabled
        if not is_allowed or caller is None or not policy.check(caller, "write", publication.product).allowed:
            raise AccessDenied("Who began this publication may publish no more.", resource=ticket.publication)
        if publication.state != _OPEN or publication.expire_time.ToDatetime(tzinfo=UTC) <= self._backend.now():
            raise Precondition("This publication takes no files any more: begin a new one.", resource=ticket.publication)
        folder = self._warehouse.find_drop_folder(ticket.publication, ticket.port)
        if not isinstance(folder, LocalFolder):
            raise Precondition("Files of this warehouse are uploaded to its bucket.", resource=ticket.publication)
        return folder

    async def _receive(self, request: web.Request, ticket: UploadTicket, folder: LocalFolder) -> None:
        """The file is there, whole, or nothing of it. Raises: Invalid if the bytes are not those of the ticket."""
        digest, received = hashlib.sha256(), 0
        with ExitStack() as stack:
            target = await asyncio.to_thread(stack.enter_context, folder.receive(ticket.name))
            while True:
                chunk = await _next(request)
                if not chunk:
                    break
                received += len(chunk)
                if received > ticket.size:
                    raise Invalid(f"More than the {ticket.size} bytes that were announced came.", resource=ticket.publication)
                await asyncio.to_thread(_written, target, digest, chunk)
            if received != ticket.size or digest.digest() != ticket.sha256:
                raise Invalid("The bytes are not those that were announced.", resource=ticket.publication)
            await asyncio.to_thread(self._place, ticket)  # nothing may come after Commit has begun to take files in


async def _next(request: web.Request) -> bytes:
    """The next bytes of the body, empty at its end. Raises: Invalid after a silence."""
    try:
        return await asyncio.wait_for(request.content.read(_CHUNK_BYTES), _SILENCE_SECONDS)
    except TimeoutError:
        raise Invalid(f"Nothing came for {_SILENCE_SECONDS:g} seconds: send the file again.") from None


def _written(target: BinaryIO, digest: Any, chunk: bytes) -> None:  # noqa: ANN401 # hashlib's classes have no public name
    digest.update(chunk)
    target.write(chunk)
