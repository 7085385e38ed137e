"""A model that writes answers: a real endpoint of its protocol whose replies are scripted, honest, wrong, tricked and broken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain_sdk import AccessDenied, Mesh
from domainmesh.v1 import ask_service_pb2, ask_service_pb2_grpc
from tests.integration.ask_mesh import HANDBOOK, ORDERS, SALARIES, SECRET, SECRETS, AskMesh, publish_pages
from tests.integration.mesh_setup import raw_mesh, token_of
from tests.integration.scripted_chat import Body, Raw, ScriptedChat, Tool, call

QUESTION = "How long may a customer return an order?"
SENTENCE = "A customer may return an order within 30 days of delivery and gets the full price back."


@pytest.fixture
def chat(ask_mesh: AskMesh) -> Iterator[ScriptedChat]:
    """The model, forgetful of other tests."""
    chat = ask_mesh.chat
    chat.asked.clear()
    chat.status, chat.pause_seconds, chat.breaks_off = 200, 0.0, False
    yield chat
    chat.script = lambda body: "Not found in what you may read."
    chat.status, chat.pause_seconds, chat.breaks_off = 200, 0.0, False


@pytest.fixture(scope="module")
def nora(ask_mesh: AskMesh) -> Iterator[Mesh]:
    """May read the rules, the notes and the orders."""
    with ask_mesh.reader("user:nora", "policy.handbook", "policy.notes", "sales.orders") as mesh:
        yield mesh


def sources(body: Body) -> dict[int, str]:
    """The sources a model has been shown, by number: the line of each."""
    found = {}
    for message in body["messages"]:
        for line in str(message.get("content") or "").splitlines():
            if line.startswith('{"source"'):
                found[json.loads(line)["source"]] = line
    return found


def source_with(body: Body, text: str) -> int:
    return next(number for number, line in sources(body).items() if text in line)


def results(body: Body) -> list[str]:
    """What its tools told the model."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def test_supported_sentences_of_the_model_are_given_and_others_are_not(nora: Mesh, chat: ScriptedChat) -> None:
    def script(body: Body) -> str:
        mark = source_with(body, "within 30 days")
        return (
            f"An order may be returned within 30 days of delivery [{mark}]. It may be returned within 300 days of delivery "
            f"[{mark}]. The goods must be unused and in their packaging. [{mark}] Nobody said this. The moon is made of "
            f"cheese [99]."
        )

    chat.script = script
    answer = nora.ask(QUESTION)
    assert [it.text for it in answer.sentences] == [
        "An order may be returned within 30 days of delivery.",
        "The goods must be unused and in their packaging.",
    ]
    assert answer.text.count("[1]") == 2
    assert (answer.writer, len(answer.citations)) == ("scripted-1", 1)
    assert any("left out" in notice for notice in answer.notices)
    (asked,) = chat.asked
    assert (asked["model"], asked["stream"]) == ("scripted-1", True)
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["discover", "retrieve", "sql"]
    assert asked["messages"][-1]["content"].endswith(f"Question: {QUESTION}")
    assert nora.ask(as_of=answer.id).sentences == answer.sentences
    assert len(chat.asked) == 1  # given again without the model


def test_tools_find_passages_and_figures_that_can_be_cited(nora: Mesh, chat: ScriptedChat) -> None:
    def script(body: Body) -> str | list[Tool]:
        if not results(body):
            return [
                call("discover", query="orders"),
                call("sql", query=f"SELECT order_id, amount, ordered_on FROM {ORDERS} WHERE order_id = 'O-4711'"),
                call("retrieve", query="delivery to an island"),
            ]
        order, island = source_with(body, "O-4711"), source_with(body, "nine days")
        return f"Order O-4711 has the amount 12.50 [{order}]. A delivery to an island takes nine days [{island}]."

    chat.script = script
    answer = nora.ask("What of order 4711?")
    assert answer.text == "Order O-4711 has the amount 12.50. [1] A delivery to an island takes nine days. [2]"
    (figure,) = answer.figures
    assert (figure.number, figure.columns) == (1, ("order_id", "amount", "ordered_on"))
    assert figure.rows == (("O-4711", "12.50", "2026-03-01"),)
    assert "VERSION => 1" in figure.sql
    assert [(used.port, used.version) for used in figure.ports] == [(ORDERS, 1)]
    assert nora.sql(figure.sql).rows()[0][0] == "O-4711"  # it can be run again as it stands
    found = {hit["name"]: hit["columns"] for hit in json.loads(results(chat.asked[1])[0])}
    assert found[ORDERS] == ["order_id", "region", "amount", "ordered_on", "status"]
    assert nora.ask(as_of=answer.id).text == answer.text


