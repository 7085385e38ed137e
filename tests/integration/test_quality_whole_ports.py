"""Rules over whole ports: `sql` queries, foreign keys and custom engines, in previews and before a release is visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import ContractViolated, InvalidRequest, Mesh
from domain_sdk.release import QualityResult, QualityStatus
from tests.servers import RunningServer

HEAD = "kind: DataContract\napiVersion: v3.2.0\nid: x\nname: X\nversion: 1.0.0\nstatus: active\n"

CUSTOMERS = """schema:
- name: customers
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: secret, logicalType: string}
"""


@pytest.fixture(scope="module")
def mia(server: RunningServer) -> Iterator[Mesh]:
    """Member of `sales`, which may discover and not read `crm.base.customers`."""
    with server.admin() as admin:
        admin.admin.create_domain("sales", owners=["user:mia"])
        admin.admin.create_domain("crm", owners=["user:otto"])
    with server.user("user:otto") as otto:
        customers = pl.DataFrame({"id": [1, 2, 3], "secret": ["a", "b", "c"]})
        otto.domain("crm").product("base", HEAD + CUSTOMERS).publish(customers=customers, progress=False)
        hidden = CUSTOMERS.replace("customers", "hidden")
        otto.domain("crm").product("dark", HEAD + hidden).publish(hidden=customers, progress=False)
        otto.grant("user:mia", "crm.base", actions=["discover"])
    with server.user("user:mia") as mesh:
        yield mesh


def results(quality: tuple[QualityResult, ...]) -> dict[str, QualityResult]:
    return {f"{it.port.rpartition('.')[2]}:{it.check}": it for it in quality}


def orders(rules: str = "[]", refers: str = "", more: str = "") -> str:
    reference = f", relationships: [{refers}]" if refers else ""
    return (
        f"{HEAD}schema:\n- name: orders\n  quality: {rules}\n{more}  properties:\n"
        "  - {name: id, logicalType: integer, primaryKey: true}\n"
        f"  - {{name: customer, logicalType: integer{reference}}}\n  - {{name: amount, logicalType: number}}\n"
    )


ORDERS = pl.DataFrame({"id": [10, 11, 12, 13], "customer": [1, 2, 9, None], "amount": [1.0, 2.0, -3.0, 4.0]})


def rule(query: str, operator: str = "mustBe: 0", extra: str = "") -> str:
    return f"[{{type: sql, query: '{query}', {operator}{extra}}}]"


@pytest.mark.parametrize(
    ("query", "operator", "holds", "measured"),
    [
        ("SELECT COUNT(*) FROM {object} WHERE amount < 0", "mustBe: 0", False, "1"),
        ("SELECT COUNT(*) FROM ${table} WHERE amount < 0", "mustBeLessThan: 2", True, "1"),
        ("SELECT COUNT(*) FROM orders", "mustBeBetween: [4, 9]", True, "4"),
        ("select count(*) from {schema}.{table}", "mustBe: 4", True, "4"),
        ("SELECT avg(amount) FROM {model}", "mustBeGreaterThan: 0.5", True, "1"),
        ("SELECT min(amount) < 0 FROM {object}", "mustBe: false", False, "True"),
        ("SELECT max(amount) FROM {object} WHERE id > 99", "mustBe: 0", False, "null"),
    ],
)
def test_a_query_is_run_on_the_rows_to_be_published(mia: Mesh, query: str, operator: str, holds: bool, measured: str) -> None:
    product = mia.domain("sales").product("rules", orders(rule(query, operator)))
    preview = product.preview(orders=ORDERS, progress=False)
    found = results(preview.quality)["orders:quality[0]"]
    assert (found.status, found.measured) == (QualityStatus.PASSED if holds else QualityStatus.FAILED, measured)
    assert preview.is_ok == holds
    assert found.is_blocking


def test_a_preview_takes_no_version_number_and_leaves_no_file(mia: Mesh, server: RunningServer) -> None:
    product = mia.domain("sales").product("numbers", orders(rule("SELECT 0")))
    for _ in range(3):
        assert product.preview(orders=ORDERS, progress=False).is_ok
    assert product.publish(orders=ORDERS, progress=False).version == 1
    assert not list((server.home / "drop").glob("*/*"))


def test_a_broken_sql_rule_stops_the_release_and_a_mild_one_warns(mia: Mesh) -> None:
    negative = "SELECT COUNT(*) FROM {object} WHERE {property} < 0"
    text = orders().replace("name: amount, logicalType: number", f"name: amount, logicalType: number, quality: {rule(negative)}")
    with pytest.raises(ContractViolated, match="the query gives 1, mustBe 0"):
        mia.domain("sales").product("strict", text).publish(orders=ORDERS, progress=False)
    mild = text.replace("mustBe: 0", "mustBe: 0, severity: warning")
    release = mia.domain("sales").product("strict", mild).publish(orders=ORDERS, progress=False)
    found = results(release.quality)["orders:amount.quality[0]"]
    assert (found.status, found.is_blocking, found.column) == (QualityStatus.FAILED, False, "amount")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders", "SELECT 1; SELECT 2", "SELECT nothing FROM orders", "SELECT id FROM orders", "SELECT 1, 2",
        "SELECT * FROM read_csv(x)", "SELECT FROM FROM", "SELECT count(*) FROM elsewhere", "SELECT count(*) FROM crm.dark.hidden",
        "SELECT count(*) FROM crm.base.customers", "SELECT count(*) FROM orders WHERE {property} = 1",
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_run_is_not_run_and_stops_only_where_its_severity_says_so(mia: Mesh, query: str) -> None:
    silent = mia.domain("sales").product("unrun", orders(rule(query))).preview(orders=ORDERS, progress=False)
    severe = (
        mia.domain("sales")
        .product("unrun", orders(rule(query, extra=", severity: error")))
        .preview(orders=ORDERS, progress=False)
    )
    for preview, blocks in ((silent, False), (severe, True)):
        found = results(preview.quality)["orders:quality[0]"]
        assert (found.status, found.is_blocking, preview.is_ok) == (QualityStatus.NOT_RUN, blocks, not blocks), found.message


def test_a_rule_that_takes_too_much_memory_fails_and_the_server_lives_on(mia: Mesh, server: RunningServer) -> None:
    greedy = "SELECT length(string_agg(repeat(cast(r.range AS VARCHAR), 1000))) FROM orders, range(100000000) r"
    product = mia.domain("sales").product("greedy", orders(rule(greedy)))
    found = results(product.preview(orders=ORDERS, progress=False).quality)["orders:quality[0]"]
    assert found.status is QualityStatus.FAILED, found.message
    product = mia.domain("sales").product("greedy", orders(rule("SELECT count(*) FROM orders", "mustBe: 4")))
    assert product.publish(orders=ORDERS, progress=False).version == 1


def test_a_query_in_the_dialect_of_the_contracts_server_is_understood(mia: Mesh) -> None:
    server = "servers: [{server: s, type: bigquery, project: p, dataset: d}]\n"
    text = orders(rule("SELECT COUNTIF(amount < 0) FROM `{object}`")).replace("schema:", server + "schema:")
    found = results(mia.domain("sales").product("dialects", text).preview(orders=ORDERS, progress=False).quality)
    assert found["orders:quality[0]"].measured == "1"


def test_every_value_must_be_in_the_column_referred_to_and_null_refers_to_nothing(mia: Mesh) -> None:
    """Mia may discover `crm.base.customers` and not read it: she learns the count, and not which of her keys it has."""
    product = mia.domain("sales").product("keys", orders(refers="{to: crm.base.customers.id}"))
    found = results(product.preview(orders=ORDERS, progress=False).quality)["orders:customer.relationships[0]"]
    assert (found.status, found.failing_rows, found.samples, found.is_blocking) == (QualityStatus.FAILED, 1, (), True)
    with pytest.raises(ContractViolated, match="1 row refers to what is not in"):
        product.publish(orders=ORDERS, progress=False)
    release = product.publish(orders=ORDERS.filter(pl.col("customer").is_null() | (pl.col("customer") < 9)), progress=False)
    assert results(release.quality)["orders:customer.relationships[0]"].status is QualityStatus.PASSED


def test_a_key_within_the_contract_is_held_to_what_is_published_with_it(mia: Mesh) -> None:
    text = orders(refers="{to: customers.id}") + CUSTOMERS.removeprefix("schema:\n")
    customers = pl.DataFrame({"id": [1, 2], "secret": ["a", "b"]})
    preview = mia.domain("sales").product("within", text).preview(orders=ORDERS, customers=customers, progress=False)
    found = results(preview.quality)["orders:customer.relationships[0]"]
    assert (found.status, found.failing_rows, found.samples) == (QualityStatus.FAILED, 1, ("row 2, key 12: 9",))
    more = pl.DataFrame({"id": [1, 9, 2], "secret": ["a", "b", "c"]})
    assert mia.domain("sales").product("within", text).preview(orders=ORDERS, customers=more, progress=False).is_ok


def test_a_value_that_cannot_be_read_hides_nothing_that_is_wrong_with_other_columns_and_ports(mia: Mesh, tmp_path: Path) -> None:
    text = orders(refers="{to: customers.id}") + CUSTOMERS.removeprefix("schema:\n")
    product = mia.domain("sales").product("files", text)
    (tmp_path / "orders.csv").write_text("id,customer,amount\n1,1,dear\n1,2,3.5\n")
    (tmp_path / "customers.ndjson").write_text('{"id": 1, "secret": "a"}\n{"id": 1, "secret": "b"}\n')
    given = {"orders": tmp_path / "orders.csv", "customers": tmp_path / "customers.ndjson"}
    for run in (product.preview, product.publish):
        with pytest.raises(InvalidRequest, match="not of the types that the contract promises") as caught:
            run(**given, progress=False)
        assert {violation.path.removeprefix(f"{tmp_path}/") for violation in caught.value.violations} == {
            "orders.csv: amount",
            "sales.files.orders: primaryKey",
            "sales.files.customers: primaryKey",
        }


def test_foreign_keys_are_told_with_the_other_broken_promises_and_with_their_rows(mia: Mesh) -> None:
    text = orders(refers="{to: customers.id}") + CUSTOMERS.removeprefix("schema:\n")
    customers = pl.DataFrame({"id": [1, 2], "secret": ["a", "b"]})
    product = mia.domain("sales").product("told", text)
    twice = ORDERS.with_columns(id=pl.Series([10, 10, 12, 13]))
    with pytest.raises(ContractViolated) as both:
        product.publish(orders=twice, customers=customers, progress=False)
    assert {it.path for it in both.value.violations} == {
        "sales.told.orders: primaryKey",
        "sales.told.orders: customer.relationships[0]",
    }
    found = results(product.preview(orders=twice, customers=customers, progress=False).quality)
    assert {it for it in found if found[it].stops} == {"orders:primaryKey", "orders:customer.relationships[0]"}
    with pytest.raises(ContractViolated) as alone:
        product.publish(orders=ORDERS, customers=customers, progress=False)
    (told,) = alone.value.violations
    assert "1 row refers to what is not in customers (row 2, key 12: 9; the first row is row 0)" in told.message


@pytest.mark.parametrize(
    "to", ["crm.dark.hidden.id", "crm.none.such.id", "nowhere.id", "crm.base.customers.secret", "/schema/a/b/c"]
)
def test_a_reference_that_cannot_be_followed_is_not_run_and_tells_hidden_from_absent_apart_never(mia: Mesh, to: str) -> None:
    preview = mia.domain("sales").product("lost", orders(refers=f"{{to: {to}}}")).preview(orders=ORDERS, progress=False)
    found = results(preview.quality)["orders:customer.relationships[0]"]
    assert (found.status, preview.is_ok) == (QualityStatus.NOT_RUN, True)
    if to.startswith(("crm.dark", "crm.none")):
        assert found.message.endswith(f"there is no table {to.removesuffix('.id')} that you may discover")


def test_a_composite_key_of_the_port_is_followed_by_both_columns(mia: Mesh) -> None:
    pairs = "- name: pairs\n  properties:\n  - {name: a, logicalType: integer}\n  - {name: b, logicalType: number}\n"
    refers = "  relationships: [{from: [orders.customer, orders.amount], to: [pairs.a, pairs.b]}]\n"
    product = mia.domain("sales").product("composite", orders(more=refers) + pairs)
    found = product.preview(orders=ORDERS, pairs=pl.DataFrame({"a": [1, 2], "b": [1.0, 9.0]}), progress=False)
    assert results(found.quality)["orders:relationships[0]"].failing_rows == 2


def test_a_custom_rule_whose_engine_is_not_there_is_not_run(mia: Mesh) -> None:
    custom = "[{type: custom, engine: soda, implementation: 'checks: []'}]"
    release = mia.domain("sales").product("custom", orders(custom)).publish(orders=ORDERS, progress=False)
    found = results(release.quality)["orders:quality[0]"]
    assert found.status is QualityStatus.NOT_RUN
    assert "no package registers the engine 'soda'" in found.message
    severe = orders(custom.replace("engine: soda", "severity: critical, engine: soda")).replace("version: 1.0", "version: 2.0")
    again = mia.domain("sales").product("custom", severe).publish(orders=ORDERS, progress=False)
    assert results(again.quality)["orders:quality[0]"].status is QualityStatus.NOT_RUN
