"""Erasure: afterwards no byte of this mesh tells of the subject, everybody else's data is as it was, and the journal says so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domainmesh.v1 import domain_service_pb2, erasure_pb2, principal_service_pb2, product_pb2
from domainmesh.v1 import maintenance_service_pb2 as pb
from domainmesh.v1.domain_pb2 import Domain
from domainmesh.v1.principal_pb2 import Principal
from governance_server.backend import read
from governance_server.gateway.governed_files import GovernedFiles
from governance_server.gateway.scan import PolarsScanner
from governance_server.journal.verification import verify
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid, Precondition, Unavailable
from governance_server.services.pinned_reads import PinnedReads
from governance_server.vector_access import VectorAccess
from mesh_core.vectors.identifiers import collection_identifier
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh

OWNER = "user:olga"
SUBJECT = "ana.erased@subject.example"
OTHER = "bob.stays@other.example"
CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: ID
name: People
version: 1.0.0
status: active
schema:
  - name: people
    logicalType: object
    physicalType: table
    properties:
      - {name: email, logicalType: string, required: true, tags: [pii.email]}
      - {name: note, logicalType: string}
  - name: orders
    logicalType: object
    physicalType: table
    properties:
      - {name: number, logicalType: integer}
      - {name: buyer, logicalType: string, tags: [pii.email.private]}
  - name: rates
    logicalType: object
    physicalType: table
    properties:
      - {name: day, logicalType: string}
  - name: letters
    logicalType: object
    physicalType: collection
    tags: [pii.email]
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {dimensions: 256, distanceMetric: cosine}
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerMesh]:
    with pytest.MonkeyPatch.context() as patch, inner_mesh(tmp_path_factory.mktemp("erasure") / "home") as made:
        patch.setenv("MESH_EMBEDDER", "hashing")
        for name in (OWNER, "user:eve"):
            made.call(ADMIN, "CreatePrincipal", principal_service_pb2.CreatePrincipalRequest(principal=Principal(name=name)))
        for domain in ("crm", "hr"):
            request = domain_service_pb2.CreateDomainRequest(domain=Domain(name=domain, owners=[OWNER]))
            made.call(ADMIN, "CreateDomain", request)
        yield made


def publish(mesh: InnerMesh, product: str, folder: Path, *, people: list[str], orders: list[str], letters: list[str]) -> None:
    documents = folder / f"letters-{next(_numbers)}"
    documents.mkdir()
    for index, text in enumerate(letters):
        (documents / f"{index}.md").write_text(f"# Letter {index}\n\n{text}\n")
    frames = {
        "people": pl.DataFrame(
            {"email": people, "note": [f"note {i}" for i in range(len(people))]}, schema={"email": pl.String, "note": pl.String}
        ),
        "orders": pl.DataFrame({"number": range(len(orders)), "buyer": orders}, schema={"number": pl.Int64, "buyer": pl.String}),
        "rates": pl.DataFrame({"day": ["monday"]}),
        "letters": documents,
    }
    mesh.publish(OWNER, product, CONTRACT.replace("ID", product), frames)  # type: ignore[arg-type]


@pytest.fixture
def product(mesh: InnerMesh, tmp_path: Path) -> str:
    """Three versions: without the subject, with it in one table and a letter, and with it everywhere."""
    name = f"crm.p{next(_numbers)}"
    publish(mesh, name, tmp_path, people=[OTHER], orders=[OTHER], letters=["To nobody."])
    publish(mesh, name, tmp_path, people=[OTHER, f" {SUBJECT.upper()} "], orders=[OTHER], letters=[f"Dear {SUBJECT}, hello."])
    publish(
        mesh,
        name,
        tmp_path,
        people=[SUBJECT, OTHER, SUBJECT],
        orders=[SUBJECT, OTHER],
        letters=[f"To {OTHER}.", f"Again {SUBJECT}."],
    )
    return name


def rows_of(mesh: InnerMesh, port: str, version: int = 0) -> list[tuple[object, ...]]:
    pinned = PinnedReads(mesh.backend, mesh.warehouse).pin(mesh.caller(OWNER), port, "", version)
    batches = PolarsScanner().scan(
        pinned.plan, table_root=pinned.table_root, delta_version=pinned.delta_version, columns=None, predicate=None, limit=None
    )
    return sorted(pl.concat([pl.DataFrame(batch) for batch in batches]).rows())


def erase(mesh: InnerMesh, **asked: object) -> list[erasure_pb2.Erasure]:
    request = pb.EraseSubjectRequest(**{"tag": "pii.email", "value": SUBJECT, "reason": "she asked", **asked})
    return list(mesh.call(OWNER, "EraseSubject", request).erasures)


def bytes_found(mesh: InnerMesh) -> list[str]:
    """Files below the mesh's home in which the subject stands, in whatever case."""
    home = mesh.backend.settings.home
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and SUBJECT.encode() in path.read_bytes().lower()
    ]


