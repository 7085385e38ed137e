"""Conversations as a product: opt-in, collected as asker and collector may read them, tagged by lineage, and with an end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from domain_sdk import (
    AccessDenied,
    Conversations,
    InvalidContract,
    InvalidRequest,
    Mesh,
    NotFound,
    PortEntry,
    PurposeNotHeld,
    WrongState,
)
from domain_sdk._conversation_rows import preference_pairs
from domain_sdk.cli.app import build
from domain_sdk.conversations import conversation_contract
from tests.integration.ask_mesh import HANDBOOK, AskMesh, pages_contract, publish_pages
from tests.integration.mesh_setup import token_of

QUESTION = "How long may a customer return an order?"


class Desk:
    """A service desk: a domain whose members ask, and may publish what they asked."""

    def __init__(self, ask_mesh: AskMesh, name: str) -> None:
        self.mesh, self.product = ask_mesh, f"{name}.talks"
        self.owner, self.member = f"user:{name}-dora", f"user:{name}-max"
        with ask_mesh.server.admin() as admin:
            for principal in (self.owner, self.member):
                admin.admin.create_principal(principal)
            admin.admin.create_domain(name, owners=[self.owner])
        self.dora, self.max = ask_mesh.server.user(self.owner), ask_mesh.server.user(self.member)
        for principal in (self.owner, self.member):
            ask_mesh.paula.grant(principal, "policy.handbook")
        self.dora.grant(self.member, name, actions=["discover"])
        self.talks = self.dora.conversations(self.product)
        self.talks.open(retention_days=30, progress=False)

    def ask(self, question: str = QUESTION, conversation: str = "") -> str:
        """The id of the member's recorded answer."""
        return self.max.ask(question, extractive=True, record_in=self.product, conversation=conversation).id

    def rows(self, mesh: Mesh | None = None) -> pl.DataFrame:
        """The turns as they are read."""
        return (mesh or self.dora).read(f"{self.product}.turns").sort("asked_at")