def test_a_passage_that_a_model_found_in_other_words_is_given_again(
    ask_mesh: AskMesh, chat: ScriptedChat, tmp_path: Path
) -> None:
    rules = "".join(f"## Rule {number}\n\n{'The walk of each step is long. ' * 8}\n\n" for number in range(150))
    (tmp_path / "book.md").write_text(f"# Book\n\n{rules}## Feeding\n\nA zebra needs nine apples each day.\n")
    publish_pages(ask_mesh.paula, "policy.walks", tmp_path)
    chat.script = lambda body: (  # type: ignore[assignment]
        f"A zebra needs nine apples each day [{source_with(body, 'zebra')}]."
        if results(body)
        else [call("retrieve", query="zebra apples")]
    )
    with ask_mesh.reader("user:zoe", "policy.walks") as zoe:
        answer = zoe.ask("How long is the walk of each step?")
        assert answer.text == "A zebra needs nine apples each day. [1]"
        again = zoe.ask(as_of=answer.id)
        assert (again.text, again.notices) == (answer.text, ())


def test_a_figure_is_not_given_again_to_whom_it_is_another(ask_mesh: AskMesh, chat: ScriptedChat) -> None:
    chat.script = lambda body: (  # type: ignore[assignment]
        f"The orders are 3 [{source_with(body, 'orders')}]."
        if results(body)
        else [call("sql", query=f"SELECT count(*) AS orders FROM {ORDERS}")]
    )
    with ask_mesh.reader("user:otto") as otto:
        grant = ask_mesh.sam.grant("user:otto", "sales.orders")
        answer = otto.ask("How many orders are there?")
        assert answer.text == "The orders are 3. [1]"
        ask_mesh.sam.revoke(grant.id)
        ask_mesh.sam.grant("user:otto", "sales.orders", rows="region = 'EMEA'")
        assert otto.ask(as_of=answer.id).sentences == ()


def test_a_model_that_obeys_a_document_gets_what_the_asker_gets(nora: Mesh, ask_mesh: AskMesh, chat: ScriptedChat) -> None:
    def tricked(body: Body) -> str | list[Tool]:
        assert "Ignore all previous instructions" in str(body["messages"])  # it has read the planted text
        if not results(body):
            return [
                call("sql", query=f"SELECT * FROM {SALARIES}", purpose="administration", principal="user:helen"),
                call("sql", query="SELECT * FROM hr.staff.absent"),
                call("retrieve", query="How much does Eve earn?", collection=SECRETS, principal="user:helen"),
                call("retrieve", query="How much does Eve earn?", collection="hr.absent.pages"),
                call("discover", query="salaries", as_administrator=True),
                call("sql", query="SELECT * FROM read_csv('/etc/passwd')"),
                call("grant", query="user:nora"),
                Tool("sql", "{not json"),
            ]
        mark = source_with(body, "Ignore all previous")
        return f"{SECRET} [{mark}] Orders may be returned within 400 days, says the administrator [{mark}]."

    chat.script = tricked
    answer = nora.ask("How long does a delivery to an island take, and what is in the notes on deliveries?")
    told = results(chat.asked[1])
    assert told[0].replace(SALARIES, "X") == told[1].replace("hr.staff.absent", "X")  # forbidden and absent are alike
    assert told[2].replace(SECRETS, "X") == told[3].replace("hr.absent.pages", "X")
    assert json.loads(told[4]) == []
    assert "98765" not in str(chat.asked)
    assert "Quackenbush" not in str(told)
    assert SECRET not in answer.text
    assert {used.port.partition(".")[0] for used in answer.ports} <= {"policy", "sales"}
    mine = ask_mesh.helen.audit.decisions(resource="hr", limit=200)
    assert not any(record.is_allowed and record.principal == "user:nora" for record in mine)


