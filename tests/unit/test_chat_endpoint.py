"""A chat endpoint of OpenAI's kind: what is sent to it, what it may answer, and what is an error."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mesh_core.chat_endpoint import ChatEndpoint, ChatUnavailable, ToolCall
from tests.integration.scripted_chat import Raw, ScriptedChat, Tool, scripted_chat

MESSAGES = [{"role": "user", "content": "How long?"}]


@pytest.fixture
def chat() -> Iterator[ScriptedChat]:
    with scripted_chat() as running:
        yield running


def asked(chat: ScriptedChat, *, seconds: float = 30, silence: float = 10) -> tuple[str, tuple[ToolCall, ...]]:
    endpoint = ChatEndpoint(chat.url, api_key="k-1", timeout_seconds=silence)
    parts = endpoint.reply(MESSAGES, [], deadline=time.monotonic() + seconds)
    text = ""
    while True:
        try:
            text += next(parts)
        except StopIteration as end:
            return text, end.value


def test_a_streamed_text_comes_in_parts_and_whole(chat: ScriptedChat) -> None:
    chat.script = lambda body: "Thirty days, it says: “30 Tage”. [1]"
    assert asked(chat) == ("Thirty days, it says: “30 Tage”. [1]", ())
    assert chat.asked == [{"model": "scripted-1", "messages": MESSAGES, "stream": True}]
    assert chat.keys == ["Bearer k-1"]


def test_tool_calls_are_put_together_from_their_parts(chat: ScriptedChat) -> None:
    chat.script = lambda body: [Tool("sql", '{"query": "SELECT 1"}'), Tool("retrieve", '{"query": "refunds"}')]
    assert asked(chat) == (
        "",
        (ToolCall("c0", "sql", '{"query": "SELECT 1"}'), ToolCall("c1", "retrieve", '{"query": "refunds"}')),
    )


def test_an_endpoint_that_does_not_stream_is_understood(chat: ScriptedChat) -> None:
    chat.script = lambda body: json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}
    ).encode()
    assert asked(chat) == ("Yes.", ())


@pytest.mark.parametrize("said", [b"{", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": 3}}]}', b"<html>"])
def test_what_is_no_reply_is_an_error(chat: ScriptedChat, said: bytes) -> None:
    chat.script = lambda body: said
    with pytest.raises(ChatUnavailable, match=r"the chat model scripted-1 at 127\.0\.0\.1"):
        asked(chat)


def test_a_refusal_names_the_status_and_the_setting_but_not_the_key(chat: ScriptedChat) -> None:
    chat.status = 401
    with pytest.raises(ChatUnavailable, match="status 401: check the model's name and MESH_CHAT_API_KEY") as caught:
        asked(chat)
    assert "k-1" not in str(caught.value)


def test_a_redirect_is_an_error_as_it_would_carry_the_key_elsewhere(chat: ScriptedChat) -> None:
    chat.status = 302
    with pytest.raises(ChatUnavailable, match="status 302"):
        asked(chat)
    assert len(chat.asked) == 1


def test_a_reply_that_breaks_off_is_an_error(chat: ScriptedChat) -> None:
    chat.script, chat.breaks_off = lambda body: "A long text that does not come to its end.", True
    with pytest.raises(ChatUnavailable, match="broke off"):
        asked(chat)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_reply_that_was_cut_off_is_an_error(chat: ScriptedChat, reason: str) -> None:
    part = {"choices": [{"delta": {"content": "It may be returned, but"}, "finish_reason": reason}]}
    chat.script = lambda body: Raw([json.dumps(part), "[DONE]"])
    with pytest.raises(ChatUnavailable, match=rf"was cut off in its reply \({reason}\)"):
        asked(chat)


def test_halves_of_letters_are_no_text(chat: ScriptedChat) -> None:
    part = {"choices": [{"delta": {"content": "Thirty \ud800 days 😀"}, "finish_reason": "stop"}]}
    chat.script = lambda body: Raw([json.dumps(part), "[DONE]"])
    assert asked(chat)[0] == "Thirty ? days 😀"


def test_silence_and_endless_talk_are_errors_in_time(chat: ScriptedChat) -> None:
    chat.script, chat.pause_seconds = lambda body: "word " * 1000, 0.02
    with pytest.raises(ChatUnavailable, match="did not come to an end in time"):
        asked(chat, seconds=0.3)
    chat.pause_seconds = 2
    with pytest.raises(ChatUnavailable, match="did not answer within"):
        asked(chat, silence=0.2)


@pytest.mark.parametrize("head", [b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", b"X: "])
def test_a_reply_that_drips_without_an_event_is_hung_up_on(head: bytes) -> None:
    """Each byte is in time for the socket, and none of them is a part of the reply: sizes of chunks, heads."""
    listening = socket.create_server(("127.0.0.1", 0))
    was_hung_up_on = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            try:
                for _ in range(600):
                    connection.sendall(b"0")
                    time.sleep(0.05)
            except OSError:
                was_hung_up_on.set()

    threading.Thread(target=drip, daemon=True).start()
    endpoint = ChatEndpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/v1?model=m", timeout_seconds=10)
    with listening, pytest.raises(ChatUnavailable, match="did not come to an end in time"):
        list(endpoint.reply(MESSAGES, [], deadline=time.monotonic() + 0.5))
    assert was_hung_up_on.wait(timeout=10)


def test_a_server_that_is_not_there_is_an_error() -> None:
    endpoint = ChatEndpoint("http://127.0.0.1:9/v1?model=m")
    with pytest.raises(ChatUnavailable, match="cannot be reached"):
        list(endpoint.reply(MESSAGES, [], deadline=time.monotonic() + 5))


@pytest.mark.parametrize("url", ["", "https://host/v1", "ftp://host/v1?model=m", "https:///v1?model=m"])
def test_an_address_says_host_and_model(url: str) -> None:
    with pytest.raises(ChatUnavailable, match="model=NAME"):
        ChatEndpoint(url)
