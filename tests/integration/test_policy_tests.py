"""Policy tests as files: run on the sample domains as they are, and on the mesh as a folder would make it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk.cli import main
from domain_sdk.demo import samples
from domain_sdk.errors import AccessDenied
from tests.integration.sdk_server import People, running_server
from tests.integration.test_mesh_in_git import laid_out

ROOT = Path(__file__).parents[2]
PEOPLE = """\
grants:
  - id: {id}
    subject: "user:ana"
    resource: shop.orders.orders
    actions: [discover, read]
    columns: [id, region]
  - id: europe
    subject: "user:ana"
    resource: shop.orders.orders
    actions: [discover, read]
    rows: "region = 'EU'"
    masks:
      total: mask-to-fixed-value
"""
TESTS = """\
tests:
  - name: Ana sees all orders, and of Europe more
    principal: "user:ana"
    resource: shop.orders.orders
    rows:
      - {id: 1, region: EU, total: 10.0}
      - {id: 2, region: US, total: 20.0}
    expect:
      hidden: []
      filter: ""
      rows:
        - {id: 1, region: EU, total: 0.0}
        - {id: 2, region: US, total: null}
      allowed: [discover, read]
      denied: [write]
  - name: She owns nothing
    principal: "user:ana"
    resource: shop
    expect:
      denied: [grant, administer]
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with running_server(tmp_path_factory.mktemp("home")) as found:
        yield found


def test_the_tests_of_the_sample_domains_hold(people: People) -> None:
    samples.set_up(people.admin)
    etl = {domain: people[f"service:{domain}-etl"] for domain in ("sales", "finance")}
    for product in ("sales.customers", "sales.orders", "finance.ledger"):
        samples.publish(etl[product.partition(".")[0]], product)
    owners = {"sales": people["user:sam"], "finance": people["user:fiona"]}  # policy's are run by the demo
    for domain, owner in owners.items():
        samples.apply_policies(owner, domain)
    samples.publish(etl["finance"], "finance.revenue")
    for domain, owner in owners.items():
        for results in (
            owner.changes.test_folder(ROOT / "sample_domains" / domain),
            owner.changes.test_folder(ROOT / "sample_domains" / domain, with_changes=True),
        ):
            assert results
            assert [it for it in results if not it.is_passed] == []


def test_a_candidate_is_tested_before_it_is_applied_and_a_failure_says_why(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = laid_out(tmp_path / "git", policies="grants: []\n")
    (root / "mesh/policies.yaml").write_text("grants: []\n")
    people["user:ana"], people["user:olga"]
    admin, olga = people.admin, people["user:olga"]
    admin.admin.create_domain("shop", owners=["user:olga"])
    frame = pl.DataFrame({"id": [1], "region": ["EU"], "email": ["a@x.org"], "total": [10]})
    olga.domain("shop").product("orders", contract=ROOT / "examples/orders.odcs.yaml").publish(orders=frame)
    laid_out(root, policies=PEOPLE.format(id="everything"))
    (root / "shop/policies.test.yaml").write_text(TESTS)
    types = {column.name: column.logical_type for column in olga.show("shop.orders.orders").columns}  # type: ignore[union-attr]
    if types["total"] == "integer":
        (root / "shop/policies.test.yaml").write_text(TESTS.replace("10.0", "10").replace("20.0", "20").replace("0.0}", "0}"))
    before, _ = olga.changes.test_folder(root / "shop")
    assert {it.what for it in before.mismatches} == {"rows", "allowed"}
    assert before.place == "policies.test.yaml:2"
    assert "no rule matches" in " ".join(before.reasons) or before.reasons
    after = olga.changes.test_folder(root / "shop", with_changes=True)
    assert [it.mismatches for it in after] == [(), ()]
    assert olga.grants(resource="shop") == []  # nothing was applied
    olga.changes.apply_folder(root / "shop")
    assert all(it.is_passed for it in olga.changes.test_folder(root / "shop"))
    laid_out(
        root,
        policies=PEOPLE.format(id="renamed").replace(
            'subject: "user:ana"\n    resource: shop.orders.orders\n    actions: [discover, read]\n    columns',
            'subject: "user:bob"\n    resource: shop.orders.orders\n    actions: [discover, read]\n    columns',
        ),
    )
    lost, _ = olga.changes.test_folder(root / "shop", with_changes=True)  # what is pruned is gone there, too
    assert {it.what for it in lost.mismatches} == {"filter", "rows"}
    monkeypatch.setenv("MESH_URL", people.url)
    monkeypatch.setenv("MESH_TOKEN", admin.admin.create_token("user:olga").secret)
    assert main(["test", str(root / "shop")]) == 0
    assert "2 passed" in capsys.readouterr().out
    assert main(["test", str(root / "shop"), "--with-changes"]) == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "expected" in shown
    assert main(["test", str(root / "shop"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tests"]) == 2
    with pytest.raises(AccessDenied):
        people["user:ana"].changes.test_folder(root / "shop", with_changes=True)


TIMES = """\
tests:
  - {name: Before, principal: "user:ana", resource: shop.orders.orders, at: "2039-12-31T23:59:59Z", expect: {columns: []}}
  - {name: In it, principal: "user:ana", resource: shop.orders.orders, at: "2040-01-01", expect: {columns: [id], allowed: [read]}}
  - {name: No such port, principal: "user:ana", resource: shop.orders.order, expect: {columns: [], denied: [read]}}
  - {name: End excluded, principal: "user:ana", resource: shop.orders.orders, at: "2041-01-01", expect: {denied: [read]}}
"""
LATER = PEOPLE.split("  - id: europe")[0].replace("[id, region]", '[id]\n    since: "2040-01-01"\n    until: "2041-01-01"')


def test_a_test_may_be_about_another_time_but_not_about_a_port_that_is_not(people: People, tmp_path: Path) -> None:
    root = laid_out(tmp_path / "git", policies=LATER.format(id="later"))
    (root / "shop/policies.test.yaml").write_text(TIMES)
    results = people["user:olga"].changes.test_folder(root / "shop", with_changes=True)
    assert [it.is_passed for it in results] == [True, True, False, True]
    assert [(it.what, it.got) for it in results[2].mismatches] == [
        ("resource", "there is no shop.orders.order that you may see: correct its name, or publish it first")
    ]
