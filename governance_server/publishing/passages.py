"""Indexing a delivered collection: from Parquet files in the drop folder into the vector store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from domainmesh.v1 import publication_pb2
from governance_server.caller import Caller
from governance_server.publishing.collection_entries import Staged, is_delivered
from governance_server.publishing.known_people import KnownPeople
from governance_server.publishing.located_data import PERSONAL, Mentioned, TagsGiven, located_passages
from governance_server.rules.errors import Conflict, ContractViolated, Problem, Unavailable
from governance_server.vector_access import VectorAccess, attribute_types
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse

if TYPE_CHECKING:
    from mesh_core.contract.model import Contract, Port
    from mesh_core.vectors.passages import Passage

__all__ = ["PassageIndexer"]

_BATCH_ROWS = 1000
_MAX_PROBLEMS = 100
_Opener = Callable[[], BinaryIO]


class PassageIndexer:
    """Writes passages of publications into the vector store."""

    def __init__(self, vectors: VectorAccess, warehouse: Warehouse, people: KnownPeople) -> None:
        self._vectors = vectors
        self._warehouse = warehouse
        self._people = people

    def check(
        self, publication: publication_pb2.Publication, contract: Contract, verified: Sequence[publication_pb2.VerifiedPort]
    ) -> None:
        """Returns if every passage of every collection can be indexed and searched here. Raises: ContractViolated, Conflict.

        `verified` has the ports of the contract, in its order.

        Whatever could stop the indexing must be found here: after the intent there is no way back.
        """
        problems: list[Problem] = []
        for promised, port in zip(contract.ports, verified, strict=True):
            if is_delivered(port):
                wrong = self._model_problems(port) or _promise_problems(promised, port)
                problems.extend(wrong or _passage_problems(port, self._files(publication.id, port)))
        if problems:
            self._warehouse.discard_incoming(publication.id)
            raise ContractViolated("A collection cannot be searched as it was delivered: mend what is listed.", problems=problems)
        for port in verified:
            if is_delivered(port):
                self._prepare(port, publication.version)

    def mark(
        self, publication: publication_pb2.Publication, verified: Sequence[publication_pb2.VerifiedPort], caller: Caller
    ) -> None:
        """The verified collections say where their documents mention records that the caller may read."""
        for port in verified:
            if is_delivered(port):
                passages = _passages(self._files(publication.id, port))
                port.mentions.CopyFrom(self._people.mentions(port.port, publication.version, passages, caller))

    def _model_problems(self, port: publication_pb2.VerifiedPort) -> list[Problem]:
        from mesh_core.embedding import EmbedderUnavailable

        try:
            model, dimensions = self._vectors.model, self._vectors.dimensions
        except EmbedderUnavailable as error:
            raise Unavailable(f"{port.port} cannot be checked: {error}", resource=port.port) from error
        if (port.embedding_model, port.dimensions) == (model, dimensions):
            return []
        text = (
            f"embedded with {port.embedding_model or 'no stated model'} ({port.dimensions} dimensions); "
            f"this mesh asks its questions with {model} ({dimensions}): embed with that model"
        )
        return [Problem(port.port, text)]

    def _prepare(self, port: publication_pb2.VerifiedPort, version: int) -> None:
        """The collection exists and takes such passages. Raises: ContractViolated, Conflict, Unavailable."""
        from mesh_core.vectors.store import CollectionMismatch, VectorStoreError

        try:
            self._vectors.store.ensure_collection(port.port, dimensions=port.dimensions, attributes=attribute_types())
            is_overtaken = self._vectors.store.is_overtaken(port.port, version)
        except CollectionMismatch as error:
            raise ContractViolated(f"{port.port} cannot take these passages: {error}", resource=port.port) from error
        except VectorStoreError as error:
            raise Unavailable(f"The vector store did not take {port.port}: {error}", resource=port.port) from error
        if is_overtaken:
            raise Conflict(
                f"The vector store holds a later version of {port.port} than {version}: it is from a newer backup than the "
                "journal. Restore both from one, or publish again: each attempt takes the next number.",
                resource=port.port,
            )

    def _files(self, publication_id: str, port: publication_pb2.VerifiedPort) -> list[_Opener]:
        folder = self._warehouse.incoming_folder(publication_id, port.port.rpartition(".")[2])
        return [partial(folder.open, file.name) for file in port.files]

    def stage(self, publication_id: str, port: publication_pb2.VerifiedPort, version: int) -> Staged:
        """What was delivered as the version, which the collection holds exactly. Readers of earlier versions see no change.

        May be repeated after a crash: every passage is looked at again.
        """
        from mesh_core.embedding import EmbedderUnavailable
        from mesh_core.vectors.passages import InvalidPassage
        from mesh_core.vectors.store import VectorStoreError

        files = self._files(publication_id, port)
        try:
            store = self._vectors.store
            store.ensure_collection(port.port, dimensions=port.dimensions, attributes=attribute_types())
            passages = located_passages(_passages(files), Mentioned.of(port.mentions), self._vectors.embedder.embed)
            tags = TagsGiven()
            added = store.stage(port.port, version, _interruptible(tags.over(passages))).added
        except InvalidPassage as error:
            raise ContractViolated(f"A passage of {port.port} cannot be indexed: {error}", resource=port.port) from error
        except EmbedderUnavailable as error:
            raise Unavailable(f"Passages of {port.port} could not be embedded: {error}", resource=port.port) from error
        except VectorStoreError as error:
            raise Unavailable(f"The vector store did not take {port.port}: {error}", resource=port.port) from error
        return Staged(added, tags.every, tags.located)

    def count_since(self, port: str, version: int, since: int) -> int:
        """How many passages of the version `since` or a later one has added. Raises: Unavailable."""
        from mesh_core.vectors.store import VectorStoreError

        try:
            return self._vectors.store.count(port, version, since=since)
        except VectorStoreError as error:
            raise Unavailable(f"The vector store did not count {port}: {error}", resource=port) from error

    def unstage(self, publication: publication_pb2.Publication) -> None:
        """Nothing of the publication is left in the vector store; repeating it is harmless. Raises: Unavailable."""
        from mesh_core.vectors.store import CollectionMissing, VectorStoreError

        for port in publication.verified_ports:
            if not is_delivered(port):
                continue
            try:
                with suppress(CollectionMissing):
                    self._vectors.store.unstage(port.port, publication.version)
            except VectorStoreError as error:
                raise Unavailable(f"The vector store did not give {port.port} back: {error}", resource=port.port) from error


def _promise_problems(promised: Port, port: publication_pb2.VerifiedPort) -> list[Problem]:
    """Where the vectors are not those that the contract promises."""
    from mesh_core.model_names import broken_embeddings

    broken = broken_embeddings(promised, model=port.embedding_model, dimensions=port.dimensions)
    return [Problem(f"{port.port}.{column}", why) for column, why in broken]


def _passage_problems(port: publication_pb2.VerifiedPort, files: Sequence[_Opener]) -> list[Problem]:
    """Every passage that no store may take, and ids that occur twice; the first hundred."""
    from mesh_core.pii.masking import MalformedSpans, spans_in
    from mesh_core.vectors.passages import InvalidPassage, check_passage

    problems: list[Problem] = []
    seen: set[str] = set()
    try:
        for passage in _passages(files):
            try:
                check_passage(passage, dimensions=port.dimensions, attributes=attribute_types())
                spans_in(str(passage.attributes[PERSONAL]), length=len(passage.text))
            except (InvalidPassage, MalformedSpans) as error:
                problems.append(Problem(port.port, str(error)))
            if passage.id in seen:
                problems.append(Problem(port.port, f"passage {passage.id!r} occurs twice"))
            seen.add(passage.id)
            if len(problems) >= _MAX_PROBLEMS:
                break
    except InvalidPassage as error:
        problems.append(Problem(port.port, str(error)))
    return problems


def _passages(files: Sequence[_Opener]) -> Iterator[Passage]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mesh_core.vectors.schema import PASSAGE_SCHEMA, passages_in

    for file in files:
        with file() as source:
            for batch in pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS):
                # Files may hold strings and lists in another flavour (large, view): the same values, checked at verification.
                for plain in pa.Table.from_batches([batch]).cast(PASSAGE_SCHEMA).to_batches():
                    yield from map(_with_attributes, passages_in(plain))


def _interruptible(passages: Iterator[Passage]) -> Iterator[Passage]:
    for passage in passages:
        yield passage
        fault_point("publish.passage")


def _with_attributes(passage: Passage) -> Passage:
    """The passage with what is kept beside it: document, title, heading, what the document says it is, where personal data is."""
    own = {"document": passage.document, "title": passage.title, "heading": passage.heading}
    said = {name: passage.attributes.get(name, "") for name in ("about", PERSONAL)}
    return replace(passage, attributes={**own, **{name: it if isinstance(it, str) else "" for name, it in said.items()}})
