"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as the official clients send them.

Thin: identity, body, intake, receipt. A body may be compressed with gzip; its length counts as it is after that. In a batch each
event is accepted or refused by itself.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from governance_server.caller import Caller
from governance_server.http.server import Identify, refusal
from governance_server.lineage.intake import LineageIntake, take_all
from governance_server.lineage.json_parts import Part, array_parts
from governance_server.lineage.judging import AcceptedEvent
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
        self._gathered = _Gathered(self._intake, asyncio.get_event_loop())
        application.router.add_post("/api/v1/lineage", self._one)
        application.router.add_post("/api/v1/lineage/batch", self._many)

    async def _one(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        part = Part(await _body(request))
        if len(part.text) <= _INLINE_BYTES:
            accepted = self._intake.judge(part, caller)
        else:
            accepted = await asyncio.to_thread(self._intake.judge, part, caller)
        return _answer(await self._gathered.receipt_of(accepted))

    async def _many(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await _body(request)
        results = await asyncio.to_thread(self._take_all, body, caller)
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

    def _take_all(self, body: bytes, caller: Caller) -> list[LineageReceipt | GovernanceError]:
        """For each event of the array its receipt or its refusal. Raises: Invalid, TooLarge."""
        parts = array_parts(body)
        if len(parts) > _MOST_EVENTS:
            raise TooLarge(f"A batch of {len(parts)} events: send at most {_MOST_EVENTS}.")
        return take_all(self._intake, parts, caller)


class _Gathered:
    """Single events on their way to the writer's thread and their receipts on the way back, many at a time.

    What the loop has read in one turn goes over together and becomes durable in one commit; all receipts of a commit wake the
    loop once. Each waking of a thread costs more than an event.
    """

    def __init__(self, intake: LineageIntake, loop: asyncio.AbstractEventLoop) -> None:
        self._intake = intake
        self._loop = loop
        self._leaving: list[tuple[asyncio.Future[LineageReceipt], AcceptedEvent]] = []
        self._ready: list[tuple[asyncio.Future[LineageReceipt], Future[LineageReceipt]]] = []
        self._lock = threading.Lock()

    async def receipt_of(self, accepted: AcceptedEvent) -> LineageReceipt:
        """The receipt. Raises: what the promise fails with."""
        waiting: asyncio.Future[LineageReceipt] = self._loop.create_future()
        self._leaving.append((waiting, accepted))
        if len(self._leaving) == 1:
            self._loop.call_soon(self._leave)
        return await waiting

    def _leave(self) -> None:
        leaving, self._leaving = self._leaving, []
        promises = self._intake.take([accepted for _, accepted in leaving])
        for (waiting, _), promise in zip(leaving, promises, strict=True):
            promise.add_done_callback(partial(self._arrive, waiting))

    def _arrive(self, waiting: asyncio.Future[LineageReceipt], done: Future[LineageReceipt]) -> None:
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
