"""Erasure of several persons at once, from nested and binary columns and from partitions; not a byte tells of them afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domainmesh.v1 import domain_service_pb2, erasure_pb2, principal_service_pb2
from domainmesh.v1 import maintenance_service_pb2 as pb
from domainmesh.v1.domain_pb2 import Domain
from domainmesh.v1.principal_pb2 import Principal
from domainmesh.v1.product_pb2 import WRITE_MODE_APPEND as APPEND
from domainmesh.v1.publication_pb2 import PortMode
from governance_server.gateway.table_source import open_table
from governance_server.rules.errors import Invalid
from governance_server.upkeep import erasure
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh

OWNER = "user:olga"
ANA, CY, OTHER = "ana.gone@subject.example", "CY.Gone@subject.example", "bob.stays@other.example"
CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: deep
version: 1.0.0
schema:
- name: rows
  properties:
  - {name: id, logicalType: integer, required: true}
  - name: person
    logicalType: object
    properties:
    - {name: mail, logicalType: string, tags: [pii.email]}
    - {name: town, logicalType: string}
  - name: contacts
    logicalType: array
    items:
      logicalType: object
      properties:
      - {name: kind, logicalType: string}
      - {name: address, logicalType: string, tags: [pii.email]}
  - {name: raw, physicalType: binary, logicalType: string, logicalTypeOptions: {format: binary}, tags: [pii.email]}
- name: parted
  properties:
  - {name: id, logicalType: integer}
  - {name: mail, logicalType: string, partitioned: true, tags: [pii.email]}
  - {name: copy_to, logicalType: string, tags: [pii.email]}
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerMesh]:
    with inner_mesh(tmp_path_factory.mktemp("erasure") / "home") as made:
        made.call(ADMIN, "CreatePrincipal", principal_service_pb2.CreatePrincipalRequest(principal=Principal(name=OWNER)))
        made.call(ADMIN, "CreateDomain", domain_service_pb2.CreateDomainRequest(domain=Domain(name="crm", owners=[OWNER])))
        yield made


def rows(*held: dict[str, Any]) -> pl.DataFrame:
    plain = {"person": {"mail": OTHER, "town": "Ulm"}, "contacts": [{"kind": "mail", "address": OTHER}], "raw": b"\xff\x00"}
    return pl.DataFrame([{"id": number, **plain, **row} for number, row in enumerate(held)], schema=SCHEMA)


SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    "person": pl.Struct({"mail": pl.String, "town": pl.String}),
    "contacts": pl.List(pl.Struct({"kind": pl.String, "address": pl.String})),
    "raw": pl.Binary,
}
NO_PARTED = pl.DataFrame(schema={"id": pl.Int64, "mail": pl.String, "copy_to": pl.String})


def published(mesh: InnerMesh, deep: pl.DataFrame, parted: pl.DataFrame = NO_PARTED) -> str:
    name = f"crm.d{next(_numbers)}"
    mesh.publish(OWNER, name, CONTRACT, {"rows": deep, "parted": parted})
    return name


def erase(mesh: InnerMesh, product: str, *values: str, **asked: Any) -> list[erasure_pb2.Erasure]:
    request = pb.EraseSubjectRequest(tag="pii.email", values=values, reason="they asked", products=[product], **asked)
    return list(mesh.call(OWNER, "EraseSubject", request).erasures)


def served(mesh: InnerMesh, product: str, port: str) -> list[int]:
    from domainmesh.v1 import product_pb2
    from governance_server.backend import read
    from governance_server.rules import kinds

    entry = read(mesh.backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
    (version,) = [it.delta_version for it in entry.ports if it.name == f"{product}.{port}"]
    frame = open_table(port, mesh.warehouse.port_location(f"{product}.{port}"), version).frame
    return sorted(frame.select("id").collect().to_series().to_list())


def told(mesh: InnerMesh, *values: str) -> list[str]:
    """Files, and names of files and folders, below the mesh's home that have a value in whatever case."""
    home: Path = mesh.backend.settings.home
    words = [value.lower() for value in values]
    words += [word.replace("@", "%40") for word in words]
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if any(word in path.name.lower() or (path.is_file() and word.encode() in path.read_bytes().lower()) for word in words)
    ]


