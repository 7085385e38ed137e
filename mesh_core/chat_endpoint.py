"""A chat model behind HTTP: any endpoint that speaks OpenAI's `POST /chat/completions`, streamed, with tool calls.

Named by a URL with the model: `https://host/v1?model=NAME`. What it says is checked for form only: whether it is true is for
whoever asks. Endpoints that do not stream are understood as well.

Source: OpenAI's API reference, chat completions: streaming as server-sent events that end with `[DONE]`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from mesh_core.http_endpoint import EndpointFailed, endpoint_address, posted

__all__ = ["ChatEndpoint", "ChatUnavailable", "Message", "ToolCall"]

Message = Mapping[str, Any]
"""A message in the API's own form."""

_MOST_BYTES = 4 << 20
_MOST_CALLS = 16
_CHUNK = 1 << 14
_CUT = frozenset({"length", "content_filter"})
"""Ends of replies that lack the rest."""
_LATE = "did not come to an end in time: ask again, or allow it more (MESH_CHAT_SECONDS)"


class ChatUnavailable(Exception):
    """The model cannot be used, or what it said is no answer; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be run. `arguments` is what it sent: text that should be a JSON object."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class _Reply:
    """What has come of a reply so far."""

    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    end: str = ""
    """Why it ended; empty until it has."""

    def take(self, choice: Mapping[str, Any]) -> str:
        """The text of a part; calls and the end are kept."""
        said = choice.get("delta") or choice.get("message") or {}
        for place, call in enumerate(said.get("tool_calls") or ()):
            self._take_call(int(call.get("index", place)), call)
        self.end = str(choice.get("finish_reason") or "") or self.end
        text = said.get("content") or ""
        if not isinstance(text, str):
            raise ValueError("the content is no text")
        return text.encode(errors="replace").decode()  # JSON may hold halves of letters, which are no text

    def _take_call(self, index: int, part: Mapping[str, Any]) -> None:
        if not 0 <= index < _MOST_CALLS:
            raise ValueError("too many tool calls")
        call = self.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] = str(part.get("id") or call["id"])
        call["name"] += str(function.get("name") or "")
        call["arguments"] += str(function.get("arguments") or "")

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls, in the order of their indexes."""
        found = [self.calls[index] for index in sorted(self.calls)]
        return tuple(ToolCall(it["id"] or f"call-{place}", it["name"], it["arguments"]) for place, it in enumerate(found))


class ChatEndpoint:
    """A model that is asked. `model` is its name.

    Args:
        url: Like `https://host/v1?model=NAME`.
        api_key: Sent as a bearer token, if there is one.
        timeout_seconds: How long the endpoint may be silent.
        clock: Seconds that never go back.

    Raises:
        ChatUnavailable: the URL does not say address and model.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, timeout_seconds: float = 30, clock: Callable[[], float] = time.monotonic
    ) -> None:
        found = endpoint_address(url)
        if found is None or not found[2].get("model"):
            raise ChatUnavailable("a chat model is named like https://host/v1?model=NAME: state address and model.")
        self._address, self._shown, options = found
        self.model = options["model"]
        self._api_key = api_key
        self._timeout = timeout_seconds
        self._clock = clock

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, deadline: float
    ) -> Generator[str, None, tuple[ToolCall, ...]]:
        """The parts of the model's text as they come; returned are the tools that it wants to be run.

        Closing the generator ends the request. `deadline` is a time of the clock.

        Raises:
            ChatUnavailable: it does not answer in time, refuses, breaks off, or says what is no reply.
        """
        body: dict[str, Any] = {"model": self.model, "messages": list(messages), "stream": True}
        if tools:
            body["tools"] = list(tools)
        reply = _Reply()
        left = max(0.001, deadline - self._clock())
        try:
            with posted(
                f"{self._address}/chat/completions", body, api_key=self._api_key, key_setting="MESH_CHAT_API_KEY",
                timeout_seconds=min(self._timeout, left), stream_seconds=left,
            ) as answer:  # fmt: skip
                for part in self._parts(answer, deadline):
                    if text := reply.take(part):
                        yield text
        except EndpointFailed as error:
            raise self._failure(_LATE if self._clock() >= deadline else str(error)) from error
        except (KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RecursionError):
            raise self._failure("answered with no reply: check that it speaks OpenAI's API") from None
        if reply.end in _CUT:
            raise self._failure(f"was cut off in its reply ({reply.end}): ask for less, or allow it longer replies")
        if not reply.end:
            raise self._failure(_LATE if self._clock() >= deadline else "broke off its reply: repeat when it is well")
        return reply.tool_calls()

    def _parts(self, answer: HTTPResponse, deadline: float) -> Iterator[Mapping[str, Any]]:
        """The first choice of each event, or of the one document of an endpoint that does not stream."""
        if "text/event-stream" not in answer.headers.get("Content-Type", ""):
            yield json.loads(b"".join(self._chunks(answer, deadline)))["choices"][0]
            return
        for line in _lines(self._chunks(answer, deadline)):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            event = json.loads(data)
            if event.get("error"):
                raise EndpointFailed("failed in the middle of its reply: repeat when it is well")
            if event.get("choices"):
                yield event["choices"][0]

    def _chunks(self, answer: HTTPResponse, deadline: float) -> Iterator[bytes]:
        count = 0
        while chunk := answer.read1(_CHUNK):
            count += len(chunk)
            if count > _MOST_BYTES:
                raise EndpointFailed("said more than any answer needs: use another model")
            if self._clock() > deadline:
                raise EndpointFailed(_LATE)
            yield chunk

    def _failure(self, what: str) -> ChatUnavailable:
        return ChatUnavailable(f"the chat model {self.model} at {self._shown} {what}.")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        yield from whole
    if left:
        yield left
