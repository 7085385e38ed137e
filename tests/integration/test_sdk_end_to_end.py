"""The SDK against a real server process: publish, ask, approve, read, derive, retrieve, revoke."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import AccessRequestState, Mesh, errors
from domain_sdk.product import Product
from mesh_core.lineage import InputVersion, Subtype
from tests.integration.sdk_server import People, running_server

LEDGER = """
apiVersion: v3.1.0
kind: DataContract
id: ledger
version: 1.0.0
status: active
schema:
  - name: entries
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true}
      - {name: region, logicalType: string}
      - {name: email, logicalType: string, tags: [pii.email]}
      - {name: amount, logicalType: number, physicalType: "decimal(18,2)"}
  - name: accounts
    physicalType: table
    properties:
      - {name: account, logicalType: string, required: true}
      - {name: opened, logicalType: date}
"""
REVENUE = """
apiVersion: v3.1.0
kind: DataContract
id: revenue
version: 1.0.0
status: active
schema:
  - name: by_region
    physicalType: table
    properties:
      - {name: region, logicalType: string}
      - {name: total, logicalType: number, physicalType: "decimal(38,2)"}
      - {name: contact, logicalType: string}
"""
MEMOS = """
apiVersion: v3.2.0
kind: DataContract
id: memos
version: 1.0.0
status: active
schema:
  - name: pages
    physicalType: collection
    properties:
      - {name: text, logicalType: string}
      - {name: document, logicalType: string}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 256}}
