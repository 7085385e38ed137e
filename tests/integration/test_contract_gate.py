"""The impact gate: a contract that breaks somebody waits for its consent; who may not be seen has no name, and still a say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import AccessDenied, ContractChangeState, ContractImpact, IncompatibleContract, Mesh, WrongState
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

ORDERS = "sales.orders.orders"
COLUMNS = {"id": "id: integer", "email": "email: string", "amount": "amount: number", "note": "note: string"}
FRAME = pl.DataFrame({"id": [1, 2], "email": ["a@x", "b@x"], "amount": [1.0, 2.0], "note": ["", ""]})


@dataclass
class Company:
    """A seller, a publisher who is none of its people, a reader, and a domain that derives from the orders."""

    sales: Mesh
    etl: Mesh
    ana: Mesh
    finance: Mesh
    admin: Mesh

    def text(self, *gone: str, version: str, extra: str = "", mode: str = "", product: str = "sales.orders") -> str:
        kept = [line for name, line in COLUMNS.items() if name not in gone] + ([extra] if extra else [])
        written = contract(product, {"orders": kept}, version=version)
        return written + (f"customProperties: [{{property: compatibility, value: {mode}}}]\n" if mode else "")

    def publish(self, text: str, *gone: str, product: str = "orders") -> None:
        self.etl.domain("sales").product(product, text).publish(orders=FRAME.drop(gone), progress=False)


@pytest.fixture(scope="module")
def company(server: RunningServer) -> Iterator[Company]:
    with (
        server.user("user:olga") as sales, server.user("service:etl") as etl, server.user("user:ana") as ana,
        server.user("user:finn") as finance, server.admin() as admin,
    ):  # fmt: skip
        admin.admin.create_domain("sales", owners=["user:olga"])
        admin.admin.create_domain("finance", owners=["user:finn"])
        made = Company(sales, etl, ana, finance, admin)
        for product in ("orders", "stock", "free"):
            name = f"sales.{product}"
            sales.domain("sales").product(product, made.text(version="1.0.0", product=name)).publish(orders=FRAME, progress=False)
            sales.grant("service:etl", name, actions=["discover", "write"])
            sales.grant("user:ana", name)
            sales.grant("user:finn", name)
        yield made


def derive(company: Company) -> None:
    text = contract("finance.revenue", {"totals": ["id: integer", "total: number"]})
    frame = company.finance.scan(ORDERS).group_by("id").agg(total=pl.col("amount").sum())
    company.finance.domain("finance").product("revenue", text).publish(totals=frame, progress=False)


def affected(impact: ContractImpact) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((it.name, it.changes) for it in impact.affected)


def test_a_breaking_change_waits_for_whom_it_breaks_and_for_nobody_else(company: Company, tmp_path: Path) -> None:
    company.ana.read(ORDERS, columns=["id", "email"])
    company.sales.read(ORDERS)  # the domain's own people answer for themselves
    derive(company)
    without_note = company.text("note", version="2.0.0")
    impact = company.sales.contracts.plan("sales.orders", without_note)
    assert affected(impact) == [("user:olga", ("orders.note",))]
    assert (impact.is_allowed, impact.next_version, [it.needs_acceptance for it in impact.affected]) == (True, "2.0.0", [False])
    company.publish(without_note, "note")

    without_email = company.text("note", "email", version="2.1.0")
    with pytest.raises(IncompatibleContract) as minor:
        company.sales.domain("sales").product("orders", without_email).preview(orders=FRAME.drop("note", "email"), progress=False)
    assert "to 3.0.0" in minor.value.message
    assert "user:ana (read orders.email once" in "".join(map(str, minor.value.violations))

    without_email = without_email.replace("2.1.0", "3.0.0")
    with pytest.raises(IncompatibleContract, match=r"mesh propose sales\.orders") as refused:
        company.publish(without_email, "note", "email")
    told = " ".join(map(str, refused.value.violations))
    assert "1 consumer you may not see" in told  # the publisher may not know who reads
    assert "ana" not in told

    change = company.etl.contracts.propose("sales.orders", without_email, reason="moves to crm")
    assert [it.name for it in change.impact.affected if it.needs_acceptance] == [""]
    (waiting,) = company.ana.inbox().contract_changes
    assert (waiting.id, [it.path for it in waiting.impact.differences]) == (change.id, ["orders.email"])
    assert "mesh accept" in next(it.text for it in company.ana.inbox().notices if it.kind == "contract change")
    with pytest.raises(AccessDenied):
        company.finance.contracts.accept(change.id)  # its totals are not made of it
    company.ana.contracts.accept(change.id, reason="we read crm now")
    company.ana.contracts.withdraw_acceptance(change.id)
    with pytest.raises(IncompatibleContract):
        company.publish(without_email, "note", "email")
    company.ana.contracts.accept(change.id)
    other = company.text("note", "email", "amount", version="3.0.0")
    with pytest.raises(IncompatibleContract):  # accepted are exactly these changes
        company.publish(other, "note", "email", "amount")
    company.publish(without_email, "note", "email")
    assert company.etl.contracts.get(change.id).state is ContractChangeState.RELEASED
    assert company.ana.inbox().contract_changes == ()
    with pytest.raises(WrongState):
        company.ana.contracts.withdraw_acceptance(change.id)


def test_what_is_derived_from_a_column_waits_for_its_owners(company: Company) -> None:
    text = company.text("note", "email", "amount", version="4.0.0")
    by_owner = company.sales.contracts.plan("sales.orders", text)
    derived = [it for it in by_owner.affected if it.kind == "derived"]
    assert [(it.name, it.party, it.needs_acceptance) for it in derived] == [("", "", True)]  # finance shows it to nobody
    company.finance.grant("user:olga", "finance.revenue", actions=["discover"])
    derived = [it for it in company.sales.contracts.plan("sales.orders", text).affected if it.kind == "derived"]
    assert [(it.name, it.party, it.columns) for it in derived] == [
        ("finance.revenue.totals", "role:owner-of-finance", ("total",))
    ]
    change = company.sales.contracts.propose("sales.orders", text)
    parties = {it.party for it in change.impact.affected if it.needs_acceptance}
    assert parties == {"role:owner-of-finance", "user:finn"}  # it read the column to derive from it
    company.finance.contracts.accept(change.id)  # one person answers for both
    company.publish(text, "note", "email", "amount")


def test_a_whole_file_read_counts_as_reading_every_column(company: Company) -> None:
    company.ana.read("sales.stock.orders", via="files")
    impact = company.sales.contracts.plan("sales.stock", company.text("note", version="2.0.0", product="sales.stock"))
    assert affected(impact) == [("user:ana", ("orders.note",))]
    assert not impact.is_allowed


def test_who_may_no_longer_read_is_not_asked(company: Company) -> None:
    text = company.text("email", version="2.0.0", product="sales.stock")
    (before,) = company.sales.contracts.plan("sales.stock", text).affected
    given = next(it for it in company.sales.grants(resource="sales.stock") if it.subject == "user:ana")
    company.sales.revoke(given.id)
    assert (before.name, company.sales.contracts.plan("sales.stock", text).affected) == ("user:ana", ())


def test_an_administrator_accepts_for_who_does_not_answer_and_nobody_for_itself(company: Company) -> None:
    company.finance.read("sales.stock.orders")
    text = company.text("email", version="2.0.0", product="sales.stock")
    change = company.sales.contracts.propose("sales.stock", text)
    for who in (company.sales, company.etl):
        with pytest.raises(AccessDenied):
            who.contracts.accept(change.id, party="user:finn")
    with pytest.raises(AccessDenied):  # the first administrator made the seller's token, so it would be no second person
        company.admin.contracts.accept(change.id, party="user:finn")
    with pytest.raises(AccessDenied):
        company.ana.contracts.get(change.id)
    assert company.sales.contracts.withdraw(change.id).state is ContractChangeState.WITHDRAWN


def test_without_a_promise_changes_are_told_and_nothing_waits(company: Company) -> None:
    free = company.text(version="2.0.0", product="sales.free", mode="NONE")
    company.publish(free, product="free")  # taking the promise back needs a major version, and nobody read it yet
    company.ana.read("sales.free.orders")
    text = company.text("email", version="2.0.1", product="sales.free", mode="NONE")
    handle = company.sales.domain("sales").product("free", text)
    impact = handle.preview(orders=FRAME.drop("email"), progress=False).impact
    assert impact is not None
    assert [(it.name, it.needs_acceptance) for it in impact.affected] == [("user:ana", False)]
    handle.publish(orders=FRAME.drop("email"), progress=False)


def test_a_stranger_learns_nothing(company: Company) -> None:
    text = company.text("note", version="9.0.0")
    said = []
    for product in ("sales.orders", "sales.nothing", "nowhere.orders"):
        with pytest.raises(AccessDenied) as caught:
            company.ana.contracts.plan(product, text)
        said.append(caught.value.message.replace(product, "PRODUCT"))
    assert len(set(said)) == 1
    with pytest.raises(AccessDenied):
        company.ana.contracts.get("cc-0000000000000000")
