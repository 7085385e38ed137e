"""Who publishes names only sources that it may know: the tags that flow from them would tell it what they hold."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

SECRET = "hr.people.people"


@pytest.fixture(scope="module")
def mallory(server: RunningServer) -> Iterator[Mesh]:
    """The owner of a domain of its own, beside one that it knows nothing of."""
    with server.admin() as admin, server.user("user:olga") as olga, server.user("user:mallory") as mesh:
        admin.admin.create_purpose("care")
        for domain, owner in (("hr", "user:olga"), ("rival", "user:mallory")):
            admin.admin.create_domain(domain, owners=[owner])
        text = contract("hr.people", {"people": ["id: integer", "mail: string, tags: [pii.email, secret.merger]"]})
        frame = pl.DataFrame({"id": [1], "mail": ["a@b.org"]})
        olga.domain("hr").product("people", contract=text).publish(people=frame, progress=False)
        yield mesh


def derived(mesh: Mesh, product: str, source: str, column: str = "mail") -> set[str]:
    """The tags that the product's column has from the source that is declared for it."""
    text = contract(f"rival.{product}", {"x": ["id: integer", "v: string"]})
    frame = pl.DataFrame({"id": [1], "v": ["y"]})
    lineage = {"x": {"v": [f"{source}.{column}"]}}
    mesh.domain("rival").product(product, contract=text).publish({"x": frame}, lineage=lineage, progress=False)
    return {it.tag for it in mesh.show(f"rival.{product}.x").columns[1].derived_tags}


def test_a_hidden_source_is_refused_like_one_that_does_not_exist(mallory: Mesh) -> None:
    told = []
    for number, source in enumerate((SECRET, "hr.people.absent", "hr.nothing.nothing", "none.such.port")):
        with pytest.raises(AccessDenied, match="derive data from") as refused:
            derived(mallory, f"probe{number}", source)
        told.append(refused.value.message.replace(source, "…"))
        with pytest.raises(AccessDenied):
            mallory.show(f"rival.probe{number}.x")
    assert len(set(told)) == 1


@pytest.mark.parametrize(
    ("product", "right"),
    [
        ("seen", {"actions": ["discover"]}),
        ("read", {"actions": ["read"], "columns": ["id"]}),
        ("caring", {"actions": ["read"], "purpose": "care"}),
    ],
)
def test_whoever_may_know_the_source_takes_its_tags_over(
    server: RunningServer, mallory: Mesh, product: str, right: dict[str, object]
) -> None:
    with server.user("user:olga") as olga:
        given = olga.grant("user:mallory", "hr.people", **right)  # type: ignore[arg-type]
        assert derived(mallory, product, SECRET) == {"pii.email", "secret.merger"}
        olga.revoke(given.id)
    with pytest.raises(AccessDenied):
        derived(mallory, f"{product}-later", SECRET)