@pytest.fixture
def desk(ask_mesh: AskMesh, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """One with a domain of its own."""
    made = Desk(ask_mesh, f"desk{abs(hash(request.node.name)) % 10**8}")
    with made.dora, made.max:
        yield made


def test_what_the_asker_had_recorded_becomes_a_row(desk: Desk) -> None:
    desk.max.ask(QUESTION, extractive=True)  # not recorded
    id = desk.ask(conversation="case 12")
    assert desk.rows().height == 0
    assert desk.max.rate(id, "down", edit="Within 30 days.", comment="Too long, write to max@example.org").rating == "down"
    done = desk.talks.collect(progress=False)
    assert (done.turns, done.removed) == (1, 0)
    (row,) = desk.rows().rows(named=True)
    assert (row["answer"], row["asker"], row["conversation"], row["question"]) == (id, desk.member, "case 12", QUESTION)
    assert "30 days" in row["text"]
    assert (row["rating"], row["edit"], row["is_found"], row["writer"]) == ("down", "Within 30 days.", True, "extractive")
    assert (row["sources"], row["personal"]) == (HANDBOOK, "pii.email")
    cited = json.loads(row["citations"])
    assert {(it["port"], it["version"]) for it in cited} == {(HANDBOOK, 1)}
    assert desk.talks.collect(progress=False).release is None  # nothing waits


def test_feedback_after_a_collection_replaces_the_row(desk: Desk) -> None:
    first, second = desk.ask(), desk.ask("Who approves travel abroad?")
    assert desk.talks.collect(progress=False).turns == 2
    desk.max.rate(first, "up", comment="kept")
    assert desk.max.rate(first, "down").comment == "kept"
    assert desk.talks.collect(progress=False).turns == 1
    assert dict(desk.rows().select("answer", "rating").iter_rows()) == {first: "down", second: None}


def test_a_turn_waits_until_it_is_acknowledged(desk: Desk) -> None:
    id = desk.ask()
    before, again = desk.talks.waiting(), desk.talks.waiting()
    assert [it.answer.id for it in before] == [it.answer.id for it in again] == [id]
    assert desk.talks.collect(progress=False).turns == 1
    assert desk.talks.waiting() == []


def test_what_was_taken_from_the_asker_does_not_arrive(desk: Desk) -> None:
    desk.ask()
    for grant in desk.mesh.paula.grants(resource="policy.handbook"):
        if grant.subject == desk.member:
            desk.mesh.paula.revoke(grant.id)
    assert desk.talks.collect(progress=False).turns == 1
    (row,) = desk.rows().rows(named=True)
    assert (row["text"], row["is_found"], row["sources"]) == ("", False, "")
    assert row["question"] == QUESTION


def test_what_the_collector_may_not_read_goes_on_waiting(desk: Desk) -> None:
    desk.mesh.paula.grant(desk.member, "policy.notes")
    readable = desk.ask()
    answer = desk.max.ask("How long takes a delivery to an island?", extractive=True, record_in=desk.product)
    assert "nine days" in answer.text  # the member may read the notes, the owner may not
    done = desk.talks.collect(progress=False)
    assert (done.turns, done.held) == (1, 1)
    assert desk.rows()["answer"].to_list() == [readable]
    desk.mesh.paula.grant(desk.owner, "policy.notes")
    assert desk.talks.collect(progress=False).turns == 1
    assert "nine days" in desk.rows().filter(pl.col("answer") == answer.id)["text"][0]
    with pytest.raises(PurposeNotHeld, match="nope"):
        desk.talks.collect(purpose="nope")


def test_passages_that_were_only_shown_as_the_closest_are_no_part_of_a_turn(desk: Desk) -> None:
    desk.mesh.paula.grant(desk.member, "policy.notes")
    answer = desk.max.ask("How long takes a delivery of a neighbour?", extractive=True, record_in=desk.product)
    assert (answer.is_found, [it.port for it in answer.closest[:1]]) == (False, ["policy.notes.pages"])
    (turn,) = desk.talks.waiting()  # its collector may not read the notes
    assert (turn.answer.id, turn.answer.closest, turn.answer.notices) == (answer.id, (), ())


def test_a_recommendation_waits_for_who_may_read_its_rules(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "back.md").write_text("# Returns\n\nOrders may be returned within 2 days of the date they were ordered on.\n")
    domain, paula = desk.product.partition(".")[0], desk.mesh.paula
    rules = f"policy.rules_{domain}"
    publish_pages(paula, rules, tmp_path)
    paula.grant(desk.member, rules)
    for principal in (desk.owner, desk.member):
        desk.mesh.sam.grant(principal, "sales.orders")
    case = desk.max.ask(
        "May order id O-4711 be returned?", extractive=True, collections=[f"{rules}.pages"], record_in=desk.product
    )  # fmt: skip
    assert case.recommendation is not None
    assert not any(it.port == f"{rules}.pages" for it in case.citations if it.number in case.sentences[0].sources)
    assert desk.talks.waiting() == []  # the owner may read the order, and no rule
    paula.grant(desk.owner, rules)
    (turn,) = desk.talks.waiting()
    assert turn.answer.recommendation == case.recommendation


def test_who_is_erased_goes_from_turns_and_preferences_whoever_wrote_of_them(desk: Desk) -> None:
    address = "zoe.quill@example.org"
    asked = desk.ask(f"May {address} return an order?")
    edited = desk.ask()
    kept = desk.ask("Who approves travel abroad?")
    for id, edit in ((edited, f"Only {address.upper()}: within 30 days."), (kept, f"x{address} does.")):
        desk.max.rate(id, "down", edit=edit)
    other = desk.ask()
    desk.max.rate(other, "down", edit="Within 30 days.")
    desk.talks.collect(progress=False)
    preferences = f"{desk.product.partition('.')[0]}.pairs"
    desk.talks.publish_preferences(preferences)
    pairs = set(desk.dora.read(f"{preferences}.pairs")["pair"])
    assert {edited, other} <= pairs
    found = desk.dora.admin.erase("pii.email", address, reason="they asked", products=[desk.product, preferences])
    assert {it.product: it.is_complete for it in found} == {desk.product: True, preferences: True}
    assert set(desk.rows()["answer"]) == {kept, other}
    assert set(desk.dora.read(f"{preferences}.pairs")["pair"]) == pairs - {edited}
    with pytest.raises(WrongState, match="erasure"):
        desk.dora.read(f"{desk.product}.turns", version=2)
    desk.ask()
    assert desk.talks.collect(progress=False).turns == 1
    assert asked not in desk.rows()["answer"].to_list()


def test_names_that_are_none_are_refused_as_such(desk: Desk) -> None:
    for run in (
        lambda: desk.dora.conversations("talks"), lambda: conversation_contract("talks"),
        lambda: desk.talks.publish_preferences("talks"), lambda: desk.dora.conversations("").open(),
    ):  # fmt: skip
        with pytest.raises(InvalidRequest, match=r"like sales\.conversations"):
            run()
    with pytest.raises(AccessDenied):
        desk.max.conversations(desk.product).publish_preferences("sales.preferences", purpose="nope")


def test_tags_of_sources_reach_the_text(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text("# Sick leave\n\nA certificate is needed from the third day of sick leave.\n")
    domain = desk.product.partition(".")[0]
    text = pages_contract("policy.leave").replace("{name: text,", "{name: text, tags: [pii.health],")
    product = desk.mesh.paula.domain("policy").product(f"leave_{domain}", contract=text.replace("leave", f"leave_{domain}"))
    product.publish(pages=tmp_path, progress=False)
    for principal in (desk.owner, desk.member):
        desk.mesh.paula.grant(principal, product.name)
    assert tags_of(desk, "text") == {"pii.text"}
    answer = desk.max.ask(
        "From which day is a certificate needed for sick leave?", extractive=True, record_in=desk.product,
        collections=[f"{product.name}.pages"],
    )  # fmt: skip
    assert answer.is_found
    desk.talks.collect(progress=False)
    assert tags_of(desk, "text") == {"pii.text", "pii.health"}
    desk.ask()  # later rows do not take the tag away
    desk.talks.collect(progress=False)
    assert tags_of(desk, "text") == {"pii.text", "pii.health"}


def test_what_repeats_question_or_answer_carries_their_tags(desk: Desk, tmp_path: Path) -> None:
    """An edit repeats the answer, queries repeat values of the question, and digests can be tried out."""
    (tmp_path / "leave.md").write_text("# Sick leave\n\nA certificate is needed from the third day of sick leave.\n")
    domain = desk.product.partition(".")[0]
    name = f"leave_{domain}"
    text = pages_contract(f"policy.{name}").replace("{name: text,", "{name: text, tags: [pii.health],")
    desk.mesh.paula.domain("policy").product(name, contract=text).publish(pages=tmp_path, progress=False)
    for principal in (desk.owner, desk.member):
        desk.mesh.paula.grant(principal, f"policy.{name}")
    for column in ("conversation", "citations", "question", "edit", "comment"):
        assert tags_of(desk, column) == {"pii.text"}
    question = "From which day is a certificate needed for sick leave?"
    answer = desk.max.ask(question, extractive=True, record_in=desk.product, collections=[f"policy.{name}.pages"])
    desk.max.rate(answer.id, "down", edit="From the third day of sick leave.")
    desk.talks.collect(progress=False)
    assert {column: tags_of(desk, column) for column in ("text", "citations", "edit", "comment")} == {
        "text": {"pii.text", "pii.health"}, "citations": {"pii.text", "pii.health"}, "edit": {"pii.text", "pii.health"},
        "comment": {"pii.text"},
    }  # fmt: skip
    desk.max.rate(answer.id, comment="It is the third day.")
    desk.talks.collect(progress=False)
    assert tags_of(desk, "comment") == {"pii.text", "pii.health"}


def tags_of(desk: Desk, column: str, port: str = "turns") -> set[str]:
    """The tags of a column of the turns, inherited ones with them."""
    shown = desk.dora.show(f"{desk.product}.turns" if port == "turns" else port)
    assert isinstance(shown, PortEntry)
    (found,) = [it for it in shown.columns if it.name == column]
    return {*found.tags, *(it.tag for it in found.derived_tags)}


def test_turns_end_with_the_contracts_retention(desk: Desk) -> None:
    old = desk.ask()
    desk.talks.collect(progress=False)
    new = desk.ask()
    later = Conversations(desk.dora, desk.product, now=lambda: datetime.now(UTC) + timedelta(days=31))
    done = later.collect(progress=False)
    assert (done.turns, done.removed) == (1, 1)
    assert desk.rows()["answer"].to_list() == [new] != [old]


def test_only_who_may_see_the_product_has_turns_recorded(desk: Desk) -> None:
    with desk.mesh.reader(f"user:stranger-{desk.product.partition('.')[0]}", "policy.handbook") as stranger:
        for product in (desk.product, "nowhere.talks"):
            with pytest.raises(AccessDenied) as refused:
                stranger.ask(QUESTION, record_in=product)
            assert str(refused.value).replace(product, "X").startswith("You may not discover X")
    with pytest.raises(AccessDenied):
        desk.max.conversations(desk.product).waiting()
    with pytest.raises(WrongState, match="takes in no conversations"):
        desk.max.ask(QUESTION, record_in="policy.handbook")


def test_only_its_asker_rates_an_answer_and_only_a_recorded_one(desk: Desk) -> None:
    id, unrecorded = desk.ask(), desk.max.ask(QUESTION, extractive=True).id
    for mesh, answer in ((desk.dora, id), (desk.max, unrecorded), (desk.max, "a-00000000")):
        with pytest.raises(NotFound, match="being recorded"):
            mesh.rate(answer, "up")
    with pytest.raises(InvalidRequest, match="up or down"):
        desk.max.rate(id)
    with pytest.raises(InvalidRequest, match="at most"):
        desk.max.rate(id, edit="x" * 10_001)


def test_a_contract_without_an_end_is_refused(desk: Desk) -> None:
    domain = desk.product.partition(".")[0]
    text = conversation_contract(f"{domain}.endless").replace("  - {property: retentionDays, value: 90}\n", "")
    with pytest.raises(InvalidContract, match="retentionDays"):
        desk.dora.conversations(f"{domain}.endless").open(contract=text)
    with pytest.raises(InvalidRequest, match="already"):
        desk.talks.open()


def test_preferences_are_a_product_whose_prompts_keep_their_tags(desk: Desk) -> None:
    edited, up = desk.ask(), desk.ask()
    desk.max.rate(edited, "down", edit="Thirty days.")
    desk.max.rate(up, "up")
    desk.talks.collect(progress=False)
    domain = desk.product.partition(".")[0]
    desk.talks.publish_preferences(f"{domain}.preferences", progress=False)
    pairs = desk.dora.read(f"{domain}.preferences.pairs")
    assert pairs.select("prompt", "chosen", "basis").rows() == [(QUESTION, "Thirty days.", "edit")]
    assert "30 days" in pairs["rejected"][0]
    for column in ("prompt", "chosen", "rejected"):
        assert "pii.text" in tags_of(desk, column, f"{domain}.preferences.pairs")


def test_pairs_prefer_edits_and_answers_that_went_up() -> None:
    turns = pl.LazyFrame(
        {
            "answer": ["a", "b", "c", "d", "e", "f"],
            "question": ["q", "q", "q", "other", None, "q"],
            "text": ["good", "bad", "bad", "x", "y", ""],
            "rating": ["up", "down", "down", "down", "up", "down"],
            "edit": [None, None, "better", None, None, None],
            "asked_at": [date(2026, 1, day) for day in (6, 2, 3, 4, 5, 1)],
        }
    )
    found = sorted(preference_pairs(turns).collect().rows())
    assert found == [
        ("a b", "q", "good", "bad", "rating", date(2026, 1, 2)), ("a c", "q", "good", "bad", "rating", date(2026, 1, 3)),
        ("c", "q", "better", "bad", "edit", date(2026, 1, 3)),
    ]  # fmt: skip


def test_the_command_line_asks_rates_and_collects(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_URL", desk.mesh.server.url)
    monkeypatch.setenv("MESH_TOKEN", token_of(desk.mesh.server, desk.member))
    run = CliRunner()
    asked = run.invoke(build(), ["ask", QUESTION, "--extractive", "--record-in", desk.product, "--json"])
    assert asked.exit_code == 0, asked.output
    rated = run.invoke(build(), ["rate", json.loads(asked.output)["id"], "up"])
    assert rated.exit_code == 0, rated.output
    monkeypatch.setenv("MESH_TOKEN", token_of(desk.mesh.server, desk.owner))
    collected = run.invoke(build(), ["conversations", "collect", desk.product])
    assert "1 turn published" in collected.output, collected.output
    assert desk.rows()["rating"].to_list() == ["up"]
