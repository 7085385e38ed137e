"""Consumers have a say: an expectation is judged with its consumer's rights before a release is visible, and may stop it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from domain_sdk import (
    AccessDenied,
    ContractViolated,
    ExpectationStatus,
    IncompatibleContract,
    InvalidExpression,
    InvalidRequest,
    Mesh,
    Release,
)
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

COLUMNS = ["id: integer", "region: string", "amount: number", "secret: string"]
GOOD = pl.DataFrame({"id": [1, 2, 3], "region": ["EU", "EU", "US"], "amount": [1.0, 2.0, 3.0], "secret": ["x", "y", "z"]})
BAD = GOOD.with_columns(amount=pl.Series([1.0, -2.0, -3.0]))


@dataclass
class Shop:
    owner: Mesh
    etl: Mesh
    ana: Mesh
    product: str = ""

    @property
    def port(self) -> str:
        return f"shop.{self.product}.orders"

    def text(self, policy: str, version: str = "1.0.0") -> str:
        written = contract(f"shop.{self.product}", {"orders": COLUMNS}, version=version)
        return written + f"customProperties: [{{property: consumerExpectations, value: {policy}}}]\n"

    def publish(self, frame: pl.DataFrame, policy: str, *, by: Mesh | None = None) -> Release:
        return (by or self.owner).domain("shop").product(self.product, self.text(policy)).publish(orders=frame, progress=False)


@pytest.fixture(scope="module")
def people(server: RunningServer) -> Iterator[Shop]:
    with server.user("user:olga") as owner, server.user("service:etl") as etl, server.user("user:ana") as ana:
        with server.admin() as admin:
            admin.admin.create_domain("shop", owners=["user:olga"])
        yield Shop(owner, etl, ana)


@pytest.fixture
def shop(people: Shop) -> Shop:
    """A product of the test's own, which ana reads in the EU without its secret."""
    name = f"p{len(people.owner.products('shop'))}"
    made = Shop(people.owner, people.etl, people.ana, name)
    made.publish(GOOD, "block")
    made.owner.grant("user:ana", f"shop.{name}", rows="region = 'EU'", columns=["id", "region", "amount"])
    made.owner.grant("service:etl", f"shop.{name}", actions=["discover", "write"])
    return made


def test_a_broken_expectation_is_told_by_the_preview_and_stops_the_release_before_anything_is_visible(shop: Shop) -> None:
    made = shop.ana.expect(shop.port, "amount >= 0", reason="we sum it")
    assert (made.columns, made.last_result) == (("amount",), None)
    handle = shop.owner.domain("shop").product(shop.product, shop.text("block"))
    preview = handle.preview(orders=BAD, progress=False)
    (found,) = preview.broken_expectations
    assert (found.principal, found.failing_rows, found.total_rows, preview.is_ok) == ("user:ana", 1, 2, False)  # of the EU's rows
    assert handle.preview(orders=GOOD, progress=False).is_ok
    with pytest.raises(ContractViolated, match="what consumers expect") as refused:
        handle.publish(orders=BAD, progress=False)
    assert "amount >= 0" in str(refused.value.violations[0])
    assert handle.release().version == 1  # a preview takes no number, a refused release leaves a gap
    assert shop.ana.read(shop.port)["amount"].to_list() == [1.0, 2.0]
    assert shop.ana.expectations(shop.port)[0].last_result is None  # of what is not released its consumer learns nothing
    released = handle.publish(orders=GOOD, progress=False)
    assert [it.status for it in released.expectations] == [ExpectationStatus.MET]
    last = shop.ana.expectations(shop.port)[0].last_result
    assert last is not None
    assert (last.version, last.status, last.failing_rows, last.total_rows) == (released.version, ExpectationStatus.MET, 0, 2)


def test_a_policy_of_warning_tells_and_publishes(shop: Shop) -> None:
    shop.publish(GOOD, "block")
    text = shop.text("warn", "1.0.1")
    shop.owner.domain("shop").product(shop.product, text).publish(orders=GOOD, progress=False)
    shop.ana.expect(shop.port, {"metric": "nullValues", "mustBe": 0}, column="region")
    broken = GOOD.with_columns(region=pl.Series([None, "EU", "US"]))
    released = shop.owner.domain("shop").product(shop.product, text).publish(orders=broken, progress=False)
    assert [it.status for it in released.expectations] == [
        ExpectationStatus.MET
    ]  # the null is no row of the EU: she never sees it
    shop.ana.expect(shop.port, {"metric": "rowCount", "mustBeGreaterThan": 1})
    released = shop.owner.domain("shop").product(shop.product, text).publish(orders=broken, progress=False)
    rows = next(it for it in released.expectations if "rowCount" in it.rule)
    assert (rows.status, rows.failing_rows, rows.is_blocking) == (ExpectationStatus.BROKEN, 1, False)


