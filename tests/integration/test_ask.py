"""Questions in words, without a model: what is said, what it rests on, what is refused, and how it comes again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from domain_sdk import AccessDenied, Answer, InvalidRequest, MeshError, NotFound, PurposeNotHeld
from domain_sdk.cli.app import build
from domain_sdk.documents import read_documents
from domainmesh.v1 import ask_service_pb2 as pb
from domainmesh.v1.ask_service_pb2_grpc import AskServiceStub
from mesh_core.answers.answer import NOT_FOUND, Stage
from tests.integration.ask_mesh import DOCUMENTS, HANDBOOK, NOTES, SECRET, SECRETS, AskMesh, publish_pages
from tests.integration.mesh_setup import raw_mesh, token_of

QUESTION = "How long may a customer return an order?"
SENTENCE = "A customer may return an order within 30 days of delivery and gets the full price back."


def bare(answer: Answer) -> Answer:
    """The answer without what differs from call to call."""
    return replace(answer, id="", revision=0, stages=())


def words_of(error: MeshError, name: str) -> str:
    """The message without the name that was asked for and the id of the call."""
    return re.sub(r"request id: \w+", "", str(error)).replace(name, "X")


def test_an_answer_is_cited_to_the_character(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:ana", "policy.handbook") as ana:
        answer = ana.ask(QUESTION, extractive=True)
    assert answer.sentences[0].text == SENTENCE
    assert answer.text.startswith(f"{SENTENCE} [1]")
    (citation, *_) = answer.citations
    assert (citation.number, citation.port, citation.product, citation.version) == (1, HANDBOOK, "policy.handbook", 1)
    assert (citation.document, citation.title) == ("refunds.md", "Refund policy")
    assert citation.section.endswith("When a customer may return an order")
    (text,) = [it.text for it in read_documents(DOCUMENTS / "refunds.md")]
    assert text[citation.span.start : citation.span.end] == citation.text
    quote = answer.sentences[0].quote
    assert quote is not None
    assert quote in citation.quotes
    assert " ".join(text[quote.start : quote.end].split()) == SENTENCE
    assert [used.port for used in answer.ports] == [HANDBOOK]
    assert (answer.writer, answer.notices, answer.closest) == ("extractive", (), ())
    assert [stage.name for stage in answer.stages] == ["planning", "retrieving", "computing", "writing", "verifying"]


def test_a_part_without_an_answer_is_told(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:amy", "policy.handbook") as amy:
        answer = amy.ask(f"{QUESTION.rstrip('?')} and who won the football world cup?", extractive=True)
    assert SENTENCE in answer.text
    assert answer.notices == ("Not found in what you may read: who won the football world cup.",)


def test_absent_and_forbidden_are_refused_alike(ask_mesh: AskMesh) -> None:
    question = "How much does Eve Quackenbush earn?"
    with ask_mesh.reader("user:bob", "policy.handbook") as bob:
        forbidden = bob.ask(question, extractive=True)
        absent = bob.ask(question.replace("Quackenbush", "Hammerstein"), extractive=True)
        with pytest.raises(AccessDenied) as hidden:
            bob.ask(question, collections=[SECRETS])
        with pytest.raises(AccessDenied) as nothing:
            bob.ask(question, collections=["hr.nothing.pages"])
    assert forbidden.text == absent.text == NOT_FOUND
    assert bare(replace(forbidden, question="")) == bare(replace(absent, question=""))
    assert words_of(hidden.value, SECRETS) == words_of(nothing.value, "hr.nothing.pages")
    assert SECRET.split()[3] in ask_mesh.helen.ask(question, extractive=True).text  # there is something to hide


def test_two_worlds_that_differ_in_what_is_hidden_answer_alike(ask_mesh: AskMesh, tmp_path: Path) -> None:
    question = "How long may a customer return an order that Zerlina sold?"
    with ask_mesh.reader("user:carl", "policy.handbook") as carl:
        before = carl.ask(question, extractive=True)
        (tmp_path / "more.md").write_text(
            f"# Orders of Zerlina\n\n{question} A customer may return Zerlina's order for 77 days.\n"
        )
        publish_pages(ask_mesh.helen, "hr.zerlina", tmp_path)
        assert bare(carl.ask(question, extractive=True)) == bare(before)
    assert "77" in ask_mesh.helen.ask(question, extractive=True).text


def test_where_nothing_is_found_the_closest_passages_are_shown_recorded_and_come_again_while_they_may_be_read(
    ask_mesh: AskMesh,
) -> None:
    question = "How long may a neighbour return an order?"
    with ask_mesh.reader("user:nell") as nell:
        grant = ask_mesh.paula.grant("user:nell", "policy.handbook")
        first = nell.ask(question, extractive=True)
        assert (first.text, first.is_found, first.citations) == (NOT_FOUND, False, ())
        closest = first.closest[0]
        assert (closest.number, closest.document, len(closest.quotes)) == (1, "refunds.md", 1)
        quote = closest.text[closest.quotes[0].start - closest.span.start : closest.quotes[0].end - closest.span.start]
        assert "return an order within 30 days" in quote
        assert nell.ask(as_of=first.id).closest == first.closest
        (record,) = [it for it in ask_mesh.paula.audit.decisions(resource=HANDBOOK, limit=50) if it.answer == first.id][-1:]
        assert f"{HANDBOOK}@1#{closest.passage}" in record.cited
        ask_mesh.paula.revoke(grant.id)
        gone = nell.ask(as_of=first.id)
        assert (gone.text, gone.closest) == (NOT_FOUND, ())
        assert any("may not read any more" in notice for notice in gone.notices)


def test_who_may_read_nothing_is_told_the_same(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:nobody") as nobody:
        answer = nobody.ask(QUESTION, extractive=True)
    assert (answer.text, answer.ports, answer.citations) == (NOT_FOUND, (), ())


def test_only_named_collections_are_searched(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:dora", "policy.handbook", "policy.notes") as dora:
        assert {used.port for used in dora.ask(QUESTION, extractive=True).ports} == {HANDBOOK, NOTES}
        only = dora.ask(QUESTION, collections=[NOTES], extractive=True)
        assert {used.port for used in only.ports} == {NOTES}
        assert SENTENCE not in only.text
        assert "nine days" in dora.ask("How long does a delivery to an island take?", extractive=True).text
        with pytest.raises(InvalidRequest):
            dora.ask(QUESTION, collections=["not a port"])


def test_a_purpose_counts_where_it_is_held(ask_mesh: AskMesh) -> None:
    with ask_mesh.server.admin() as admin:
        admin.admin.create_purpose("service", description="Helping customers")
    with ask_mesh.reader("user:emil") as emil:
        ask_mesh.paula.grant("user:emil", "policy.handbook", purpose="service")
        ask_mesh.paula.grant("user:emil", "policy.notes")
        assert {used.port for used in emil.ask(QUESTION, extractive=True).ports} == {NOTES}
        answer = emil.ask(QUESTION, purpose="service", extractive=True)
        assert {used.port for used in answer.ports} == {HANDBOOK, NOTES}
        assert (answer.purpose, answer.is_found) == ("service", True)
        with pytest.raises(PurposeNotHeld):
            emil.ask(QUESTION, purpose="forecasting")
        with pytest.raises(PurposeNotHeld, match="There is no purpose 'servic': did you mean service"):
            emil.ask(QUESTION, purpose="servic")
        early = emil.ask(QUESTION, purpose="service", as_of=1, extractive=True)
        assert early.ports == ()
        assert early.notices[0].startswith("At revision 1 there was no data")


def test_a_guardrail_masks_data_in_answers_and_in_those_given_again(ask_mesh: AskMesh, tmp_path: Path) -> None:
    (tmp_path / "contacts.md").write_text("# Contacts\n\nThe depot in Oslo is reached at depot.oslo@example.com by e-mail.\n")
    with ask_mesh.server.admin() as admin:
        admin.admin.create_guardrail("ask-mail", "tag:pii.email", mask="replace-with-null", exempt=["user:paula"])
    publish_pages(ask_mesh.paula, "policy.contacts", tmp_path)
    question = "How is the depot in Oslo reached?"
    with ask_mesh.reader("user:fred", "policy.contacts") as fred:
        masked = fred.ask(question, extractive=True)
        assert "reached at" in masked.text
        assert "depot.oslo" not in str(masked)
        assert masked.citations[0].quotes == (masked.citations[0].span,)
        assert fred.ask(as_of=masked.id).text == masked.text
    clear = ask_mesh.paula.ask(question, extractive=True)
    assert "depot.oslo@example.com" in clear.text
    with ask_mesh.server.admin() as admin:
        admin.admin.create_guardrail("ask-mail-all", "tag:pii.email", mask="replace-with-null")
        assert "depot.oslo" not in str(ask_mesh.paula.ask(as_of=clear.id))
        admin.admin.delete_guardrail("ask-mail-all")


def test_an_earlier_answer_comes_again_while_it_may_be_read(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:gina") as gina, ask_mesh.reader("user:hugo", "policy.handbook") as hugo:
        grant = ask_mesh.paula.grant("user:gina", "policy.handbook")
        first = gina.ask(QUESTION, extractive=True)
        again = gina.ask(as_of=first.id)
        assert replace(again, stages=()) == replace(first, stages=())
        with pytest.raises(NotFound) as others:
            hugo.ask(as_of=first.id)
        with pytest.raises(NotFound) as absent:
            hugo.ask(as_of="a-0000000000000000")
        assert words_of(others.value, first.id) == words_of(absent.value, "a-0000000000000000")
        with pytest.raises(InvalidRequest):
            gina.ask("Another question?", as_of=first.id)
        ask_mesh.paula.revoke(grant.id)
        gone = gina.ask(as_of=first.id)
        assert (gone.text, gone.citations) == (NOT_FOUND, ())
        assert any("may not read any more" in notice for notice in gone.notices)
        ask_mesh.paula.grant("user:gina", "policy.handbook", rows="document <> 'refunds.md'")
        assert gina.ask(as_of=first.id).text == NOT_FOUND


def test_as_of_a_revision_or_time_asks_the_data_of_then(ask_mesh: AskMesh, tmp_path: Path) -> None:
    question = "How many parrots may sit on a desk?"
    for count in ("three", "seven"):
        (tmp_path / "parrots.md").write_text(f"# Parrots\n\nAt most {count} parrots may sit on a desk.\n")
        publish_pages(ask_mesh.paula, "policy.parrots", tmp_path)
        if count == "three":
            early = ask_mesh.paula.ask(question, extractive=True)
            then = ask_mesh.paula.show("policy.parrots").update_time
    late = ask_mesh.paula.ask(question, extractive=True)
    assert ("three" in early.text, "seven" in late.text) == (True, True)
    for as_of in (early.revision, str(early.revision), then):
        asked = ask_mesh.paula.ask(question, as_of=as_of, extractive=True)
        assert asked.sentences == early.sentences
        assert [citation.version for citation in asked.citations] == [1]
        assert any(it.startswith("The data is as of revision ") for it in asked.notices)
    assert not any("as of revision" in it for it in late.notices)
    assert ask_mesh.paula.ask(as_of=early.id).sentences == early.sentences
    with pytest.raises(InvalidRequest):
        ask_mesh.paula.ask(question, as_of=10_000_000)
    with pytest.raises(InvalidRequest, match="a time that has not come"):
        ask_mesh.paula.ask(question, as_of="3020-01-01")
    with pytest.raises(NotFound, match="There is no answer 'a-nosuch' of yours"):
        ask_mesh.paula.ask(question, as_of="a-nosuch")


def test_an_answer_is_one_row_of_the_audit_with_what_it_cites(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:ines", "policy.handbook") as ines:
        answer = ines.ask(QUESTION, extractive=True)
    records = ask_mesh.paula.audit.decisions(resource=HANDBOOK, limit=50)
    (record,) = [it for it in records if it.answer == answer.id]
    assert (record.kind, record.principal, record.is_allowed) == ("ask", "user:ines", True)
    assert record.cited == tuple(f"{it.port}@{it.version}#{it.passage}" for it in answer.citations)
    assert {it.kind for it in records if it.call_id == record.call_id} == {"ask", "retrieval"}
    assert SENTENCE not in str(records)
    report = ask_mesh.paula.audit.report(resource=HANDBOOK)
    assert [use.kind for use in report.uses if use.principal == "user:ines"] == ["retrieval"]


def test_any_client_gets_the_answer_in_parts(ask_mesh: AskMesh) -> None:
    token = token_of(ask_mesh.server, "user:jo")
    ask_mesh.paula.grant("user:jo", "policy.handbook")
    with raw_mesh(ask_mesh.server, token) as raw:
        request = pb.AskRequest(question=QUESTION, is_extractive=True)
        parts = list(raw.gateway(AskServiceStub).Ask(request, metadata=raw.metadata))
    kinds = [part.WhichOneof("part") for part in parts]
    assert kinds[-1] == "answer"
    assert kinds.index("citation") < kinds.index("sentence")
    begun = [part.stage.name for part in parts if part.HasField("stage") and not part.stage.HasField("duration")]
    assert begun == ["planning", "retrieving", "computing", "writing"]
    assert [part.sentence for part in parts if part.HasField("sentence")] == list(parts[-1].answer.sentences)


def test_planted_instructions_are_text(ask_mesh: AskMesh) -> None:
    with ask_mesh.reader("user:kai", "policy.handbook", "policy.notes") as kai:
        answer = kai.ask(QUESTION, extractive=True)
    assert answer.sentences[0].text == SENTENCE
    assert {used.port for used in answer.ports} == {HANDBOOK, NOTES}
    assert answer.figures == ()


def test_steps_are_told_as_they_come(ask_mesh: AskMesh) -> None:
    told: list[object] = []
    with ask_mesh.reader("user:lea", "policy.handbook") as lea:
        answer = lea.ask(QUESTION, extractive=True, on_part=told.append)
    assert [it for it in told if not isinstance(it, Stage)] == list(answer.sentences)
    assert told[0] == Stage("planning", 0.0)


def test_the_command_shows_numbered_sources_and_how_to_get_it_again(ask_mesh: AskMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(ask_mesh.server, "user:mia")
    ask_mesh.paula.grant("user:mia", "policy.handbook")
    monkeypatch.setenv("MESH_URL", ask_mesh.server.url)
    monkeypatch.setenv("MESH_TOKEN", token)
    shown = CliRunner().invoke(build(), ["ask", QUESTION, "--extractive"])
    assert shown.exit_code == 0, shown.output
    flat = " ".join(shown.output.split())
    assert f"{SENTENCE} [1]" in flat
    assert "[1] Refund policy › When a customer may return an order" in flat
    assert re.search(r"refunds\.md, characters \d+–\d+; policy\.handbook\.pages, version 1", flat)
    declined = CliRunner().invoke(build(), ["ask", "How long may a neighbour return an order?", "--extractive"])
    assert declined.exit_code == 0, declined.output
    assert "Closest passages, which may not answer your question: [1] Refund policy" in " ".join(declined.output.split())
    (id,) = re.findall(r"mesh ask --as-of (a-[0-9a-f]+)", flat)
    again = CliRunner().invoke(build(), ["ask", "--as-of", id, "--json"])
    told = json.loads(again.stdout)
    assert (told["is_found"], told["id"], told["citations"][0]["port"]) == (True, id, HANDBOOK)
    assert CliRunner().invoke(build(), ["ask"]).exit_code != 0


def test_a_time_beyond_all_calendars_is_refused_as_such(ask_mesh: AskMesh) -> None:
    with raw_mesh(ask_mesh.server, token_of(ask_mesh.server, "user:paula")) as raw:
        for seconds in (2**40, -(2**40)):
            request = pb.AskRequest(question="What is the fee?", as_of_time=Timestamp(seconds=seconds))
            with pytest.raises(grpc.RpcError) as refused:
                list(raw.gateway(AskServiceStub).Ask(request, metadata=raw.metadata))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_answer_is_given_again_to_who_sees_names_of_documents_masked(ask_mesh: AskMesh) -> None:
    with ask_mesh.server.user("user:masked-names") as mesh:
        ask_mesh.paula.grant("user:masked-names", "policy.handbook", masks={"document": "show-last-4"})
        answer = mesh.ask("How long may a customer return an order?", extractive=True)
        assert answer.is_found
        assert [it.document for it in answer.citations] == ["xxxxxxs.md"]
        again = mesh.ask(as_of=answer.id)
    assert (again.text, again.notices) == (answer.text, answer.notices)
