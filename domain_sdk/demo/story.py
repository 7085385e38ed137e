"""The story: four domains publish, an analyst finds, asks, reads, asks the handbook, and loses access again.

Every line of Python that is shown is what runs beside it; every claim is checked, against an independent computation where there
are numbers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from domain_sdk.cli.audit import proof_view
from domain_sdk.cli.catalog_views import explanation_view, hits_view, lineage_view
from domain_sdk.cli.output import cell, table
from domain_sdk.cli.reading import frame_view, passages_view
from domain_sdk.demo import samples
from domain_sdk.demo.case import resolve
from domain_sdk.demo.expected import check_revenue
from domain_sdk.demo.narrator import Narrator
from domain_sdk.errors import AccessDenied

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.access_requests import AccessRequest
    from domain_sdk.demo.stage import Stage
    from domain_sdk.mesh import Mesh
    from domain_sdk.release import Release

__all__ = ["tell"]

PORT = "finance.revenue.revenue"
PURPOSE = "forecasting"
QUESTION = "How long can a customer send goods back for money?"
_SHOWN_ROWS = 6
_OWNED = (("sam", "sales"), ("fiona", "finance"), ("paul", "policy"), ("clara", "service"))


def tell(narrator: Narrator, stage: Stage, *, started: float) -> None:
    """The whole story was told and every claim held. Raises: StoryBroken."""
    _set_up(narrator, stage, seconds=time.monotonic() - started)
    _publish(narrator, stage)
    ana, fiona = stage.enter("user:ana"), stage.enter("user:fiona")
    _discover(narrator, ana)
    _denied(narrator, ana)
    request = _request(narrator, ana)
    approved = _approve(narrator, fiona, request)
    _read(narrator, ana)
    _why_masked(narrator, fiona, stage.enter("service:finance-etl"))
    _retrieve(narrator, ana)
    resolve(narrator, stage.enter("user:carl"), stage.enter("user:dana"))
    _revoke(narrator, ana, fiona, approved.grants[0])
    _lineage(narrator, fiona)
    _audit(narrator, stage.admin)


def _set_up(narrator: Narrator, stage: Stage, *, seconds: float) -> None:
    narrator.step(
        "The central team sets up the mesh",
        f"A server with its gateway is up after {seconds:.1f} s: SQLite, a local warehouse, a vector store, nothing to install.",
    )
    (guardrail,) = samples.stated("centre", "Guardrail")
    narrator.types(
        "admin, central team",
        'mesh.changes.apply_folder("sample_domains/mesh")   # domains, people, purposes, guardrails: as files in git',
    )
    with narrator.working("Setting up …"):
        samples.set_up(stage.admin)
    narrator.shows(
        table(
            ("domain", "owner", "name"), [(it.title, ", ".join(it.owners), it.name) for it in samples.stated("centre", "Domain")]
        ),
        cell(f"\nGuardrail {guardrail.id}: {guardrail.description}"),
    )
    bound = {it.id: it.mask for it in stage.admin.guardrails()}
    narrator.claim(f"one guardrail binds every domain: {guardrail.id}", bound == {guardrail.id: guardrail.mask})


def _publish(narrator: Narrator, stage: Stage) -> None:
    narrator.step(
        "Domain teams publish their data products",
        "Each release is checked against its contract, and all its ports become visible together, or none does.",
    )
    narrator.types(
        "service:sales-etl", 'mesh.domain("sales").product("orders", contract="contract.odcs.yaml").publish(orders=frame)'
    )
    narrator.types(
        "service:finance-etl",
        '@finance.transform(inputs=["sales.orders.orders"], output="revenue", purpose="invoicing")\n'
        "def revenue(orders: pl.LazyFrame) -> pl.LazyFrame:\n"
        '    return (orders.filter(pl.col("status") == "placed")\n'
        '        .with_columns(month=pl.col("ordered_on").dt.truncate("1mo"), contact=pl.col("email"))\n'
        '        .group_by("month", "customer_id", "contact", "region")\n'
        '        .agg(orders=pl.len(), revenue=pl.col("amount").sum()))',
    )
    sales, finance = stage.enter("service:sales-etl"), stage.enter("service:finance-etl")
    owners = {name: stage.enter(f"user:{name}") for name, _ in _OWNED}
    releases: list[Release] = []
    for mesh, product in ((sales, "sales.customers"), (sales, "sales.orders"), (finance, "finance.ledger")):
        with narrator.working(f"Publishing {product} …"):
            releases.append(samples.publish(mesh, product))
    narrator.types("sam, owner of sales", 'mesh.changes.apply_folder("sample_domains/sales")   # finance may read orders')
    for name, domain in _OWNED:
        samples.apply_policies(owners[name], domain)
    service = stage.enter("service:service-etl")
    for mesh, product in (
        (finance, "finance.revenue"),
        (owners["paul"], "policy.handbook"),
        (service, "service.customer360"),
    ):
        with narrator.working(f"Publishing {product} …"):
            releases.append(samples.publish(mesh, product))
    narrator.shows(_releases(releases))
    results = [result for release in releases for result in release.quality]
    narrator.claim(
        f"{len(releases)} products are published, {len(results)} quality checks ran and none failed",
        len(releases) == 6 and results and not any(result.is_violation for result in results),
    )
    narrator.types("fiona, owner of finance", 'mesh.changes.test_folder("sample_domains/finance")   # policy tests are files')
    outcomes = [it for name, domain in _OWNED for it in samples.test(owners[name], domain)]
    narrator.claim(
        f"the {len(outcomes)} policy tests of the four domains pass", outcomes and all(it.is_passed for it in outcomes)
    )


def _releases(releases: list[Release]) -> RenderableType:
    rows = [
        (cell(port.port, "bold"), port.kind, f"{port.row_count:,}", release.version, release.principal)
        for release in releases
        for port in release.ports
    ]
    return table(("port", "kind", "rows", "version", "published by"), rows, numbers=["rows", "version"])


def _discover(narrator: Narrator, ana: Mesh) -> None:
    narrator.step(
        "An analyst looks for data", "Ana is to forecast next year's revenue. She sees what there is, not what is in it."
    )
    narrator.types("ana, analyst", 'mesh.discover("monthly revenue by region")')
    hits = ana.discover("monthly revenue by region", limit=3)
    narrator.shows(hits_view(hits, ""))
    found = [hit for hit in hits if hit.name == PORT]
    narrator.claim(f"{PORT} is found, and Ana may not read it yet", found and not found[0].is_readable)


def _denied(narrator: Narrator, ana: Mesh) -> None:
    narrator.step("She tries to read it")
    narrator.types("ana, analyst", f'mesh.read("{PORT}")')
    narrator.claim("the read is denied: nothing is open by default", _denial(narrator, ana, purpose=None))


def _denial(narrator: Narrator, mesh: Mesh, *, purpose: str | None) -> bool:
    """True if the read is refused; the refusal is shown."""
    try:
        mesh.read(PORT, purpose=purpose)
    except AccessDenied as error:
        narrator.shows(cell(f"AccessDenied: {error.message}", "red"))
        return True
    return False


def _request(narrator: Narrator, ana: Mesh) -> AccessRequest:
    narrator.step("She asks the owner, and says what for")
    narrator.types(
        "ana, analyst",
        f'request = mesh.request("finance.revenue", purpose="{PURPOSE}", until="2099-01-01",\n'
        '                       reason="Plan for next year")',
    )
    request = ana.request("finance.revenue", purpose=PURPOSE, until="2099-01-01", reason="Plan for next year")
    narrator.shows(cell(f"access request {request.id} is {request.state}"))
    narrator.claim("the request waits for a decision", not request.is_decided)
    return request


def _approve(narrator: Narrator, fiona: Mesh, request: AccessRequest) -> AccessRequest:
    narrator.step(
        "The owner approves, for less than was asked",
        "Fiona owns finance. She gives Ana only the region EMEA, and no customer's full number. The approval is the grant.",
    )
    narrator.types("fiona, owner of finance", 'mesh.requests(state="requested")')
    inbox = fiona.requests(state="requested")
    narrator.shows(
        table(("who", "asks for", "purpose", "reason"), [(it.requester, it.resource, it.purpose, it.reason) for it in inbox])
    )
    narrator.types(
        "fiona, owner of finance",
        """mesh.approve(request.id, rows="region = 'EMEA'", masks={"customer_id": "show-last-4"})""",
    )
    approved = fiona.approve(request.id, rows="region = 'EMEA'", masks={"customer_id": "show-last-4"})
    narrator.claim("Ana's request is in Fiona's inbox", [it.id for it in inbox] == [request.id])
    narrator.claim("the approval made one grant, in the same transaction", approved.is_approved and len(approved.grants) == 1)
    return approved


def _read(narrator: Narrator, ana: Mesh) -> None:
    narrator.step(
        "The analyst reads exactly that", "The gateway filters and masks while it reads; what Ana may not see never leaves it."
    )
    narrator.types(
        "ana, analyst",
        f'frame = mesh.scan("{PORT}", purpose="{PURPOSE}")   # a polars LazyFrame\n'
        'frame.sort("revenue", descending=True).head(6).collect()',
    )
    frame = ana.scan(PORT, purpose=PURPOSE)
    seen = frame.sort("revenue", descending=True).head(_SHOWN_ROWS).collect()
    planned = ana._source(PORT, purpose=PURPOSE).planned()
    narrator.shows(frame_view(seen, planned, limit=_SHOWN_ROWS))
    check_revenue(narrator, frame.collect())


def _why_masked(narrator: Narrator, fiona: Mesh, pipeline: Mesh) -> None:
    narrator.step(
        "Why is the e-mail address masked, even in what finance made of it?",
        "Nobody ever tagged finance's column `contact`. The tag came along the lineage that the query plan of step 2 told.",
    )
    narrator.types("fiona, owner of finance", f'mesh.show("{PORT}")')
    from domain_sdk.catalog import PortEntry

    entry = fiona.show(PORT)
    derived = (
        [tag for column in entry.columns if column.name == "contact" for tag in column.derived_tags]
        if isinstance(entry, PortEntry)
        else []
    )
    for tag in derived:
        steps = " → ".join(step.replace("#", ".") for step in tag.path)
        narrator.shows(cell("contact ", "bold") + cell(f"is {tag.tag}, because: ") + cell(steps, "yellow"))
    narrator.claim("the derived column carries its source's tag", [tag.tag for tag in derived] == ["pii.email"])
    narrator.types("fiona, owner of finance", f'mesh.explain("{PORT}")')
    explanation = fiona.explain(PORT)
    narrator.shows(explanation_view(PORT, explanation))
    hidden = fiona.read(PORT, columns=["contact"])["contact"]
    narrator.claim(
        "even the owner sees no address: the guardrail binds her too", len(hidden) and hidden.null_count() == len(hidden)
    )
    shown = pipeline.read(PORT, columns=["contact"], purpose="invoicing")["contact"]
    narrator.claim("only finance's invoicing sees them, as the central team exempted it", len(shown) and shown.null_count() == 0)


def _retrieve(narrator: Narrator, ana: Mesh) -> None:
    narrator.step(
        "She asks the handbook", "The policy office published its pages as a collection of vectors, governed like any table."
    )
    narrator.types("ana, analyst", f'mesh.retrieve("policy.handbook.pages",\n              "{QUESTION}", limit=2)')
    passages = ana.retrieve("policy.handbook.pages", QUESTION, limit=2)
    narrator.shows(passages_view(passages))
    narrator.claim("the refund policy is found by its meaning", passages and passages[0].document.endswith("refunds.md"))


def _revoke(narrator: Narrator, ana: Mesh, fiona: Mesh, grant: str) -> None:
    narrator.step("The owner takes the access back", "No cache, no delay: the decision of the next read knows of it.")
    narrator.types("fiona, owner of finance", 'mesh.revoke(approved.grants[0], reason="The plan is done")')
    revoked = fiona.revoke(grant, reason="The plan is done")
    narrator.types("ana, analyst", f'mesh.read("{PORT}", purpose="{PURPOSE}")')
    started = time.monotonic()
    is_denied = _denial(narrator, ana, purpose=PURPOSE)
    milliseconds = (time.monotonic() - started) * 1000
    narrator.claim(f"the very next read was denied, {milliseconds:.0f} ms later", revoked.is_revoked and is_denied)


def _lineage(narrator: Narrator, fiona: Mesh) -> None:
    narrator.step("Where does a number come from?")
    for name in (PORT, f"{PORT}.revenue"):
        narrator.types("fiona, owner of finance", f'mesh.lineage("{name}")')
        graph = fiona.lineage(name)
        narrator.shows(lineage_view(graph))
        source = "sales.orders.orders#amount" if name != PORT else "sales.orders.orders"
        narrator.claim(f"{name} is traced to {source.replace('#', '.')}", source in {node.id for node in graph.nodes})


def _audit(narrator: Narrator, admin: Mesh) -> None:
    narrator.step(
        "Can the record be trusted?",
        "Everything the server ever accepted is in one chained journal; every table is a fold of it.",
    )
    narrator.types("admin, central team", "mesh.audit.verify()")
    with narrator.working("Recomputing every hash …"):
        proof = admin.audit.verify()
    narrator.shows(proof_view(proof, has_tables=True))
    narrator.claim("every hash holds and the tables equal a replay of the journal", proof.is_intact and proof.checked > 0)