"""
ENTRIES = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "region": ["EU", "US", "EU", None],
        "email": ["a@x.eu", "b@x.us", None, "d@x.eu"],
        "amount": [Decimal("1.50"), Decimal("2.00"), Decimal("3.25"), Decimal("4.00")],
    },
    schema_overrides={"amount": pl.Decimal(18, 2)},
)
ACCOUNTS = pl.DataFrame({"account": ["a", "b"], "opened": [date(2020, 1, 1), None]})
PORT = "finance.ledger.entries"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with running_server(tmp_path_factory.mktemp("mesh")) as people:
        people.admin.admin.create_domain("finance", title="Finance", owners=["user:olga"], members=["service:etl"])
        people.admin.admin.create_domain("sales", owners=["user:sam"])
        people.admin.admin.create_purpose("forecasting", description="Looking ahead.")
        people["user:ana"]
        people.admin.admin.update_principal("user:ana", purposes=["forecasting"])
        people["user:sam"]
        _ledger(people).publish(entries=ENTRIES.lazy(), accounts=ACCOUNTS)
        people["user:olga"].grant("user:sam", "finance.ledger", reason="revenue")
        yield people


def _ledger(people: People) -> Product:
    return people["service:etl"].domain("finance").product("ledger", LEDGER)


def _drop_folders(people: People, home: Path) -> list[Path]:
    return [path for path in (home / "drop").rglob("*") if path.is_file()]


def test_the_token_says_who_one_is(people: People) -> None:
    assert people["user:ana"].whoami().name == "user:ana"
    assert people["user:ana"].whoami().purposes == ("forecasting",)
    assert people.admin.whoami().is_administrator
    assert people["user:ana"].status().principal == "user:ana"


def test_a_release_says_what_was_published_and_checked(people: People) -> None:
    before = _ledger(people).release().version
    release = _ledger(people).publish({"entries": ENTRIES}, accounts=ACCOUNTS.to_arrow())
    assert release.version > before
    assert {port.port: port.row_count for port in release.ports} == {PORT: 4, "finance.ledger.accounts": 2}
    assert {result.status.value for result in release.quality} == {"passed"}
    assert _ledger(people).release().version == release.version
    assert [it.version for it in _ledger(people).releases()][:2] == [release.version, before]
    assert people["service:etl"].domain("finance").product("ledger").contract() == LEDGER


def test_every_violation_of_every_port_is_listed_and_nothing_is_published(people: People) -> None:
    before = _ledger(people).release().version
    entries = ENTRIES.with_columns(id=pl.Series([1, 1, None, 4]))
    accounts = pl.LazyFrame({"account": [None, "b"], "opened": ["yesterday", None]})
    with pytest.raises(errors.ContractViolated) as caught:
        _ledger(people).publish(entries=entries, accounts=accounts)
    paths = [violation.path for violation in caught.value.violations]
    assert any(path.startswith(f"{PORT}: ") for path in paths)
    assert "finance.ledger.accounts: account.required" in paths
    assert "finance.ledger.accounts: opened.type" in paths
    assert _ledger(people).release().version == before


def test_a_preview_finds_the_same_and_raises_nothing(people: People) -> None:
    preview = _ledger(people).preview(entries=ENTRIES.with_columns(id=pl.lit(1)), accounts=ACCOUNTS)
    assert not preview.is_ok
    assert [violation.check for violation in preview.violations] == ["primaryKey"]
    assert _ledger(people).preview(entries=ENTRIES, accounts=ACCOUNTS).is_ok


def test_an_interrupted_publication_is_given_up(people: People) -> None:
    before = _ledger(people).release().version

    def interrupt(port: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ledger(people).publish(entries=ENTRIES, accounts=ACCOUNTS, progress=interrupt)
    assert _ledger(people).release().version == before
    assert people.admin.admin.repair() == ([], [])  # nothing is left to be ended


def test_progress_is_reported_for_every_port(people: People) -> None:
    seen: list[tuple[str, int, int | None]] = []
    _ledger(people).publish(entries=ENTRIES, accounts=ACCOUNTS.lazy(), progress=lambda *step: seen.append(step))
    assert (PORT, 4, 4) in seen
    assert ("finance.ledger.accounts", 2, None) in seen


def test_who_may_not_write_is_refused_before_anything_is_read(people: People) -> None:
    def explode(batch: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("the frame was read")

    frame = ENTRIES.lazy().map_batches(explode, schema=ENTRIES.schema)
    product = people["user:ana"].domain("finance").product("ledger", LEDGER)
    with pytest.raises(errors.AccessDenied):
        product.publish(entries=frame, accounts=ACCOUNTS)


def test_an_access_request_becomes_a_grant_and_ends_with_it(people: People) -> None:
    ana, olga = people["user:ana"], people["user:olga"]
    olga.grant("user:ana", "finance", actions=["discover", "request"])
    with pytest.raises(errors.AccessDenied):
        ana.read(PORT)
    request = ana.request("finance.ledger", purpose="forecasting", until=date(2099, 1, 1), reason="Plan 2027.")
    assert request.until == datetime(2099, 1, 1, tzinfo=UTC)
    with pytest.raises(errors.DeadlineExceeded, match="still stands"):
        request.wait(0.2)
    assert request.id in [it.id for it in olga.requests(state="requested")]
    olga.approve(request.id, reason="fine")
    approved = request.wait(50)
    assert (approved.state, approved.decider) == (AccessRequestState.ACTIVE, "user:olga")
    assert ana.read(PORT, purpose="forecasting").sort("id").equals(ENTRIES)
    frame = ana.scan(PORT, purpose="forecasting")
    assert frame.filter(pl.col("region") == "EU").collect()["id"].sort().to_list() == [1, 3]
    with pytest.raises(errors.AccessDenied):
        ana.read(PORT)  # not without the purpose
    for grant in approved.grants:
        olga.revoke(grant, reason="done")
    with pytest.raises(errors.AccessDenied):
        frame.collect()
    assert request.refresh().state is AccessRequestState.REVOKED


def test_a_denied_or_withdrawn_request_gives_nothing(people: People) -> None:
    ana, olga = people["user:ana"], people["user:olga"]
    olga.grant("user:ana", "finance", actions=["discover", "request"])
    denied = olga.deny(ana.request("finance.ledger", purpose="forecasting", reason="x").id, reason="no")
    assert (denied.state, denied.decision_reason) == (AccessRequestState.DENIED, "no")
    withdrawn = ana.withdraw(ana.request("finance.ledger", purpose="forecasting", reason="x").id)
    assert withdrawn.state is AccessRequestState.WITHDRAWN
    with pytest.raises(errors.MeshError):
        olga.approve(withdrawn.id)


def test_a_purpose_that_is_not_held_cannot_be_declared(people: People) -> None:
    with pytest.raises(errors.PurposeNotHeld):
        people["user:sam"].read(PORT, purpose="forecasting")
    with pytest.raises(errors.PurposeNotHeld, match="There is no purpose 'forecast': did you mean forecasting"):
        people["user:sam"].read(PORT, purpose="forecast")


@pytest.mark.parametrize("via", ["stream", "files"])
def test_rows_and_masks_of_a_grant_hold_on_every_way_to_read(people: People, via: Any) -> None:
    people["user:bo"]
    grant = people["user:olga"].grant("user:bo", PORT, rows="region = 'EU'", masks={"email": "show-first-4"})
    bo = people["user:bo"]
    expected = ENTRIES.filter(pl.col("region") == "EU").with_columns(email=pl.Series(["a@x.xx", None]))
    result = bo.read(PORT, via=via)
    assert result["id"].sort().to_list() == [1, 3]
    assert result.filter(pl.col("id") == 1)["email"].item() != "a@x.eu"
    assert result.drop("email").sort("id").equals(expected.drop("email"))
    assert bo.scan(PORT, via=via).filter(pl.col("email") == "a@x.eu").collect().height == 0  # masked values are what is compared
    people["user:olga"].revoke(grant.id)


def test_a_transform_publishes_with_the_lineage_of_its_plan(people: People) -> None:
    sam = people["user:sam"]

    @sam.domain("sales").transform(inputs=[PORT], output="revenue", contract=REVENUE)
    def revenue(entries: pl.LazyFrame) -> pl.LazyFrame:
        return entries.group_by("region").agg(total=pl.col("amount").sum(), contact=pl.col("email").max())

    assert revenue.preview().is_ok
    release = revenue()
    (lineage,) = release.lineage
    assert lineage.inputs == (InputVersion(PORT, _ledger(people).release().version),)
    edges = {(edge.source_column, edge.target_column): edge.transformation.subtype for edge in lineage.edges}
    assert edges[("region", "region")] == Subtype.IDENTITY
    assert edges[("amount", "total")] == Subtype.AGGREGATION
    assert sam.read("sales.revenue.by_region").sort("region")["total"].to_list() == [Decimal(4), Decimal("4.75"), Decimal(2)]
    graph = sam.lineage("sales.revenue.by_region.contact", direction="upstream")
    assert f"{PORT}#email" in {edge.source for edge in graph.upstream()}
    columns = {column.name: column for column in sam.show("sales.revenue.by_region").columns}  # type: ignore[union-attr]
    assert [tag.tag for tag in columns["contact"].derived_tags] == ["pii.email"]
    assert columns["total"].derived_tags == ()


def test_a_lazy_frame_of_a_scan_is_published_with_its_lineage(people: People) -> None:
    sam = people["user:sam"]
    frame = sam.scan(PORT).select("region", total=pl.col("amount").cast(pl.Decimal(38, 2)), contact=pl.lit("none"))
    release = sam.domain("sales").product("copy", REVENUE.replace("id: revenue", "id: copy")).publish(by_region=frame)
    assert {(edge.source_column, edge.target_column) for edge in release.lineage[0].edges} == {
        ("region", "region"),
        ("amount", "total"),
    }


def test_an_eager_frame_has_the_lineage_that_is_declared(people: People) -> None:
    sam = people["user:sam"]
    product = sam.domain("sales").product("declared", REVENUE.replace("id: revenue", "id: declared"))
    frame = pl.DataFrame({"region": ["EU"], "total": [Decimal(1)], "contact": ["x"]})
    (unknown,) = product.publish(by_region=frame, inputs=[PORT]).lineage
    assert (unknown.edges, unknown.unknown_inputs) == ((), (PORT,))
    (declared,) = product.publish(by_region=frame, lineage={"by_region": {"contact": [f"{PORT}.email"]}}).lineage
    assert [(edge.source_port, edge.source_column, edge.target_column) for edge in declared.edges] == [(PORT, "email", "contact")]
    assert f"{PORT}#email" in {edge.source for edge in sam.lineage("sales.declared.by_region.contact").edges}


def test_a_contract_that_breaks_consumers_is_refused(people: People) -> None:
    without_email = LEDGER.replace("      - {name: email, logicalType: string, tags: [pii.email]}\n", "")
    product = people["service:etl"].domain("finance").product("ledger", without_email.replace("1.0.0", "1.1.0"))
    with pytest.raises(errors.IncompatibleContract):
        product.preview(entries=ENTRIES.drop("email"), accounts=ACCOUNTS)


def test_documents_are_published_and_found(people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    (tmp_path / "travel.md").write_text("# Travel\n\n## Advances\n\nTravel advances are limited to 500 euros.\n")
    (tmp_path / "office.md").write_text("# Office\n\nPlants are watered on Mondays.\n")
    memos = people["service:etl"].domain("finance").product("memos", MEMOS)
    release = memos.publish(pages=str(tmp_path / "*.md"))
    assert [port.row_count for port in release.ports] == [2]
    people["user:olga"].grant("user:sam", "finance.memos")
    (first, *_) = people["user:sam"].retrieve("finance.memos.pages", "travel advance limits", limit=1)
    assert (first.rank, first.document, first.version) == (1, "travel.md", release.version)
    assert "500 euros" in first.text
    with pytest.raises(errors.AccessDenied):
        people["user:ana"].retrieve("finance.memos.pages", "travel")


def test_a_folder_without_a_readable_document_is_refused_and_all_are_named(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    (tmp_path / "picture.png").write_bytes(b"x")
    memos = people["service:etl"].domain("finance").product("memos", MEMOS)
    with pytest.raises(errors.ContractViolated) as caught:
        memos.publish(pages=tmp_path)
    assert sorted(Path(violation.path).name for violation in caught.value.violations) == ["bad.md", "picture.png"]


def test_the_journal_is_intact_and_has_every_kind_of_change(people: People) -> None:
    proof = people.admin.audit.verify()
    assert (proof.is_intact, proof.problems) == (True, ())
    changes = people.admin.audit.changes()
    assert [change.revision for change in changes] == list(range(1, len(changes) + 1))
    assert all(earlier.hash == later.previous_hash for earlier, later in pairwise(changes))
    with pytest.raises(errors.AccessDenied):
        people["user:ana"].audit.changes()


def test_a_client_reads_its_own_writes_at_the_gateway(people: People) -> None:
    olga = people["user:olga"]
    people["user:eve"]
    for _ in range(5):
        grant = olga.grant("user:eve", PORT)
        assert people["user:eve"].read(PORT, limit=1).height == 1
        olga.revoke(grant.id)
        with pytest.raises(errors.AccessDenied):
            people["user:eve"].read(PORT, limit=1)


def test_a_guardrail_binds_and_goes(people: People) -> None:
    people["user:gus"]
    people["user:olga"].grant("user:gus", PORT)
    guardrail = people.admin.admin.create_guardrail("hide-mail", "tag:pii.*", mask="replace-with-null")
    assert guardrail.id in [it.id for it in people["user:gus"].guardrails()]
    assert people["user:gus"].read(PORT)["email"].null_count() == 4
    plan = people["user:gus"].explain(PORT).plan
    assert plan is not None
    assert {column.name: column.mask for column in plan.columns}["email"] == "replace-with-null"
    people.admin.admin.delete_guardrail("hide-mail")
    assert people["user:gus"].read(PORT)["email"].null_count() == 1


def test_a_revoked_token_is_refused(people: People) -> None:
    people["user:tom"]
    new = people.admin.admin.create_token("user:tom", description="once")
    assert new.secret not in repr(new)
    mesh = Mesh.connect(people.url, new.secret)
    assert mesh.whoami().name == "user:tom"
    mesh.admin.revoke_token(new.token.id)
    with pytest.raises(errors.Unauthenticated, match="mesh login"):
        mesh.whoami()
    mesh.close()


def test_what_is_found_is_what_may_be_seen(people: People) -> None:
    assert "finance.ledger" in [hit.name for hit in people["user:olga"].discover("ledger")]
    people["user:nobody"]
    assert people["user:nobody"].discover("ledger") == []
    assert people["user:nobody"].domains() == []
    assert not people["user:nobody"].check("read", PORT)
    assert people["user:olga"].check("grant", PORT)
    assert "finance.ledger" in [product.name for product in people["service:etl"].domain("finance").products()]


def test_a_planned_scan_keeps_its_version_while_a_newer_one_is_published(people: People) -> None:
    sam = people["user:sam"]
    before = sam.scan(PORT)
    old = before.collect()
    _ledger(people).publish(entries=ENTRIES.with_columns(id=pl.col("id") + 100), accounts=ACCOUNTS)
    assert before.collect().equals(old)
    assert sam.read(PORT)["id"].min() == 101
    assert sam.read(PORT, version=_ledger(people).releases()[1].version).sort("id").equals(old.sort("id"))
    _ledger(people).publish(entries=ENTRIES, accounts=ACCOUNTS)


def test_the_central_team_sets_up_domains_principals_and_purposes(people: People) -> None:
    admin = people.admin.admin
    created = admin.create_domain("hr", title="People", owners=["user:hana"], roles={"role:reader": ["user:ana"]})
    assert (created.name, created.roles) == ("hr", {"role:reader": ("user:ana",)})
    changed = admin.update_domain("hr", title="Human resources", roles={}, etag=created.etag)
    assert (changed.title, changed.owners, changed.roles) == ("Human resources", ("user:hana",), {})
    with pytest.raises(errors.Conflict):
        admin.update_domain("hr", title="late", etag=created.etag)
    with pytest.raises(errors.AlreadyExists):
        admin.create_domain("hr")
    admin.create_principal("service:feed", attributes={"region": "EU"}, purposes=["forecasting"])
    admin.update_principal("service:feed", attributes={"region": "US"}, is_disabled=True)
    feed = next(principal for principal in admin.principals() if principal.name == "service:feed")
    assert (feed.attributes, feed.purposes, feed.is_disabled) == ({"region": "US"}, ("forecasting",), True)
    admin.create_purpose("budgeting", parent="forecasting", description="Next year's.")
    assert {purpose.name: purpose.parent for purpose in admin.purposes()}["budgeting"] == "forecasting"
    assert {token.principal for token in admin.tokens("user:ana")} == {"user:ana"}
    with pytest.raises(errors.AccessDenied):
        people["user:ana"].admin.create_domain("mine")


def test_a_guardrail_needs_exactly_one_rule(people: People) -> None:
    with pytest.raises(errors.InvalidRequest, match="one rule"):
        people.admin.admin.create_guardrail("none", "mesh")
    with pytest.raises(errors.InvalidRequest, match="one rule"):
        people.admin.admin.create_guardrail("both", "mesh", mask="replace-with-null", deny_read=True)


def test_a_table_of_a_header_alone_is_read_with_the_contracts_types(people: People, tmp_path: Path) -> None:
    file = tmp_path / "header.csv"
    file.write_text("id,region,email,amount\n")
    product = people["service:etl"].domain("finance").product("unsold", LEDGER.replace("id: ledger", "id: unsold"))
    product.publish(entries=pl.scan_csv(file), accounts=ACCOUNTS.clear())
    read = people["user:olga"].read("finance.unsold.entries")
    assert read.is_empty()
    assert read.schema == {"id": pl.Int64, "region": pl.String, "email": pl.String, "amount": pl.Decimal(18, 2)}


def test_the_rows_that_break_the_contract_are_told_with_the_number_of_the_first(people: People) -> None:
    broken = ENTRIES.with_columns(id=pl.Series([1, 2, 2, None]))
    with pytest.raises(errors.ContractViolated, match=r"row 3: .*; the first row is row 0\)"):
        _ledger(people).publish(entries=broken, accounts=ACCOUNTS)


def test_a_first_release_without_contract_says_that_it_needs_one(people: People) -> None:
    new = people["service:etl"].domain("finance").product("budget")
    for call in (new.publish, new.preview):
        with pytest.raises(errors.AccessDenied, match=r"first release of finance\.budget needs its contract.*--contract"):
            call(entries=ENTRIES)
    with pytest.raises(errors.AccessDenied) as caught:
        new.contract(version=3)
    assert "first release" not in str(caught.value)


def test_a_transform_without_contract_uses_the_published_one_and_names_what_it_must_return(people: People) -> None:
    etl = people["service:etl"]

    @etl.domain("finance").transform(inputs=["finance.ledger.entries", "finance.ledger.accounts"], output="ledger")
    def copied(entries: pl.LazyFrame, accounts: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
        return {"entries": entries, "accounts": accounts}

    assert {port.row_count for port in copied().ports} == {4, 2}
    assert copied.function(1, 2) == {"entries": 1, "accounts": 2}
    assert copied.__name__ == "copied"

    @etl.domain("finance").transform(inputs=[PORT], output="ledger")
    def lost(entries: pl.LazyFrame) -> pl.LazyFrame:
        return entries

    with pytest.raises(errors.InvalidRequest, match=r"entries, accounts: lost must return a mapping"):
        lost()


def test_a_transform_whose_input_may_not_be_read_never_runs_its_function(people: People) -> None:
    @people["user:nobody"].domain("sales").transform(inputs=[PORT], output="revenue", contract=REVENUE)
    def stolen(entries: pl.LazyFrame) -> pl.LazyFrame:
        raise AssertionError("it ran")

    with pytest.raises(errors.AccessDenied):
        stolen()


def test_names_are_shown_by_their_parts(people: People) -> None:
    olga = people["user:olga"]
    assert olga.show("finance").name == "finance"
    assert [port.name for port in olga.show("finance.ledger").ports] == [PORT, "finance.ledger.accounts"]  # type: ignore[union-attr]
    assert olga.show(PORT).row_count == 4  # type: ignore[union-attr]
    with pytest.raises(errors.NotFound, match=r"its ports: finance\.ledger\.entries, finance\.ledger\.accounts"):
        olga.show("finance.ledger.entrees")
