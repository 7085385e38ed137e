"""The product's main job, through the public SDK against a real server: publish, find, request, read, retrieve, revoke."""

from __future__ import annotations

import polars as pl
import pytest

from domain_sdk import AccessDenied
from domain_sdk.demo.samples import apply_policies, set_up
from mesh_core.answers.answer import Recommendation
from sample_domains.finance.ledger import pipeline as ledger
from sample_domains.finance.revenue import pipeline as revenue
from sample_domains.policy.handbook import pipeline as handbook
from sample_domains.sales.customers import pipeline as customers
from sample_domains.sales.orders import pipeline as orders
from sample_domains.service.customer360 import pipeline as customer360
from tests.servers import RunningServer

PORT = "finance.revenue.revenue"


@pytest.fixture(scope="module")
def story(server: RunningServer) -> RunningServer:
    """A mesh in which every sample domain has published."""
    with server.admin() as admin:
        set_up(admin)
    with server.user("service:sales-etl") as mesh:
        customers.publish(mesh)
        orders.publish(mesh)
    owners = (("sales", "user:sam"), ("policy", "user:paul"), ("finance", "user:fiona"), ("service", "user:clara"))
    with server.user("service:finance-etl") as mesh:
        ledger.publish(mesh)
    for domain, owner in owners:
        with server.user(owner) as mesh:
            apply_policies(mesh, domain)
    with server.user("user:paul") as mesh:
        handbook.publish(mesh)
    with server.user("service:finance-etl") as mesh:
        revenue.publish(mesh)
    with server.user("service:service-etl") as mesh:
        customer360.publish(mesh)
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
    assert request.wait(timeout_seconds=50).state == approved.state

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


DESK = "customer-service"


def rules(recommendation: Recommendation | None, verdict: str) -> str:
    return " ".join(it.rule for it in recommendation.findings if it.verdict == verdict) if recommendation else ""


def test_a_request_is_resolved_by_the_clauses_that_hold_and_the_figures_they_are_held_against(story: RunningServer) -> None:
    carl = story.user("user:carl")
    answer = carl.ask("May we refund order O-000711 after 40 days?", purpose=DESK)
    recommendation = answer.recommendation
    assert "a team lead may approve a voucher" in rules(recommendation, "applies")
    assert "within 30 days of delivery" in rules(recommendation, "does not apply")
    assert "Refunds above 1,000 euro" in rules(recommendation, "does not apply")
    (order,) = orders.orders().filter(pl.col("order_id") == "O-000711").to_dicts()
    (customer,) = [figure for figure in answer.figures if "tier" in figure.columns]
    assert dict(zip(customer.columns, customer.rows[0], strict=True))["customer_id"] == order["customer_id"]
    assert any(str(order["amount"]) in row for figure in answer.figures for row in figure.rows)
    cited = {it.number: it for it in answer.citations}
    assert all(cited[it.source].document == "refunds.md" for it in recommendation.findings)
    assert any("unused" in it for it in recommendation.missing)
    assert not any("you may not read" in it for it in recommendation.missing)
    again = carl.ask("", as_of=answer.id)
    assert again.recommendation == recommendation


def test_a_delivery_of_the_past_and_one_without_proof_decide_otherwise(story: RunningServer) -> None:
    carl = story.user("user:carl")
    late = carl.ask("May we refund order O-000010?", purpose=DESK).recommendation
    assert "After day 60 nothing is refunded" in rules(late, "applies")
    assert any("unless the law says otherwise" in it for it in late.missing)
    unproven = carl.ask("May we refund order 49?", purpose=DESK).recommendation
    assert "within 30 days of delivery" in rules(unproven, "open")
    assert rules(unproven, "applies") == ""
    assert any("delivered on has no value" in it for it in unproven.missing)
    broken = carl.ask("May we refund order O-000711 after 80 days? It arrived broken.", purpose=DESK).recommendation
    assert "For goods that arrived broken the period is 90 days" in rules(broken, "applies")


