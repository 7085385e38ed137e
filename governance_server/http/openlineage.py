"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as the official clients send them.

Thin: identity, body, intake, receipt. A body may be compressed with gzip; its length counts as it is after that. In a batch each
event is accepted or refused by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from governance_server.caller import Caller
from governance_server.http.server import Identify, refusal
from governance_server.lineage.intake import LineageIntake
from governance_server.lineage.json_parts import array_parts
from governance_server.lineage.receipt import LineageReceipt
from governance_server.rules.errors import GovernanceError, Invalid, TooLarge

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["OpenLineageApi"]

_MOST_EVENTS = 10_000
_INLINE_BYTES = 128 << 10
"""Longer bodies are parsed on a thread of their own, so that nobody else waits for them."""


class OpenLineageApi:
    """Serves the two paths."""

    def __init__(self, intake: LineageIntake) -> None:
        self._intake = intake

    def mount(self, application: web.Application, identify: Identify) -> None:
        """The paths are the application's."""
        self._identify = identify
        self._answers = _Answers(asyncio.get_event_loop())
        application.router.add_post("/api/v1/lineage", self._one)
        application.router.add_post("/api/v1/lineage/batch", self._many)

    async def _one(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await _body(request)
        if len(body) <= _INLINE_BYTES:
            future = self._intake.receive(body, caller)
        else:
            future = await asyncio.to_thread(self._intake.receive, body, caller)
        return _answer(await self._answers.of(future))

    async def _many(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await _body(request)
        results = await asyncio.to_thread(self._receive_all, body, caller)
        answered: list[dict[str, Any]] = [
            {"index": index, "status": "refused", **refusal(result)}
            if isinstance(result, GovernanceError)
            else {"index": index, "status": "accepted", "receipt": result}
            for index, result in enumerate(results)
        ]
        accepted = sum(it["status"] == "accepted" for it in answered)
        word = "success" if accepted == len(answered) else "partial_success" if accepted else "failure"
        summary = {"received": len(answered), "successful": accepted, "failed": len(answered) - accepted}
        return _answer({"status": word, "summary": summary, "results": answered}, status=200 if accepted or not answered else 400)

    def _receive_all(self, body: bytes, caller: Caller) -> list[LineageReceipt | GovernanceError]:
        """For each event of the array its receipt or its refusal. Raises: Invalid, TooLarge."""
        parts = array_parts(body)
        if len(parts) > _MOST_EVENTS:
            raise TooLarge(f"A batch of {len(parts)} events: send at most {_MOST_EVENTS}.")
        taken = [_taken(partial(self._intake.receive, part, caller)) for part in parts]
        return [it if isinstance(it, GovernanceError) else _taken(it.result) for it in taken]


_T = TypeVar("_T")


def _taken(step: Callable[[], _T]) -> _T | GovernanceError:
    try:
        return step()
    except GovernanceError as error:
        return error


class _Answers:
    """Receipts on their way from the writer's thread to the loop: all of one commit wake it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[tuple[asyncio.Future[LineageReceipt], Future[LineageReceipt]]] = []
        self._lock = threading.Lock()

    async def of(self, future: Future[LineageReceipt]) -> LineageReceipt:
        """The receipt. Raises: what the promise fails with."""
        waiting: asyncio.Future[LineageReceipt] = self._loop.create_future()
        future.add_done_callback(lambda done: self._put(waiting, done))
        return await waiting

    def _put(self, waiting: asyncio.Future[LineageReceipt], done: Future[LineageReceipt]) -> None:
        with self._lock:
            self._ready.append((waiting, done))
            is_first = len(self._ready) == 1
        if is_first:
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, []
        for waiting, done in ready:
            error = done.exception()
            if waiting.cancelled():
                continue
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())


async def _body(request: web.Request) -> bytes:
    from aiohttp import ClientError, web
    from aiohttp.http_exceptions import HttpProcessingError

    try:
        return await request.read()
    except (web.HTTPBadRequest, web.RequestPayloadError, ClientError, HttpProcessingError) as error:
        raise Invalid("The body cannot be read: it is not what its Content-Encoding says.") from error


def _answer(content: object, status: int = 200) -> web.Response:
    import orjson
    from aiohttp import web

    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json", charset="utf-8")
