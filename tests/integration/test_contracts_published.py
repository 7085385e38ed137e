"""The contracts of the standard's own test suite, over gRPC: valid ones are accepted and come back unchanged, invalid ones are
refused with the path at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import polars as pl
import pytest
import yaml

from domain_sdk import AccessDenied, ContractViolated, Mesh, NotFound
from domainmesh.v1 import error_reason_pb2, product_service_pb2, publication_service_pb2
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from mesh_core.contract import load_contract
from mesh_core.types import storage_schema
from tests.integration.contract_data import fitting_frame
from tests.integration.mesh_setup import RawMesh, detail_of, raw_mesh, token_of
from tests.odcs_documents import text_of as text_grown
from tests.servers import RunningServer
from tests.shared_data import ROOT, shared_data

PATHS = {
    "additional-unknown-property": "$.unknownRootField",
    "enum-empty": "$.schema[0].properties[0].enum",
    "invalid-api-version": "$.apiVersion",
    "invalid-quality-dimension": "$.schema[0].properties[0].quality[0].dimension",
    "invalid-quality-type": "$.schema[0].properties[0].quality[0].type",
    "map-missing-key": "$.schema[0].properties[0].map",
    "missing-required-fields": "$",
    "quality-element-field": "$.schema[0].properties[0].quality[0].element",
    "quality-multiple-operators": "$.schema[0].properties[0].quality[0]",
    "quality-sql-missing-query": "$.schema[0].properties[0].quality[0]",
    "relationship-schema-level-missing-from-to": "$.schema[0].relationships[0]",
    "schema-property-missing-name": "$.schema[0].properties[0]",
    "server-missing-conditional-fields": "$.servers[0]",
    "sla-missing-required-value": "$.slaProperties[0]",
}
"""Where each invalid file is wrong, found by reading it beside the standard's schema."""

VALID = [
    "all-schema-types", "azure-server", "basic-four-dpo", "column-completeness", "column-custom", "full-example",
    "kafka-schemaregistry", "kafka-server", "postgresql-adventureworks-contract", "service-and-operational-roles",
    "table-column-description", "table-column",
]  # fmt: skip
NOT_SERVABLE = {
    "azure-server": "$.schema",
    "basic-four-dpo": "$.schema",
    "service-and-operational-roles": "$.schema",
    "kafka-schemaregistry": "$.schema[0]",
    "kafka-server": "$.schema[0]",
    "postgresql-adventureworks-contract": "$.schema[0]",
}
"""Valid, but without schema objects, without properties, or with columns whose only type is a database's own domain type."""

WANTS_A_MILLION_ROWS = "full-example"


def text_of(kind: str, name: str) -> str:
    return shared_data("contracts", kind, f"{name}.odcs.yaml").read_bytes().decode()


@pytest.fixture(scope="module")
def raw(server: RunningServer) -> Iterator[RawMesh]:
    with server.admin() as admin:
        admin.admin.create_domain("standard", owners=["user:stan"])
    with raw_mesh(server, token_of(server, "user:stan")) as found:
        yield found


@pytest.fixture(scope="module")
def stan(server: RunningServer, raw: RawMesh) -> Iterator[Mesh]:
    with server.user("user:stan") as mesh:
        yield mesh


def test_every_file_of_the_folder_is_in_these_tests() -> None:
    for kind, names in (("valid", VALID), ("invalid", PATHS)):
        assert {path.name.removesuffix(".odcs.yaml") for path in shared_data("contracts", kind).iterdir()} == set(names)


@pytest.mark.parametrize("name", VALID)
def test_a_valid_contract_is_accepted(raw: RawMesh, name: str) -> None:
    text = text_of("valid", name)
    reply = raw.control(ProductServiceStub).ValidateContract(
        product_service_pb2.ValidateContractRequest(text=text), metadata=raw.metadata
    )
    document = yaml.safe_load(text)
    assert (reply.api_version, reply.id, reply.version) == (document["apiVersion"], document["id"], str(document["version"]))
    assert bool(reply.not_servable) == (name in NOT_SERVABLE)


def validate(raw: RawMesh, name: str, text: str) -> None:
    asked = product_service_pb2.ValidateContractRequest(text=text)
    raw.control(ProductServiceStub).ValidateContract(asked, metadata=raw.metadata)


def begin(raw: RawMesh, name: str, text: str) -> None:
    begun = publication_service_pb2.BeginPublicationRequest(product=f"standard.{name}", contract_text=text)
    raw.control(PublicationServiceStub).BeginPublication(begun, metadata=raw.metadata)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("call", [validate, begin])
