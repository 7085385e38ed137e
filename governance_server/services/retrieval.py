"""RetrievalService: governed retrieval from collections. Runs in the gateway.

The plan becomes a filter in front of the search, never behind it: rows by attributes, and passages by their tags. A passage whose
tag a mask binds for this caller is given with that data masked, if all of it is located; else it is left out, as under a denial.
Ranks are given, scores are not (they tell of hidden passages).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc

from domainmesh.v1 import product_pb2, retrieval_service_pb2_grpc
from domainmesh.v1 import retrieval_service_pb2 as pb
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_RETRIEVAL
from governance_server.audit.recording import Recording
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.keyring import MASKS
from governance_server.passage_search import Question, find_passages
from governance_server.policy.passage_tags import BoundTags
from governance_server.policy.projection import denied
from governance_server.publishing.located_data import PERSONAL, is_located, located, plain_tag
from governance_server.rules.collection_plans import findable, is_searchable, strictest_mask
from governance_server.rules.errors import AccessDenied, Invalid, Precondition, Unavailable
from governance_server.rules.read_plans import ColumnPlan, ReadPlan
from governance_server.services.past_tags import past_tags
from governance_server.services.whole_versions import WholeVersions
from governance_server.upkeep.versions import find_release, refuse_retired
from governance_server.vector_access import VectorAccess
from mesh_core.expressions.binding import conjoin
from mesh_core.expressions.tree import TRUE
from mesh_core.masks import Mask
from mesh_core.names import parse_port
from mesh_core.pii.masking import masked, spans_in

if TYPE_CHECKING:
    from mesh_core.expressions.tree import Expression
    from mesh_core.vectors.passages import Hit, StoredPassage
    from mesh_core.vectors.store import AllowedScope, Published

__all__ = ["RetrievalService"]

_SHOWN = ("text", "document", "title", "heading")
_UNMASKED = "Report 10-K of 2022"
_MAX_LIMIT, _DEFAULT_LIMIT, _MAX_QUERY = 100, 5, 4000
_Masks = Mapping[str, Mask | None]
"""How the columns of a passage are shown; those that are not, are absent."""
_Where: TypeAlias = "tuple[int, AllowedScope, Published | None]"
"""The version, what of it may be found, and what must be in it."""


def _check_question(request: pb.RetrieveRequest) -> None:
    if not request.query.strip():
        raise Invalid("The query is empty: say in words what you look for.", resource=request.port)
    if len(request.query) > _MAX_QUERY:
        raise Invalid(f"The query has {len(request.query):,} characters: send at most {_MAX_QUERY:,}.", resource=request.port)
    if request.limit > _MAX_LIMIT:
        raise Invalid(
            f"limit is {request.limit}: ask for at most {_MAX_LIMIT} passages, or 0 for {_DEFAULT_LIMIT}.", resource=request.port
        )


class RetrievalService(retrieval_service_pb2_grpc.RetrievalServiceServicer):
    """Serves retrieval."""

    def __init__(self, backend: Backend, vectors: VectorAccess) -> None:
        self._backend = backend
        self._vectors = vectors
        self._whole = WholeVersions(backend)

    def Retrieve(self, request: pb.RetrieveRequest, context: grpc.ServicerContext) -> pb.RetrieveResponse:
        """Returns the passages nearest to the question among those the caller may see."""
        return self.find(request)

    def find(self, request: pb.RetrieveRequest, *, within: Expression = TRUE) -> pb.RetrieveResponse:
        """The passages nearest to the question among those the caller may see and, besides, `within` is true of; recorded.

        Raises: AccessDenied, PurposeNotHeld, Invalid, Precondition, NotFound, Unavailable.
        """
        parse_port(request.port)
        _check_question(request)
        with self._backend.recording(DECISION_KIND_RETRIEVAL, resource=request.port, purpose=request.purpose) as recording:
            response = self._retrieve(request, recording, within)
            recording.served(len(response.passages), response.ByteSize())
        return response

    def _retrieve(self, request: pb.RetrieveRequest, recording: Recording, within: Expression) -> pb.RetrieveResponse:
        caller = current_caller()
        policy = self._backend.policy
        with policy.pinned():  # rights, tags and version belong together
            plan = policy.plan(caller, request.port, request.purpose)
            port, product = policy.find_port(request.port), policy.product_of(request.port)
        if port is None or product is None:
            raise denied("read", request.port)
        if port.kind != product_pb2.PORT_KIND_COLLECTION:
            raise Invalid(f"{request.port} is a table: read it with `mesh read {request.port}`.", resource=request.port)
        self._vectors.question_vector(request.query, asker=caller.name)  # is made while the rest is found out
        version = self._version(product, request.version)
        tags = set(port.passage_tags)
        if version != product.version:
            past = past_tags(self._backend, request.port, version)
            plan = policy.plan(caller, request.port, request.purpose, past=past.columns)
            tags |= past.passages
        recording.decided(plan, version=version, columns=_SHOWN)
        bound = policy.bound_tags(caller, request.port, tags, request.purpose)
        scope = _scope(plan, bound, has_pages=port.facets.pages > 0)
        scope = replace(scope, filter=conjoin([scope.filter, within]))
        if not scope.is_empty:
            recording.begin_ahead()  # the disk is waited for while the question is embedded and the store searches
        published = self._whole.published(port, version, is_served=version == product.version)
        hits = self._search(request, plan, port, (version, scope, published))
        masks = _masks(plan)
        passages = [self._passage(hit, masks, bound) for hit in hits]
        return pb.RetrieveResponse(passages=passages, revision=plan.revision, version=version)

    def _version(self, product: product_pb2.Product, version: int) -> int:
        if version in (0, product.version):
            return product.version
        refuse_retired(find_release(self._backend.catalog, product.name, version))
        return version

    def _search(self, request: pb.RetrieveRequest, plan: ReadPlan, port: product_pb2.Port, where: _Where) -> list[Hit]:
        from mesh_core.embedding import EmbedderUnavailable
        from mesh_core.vectors.store import CollectionMismatch, VectorStoreError

        try:
            model = self._vectors.model
        except EmbedderUnavailable as error:
            raise Unavailable(f"{port.name} cannot be searched: {error}", resource=port.name) from error
        if model != port.embedding_model:
            raise Precondition(f"{port.name} was embedded with {port.embedding_model}, this gateway asks with {model}.")
        question = Question(
            request.query, limit=request.limit or _DEFAULT_LIMIT, weight_of_meaning=_weight_of_meaning(port, request.query),
            has_labels=_has_labels(plan), asker=plan.principal,
        )  # fmt: skip
        try:
            return self._found(port, question, where)
        except CollectionMismatch as error:
            raise Precondition(f"{port.name} cannot be searched under its policy: {error}", resource=port.name) from error
        except (VectorStoreError, EmbedderUnavailable) as error:
            raise Unavailable(f"{port.name} cannot be searched: {error}", resource=port.name) from error

    def _found(self, port: product_pb2.Port, question: Question, where: _Where) -> list[Hit]:
        """What is found in a version that is as it was published. Raises: Precondition, Unavailable."""
        version, scope, published = where

        def find(published: Published | None) -> list[Hit]:
            return find_passages(self._vectors, port.name, question, version=version, scope=scope, published=published)

        return self._whole.search(port.name, version, published, find)

    def _passage(self, hit: Hit, masks: _Masks, bound: BoundTags) -> pb.Passage:
        """The passage as the caller may see it.

        Its id is keyed if its text or its document's name is not shown as it is: the plain one is a digest of both.
        """
        shown = _passage(hit.rank, hit.passage, masks)
        hidden = {plain_tag(tag) for tag in hit.passage.tags if is_located(tag)} & bound.masked
        if hidden:
            places = spans_in(str(hit.passage.attributes[PERSONAL]), length=len(shown.text))
            shown.text = masked(shown.text, places, hidden)
        if hidden or shown.document != hit.passage.document:
            shown.id = self._backend.keys.hmac(MASKS, f"passage\0{shown.id}".encode())[1].hex()[:32]
        return shown


def _scope(plan: ReadPlan, bound: BoundTags, *, has_pages: bool) -> AllowedScope:
    """What the plan lets its reader find. Raises: AccessDenied, if the text is masked or hidden."""
    from mesh_core.vectors.store import AllowedScope

    if not is_searchable(plan):
        raise AccessDenied(
            f"The text of {plan.port} is masked or hidden for you, so it cannot be searched: "
            f"`mesh explain {plan.port}` says by which rule, and what would change it.",
            resource=plan.port,
        )
    return AllowedScope(
        filter=findable(plan, has_pages=has_pages), excluded_tags=bound.every | frozenset(map(located, bound.withheld))
    )


def _passage(rank: int, passage: StoredPassage, masks: _Masks) -> pb.Passage:
    return pb.Passage(
        rank=rank, text=passage.text, document=_shown("document", passage.document, masks),
        title=_shown("title", passage.title, masks), heading=_shown("heading", passage.heading, masks), start=passage.start,
        end=passage.end, page=passage.page or 0, tags=sorted(map(plain_tag, passage.tags)), id=passage.id,
    )  # fmt: skip


def _weight_of_meaning(port: product_pb2.Port, question: str) -> float:
    from mesh_core.retrieval.weighting import weight_for, weight_of_meaning

    facets = port.facets
    weight = weight_of_meaning(documents=facets.documents, pages=facets.pages, tables=facets.tables)
    return weight_for(question, port.embedding_model, weight)


def _has_labels(plan: ReadPlan) -> bool:
    """True if neither the names nor the titles of documents are hidden or masked for the caller on any passage."""
    names, masks = ("document", "title"), _masks(plan)
    given = {column.name for column in plan.columns}
    return not set(names) & set(plan.hidden_columns) and not any(
        _shown(name, _UNMASKED, masks) != _UNMASKED for name in names if name in given
    )


def _masks(plan: ReadPlan) -> _Masks:
    """The strictest mask of each column, if any; without those that the plan shows on fewer rows than the text."""
    texts = {branch.condition for column in plan.columns if column.name == "text" for branch in column.branches}

    def is_on_every(column: ColumnPlan) -> bool:
        given = {branch.condition for branch in column.branches}
        return TRUE in given or given >= texts

    return {column.name: strictest_mask(column) for column in plan.columns if is_on_every(column)}


def _shown(name: str, value: str, masks: _Masks) -> str:
    """The value as its column is shown."""
    from mesh_core.masks.values import mask_value

    mask = masks.get(name, Mask.REPLACE_WITH_NULL)
    if mask is None:
        return value
    if mask in (Mask.REPLACE_WITH_NULL, Mask.SHA_256_QUERY_LOCAL):
        return ""
    return str(mask_value(value, mask, "string") or "")