def test_after_an_erasure_no_byte_tells_of_the_subject_and_all_else_is_as_it_was(mesh, product, tmp_path):
    pinned = PinnedReads(mesh.backend, mesh.warehouse).pin(mesh.caller(OWNER), f"{product}.people", "", 0)
    cache = mesh.backend.settings.home / "files"
    cached = GovernedFiles(cache)
    masked = pinned.plan.__class__(
        **{**{f: getattr(pinned.plan, f) for f in pinned.plan.__slots__}, "columns": pinned.plan.columns[:1]}
    )
    cached.prepare(masked, table_root=pinned.table_root, delta_version=pinned.delta_version)
    before = bytes_found(mesh)
    assert {name.split("/")[0] for name in before} >= {"warehouse", "vectors", "files"}

    preview = erase(mesh, products=[product], validate_only=True)
    assert bytes_found(mesh) == before
    counts = {port.port.rpartition(".")[2]: (port.count, list(port.versions)) for port in preview[0].ports}
    assert counts == {"people": (2, [2, 3]), "orders": (1, [3]), "letters": (2, [])}

    (receipt,) = erase(mesh, products=[product])
    assert bytes_found(mesh) == []
    assert receipt.is_complete
    assert (receipt.version, list(receipt.retired_versions)) == (4, [2, 3])
    assert (receipt.principal, receipt.reason, len(receipt.subject_hash)) == (OWNER, "she asked", 64)
    assert rows_of(mesh, f"{product}.people") == [(OTHER, "note 1")]
    assert rows_of(mesh, f"{product}.orders") == [(1, OTHER)]
    assert rows_of(mesh, f"{product}.rates") == [("monday",)]
    assert rows_of(mesh, f"{product}.people", 1) == [(OTHER, "note 0")]
    for version in (2, 3):
        with pytest.raises(Precondition, match="erasure"):
            rows_of(mesh, f"{product}.people", version)
    release = read(mesh.backend.catalog, kinds.RELEASE, kinds.versioned_name(product, 4), product_pb2.Release)
    assert {port.port.rpartition(".")[2]: port.row_count for port in release.ports if port.kind == 1} == {
        "people": 1,
        "orders": 1,
        "rates": 1,
    }
    store = VectorAccess(mesh.backend.settings.vectors_url, "hashing", api_key=None).store
    assert [store.count(f"{product}.letters", version) for version in (1, 4)] == [1, 1]
    assert verify(mesh.backend.database).ok