def test_an_invalid_contract_is_refused_with_the_path_at_fault(
    raw: RawMesh, name: str, call: Callable[[RawMesh, str, str], None]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(raw, name, text_of("invalid", name))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    detail = detail_of(caught.value)
    assert detail.reason == error_reason_pb2.ERROR_REASON_INVALID_CONTRACT
    assert PATHS[name] in [violation.path for violation in detail.violations]
    assert all(violation.message for violation in detail.violations)


@pytest.mark.parametrize("name", NOT_SERVABLE)
def test_a_valid_contract_that_cannot_be_served_says_why_before_and_when_it_is_published(raw: RawMesh, name: str) -> None:
    text = text_of("valid", name)
    reply = raw.control(ProductServiceStub).ValidateContract(
        product_service_pb2.ValidateContractRequest(text=text), metadata=raw.metadata
    )
    with pytest.raises(grpc.RpcError) as caught:
        begin(raw, name, text)
    violations = detail_of(caught.value).violations
    assert NOT_SERVABLE[name] in [violation.path for violation in violations]
    told = [f"{violation.path}: {violation.message}" for violation in violations if violation.path != "…"]
    assert told == list(reply.not_servable)[: len(told)]


def test_a_rule_of_the_standards_example_that_no_five_rows_can_keep_stops_the_publication(stan: Mesh) -> None:
    text = text_of("valid", WANTS_A_MILLION_ROWS)
    with pytest.raises(ContractViolated, match="mustBeGreaterThan 1000000"):
        stan.domain("standard").product(WANTS_A_MILLION_ROWS, text).publish(frames_of(yaml.safe_load(text)), progress=False)


def frames_of(document: dict[str, Any]) -> dict[str, pl.DataFrame]:
    return {port["name"]: fitting_frame(port) for port in document["schema"]}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", sorted(set(VALID) - set(NOT_SERVABLE) - {WANTS_A_MILLION_ROWS}))
def test_a_published_contract_comes_back_byte_for_byte_and_its_data_cell_for_cell(stan: Mesh, name: str) -> None:
    text = text_of("valid", name)
    frames = frames_of(yaml.safe_load(text))
    product = stan.domain("standard").product(name, text)
    release = product.publish(frames, progress=False)
    assert stan.domain("standard").product(name).contract().encode() == text.encode()
    assert stan.domain("standard").product(name).contract(release.version).encode() == text.encode()
    for port in list(frames)[:5]:
        seen = stan.read(f"standard.{name}.{port}")
        assert seen.columns == frames[port].columns
        assert seen.height == frames[port].height
        for column in seen.columns:
            if seen.schema[column] == frames[port].schema[column]:
                assert seen[column].to_list() == frames[port][column].to_list()
    with pytest.raises(NotFound):
        product.contract(9)


def test_odd_bytes_of_a_contract_survive(stan: Mesh) -> None:
    """Comments, order, quoting, Windows line ends, tabs in text, other scripts and a missing last line break are kept."""
    text = (
        "# Ümlaut, 漢字, 🙂\r\nversion: '1.0.0'   # quoted\r\nkind:   DataContract\r\napiVersion: v3.1.0\r\n"
        'id: "standard.odd"\r\n'
        'status: active\r\nname: "tab\there"\r\nschema:\r\n- {name: rows, logicalType: object, physicalType: table,\r\n'
        "   properties: [ {name: 数, logicalType: integer}, {name: a b, logicalType: string} ]}"
    )
    stan.domain("standard").product("odd", text).publish(rows=pl.DataFrame({"数": [1], "a b": ["x"]}), progress=False)
    assert stan.domain("standard").product("odd").contract() == text
    assert stan.read("standard.odd.rows").rows() == [(1, "x")]


def test_the_flights_contract_is_servable_as_it_stands(raw: RawMesh) -> None:
    text = (ROOT / "tests" / "integration" / "contracts" / "flights.odcs.yaml").read_text()
    reply = raw.control(ProductServiceStub).ValidateContract(
        product_service_pb2.ValidateContractRequest(text=text), metadata=raw.metadata
    )
    assert not reply.not_servable


def test_every_earlier_contract_stays_readable_beside_its_release(stan: Mesh) -> None:
    base = text_of("valid", "table-column")
    frames = frames_of(yaml.safe_load(base))
    texts = [base, base + "\n# second\n", base + "\n# third\n"]
    for text in texts:
        stan.domain("standard").product("steps", text).publish(frames, progress=False)
    handle = stan.domain("standard").product("steps")
    assert [handle.contract(version) for version in (1, 2, 3)] == texts
    assert handle.contract() == texts[-1]


@pytest.mark.parametrize(
    "text",
    ["", "just words", "- a\n- list\n", "{", "a: &a [*a]\n", "a: " + "[" * 5000, "\x00\x01", "kind: DataContract\nkind: twice\n"],
    ids=["empty", "words", "list", "broken", "recursive", "deep", "control characters", "twice"],
)
def test_what_is_no_odcs_document_at_all_is_refused_in_a_sentence(raw: RawMesh, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        validate(raw, "any", text)
    detail = detail_of(caught.value)
    assert detail.reason == error_reason_pb2.ERROR_REASON_INVALID_CONTRACT
    assert detail.message
    assert len(str(detail)) < 4000


def test_data_that_breaks_the_contract_leaves_no_contract_behind(stan: Mesh) -> None:
    text = text_of("valid", "column-completeness")
    (port,) = yaml.safe_load(text)["schema"]
    key = next(column["name"] for column in port["properties"] if column.get("primaryKey"))
    frame = fitting_frame(port).with_columns(pl.lit(7).alias(key))
    with pytest.raises(ContractViolated) as caught:
        stan.domain("standard").product("broken", text).publish({port["name"]: frame}, progress=False)
    assert "primaryKey" in str(caught.value)
    with pytest.raises(AccessDenied):
        stan.domain("standard").product("broken").contract()


def empty_frames(text: str) -> dict[str, pl.DataFrame]:
    contract = load_contract(text)
    return {port.name: pl.DataFrame(storage_schema(port).empty_table()) for port in contract.ports}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(100, 106))
def test_a_document_grown_from_the_standards_schema_is_served_and_comes_back_byte_for_byte(stan: Mesh, seed: int) -> None:
    text = text_grown(seed)
    product = stan.domain("standard").product(f"grown-{seed}", text)
    preview = product.preview(empty_frames(text), progress=False)
    release = product.publish(empty_frames(text), progress=False)
    assert stan.domain("standard").product(f"grown-{seed}").contract().encode() == text.encode()
    assert release.not_enforced == preview.not_enforced == product.release().not_enforced
    assert not release.not_enforced or all(": " in line for line in release.not_enforced)