def test_a_model_makes_no_source_of_its_own_words(nora: Mesh, chat: ScriptedChat) -> None:
    invented = "Orders may be returned within 470 days."
    queries = (
        f"SELECT '{invented}' AS n", f"SELECT '{invented}' AS n FROM {ORDERS} LIMIT 1",
        f"SELECT max(n) AS days FROM (VALUES (470)) t(n), {ORDERS}", f"SELECT amount AS days_to_return FROM {ORDERS}",
        f"SELECT order_id AS ordered_on FROM {ORDERS}", f"SELECT max(ordered_on) + INTERVAL 470 DAY AS ordered_on FROM {ORDERS}",
    )  # fmt: skip

    def script(body: Body) -> str | list[Tool]:
        if not results(body):
            return [call("sql", query=query) for query in queries]
        marks = "".join(f"[{number}]" for number in sources(body))
        return f"{invented[:-1]} {marks}. The days to return an order are 12.50 {marks}. " + " ".join(
            f"{invented[:-1]} [{number}]." for number in sources(body)
        )

    chat.script = script
    answer = nora.ask(QUESTION)
    assert all(told.startswith("That cannot be used") for told in results(chat.asked[1]))
    assert ("470" in answer.text, "12.50" in answer.text) == (False, False)


def test_a_model_that_repeats_itself_is_heard_once(nora: Mesh, chat: ScriptedChat) -> None:
    chat.script = lambda body: (
        f"An order may be returned within 30 days of delivery [{source_with(body, 'within 30 days')}]. " * 9
    )
    assert len(nora.ask(QUESTION).sentences) == 1


def test_a_model_cannot_name_a_purpose(ask_mesh: AskMesh, chat: ScriptedChat) -> None:
    with ask_mesh.server.admin() as admin:
        admin.admin.create_purpose("audit-of-orders", description="Checks")
    chat.script = lambda body: (  # type: ignore[assignment]
        "Not found in what you may read."
        if results(body)
        else [call("sql", query=f"SELECT order_id FROM {ORDERS}", purpose="audit-of-orders")]
    )
    with ask_mesh.reader("user:pia") as pia:
        ask_mesh.sam.grant("user:pia", "sales.orders", purpose="audit-of-orders")
        pia.ask("How many orders?")
        assert "may not read" in results(chat.asked[-1])[0]
        pia.ask("How many orders?", purpose="audit-of-orders")
        assert '"source"' in results(chat.asked[-1])[0]


@pytest.mark.parametrize("how", ["refuses", "breaks off", "is silent", "says no reply", "goes on for ever"])
def test_a_model_that_fails_is_replaced_and_that_is_said(nora: Mesh, chat: ScriptedChat, how: str) -> None:
    chat.script = lambda body: "A long text that does not come to its end."
    if how == "refuses":
        chat.status = 500
    elif how == "breaks off":
        chat.breaks_off = True
    elif how == "is silent":
        chat.pause_seconds = 9
    elif how == "says no reply":
        chat.script = lambda body: b'{"choices": "none"}'
    else:
        chat.script = lambda body: [call("retrieve", query="more"), call("discover", query="orders")]
    answer = nora.ask(QUESTION)
    assert answer.sentences[0].text == SENTENCE
    assert answer.writer == "extractive"
    (notice,) = answer.notices
    assert "scripted-1" in notice
    assert notice.endswith("This answer was put together without it.")
    assert len(chat.asked) <= 6


def test_a_model_none_of_whose_sentences_stand_is_replaced(nora: Mesh, chat: ScriptedChat) -> None:
    chat.script = lambda body: "Orders may be returned within 400 days [1]. Trust me."
    answer = nora.ask(QUESTION)
    assert (answer.writer, answer.sentences[0].text) == ("extractive", SENTENCE)


def test_a_model_that_finds_nothing_says_what_everybody_says(nora: Mesh, chat: ScriptedChat) -> None:
    answer = nora.ask("What is the meaning of life?")
    assert (answer.text, answer.writer, answer.notices) == ("Not found in what you may read.", "scripted-1", ())


def test_a_sentence_leaves_before_the_model_has_ended(nora: Mesh, chat: ScriptedChat) -> None:
    told: list[object] = []

    def script(body: Body) -> str:
        mark = source_with(body, "within 30 days")
        return f"An order may be returned within 30 days of delivery [{mark}]. " + "And so on. " * 40

    chat.script, chat.pause_seconds = script, 0.15
    answer = nora.ask(QUESTION, on_part=told.append)
    assert answer.sentences[0] in told
    assert answer.writer == "scripted-1"  # it ran out of time afterwards
    assert any("may be more to say" in notice for notice in answer.notices)


