"""The server holds a delivered collection to the model and the dimensions that its contract names, whoever delivers it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain_sdk.documents import embed_passages, passages, read_documents
from domainmesh.v1 import publication_pb2
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from mesh_core.embedding import open_embedder
from mesh_core.vectors.schema import PASSAGE_SCHEMA
from tests.integration.mesh_setup import raw_mesh, token_of
from tests.integration.test_passages_tagged_later import COLLECTION
from tests.servers import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    made = RunningServer(tmp_path_factory.mktemp("promises") / "mesh", MESH_EMBEDDER="hashing")
    with made.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:cora"])
    yield made
    made.stop()


def deliver(server: RunningServer, contract: str, folder: Path) -> int:
    (folder / "refunds.md").write_text("# Refunds\n\nRefunds take forty days.\n")
    embedder = open_embedder("hashing")
    texts = [text for document in read_documents(folder) for text in passages(document)]
    table = pa.Table.from_batches(embed_passages(texts, embedder)).cast(PASSAGE_SCHEMA)
    with raw_mesh(server, token_of(server, "user:cora")) as raw:
        stub = raw.control(PublicationServiceStub)
        request = pb.BeginPublicationRequest(product="desk.answers", contract_text=contract)
        begun = stub.BeginPublication(request, metadata=raw.metadata)
        file = Path(begun.locations[0].path) / "passages.parquet"
        pq.write_table(table, file)
        port = publication_pb2.DeliveredPort(
            port="desk.answers.pages",
            files=[publication_pb2.DeliveredFile(name=file.name, size_bytes=file.stat().st_size, row_count=table.num_rows)],
            embedding_model=embedder.model,
            dimensions=embedder.dimensions,
        )
        request = pb.CommitPublicationRequest(id=begun.id, ports=[port])
        return int(stub.CommitPublication(request, metadata=raw.metadata, timeout=60).version)


@pytest.mark.parametrize(
    ("kept", "instead", "words"),
    [
        ("dimensions: 256", "dimensions: 384", "promises 384 dimensions, hashing-256 makes 256"),
        (
            "embeddingModel: hashing",
            "embeddingModel: all-MiniLM-L6-v2",
            "promises vectors of all-MiniLM-L6-v2, these are of hashing-256",
        ),
    ],
)
def test_other_vectors_than_the_contract_promises_are_refused(
    server: RunningServer, tmp_path: Path, kept: str, instead: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        deliver(server, COLLECTION.replace(kept, instead), tmp_path)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    told = dict(refused.value.trailing_metadata() or ())
    assert words.encode() in told["mesh-error-bin"]
    with server.user("user:cora") as cora:
        assert not cora.discover("answers")


def test_vectors_of_the_promised_model_are_taken(server: RunningServer, tmp_path: Path) -> None:
    assert deliver(server, COLLECTION, tmp_path) >= 1
