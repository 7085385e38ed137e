"""What documents of a collection are about is told no more once some of them were erased, until it is published again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domainmesh.v1 import product_pb2
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.maintenance_service_pb2 import EraseSubjectRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest
from domainmesh.v1.product_service_pb2 import DiscoverRequest, GetProductRequest, ListProductsRequest
from governance_server.backend import read
from governance_server.rules import kinds
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.test_retrieval_worlds import TERMS

OLGA = "user:olga"
FILES = {
    "lunch.md": "# Lunch\n\nLunch is at noon in the hall of Hooli GmbH in Berlin. Ask ana@example.com.\n",
    "merger.md": "# Merger\n\nThe merger with Globex Corporation in Paris costs $ 40 million.\n",
}


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InnerMesh]:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    (tmp_path / "files").mkdir()
    for name, text in FILES.items():
        (tmp_path / "files" / name).write_text(text)
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": OLGA}))
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "desk", "owners": [OLGA]}))
        _publish(made, tmp_path)
        yield made


def _publish(mesh: InnerMesh, folder: Path) -> None:
    terms = TERMS.replace("policy.notes", "desk.files")
    mesh.publish(OLGA, "desk.files", terms, {"pages": folder / "files"})  # type: ignore[dict-item] # a folder, as the SDK takes


def _erase(mesh: InnerMesh, value: str) -> int:
    asked = EraseSubjectRequest(tag="pii.email", value=value, reason="asked", products=["desk.files"])
    return len(mesh.call(OLGA, "EraseSubject", asked).erasures)


def _facets(mesh: InnerMesh, as_of: int = 0) -> product_pb2.CollectionFacets:
    """What the catalog tells, the same whichever way it is asked."""
    (port,) = mesh.call(OLGA, "GetProduct", GetProductRequest(name="desk.files", as_of=as_of)).ports
    (listed,) = mesh.call(OLGA, "ListProducts", ListProductsRequest(as_of=as_of)).products
    assert listed.ports[0].facets == port.facets
    return port.facets  # type: ignore[no-any-return]


def _found(mesh: InnerMesh, word: str) -> list[str]:
    return [hit.name for hit in mesh.call(OLGA, "Discover", DiscoverRequest(query=word)).hits]


def test_no_count_and_no_name_is_told_of_documents_some_of_which_were_erased(mesh: InnerMesh, tmp_path: Path) -> None:
    before, revision = _facets(mesh), mesh.backend.database.head().revision
    assert (before.documents, {it.value for it in before.organisations}) == (2, {"Hooli GmbH", "Globex Corporation"})
    assert _erase(mesh, "ana@example.com") == 1
    told = product_pb2.CollectionFacets(not_covered=before.not_covered, is_outdated=True)
    assert _facets(mesh) == told
    assert _facets(mesh, as_of=revision) == told
    assert [_found(mesh, word) for word in ("hooli", "globex")] == [[], []]
    kept = read(mesh.backend.catalog, kinds.PRODUCT, "desk.files", product_pb2.Product).ports[0]
    assert (kept.row_count, kept.newest_version, kept.newest_count) == (1, 1, 1)
    assert b"Hooli" not in kept.SerializeToString()

    (tmp_path / "files" / "lunch.md").unlink()
    _publish(mesh, tmp_path)
    assert (_facets(mesh).documents, [it.value for it in _facets(mesh).organisations]) == (1, ["Globex Corporation"])
    assert _found(mesh, "globex") == ["desk.files.pages"]
    assert _facets(mesh, as_of=revision) == told


def test_an_erasure_that_finds_nothing_changes_nothing(mesh: InnerMesh) -> None:
    before = _facets(mesh)
    assert _erase(mesh, "nobody@example.com") == 0
    assert _facets(mesh) == before