def test_publishing_goes_on_after_an_erasure_and_the_same_erasure_finds_nothing_more(mesh, product, tmp_path):
    erase(mesh, products=[product])
    assert erase(mesh, products=[product]) == []
    publish(mesh, product, tmp_path, people=[OTHER], orders=[OTHER], letters=["x"])
    entry = read(mesh.backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
    assert entry.version == 5
    assert rows_of(mesh, f"{product}.people", 4) == [(OTHER, "note 1")]
    assert rows_of(mesh, f"{product}.people") == [(OTHER, "note 0")]


def test_an_erasure_that_the_vector_store_fails_says_that_it_is_to_be_repeated(mesh, product):
    (folder,) = mesh.backend.settings.home.glob(f"vectors/{collection_identifier(f'{product}.letters')}.lance/data")
    aside = folder.rename(folder.with_name("aside"))
    with pytest.raises(Unavailable, match=r"letters in LanceDB .* Repeat the command\.$"):
        erase(mesh, products=[product])
    aside.rename(folder)
    assert erase(mesh, products=[product])[0].is_complete


@pytest.mark.parametrize("fault", ["erase.begun", "erase.written", "erase.recorded", "erase.vacuumed"])
def test_an_erasure_that_breaks_off_is_completed_by_repeating_it(mesh, product, fault, monkeypatch):
    from governance_server.upkeep import erasure

    def broken(name: str) -> None:
        if name == fault:
            raise InterruptedError

    monkeypatch.setattr(erasure, "fault_point", broken)
    with pytest.raises(InterruptedError):
        erase(mesh, products=[product])
    monkeypatch.undo()
    receipts = erase(mesh, products=[product])
    assert receipts
    assert all(receipt.is_complete for receipt in receipts)
    assert bytes_found(mesh) == []
    assert rows_of(mesh, f"{product}.people") == [(OTHER, "note 1")]
    assert rows_of(mesh, f"{product}.people", 1) == [(OTHER, "note 0")]


def test_only_who_administers_a_product_erases_and_learns_nothing_else(mesh, product):
    with pytest.raises(AccessDenied):
        mesh.call(
            "user:eve", "EraseSubject", pb.EraseSubjectRequest(tag="pii.email", value=SUBJECT, products=[product], reason="x")
        )
    for tag in ("pii.email", "pii.mail"):
        with pytest.raises(AccessDenied, match="administer no product that is published") as refused:
            mesh.call("user:eve", "EraseSubject", pb.EraseSubjectRequest(tag=tag, value=SUBJECT, reason="x"))
        assert product not in str(refused.value)
        assert "pii" not in str(refused.value)
    assert rows_of(mesh, f"{product}.people")[0] == (SUBJECT, "note 0")
    erase(mesh, products=[product])


@pytest.mark.parametrize("is_preview", [True, False])
def test_a_tag_that_nothing_carries_is_an_error_that_names_own_tags_only(mesh, product, is_preview):
    with pytest.raises(Invalid, match=r"carries 'pii\.mail'.*did you mean pii\.email") as refused:
        erase(mesh, tag="pii.mail", validate_only=is_preview)
    assert OWNER not in str(refused.value)
    with pytest.raises(Invalid, match=r"No column of .*, so nothing was searched: their tags are pii"):
        erase(mesh, tag="zzz", products=[product], validate_only=is_preview)
    assert rows_of(mesh, f"{product}.people")[0] == (SUBJECT, "note 0")
    asked = pb.EraseSubjectRequest(
        tag="pii.email", value="nobody@x.example", products=[product], validate_only=is_preview, reason="x"
    )
    found = mesh.call(OWNER, "EraseSubject", asked)
    assert not found.erasures
    assert sorted(found.searched) == [f"{product}.letters", f"{product}.orders.buyer", f"{product}.people.email"]
    erase(mesh, products=[product])


@pytest.mark.parametrize("asked", [{"tag": " "}, {"value": " "}, {"reason": ""}, {"value": "x" * 1001}])
def test_an_erasure_that_says_too_little_is_refused(mesh, asked):
    with pytest.raises(Invalid):
        erase(mesh, **asked)


def test_a_value_with_quotes_is_only_a_value(mesh, tmp_path):
    name, odd = f"crm.p{next(_numbers)}", "o'neil\" or 1=1 --@x.example"
    publish(mesh, name, tmp_path, people=[odd, OTHER], orders=[OTHER], letters=["x"])
    (receipt,) = erase(mesh, products=[name], value=odd)
    assert receipt.ports[0].count == 1
    assert rows_of(mesh, f"{name}.people") == [(OTHER, "note 1")]


TURNS = """
kind: DataContract
apiVersion: v3.2.0
id: ID
name: Turns
version: 1.0.0
status: active
schema:
  - name: turns
    physicalType: table
    properties:
      - {name: question, logicalType: string, tags: [pii.text]}
      - {name: place, logicalType: string, tags: [pii.badge]}
"""


@pytest.mark.parametrize("is_preview", [True, False])
def test_a_misspelt_tag_is_no_erasure_of_running_texts_alone(mesh: InnerMesh, is_preview: bool) -> None:
    product = f"hr.t{next(_numbers)}"
    mesh.publish(OWNER, product, TURNS.replace("ID", product), {"turns": pl.DataFrame({"question": [SUBJECT], "place": ["b"]})})
    with pytest.raises(Invalid, match=r"carries 'pii\.bagde'.*did you mean pii\.badge"):
        erase(mesh, tag="pii.bagde", products=[product], validate_only=is_preview)
    assert rows_of(mesh, f"{product}.turns") == [(SUBJECT, "b")]
    for tag in ("pii", "pii.text", "pii.email", "pii.email.private", "pii.badge"):
        (found,) = erase(mesh, tag=tag, products=[product], validate_only=True)
        assert found.ports[0].count == 1, tag
    erase(mesh, products=[product])
