"""Obligations that match nothing: refused when they are written, closed when a later release takes away what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domainmesh.v1 import domain_pb2, grant_pb2, principal_pb2
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, CreateGuardrailRequest
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest
from governance_server.rules.errors import Invalid, InvalidFilter
from mesh_core.names import InvalidName
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

PORT, OLGA, EVE = "shop.orders.orders", "user:olga", "user:eve"
COLUMNS = ["id: integer", "region: string", "email: string, tags: [pii.email]"]
ROWS = pl.DataFrame({"id": [1, 2, 3], "region": ["EU", "EU", "US"], "email": ["a@x", "b@x", "c@x"]})


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    """A shop with one table."""
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain_pb2.Domain(name="shop", owners=[OLGA])))
        made.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal=principal_pb2.Principal(name=EVE)))
        release(made, COLUMNS, ROWS)
        yield made


def release(mesh: InnerMesh, columns: list[str], rows: pl.DataFrame, version: str = "1.0.0") -> None:
    mesh.publish(OLGA, "shop.orders", contract("shop.orders", {"orders": columns}, version=version), {"orders": rows})


def give(mesh: InnerMesh, **fields: Any) -> grant_pb2.Grant:
    masks = [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in fields.pop("masks", {}).items()]
    grant = grant_pb2.Grant(subject=EVE, resource=PORT, actions=["read"], effect=grant_pb2.EFFECT_ALLOW, masks=masks, **fields)
    return mesh.call(OLGA, "CreateGrant", CreateGrantRequest(grant=grant))  # type: ignore[no-any-return]


def guard(mesh: InnerMesh, resource: str, **rule: Any) -> grant_pb2.Guardrail:
    guardrail = grant_pb2.Guardrail(id="g", resource=resource, **rule)
    return mesh.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))  # type: ignore[no-any-return]


def reasons(mesh: InnerMesh) -> str:
    caller = mesh.backend.policy.caller_of(EVE)
    assert caller is not None
    return " ".join(reason.text for reason in mesh.backend.policy.explain(caller, PORT, "").reasons)


@pytest.mark.parametrize(
    "fields",
    [{"columns": ["Email"]}, {"masks": {"EMAIL": "show-first-4"}}, {"masks": {"mail": "show-first-4"}}, {"columns": ["emaіl"]}],
)
def test_a_column_in_another_case_or_script_is_no_column(mesh: InnerMesh, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        give(mesh, **fields)
    assert "has no column" in str(caught.value.problems)
    assert mesh.see(EVE, PORT) is None


@pytest.mark.parametrize("rows", ["Region = 'EU'", "regiоn = 'EU'", "region = 5", "id = 'EU'"])
def test_a_filter_that_does_not_meet_the_schema_is_refused(mesh: InnerMesh, rows: str) -> None:
    with pytest.raises(InvalidFilter):
        give(mesh, row_filter=rows)
    with pytest.raises(InvalidFilter):
        guard(mesh, PORT, row_filter=rows)
    assert mesh.see(EVE, PORT) is None


@pytest.mark.parametrize("resource", ["shops", "shop.order", "shop.orders.order", "shop.orders.Orders", f"{PORT}#id", ""])
def test_a_guardrail_on_what_is_not_there_is_refused(mesh: InnerMesh, resource: str) -> None:
    with pytest.raises((Invalid, InvalidName)):
        guard(mesh, resource, mask="replace-with-null")


def test_a_guardrail_on_a_tag_that_nothing_carries_says_so(mesh: InnerMesh) -> None:
    assert "the case of letters counts" in guard(mesh, "tag:PII.email", mask="replace-with-null").warning
    for index, (tag, word) in enumerate((("pii.phone", "Nothing carries"), ("pii.email", ""), ("pii.*", ""))):
        guardrail = grant_pb2.Guardrail(id=f"g{index}", resource=f"tag:{tag}", mask="replace-with-null")
        made = mesh.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))
        assert word in made.warning
        assert bool(made.warning) == bool(word)


GONE = (COLUMNS[:1] + COLUMNS[2:], ROWS.drop("region"))
RENAMED = (["id: integer", "Region: string", COLUMNS[2]], ROWS.rename({"region": "Region"}))
RETYPED = (["id: integer", "region: integer", COLUMNS[2]], ROWS.with_columns(region=pl.Series([1, 1, 2])))


@pytest.mark.parametrize(("columns", "rows"), [GONE, RENAMED, RETYPED], ids=["gone", "renamed", "retyped"])
def test_a_filter_whose_column_a_release_took_gives_no_rows_and_says_so(
    mesh: InnerMesh, columns: list[str], rows: pl.DataFrame
) -> None:
    filtered = give(mesh, row_filter="region = 'EU'")
    seen = mesh.see(EVE, PORT)
    assert seen is not None
    assert seen.height == 2
    release(mesh, columns, rows, "2.0.0")
    assert mesh.see(EVE, PORT) is None
    assert f"Grant {filtered.id} is ignored: its row filter" in reasons(mesh)
    give(mesh, columns=["id"])  # another grant still gives what it gives, and no more
    seen = mesh.see(EVE, PORT)
    assert seen is not None
    assert seen.columns == ["id"]


@pytest.mark.parametrize(("columns", "rows"), [GONE, RENAMED, RETYPED], ids=["gone", "renamed", "retyped"])
def test_a_guardrail_whose_column_a_release_took_closes_the_port(mesh: InnerMesh, columns: list[str], rows: pl.DataFrame) -> None:
    give(mesh)
    guard(mesh, PORT, row_filter="region = 'EU'")
    release(mesh, columns, rows, "2.0.0")
    assert mesh.see(EVE, PORT) is None
    assert mesh.see(OLGA, PORT) is None
    assert "Guardrail g denies the read: its row filter" in reasons(mesh)


def test_a_mask_that_no_longer_suits_its_column_shows_nothing_of_it(mesh: InnerMesh) -> None:
    give(mesh, masks={"region": "show-first-4"})
    release(mesh, *RETYPED, "2.0.0")
    seen = mesh.see(EVE, PORT)
    assert seen is not None
    assert seen["region"].null_count() == 3


def test_a_renamed_column_is_given_by_no_grant_that_names_columns(mesh: InnerMesh) -> None:
    give(mesh, columns=["id", "region"])
    release(mesh, *RENAMED, "2.0.0")
    seen = mesh.see(EVE, PORT)
    assert seen is not None
    assert seen.columns == ["id"]
