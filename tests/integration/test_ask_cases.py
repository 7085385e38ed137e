"""Cases in answers: rules held against rows of several tables, and what their asker must know first. No sample's domain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import Mesh
from domain_sdk.cli.asking import answer_view
from tests.integration.ask_mesh import publish_pages
from tests.servers import RunningServer

RULES = """# Returns

## When a parcel may go back
A parcel may be returned to its sender within 20 days of posting. Gold senders have 200 days.
"""
TODAY = datetime.now(UTC).date()
PARCELS = pl.DataFrame(
    {
        "parcel_no": ["P-0001", "P-0002", "P-0003"],
        "sender_id": ["S-001", "S-002", None],
        "posted_on": [TODAY - timedelta(days=days) for days in (5, 50, 50)],
        "state": ["moving", "moving", "returned"],
    }
)
SENDERS = pl.DataFrame({"sender_id": ["S-001", "S-002"], "tier": ["gold", "basic"]})


def column(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": kind, **more}


def listed(*values: str) -> list[dict[str, str]]:
    return [{"value": value} for value in values]


def contract(product: str, **ports: list[dict[str, Any]]) -> str:
    schema = [
        {"name": name, "logicalType": "object", "physicalType": "table", "properties": columns} for name, columns in ports.items()
    ]
    return json.dumps(
        {
            "kind": "DataContract", "apiVersion": "v3.2.0", "id": product, "name": product, "version": "1.0.0",
            "status": "active", "schema": schema,
        }
    )  # fmt: skip


def keyed(name: str, pattern: str, **more: Any) -> dict[str, Any]:
    return column(name, primaryKey=True, required=True, logicalTypeOptions={"pattern": pattern}, **more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root: Path = tmp_path_factory.mktemp("cases")
    running = RunningServer(root / "home")
    try:
        with running.admin() as admin:
            admin.admin.create_domain("post", owners=["user:pia"])
            admin.admin.create_purpose("counter")
        (root / "rules").mkdir()
        (root / "rules" / "returns.md").write_text(RULES)
        with running.user("user:pia") as pia:
            publish_pages(pia, "post.rules", root / "rules")
            senders = contract(
                "post.people", senders=[keyed("sender_id", "^S-[0-9]{3}$"), column("tier", enum=listed("basic", "gold"))]
            )
            pia.domain("post").product("people", senders).publish(senders=SENDERS, progress=False)
            parcels = [
                keyed("parcel_no", "^P-[0-9]{4}$"), column("sender_id", relationships=[{"to": "people.senders.sender_id"}]),
                column("posted_on", "date", synonyms=[{"synonym": "posting"}]),
                column("state", enum=listed("moving", "returned")),
            ]  # fmt: skip
            pia.domain("post").product("log", contract("post.log", parcels=parcels)).publish(parcels=PARCELS, progress=False)
            pia.sql(
                "SELECT count(*) FROM post.log.parcels", timeout_seconds=50
            )  # the engine is loaded, so that no answer waits for it
            yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def pia(server: RunningServer) -> Mesh:
    return server.user("user:pia")


def shown(answer: Any) -> str:
    from rich.console import Console

    console = Console(width=400)
    with console.capture() as kept:
        console.print(answer_view(answer))
    return kept.get()


def test_what_is_done_already_is_told_before_any_rule_and_with_its_source(pia: Mesh) -> None:
    answer = pia.ask("May parcel P-0003 be returned?", extractive=True)
    (caveat,) = answer.caveats
    assert caveat.text == "Parcels P-0003: state is already returned."
    (row,) = [it for it in answer.figures if it.number in caveat.sources]
    assert "P-0003" in row.rows[0]
    assert answer.text.startswith(str(caveat))
    text = shown(answer)
    assert text.index(caveat.text) < text.index("A parcel may be returned")
    assert pia.ask(as_of=answer.id).caveats == answer.caveats


def test_a_caveat_is_not_given_again_to_who_may_not_read_its_row_any_more(server: RunningServer, pia: Mesh) -> None:
    with server.user("user:gus") as gus:
        given = [pia.grant("user:gus", it) for it in ("post.rules", "post.log")]
        first = gus.ask("May parcel P-0003 be returned?", extractive=True)
        assert first.caveats
        pia.revoke(given[1].id)
        again = gus.ask(as_of=first.id)
        assert (again.caveats, "already" in str(again)) == ((), False)


def test_what_was_told_of_tables_is_not_told_again_to_who_may_not_know_of_them_any_more(server: RunningServer, pia: Mesh) -> None:
    with server.user("user:ned") as ned:
        rules, log, people = (pia.grant("user:ned", it).id for it in ("post.rules", "post.log", "post.people"))
        unclear = ned.ask("How many parcels have the colour blue?", extractive=True)
        unfound = ned.ask("May parcel P-0999 be returned?", extractive=True)
        empty = ned.ask("May parcel P-0001 be returned?", extractive=True)
        assert any("post.log.parcels" in it for it in unclear.notices)
        assert unfound.caveats
        for answer in (unclear, unfound, empty):
            again = ned.ask(as_of=answer.id)
            assert (again.notices, again.caveats) == (answer.notices, answer.caveats)
        pia.revoke(people)
        pia.revoke(log)
        for answer in (unclear, unfound, empty):
            again = ned.ask(as_of=answer.id)
            assert "post.log" not in str(again)
            assert (again.caveats, again.recommendation) == ((), None)
            assert any("are not shown" in it for it in again.notices)
        pia.revoke(rules)


def test_missing_tables_are_not_named_again_to_who_may_not_know_of_them_any_more(server: RunningServer, pia: Mesh) -> None:
    with server.user("user:ole") as ole:
        for name in ("post.rules", "post.log"):
            pia.grant("user:ole", name)
        known = pia.grant("user:ole", "post.people", actions=["discover"])
        answer = ole.ask("May parcel P-0001 of sender S-001 be returned?", extractive=True)
        assert "post.people" in str(missing(answer))
        assert missing(ole.ask(as_of=answer.id)) == missing(answer)
        pia.revoke(known.id)
        again = ole.ask(as_of=answer.id)
        assert "post.people" not in str(again)
        assert again.sentences == answer.sentences


def missing(answer: Any) -> tuple[str, ...]:
    recommendation = answer.recommendation
    assert recommendation is not None
    return tuple(recommendation.missing)


def verdicts(answer: Any) -> dict[str, str]:
    return {it.rule: str(it.verdict) for it in answer.recommendation.findings}


def test_no_rule_is_held_against_a_row_that_the_case_is_not_of(pia: Mesh) -> None:
    gold = "Gold senders have 200 days."
    other = pia.ask("May parcel P-0002 of sender S-001 be returned?", extractive=True)
    assert verdicts(other)[gold] == "does not apply"
    told = "Parcel P-0002 is of another sender than S-001: what is on record of S-001 decides nothing here."
    assert [it.text for it in other.caveats] == [told]
    assert "tier of senders S-001" not in str(other.recommendation)
    same = pia.ask("May parcel P-0001 of sender S-001 be returned?", extractive=True)
    assert (same.caveats, verdicts(same)[gold]) == ((), "applies")


def test_whose_a_row_is_is_not_told_to_who_sees_it_masked(server: RunningServer, pia: Mesh) -> None:
    with server.user("user:mae") as mae:
        for name in ("post.rules", "post.people"):
            pia.grant("user:mae", name)
        pia.grant("user:mae", "post.log", masks={"sender_id": "mask-alphanum"})
        answers = [mae.ask(f"May parcel P-000{it} of sender S-001 be returned?", extractive=True) for it in (1, 2)]
    for answer in answers:
        assert "cannot be told from what you may read" in answer.caveats[0].text
        assert verdicts(answer)["Gold senders have 200 days."] == "open"
    assert answers[0].caveats[0].text == answers[1].caveats[0].text.replace("P-0002", "P-0001")


def test_a_purpose_that_is_held_and_opens_what_is_withheld_is_named(server: RunningServer, pia: Mesh) -> None:
    case, figure = "May parcel P-0001 be returned?", "How many parcels have the state moving?"
    with server.user("user:una") as una:
        pia.grant("user:una", "post.rules")
        pia.grant("user:una", "post.log", actions=["discover"])
        for question in (case, figure):
            assert not any("counter" in it for it in una.ask(question, extractive=True).notices)  # held by nobody
        pia.grant("user:una", "post.log", actions=["read"], purpose="counter")
        held = "State the purpose counter, which is held: `--purpose counter`."
        assert una.ask(case, extractive=True).notices == (
            f"Withheld without a purpose: post.log.parcels where parcel_no is P-0001. {held}",
        )
        (notice,) = [it for it in una.ask(figure, extractive=True).notices if "Withheld" in it]
        assert "of post.log.parcels, state moving" in notice
        assert una.ask(case, purpose="counter", extractive=True).notices == ()
    with server.user("user:vic") as vic:  # may read it for the purpose, and not know of it otherwise
        pia.grant("user:vic", "post.rules")
        pia.grant("user:vic", "post.log", actions=["read"], purpose="counter")
        for question in (case, figure):
            assert "Withheld" not in str(vic.ask(question, extractive=True).notices)


def test_what_is_missing_names_the_purpose_that_opens_it(server: RunningServer, pia: Mesh) -> None:
    with server.user("user:wes") as wes:
        for name in ("post.rules", "post.log"):
            pia.grant("user:wes", name)
        pia.grant("user:wes", "post.people", actions=["discover"])
        question = "May parcel P-0001 of sender S-001 be returned?"
        without = missing(wes.ask(question, extractive=True))
        told = "post.people.senders where sender_id is S-001: you may not read it without a purpose."
        assert f"{told} Ask for it: mesh request post.people" in without
        pia.grant("user:wes", "post.people", actions=["read"], purpose="counter")
        held = missing(wes.ask(question, extractive=True))
        assert f"{told} State the purpose counter, which is held: `--purpose counter`" in held


def test_a_record_that_is_not_found_is_told_before_any_rule(pia: Mesh) -> None:
    answer = pia.ask("May parcel P-0999 be returned?", extractive=True)
    told = "No row that you may read has parcel no P-0999."
    assert answer.text.startswith(told)
    assert not any(told in it for it in answer.notices)
    assert shown(answer).startswith(told)
    assert pia.ask(as_of=answer.id).text.startswith(told)


def test_a_question_about_two_rows_says_first_to_ask_for_one(pia: Mesh) -> None:
    answer = pia.ask("May parcel P-0001 be returned, and what about parcel P-0002?", extractive=True)
    assert answer.text.startswith("This asks about several parcels: rules are held against one at a time")


def test_as_of_before_the_rules_were_published_says_so_first(pia: Mesh) -> None:
    for collections in ((), ("post.rules.pages",)):
        answer = pia.ask("May parcel P-0001 be returned?", as_of=1, collections=collections, extractive=True)
        told = "At revision 1 nothing was published yet in post.rules.pages: no rules of theirs are told."
        assert answer.text == f"{told} Not found in what you may read."


def test_policies_of_two_dates_that_do_not_agree_are_told_first(server: RunningServer, tmp_path: Path) -> None:
    for year, days in ((2024, 30), (2026, 14)):
        (tmp_path / f"{year}.md").write_text(f"# Returns in {year}\n\nA crate may be returned within {days} days of landing.\n")
    with server.admin() as admin:
        admin.admin.create_domain("quay", owners=["user:kit"])
    crates = contract(
        "quay.log", crates=[keyed("crate_no", "^C-[0-9]{4}$"), column("landed_on", "date", synonyms=[{"synonym": "landing"}])]
    )
    rows = pl.DataFrame({"crate_no": ["C-0001", "C-0002"], "landed_on": [TODAY - timedelta(days=days) for days in (20, 5)]})
    with server.user("user:kit") as kit:
        publish_pages(kit, "quay.rules", tmp_path)
        kit.domain("quay").product("log", crates).publish(crates=rows, progress=False)
        late, early = (kit.ask(f"May crate {it} be returned?", extractive=True) for it in ("C-0001", "C-0002"))
        (caveat,) = late.caveats
        assert caveat.text.startswith(
            "Documents do not agree: “A crate may be returned within 30 days of landing.” (Returns in 2024)"
        )
        assert {it.document for it in late.citations if it.number in caveat.sources} == {"2024.md", "2026.md"}
        assert kit.ask(as_of=late.id).caveats == late.caveats
        assert early.caveats == ()  # both let it pass