def test_the_policy_in_force_is_the_one_served(shop: Shop) -> None:
    shop.ana.expect(shop.port, "amount >= 0")
    with pytest.raises(ContractViolated):
        shop.owner.domain("shop").product(shop.product, shop.text("warn", "1.0.1")).publish(orders=BAD, progress=False)


def test_a_producer_learns_of_whom_only_what_it_may_know(shop: Shop) -> None:
    shop.ana.expect(shop.port, "amount >= 0", reason="we sum it")
    with pytest.raises(ContractViolated) as refused:
        shop.publish(BAD, "block", by=shop.etl)
    told = str(refused.value.violations)
    assert "a consumer you may not see" in told
    assert "ana" not in told
    assert [(it.principal, it.rule) for it in shop.etl.expectations(shop.port)] == [("", "amount >= 0")]
    assert [it.principal for it in shop.owner.expectations(shop.port)] == ["user:ana"]


@pytest.mark.parametrize("rule", ["secret = 'x'", "amount >= 0 OR secret LIKE 'x%'", "nothing = 1"])
def test_nobody_expects_anything_of_what_it_may_not_read(shop: Shop, rule: str) -> None:
    with pytest.raises(AccessDenied) as caught:
        shop.ana.expect(shop.port, rule)
    assert "or there is no such column" in caught.value.message


def test_an_expectation_is_inactive_once_its_consumer_may_not_read_what_it_names(shop: Shop) -> None:
    shop.ana.expect(shop.port, "amount >= 0")
    (given,) = [it for it in shop.owner.grants(resource=f"shop.{shop.product}") if it.subject == "user:ana"]
    shop.owner.revoke(given.id)
    (found,) = shop.publish(BAD, "block").expectations
    assert (found.status, found.failing_rows) == (ExpectationStatus.INACTIVE, 0)
    shop.owner.grant("user:ana", f"shop.{shop.product}", masks={"amount": "replace-with-null"})
    (found,) = shop.publish(BAD, "block").expectations
    assert found.status is ExpectationStatus.INACTIVE
    shop.owner.grant("user:ana", f"shop.{shop.product}")
    with pytest.raises(ContractViolated):
        shop.publish(BAD, "block")


def test_a_column_that_goes_breaks_what_is_expected_of_it(shop: Shop) -> None:
    shop.ana.expect(shop.port, "amount >= 0")
    text = shop.text("block", "2.0.0").replace("      - {name: amount, logicalType: number}\n", "")
    with pytest.raises((ContractViolated, IncompatibleContract), match="expect"):
        shop.owner.domain("shop").product(shop.product, text).publish(orders=GOOD.drop("amount"), progress=False)


BAD_RULES = [
    ("amount >=", InvalidExpression), ("amount = 'x'", InvalidExpression), ("1 = 1", InvalidRequest),
    ("region = subject.region", InvalidExpression), ("", InvalidRequest), ('{"metric": "rowCount"}', InvalidRequest),
    ('{"metric": "poetry", "mustBe": 1}', InvalidRequest), ('{"type": "sql", "query": "select 1", "mustBe": 1}', InvalidRequest),
    ("{", InvalidRequest), ('{"metric": "rowCount", "mustBe": 1, "severity": "info"}', InvalidRequest),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "error"), BAD_RULES)
def test_what_is_no_expectation_is_refused(shop: Shop, rule: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        shop.owner.expect(shop.port, rule)
    assert shop.owner.expectations(shop.port) == []


def test_an_expectation_is_its_consumers_own_to_remove(shop: Shop) -> None:
    made = shop.ana.expect(shop.port, "amount >= 0")
    for who in (shop.owner, shop.etl):
        with pytest.raises(AccessDenied):
            who.withdraw_expectation(made.id)
    shop.ana.withdraw_expectation(made.id)
    assert shop.ana.expectations(shop.port) == []
    assert shop.publish(BAD, "block").expectations == ()