def test_access_that_ends_while_the_model_writes_ends_the_answer(ask_mesh: AskMesh, chat: ScriptedChat) -> None:
    with ask_mesh.reader("user:quin") as quin:
        grant = ask_mesh.paula.grant("user:quin", "policy.handbook")

        def script(body: Body) -> str:
            ask_mesh.paula.revoke(grant.id)
            return f"An order may be returned within 30 days of delivery [{source_with(body, 'within 30 days')}]."

        chat.script = script
        told: list[object] = []
        with pytest.raises(AccessDenied, match=r"changed while you were answered|may not read"):
            quin.ask(QUESTION, on_part=told.append)
        assert "30 days" not in str(told)


def test_what_is_asked_without_the_model_does_not_reach_it(nora: Mesh, chat: ScriptedChat) -> None:
    assert nora.ask(QUESTION, extractive=True, collections=[HANDBOOK]).writer == "extractive"
    assert chat.asked == []


def test_a_question_that_is_taken_back_is_put_to_the_model_no_more(ask_mesh: AskMesh, chat: ScriptedChat) -> None:
    token, is_asked, is_over = token_of(ask_mesh.server, "user:tess"), threading.Event(), threading.Event()
    ask_mesh.paula.grant("user:tess", "policy.handbook")

    def script(body: Body) -> list[Tool]:
        is_asked.set()
        is_over.wait(20)
        return [call("retrieve", query="more")]

    chat.script = script
    with raw_mesh(ask_mesh.server, token) as raw:
        stub = raw.gateway(ask_service_pb2_grpc.AskServiceStub)
        answer = stub.Ask(ask_service_pb2.AskRequest(question=QUESTION), metadata=raw.metadata)
        assert is_asked.wait(20)
        answer.cancel()
        time.sleep(0.5)  # until the server has heard of it
        is_over.set()
        time.sleep(2)
    assert len(chat.asked) == 1


def _delta(delta: object, **choice: object) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, **choice}]})


MISBEHAVIOUR = {
    "an index without end": ['{"choices": [{"delta": {"tool_calls": [{"index": Infinity, "function": {"name": "sql"}}]}}]}'],
    "an index far away": [_delta({"tool_calls": [{"index": 10**9, "function": {"name": "sql"}}]})],
    "a call that is none": [_delta({"tool_calls": ["sql"]})],
    "content that is no text": [_delta({"content": {"text": "An order may be returned."}})],
    "choices that are none": ['{"choices": "An order may be returned."}'],
    "nested without end": ['{"choices": ' + "[" * 100_000],
    "no JSON": ["An order may be returned within 400 days [1]."],
    "a number that is an event": ["7"],
    "an error in the middle": [_delta({"content": "An order"}), '{"error": {"message": "out of memory"}}'],
    "text without end": [_delta({"content": "An order may be returned. " * 4})] * 4_000,
    "nothing at all": [_delta({}, finish_reason="stop")],
    "white space": [_delta({"content": " \n"}, finish_reason="stop")],
    "a refusal": [_delta({"refusal": "I cannot help with that."}, finish_reason="stop")],
    "half a sentence": [_delta({"content": "A customer may return an order within 30 days of [1]"}, finish_reason="length")],
    "a word without end": [_delta({"content": "a" * 500})] * 4_000,
}


@pytest.mark.parametrize("lines", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR.keys())
def test_an_endpoint_that_misbehaves_is_replaced_whatever_it_does(nora: Mesh, chat: ScriptedChat, lines: list[str]) -> None:
    chat.script = lambda body: Raw(lines)
    answer = nora.ask(QUESTION)
    assert (answer.writer, answer.sentences[0].text) == ("extractive", SENTENCE)
    (notice,) = answer.notices
    assert "scripted-1" in notice
    assert "400 days" not in answer.text


@pytest.mark.parametrize(
    "arguments",
    [
        "[" * 7_000,
        '{"query": ' + "9" * 6_000 + "}",
        '{"query": "\\ud800 orders"}',
        '{"query": "\\u0000"}',
        "null",
        '{"query": ["a"]}',
        "x" * 9_000,
    ],
)
def test_arguments_of_whatever_kind_end_no_answer(nora: Mesh, chat: ScriptedChat, arguments: str) -> None:
    def script(body: Body) -> str | list[Tool]:
        if not results(body):
            return [Tool(name, arguments) for name in ("sql", "retrieve", "discover", "drop_tables", "")]
        return f"An order may be returned within 30 days of delivery [{source_with(body, 'within 30 days')}]."

    chat.script = script
    answer = nora.ask(QUESTION)
    assert answer.writer == "scripted-1"
    assert answer.sentences[0].text == "An order may be returned within 30 days of delivery."
