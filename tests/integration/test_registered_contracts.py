"""Contracts that are applied before data is published with them: kept as written, shown, exported, and ended by a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidContract, InvalidRequest, Mesh, WrongState
from domain_sdk.catalog import ProductEntry
from domain_sdk.folder import export_folder, plan_tree, read_folder
from domain_sdk.folder.planning import apply_source, register_contracts
from tests.servers import RunningServer
from tests.shared_data import shared_data

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: urn:x:{0}\nversion: 1.0.0\nstatus: active\n"
TABLE = HEAD + "schema:\n- {{name: rows, properties: [{{name: a, logicalType: integer}}]}}\n"
VALID = sorted(path.name.removesuffix(".odcs.yaml") for path in shared_data("contracts", "valid").iterdir())
ODD = {
    "no-schema": HEAD,
    "empty-schema": HEAD + "schema: []\n",
    "no-properties": HEAD + "schema: [{{name: t}}]\n",
    "no-types": HEAD + "schema: [{{name: t, properties: [{{name: a}}]}}]\n",
    "odd-names": HEAD + "schema: [{{name: my table.v2, physicalName: a.b.c}}, {{name: Ünï, properties: [{{name: '*'}}]}}]\n",
    "same-names": HEAD + "schema: [{{name: t}}, {{name: T}}, {{name: t}}]\n",
    "no-semver": TABLE.replace("1.0.0", "latest"),
    "slash": HEAD + "schema: [{{name: 'a/b#c'}}]\n",
    "json": '{{"apiVersion": "v3.2.0", "kind": "DataContract", "id": "j", "version": "1"}}',
    "bom": "\ufeff" + TABLE.replace("\n", "\r\n"),
    "anchors": HEAD + "tags: &t [x]\nschema:\n- {{name: p, tags: *t, properties: [{{name: a, logicalType: integer, tags: *t}}]}}",
    "own-types": HEAD + 'schema: [{{name: t, properties: [{{name: a, physicalType: \'"public"."Flag"\'}}]}}]\n',
}


@pytest.fixture(scope="module")
def olga(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("kept", owners=["user:olga"])
        admin.admin.create_principal("user:nobody")
    with server.user("user:olga") as mesh:
        yield mesh


def waiting(mesh: Mesh, product: str) -> str:
    entry = mesh.show(product)
    assert isinstance(entry, ProductEntry)
    return entry.registered_contract_version


def folder_of(root: Path, contracts: dict[str, bytes]) -> Path:
    (root / "domain.yaml").write_text("name: kept\n")
    for product, text in contracts.items():
        (root / product).mkdir()
        (root / product / "contract.odcs.yaml").write_bytes(text)
    return root


def apply(mesh: Mesh, root: Path) -> list[str]:
    tree = read_folder(root)
    apply_source(mesh._transport, tree.sources[0])
    return register_contracts(mesh._transport, tree.sources[0])


def test_every_valid_contract_applies_is_shown_and_comes_back_byte_for_byte(olga: Mesh, tmp_path: Path) -> None:
    texts = {name: text.format(name).encode() for name, text in ODD.items()}
    texts |= {name: shared_data("contracts", "valid", f"{name}.odcs.yaml").read_bytes() for name in VALID}
    root = tmp_path / "in"
    root.mkdir()
    assert apply(olga, folder_of(root, texts)) == sorted(f"kept.{name}" for name in texts)
    assert plan_tree(olga._transport, read_folder(root)).is_empty
    listed = {entry.name: entry for entry in olga.products("kept")}
    for name, text in texts.items():
        assert olga.domain("kept").product(name).contract().encode() == text
        entry = olga.show(f"kept.{name}")
        assert entry == listed[f"kept.{name}"]
        assert (listed[f"kept.{name}"].version, bool(waiting(olga, f"kept.{name}"))) == (0, True)
    export_folder(olga._transport, tmp_path / "out")
    for name, text in texts.items():
        assert (tmp_path / "out" / "kept" / name / "contract.odcs.yaml").read_bytes() == text


def test_what_keeps_a_registered_contract_from_being_published_is_told_then_and_when_it_is(olga: Mesh) -> None:
    product = olga.domain("kept").product("bare", ODD["no-types"].format("bare"))
    found = product.register()
    assert [line.partition(": ")[0] for line in found.not_publishable] == ["$.schema[0].properties[0].logicalType", "$.schema[0]"]
    with pytest.raises(InvalidContract, match="logicalType"):
        product.publish(t=pl.DataFrame({"a": [1]}), progress=False)


def test_a_release_follows_the_registered_contract_and_ends_it(olga: Mesh) -> None:
    first = olga.domain("kept").product("ledger", TABLE.format("ledger"))
    first.register()
    olga.domain("kept").product("ledger").publish(rows=pl.DataFrame({"a": [1]}), progress=False)  # with what is registered
    assert waiting(olga, "kept.ledger") == ""
    wider = TABLE.format("ledger").replace("1.0.0", "1.1.0") + "# wider\n"
    olga.domain("kept").product("ledger", wider).register()
    assert waiting(olga, "kept.ledger") == "1.1.0"
    assert olga.domain("kept").product("ledger").contract() == TABLE.format("ledger")  # what is served
    olga.domain("kept").product("ledger", wider).publish(rows=pl.DataFrame({"a": [2]}), progress=False)
    assert waiting(olga, "kept.ledger") == ""


def test_who_may_see_a_product_reads_that_nothing_is_published_yet(olga: Mesh, server: RunningServer) -> None:
    olga.domain("kept").product("later", TABLE.format("later")).register()
    for read in (lambda mesh: mesh.read("kept.later.rows"), lambda mesh: mesh.sql("SELECT * FROM kept.later.rows")):
        with pytest.raises(WrongState, match=r"Nothing of kept\.later is published yet"):
            read(olga)
        with server.user("user:nobody") as nobody, pytest.raises(AccessDenied) as refused:
            read(nobody)
        assert "published yet" not in str(refused.value)


def test_an_invalid_contract_is_registered_by_nobody_and_a_valid_one_only_by_who_may_write(
    olga: Mesh, server: RunningServer
) -> None:
    with pytest.raises(InvalidContract, match="colour"):
        olga.domain("kept").product("wrong", TABLE.format("wrong") + "colour: red\n").register()
    with server.user("user:nobody") as mesh:
        with pytest.raises(AccessDenied):
            mesh.domain("kept").product("foreign", TABLE.format("foreign")).register()
        olga.domain("kept").product("hidden", TABLE.format("hidden")).register()
        with pytest.raises(AccessDenied):
            mesh.show("kept.hidden")
        assert mesh.products("kept") == []
    for name in ("wrong", "foreign"):
        with pytest.raises(AccessDenied):
            olga.show(f"kept.{name}")


def test_a_folder_with_an_invalid_contract_is_not_applied_and_says_where(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"fine": TABLE.format("fine").encode(), "wrong": (TABLE.format("w") + "colour: red\n").encode()})
    with pytest.raises(InvalidRequest) as caught:
        read_folder(root)
    assert [it.path for it in caught.value.violations] == ["wrong/contract.odcs.yaml:8"]


def test_what_is_only_registered_is_found_by_who_may_discover_it_and_marked_until_it_is_published(
    olga: Mesh, server: RunningServer
) -> None:
    def hits(mesh: Mesh, query: str) -> dict[str, bool]:
        return {hit.name: hit.is_only_registered for hit in mesh.discover(query) if hit.name.startswith("kept.walrus")}

    contract = TABLE.format("walrus").replace("schema:", "tags: [fauna.sea]\nschema:")
    before = olga.status().registered_product_count
    olga.domain("kept").product("walrus", contract).register()
    both = {"kept.walrus": True, "kept.walrus.rows": True}
    for query in ("kept.walrus", "walrus"):
        assert hits(olga, query) == both
    assert hits(olga, "fauna") == {"kept.walrus": True}
    assert olga.status().registered_product_count == before + 1
    assert not any(hit.is_readable for hit in olga.discover("kept.walrus") if hit.is_only_registered)
    with server.user("user:nobody") as nobody, server.user("user:finder") as finder, server.user("user:barred") as barred:
        for mesh in (nobody, finder):
            assert (hits(mesh, "walrus"), hits(mesh, "")) == ({}, {})
        assert (nobody.status().registered_product_count, nobody.products("kept")) == (0, [])
        olga.grant("user:finder", "kept.walrus", actions=["discover"])
        assert (hits(finder, "walrus"), finder.status().registered_product_count) == (both, 1)
        olga.grant("user:barred", "kept.walrus", actions=["discover"])
        olga.grant("user:barred", "kept.walrus.rows", actions=["discover"], deny=True)
        assert hits(barred, "walrus") == {"kept.walrus": True}
        with pytest.raises(AccessDenied):
            barred.domain("kept").product("walrus").contract()
        olga.domain("kept").product("walrus").publish(rows=pl.DataFrame({"a": [1]}), progress=False)
        assert hits(olga, "walrus") == hits(finder, "walrus") == dict.fromkeys(both, False)
        assert hits(barred, "walrus") == {"kept.walrus": False}
    assert olga.status().registered_product_count == before