def test_the_same_case_is_recommended_alike_in_any_wording(story: RunningServer) -> None:
    carl = story.user("user:carl")
    wordings = (
        "Is a refund of O-000711 permitted?", "O-000711: refund yes or no?", "Please check whether a refund is due on O-000711",
        "Do we have to pay back order O-000711?",
        "Customer wants his money back for order O-000711, they received it in April. What do we do?",
    )  # fmt: skip
    plain = carl.ask("May we refund order O-000711?", purpose=DESK).recommendation
    for wording in wordings:
        found = carl.ask(wording, purpose=DESK).recommendation
        assert rules(found, "applies") == rules(plain, "applies") != "", wording
    broken = carl.ask("May we refund order O-000595? The goods arrived broken.", purpose=DESK).recommendation
    stated = carl.ask("The goods of order O-000595 arrived broken and it is day 33. Do we refund?", purpose=DESK).recommendation
    assert rules(stated, "applies") == rules(broken, "applies") != ""
    assert "For goods that arrived broken the period is 90 days" in rules(stated, "applies")
    assert carl.ask("What is the amount of order O-000711?", purpose=DESK).recommendation is None


def test_no_other_row_stands_for_an_order_that_is_one_of_several_not_named_or_not_there(story: RunningServer) -> None:
    carl = story.user("user:carl")
    apart = "May order O-000711 be refunded, and what about order O-004711?"
    for question in ("May we refund orders O-000711 and O-004711?", apart, "May we refund customer C-0009?"):
        several = carl.ask(question, purpose=DESK).recommendation
        assert "Refunds above 1,000 euro" in rules(several, "open")
        assert rules(several, "applies") == ""
        assert {it.rule for it in several.findings if it.figures} <= {"Gold customers have 45 days."}
        assert any(it.startswith("Which of several orders") for it in several.missing)
    absent = carl.ask("May we refund order O-999999?", purpose=DESK)
    assert absent.text.startswith("No row that you may read has order id O-999999.")
    spent = carl.ask("How much did customer C-0009 spend?", purpose=DESK, about="customer C-0009")
    rows = [(figure.columns, figure.rows) for figure in spent.figures]
    assert len(rows) == len(set(rows))


def test_the_same_case_is_recommended_alike_to_who_may_not_see_the_ledger_and_says_so(story: RunningServer) -> None:
    question = "May we refund order O-000711 after 40 days?"
    carl, dana = (story.user(name).ask(question, purpose=DESK) for name in ("user:carl", "user:dana"))
    assert rules(dana.recommendation, "applies") == rules(carl.recommendation, "applies") != ""
    hidden = "finance.ledger.entries where order_id is O-000711: you may not read it"
    assert any(it.startswith(hidden) for it in dana.recommendation.missing)
    assert not any(port.port.startswith("finance.ledger") for port in dana.ports)
    assert "finance.ledger.entries" in {port.port for port in carl.ports}


def test_without_the_purpose_there_is_no_case_and_addresses_are_masked_even_for_it(story: RunningServer) -> None:
    question = "May we refund order O-000711 after 40 days?"
    dana = story.user("user:dana")
    aimless = dana.ask(question)
    assert aimless.recommendation is None
    assert aimless.figures == ()
    shown = dana.ask(question, purpose=DESK)
    assert "@" not in shown.text
    assert not any("@" in value for figure in shown.figures for row in figure.rows for value in row)


def test_a_customer_is_seen_from_all_sides_with_the_lineage_of_each(story: RunningServer) -> None:
    with story.user("user:clara") as clara:
        graph = clara.lineage("service.customer360.customers.tier", direction="upstream")
        assert {"finance.revenue.revenue#revenue", "sales.orders.orders#amount"} <= {node.id for node in graph.nodes}
    with story.user("user:dana") as dana:
        frame = dana.measure("service.customer360.customers.customer_count", by=["tier"], purpose=DESK)
        assert sum(frame["customer_count"]) == customers.CUSTOMERS
        assert dana.ask("How many customers by tier?", purpose=DESK).notices == ()


def test_the_lineage_and_the_journal_hold_up(story: RunningServer) -> None:
    with story.user("user:fiona") as fiona:
        graph = fiona.lineage(f"{PORT}.contact", direction="upstream")
        assert "sales.orders.orders#email" in {node.id for node in graph.nodes}
    with story.admin() as admin:
        assert admin.audit.verify().is_intact