def test_values_in_structs_lists_and_bytes_are_found_and_erased_and_all_else_stays(mesh: InnerMesh) -> None:
    held = rows(
        {},
        {"person": {"mail": f" {ANA.upper()} ", "town": "Bonn"}},
        {"contacts": [{"kind": "mail", "address": OTHER}, {"kind": "mail", "address": ANA}]},
        {"raw": ANA.encode()},
        {"person": None, "contacts": None, "raw": None},
        {"person": {"mail": None, "town": None}, "contacts": [None], "raw": b""},
    )
    product = published(mesh, held)
    assert [port.count for port in erase(mesh, product, ANA, validate_only=True)[0].ports] == [3]
    assert told(mesh, ANA)
    (receipt,) = erase(mesh, product, ANA)
    assert receipt.is_complete
    assert served(mesh, product, "rows") == [0, 4, 5]
    assert told(mesh, ANA) == []
    assert erase(mesh, product, ANA) == []


def test_a_partition_that_is_the_subjects_goes_with_its_value_in_the_log(mesh: InnerMesh) -> None:
    parted = pl.DataFrame(
        {"id": [1, 2, 3, 4, 5], "mail": [ANA, OTHER, OTHER, None, ANA], "copy_to": [OTHER, ANA, OTHER, None, None]}
    )
    product = published(mesh, rows({}), parted)
    mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product))
    (receipt,) = erase(mesh, product, ANA)
    assert receipt.is_complete
    assert served(mesh, product, "parted") == [3, 4]
    assert told(mesh, ANA) == []
    mesh.publish(OWNER, product, CONTRACT, {"rows": rows({}), "parted": parted.tail(2).head(1)})
    assert served(mesh, product, "parted") == [4]


def test_several_persons_are_erased_in_one_version_with_one_receipt(mesh: InnerMesh) -> None:
    held = rows({"person": {"mail": ANA, "town": ""}}, {"person": {"mail": CY.lower(), "town": ""}}, {})
    parted = pl.DataFrame({"id": [1, 2, 3], "mail": [ANA, CY, OTHER], "copy_to": [None, None, None]}, schema=NO_PARTED.schema)
    product = published(mesh, held, parted)
    (receipt,) = erase(mesh, product, ANA, CY)
    assert (receipt.version, len(set(receipt.subject_hashes)), receipt.is_complete) == (2, 2, True)
    assert served(mesh, product, "rows") == [2]
    assert served(mesh, product, "parted") == [3]
    assert told(mesh, ANA, CY) == []


def test_an_erasure_of_several_that_breaks_off_is_completed_by_repeating_it(
    mesh: InnerMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = published(mesh, rows({"person": {"mail": ANA, "town": ""}}, {"raw": CY.encode()}, {}))

    def broken(name: str) -> None:
        if name == "erase.written":
            raise InterruptedError

    monkeypatch.setattr(erasure, "fault_point", broken)
    with pytest.raises(InterruptedError):
        erase(mesh, product, ANA, CY)
    monkeypatch.undo()
    assert all(receipt.is_complete for receipt in erase(mesh, product, CY, ANA))
    assert served(mesh, product, "rows") == [2]
    assert told(mesh, ANA, CY) == []


@pytest.mark.parametrize(
    "values", [(), (" ",), (ANA, ""), tuple(f"x{n}" for n in range(1001))], ids=["none", "space", "one", "many"]
)
def test_every_value_must_name_somebody_and_a_thousand_are_enough(mesh: InnerMesh, values: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        erase(mesh, "crm.none", *values)


def test_a_partitioned_table_stays_readable_when_only_some_partitions_are_compacted(mesh: InnerMesh) -> None:
    parted = pl.DataFrame({"id": [1, 2], "mail": [ANA, OTHER], "copy_to": [None, None]}, schema=NO_PARTED.schema)
    product = published(mesh, rows({}), parted)
    more = pl.DataFrame({"id": [3], "mail": [ANA], "copy_to": [None]}, schema=NO_PARTED.schema)
    modes = [PortMode(port=f"{product}.parted", mode=APPEND)]
    mesh.publish(OWNER, product, CONTRACT, {"rows": rows({}), "parted": more}, modes=modes)
    mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product))
    assert served(mesh, product, "parted") == [1, 2, 3]
    erase(mesh, product, ANA)
    assert served(mesh, product, "parted") == [2]
