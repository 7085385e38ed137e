"""MentionService: which documents mention a record of a table, for who may read the table and all of the documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import grpc

from domainmesh.v1 import mention_pb2, mention_service_pb2_grpc
from domainmesh.v1 import mention_service_pb2 as pb
from governance_server.backend import Backend
from governance_server.caller import Caller, current_caller
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.policy.readable import finds_every_passage
from governance_server.publishing.kept_mentions import mentioned_version
from governance_server.publishing.known_people import record_digest
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid, Unavailable
from governance_server.storage.resources import ResourceList
from mesh_core.expressions.tree import TRUE
from mesh_core.names import parse_port

__all__ = ["MentionService"]

_DECIDING = kinds.POLICY_KINDS | {kinds.MENTIONS}
_TURNS = 20


class MentionService(mention_service_pb2_grpc.MentionServiceServicer):
    """Serves mentions."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def ListMentions(self, request: pb.ListMentionsRequest, context: grpc.ServicerContext) -> pb.ListMentionsResponse:
        """Lists where the documents of the collections now served mention a record of a table."""
        parse_port(request.port)
        caller = current_caller()
        policy = self._backend.policy
        with self._kept() as kept:
            plan = policy.plan(caller, request.port, request.purpose)
            port = policy.find_port(request.port)
            key = {column.name for column in port.columns if column.primary_key_position} if port else set()
            clear = {column.name for column in plan.columns if column.is_clear}
            if plan.row_filter != TRUE or not key <= clear:  # else a key that is hidden or masked could be found by trying
                raise denied("look up mentions of every record of", request.port)
            keys = len(key)
            if not keys or len(request.key) != keys:
                raise Invalid(_key_wanted(request.port, keys), resource=request.port)
            record = record_digest(self._backend, request.port, list(request.key))
            readable = self._readable(kept, caller, request.purpose)
            found = [it for it in readable if _of_record(it, request.port, record, clear)]
        return pb.ListMentionsResponse(collections=found)

    @contextmanager
    def _kept(self) -> Iterator[ResourceList]:
        """Within the block all mentions, with the rights pinned that decide on them: nothing was written between the two.

        Raises: Unavailable, where each time something was.
        """
        backend = self._backend
        for _ in range(_TURNS):
            seen = backend.database.head_of(_DECIDING)
            kept = backend.catalog.list(kinds.MENTIONS)
            with backend.policy.pinned():
                if backend.database.head_of(_DECIDING) == seen:
                    yield kept
                    return
        raise Unavailable("What decides on mentions is being changed all the time: ask again in a moment.")

    def _readable(self, kept: ResourceList, caller: Caller, purpose: str) -> Iterator[mention_pb2.DocumentMentions]:
        """What the caller may know of each collection: of all documents or none, and nothing under a tag that binds it."""
        policy = self._backend.policy
        for name, body in _served(policy, kept).items():
            port = policy.find_port(name)
            if port is None or not finds_every_passage(policy, caller, port, purpose):
                continue
            if not any(it.name == "document" and it.is_clear for it in policy.plan(caller, name, purpose).columns):
                continue
            found = mention_pb2.DocumentMentions.FromString(body)
            bound = policy.bound_tags(caller, name, {it.tag for it in found.mentions}, purpose).every
            allowed = [it for it in found.mentions if it.tag not in bound]
            yield mention_pb2.DocumentMentions(port=found.port, version=found.version, mentions=allowed)


def _key_wanted(port: str, keys: int) -> str:
    if not keys:
        return f"{port} has no primary key, so its records cannot be told apart: name a table whose contract has one."
    values = "the value" if keys == 1 else f"the {keys} values, in its order,"
    return f"Give {values} of the primary key of {port}."


def _served(policy: PolicyProjection, kept: ResourceList) -> dict[str, bytes]:
    """By collection the mentions of its version now served: a publication's are kept before it is visible."""
    served: dict[str, bytes] = {}
    for name, body in kept:  # by name, so in the order of versions
        port, version = mentioned_version(name)
        product = policy.product_of(port)
        if product is not None and version <= product.version:
            served[port] = body
    return served


def _of_record(kept: mention_pb2.DocumentMentions, port: str, record: bytes, clear: Collection[str]) -> bool:
    """True if mentions of the record are left when all others are taken out, and those of what the table would not show."""
    own = [it for it in kept.mentions if it.source_port == port and it.record == record and it.source_column in clear]
    del kept.mentions[:]
    kept.mentions.extend(own)
    kept.mention_count, kept.document_count = len(own), len({it.document for it in own})
    return bool(own)
