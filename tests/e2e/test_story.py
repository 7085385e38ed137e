"""The product's main job, through the public SDK against a real server: publish, find, request, read, retrieve, revoke."""

from __future__ import annotations

import polars as pl
import pytest

from domain_sdk import AccessDenied
from domain_sdk.demo.samples import apply_policies, set_up
from sample_domains.finance.ledger import pipeline as ledger
from sample_domains.finance.revenue import pipeline as revenue
from sample_domains.policy.handbook import pipeline as handbook
from sample_domains.sales.customers import pipeline as customers
from sample_domains.sales.orders import pipeline as orders
from tests.servers import RunningServer

PORT = "finance.revenue.revenue"


@pytest.fixture(scope="module")
def story(server: RunningServer) -> RunningServer:
    """A mesh in which every sample domain has published."""
    with server.admin() as admin:
        set_up(admin)
    with server.user("service:sales-etl") as mesh:
        orders.publish(mesh)
        customers.publish(mesh)
    for domain, owner in (("sales", "user:sam"), ("policy", "user:paul")):
        with server.user(owner) as mesh:
            apply_policies(mesh, domain)
    with server.user("user:paul") as mesh:
        handbook.publish(mesh)
    with server.user("service:finance-etl") as mesh:
        ledger.publish(mesh)
        revenue.publish(mesh)
    return server


def expected_revenue() -> pl.DataFrame:
    """What the transform gives, computed apart from it."""
    placed = orders.orders().to_pandas()
    placed = placed[placed.status == "placed"]
    placed["month"] = [day.replace(day=1) for day in placed.ordered_on]
    grouped = placed.groupby(["month", "customer_id", "region"]).agg(orders=("order_id", "count"), revenue=("amount", "sum"))
    return pl.from_pandas(grouped.reset_index())


def test_the_analyst_gets_exactly_what_the_owner_approved_until_it_is_revoked(story: RunningServer) -> None:
    ana, fiona = story.user("user:ana"), story.user("user:fiona")
    assert PORT in [hit.name for hit in ana.discover("revenue")]
    with pytest.raises(AccessDenied):
        ana.read(PORT)

    request = ana.request("finance.revenue", purpose="forecasting", until="2027-06-01", reason="Plan for next year")
    assert request.id in [pending.id for pending in fiona.requests(state="requested")]
    approved = fiona.approve(request.id, rows="region = 'EMEA'", masks={"customer_id": "show-last-4"})
    assert request.wait(timeout_seconds=10).state == approved.state

    seen = ana.read(PORT, purpose="forecasting")
    wanted = expected_revenue().filter(pl.col("region") == "EMEA")
    assert seen.height == wanted.height > 0
    assert seen["region"].unique().to_list() == ["EMEA"]
    assert seen["contact"].null_count() == seen.height
    assert sorted(seen["revenue"].cast(float)) == pytest.approx(sorted(wanted["revenue"].cast(float)))
    assert set(seen["customer_id"]).isdisjoint(wanted["customer_id"])
    assert sum(ana.scan(PORT, purpose="forecasting").select("orders").collect()["orders"]) == wanted["orders"].sum()

    fiona.revoke(approved.grants[0], reason="The plan is done")
    with pytest.raises(AccessDenied):
        ana.read(PORT, purpose="forecasting")


def test_the_mail_address_that_finance_derived_carries_the_tag_of_its_source(story: RunningServer) -> None:
    with story.user("user:fiona") as fiona:
        port = fiona.show(PORT)
        tags = {column.name: [tag.tag for tag in column.derived_tags] for column in port.columns}
        assert tags["contact"] == ["pii.email"]
        assert all(not found for name, found in tags.items() if name != "contact")
        assert fiona.read(PORT)["contact"].null_count() == fiona.read(PORT).height
    with story.user("service:finance-etl") as pipeline:
        assert pipeline.read(PORT, purpose="invoicing")["contact"].null_count() == 0
    with story.user("user:sam") as sam:
        assert sam.read("sales.orders.orders")["email"].null_count() == 0


def test_the_refund_policy_is_found_by_its_meaning(story: RunningServer) -> None:
    with story.user("user:stranger") as stranger, pytest.raises(AccessDenied):
        stranger.retrieve("policy.handbook.pages", "Can I give my purchase back?")
    with story.user("user:ana") as ana:
        hits = ana.retrieve("policy.handbook.pages", "How long can a customer send goods back for money?", limit=3)
    assert hits[0].document.endswith("refunds.md")
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_the_lineage_and_the_journal_hold_up(story: RunningServer) -> None:
    with story.user("user:fiona") as fiona:
        graph = fiona.lineage(f"{PORT}.contact", direction="upstream")
        assert "sales.orders.orders#email" in {node.id for node in graph.nodes}
    with story.admin() as admin:
        assert admin.audit.verify().is_intact
