"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as the official clients send them.

Thin: identity, body, intake, receipt. A body may be compressed with gzip; its length counts as it is after that. In a batch each
event is accepted or refused by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from governance_server.caller import Caller
from governance_server.http.refusals import refusal
from governance_server.http.server import Identify
from governance_server.lineage.intake import LineageIntake, take_all
from governance_server.lineage.json_parts import Part, array_parts
from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.receipt import LineageReceipt
from governance_server.lineage.taking import Taking
from governance_server.rules.errors import GovernanceError, TooLarge

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
        part = Part(await request.read())
        if len(part.text) <= _INLINE_BYTES:
            accepted = self._intake.judge(part, caller)
        else:
            accepted = await asyncio.to_thread(self._intake.judge, part, caller)
        return _answer(await self._gathered.receipt_of(accepted))

    async def _many(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await request.read()
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

    async def receipt_of(self, accepted: AcceptedEvent) -> LineageReceipt:
        """The receipt. Raises: GovernanceError, why there is none."""
        waiting: asyncio.Future[LineageReceipt] = self._loop.create_future()
        self._leaving.append((waiting, accepted))
        if len(self._leaving) == 1:
            self._loop.call_soon(self._leave)
        return await waiting

    def _leave(self) -> None:
        leaving, self._leaving = self._leaving, []
        waiting = [it for it, _ in leaving]

        def done(taking: Taking) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it who waited
                self._loop.call_soon_threadsafe(_arrive, waiting, taking)

        self._intake.take(Taking([accepted for _, accepted in leaving], done))


def _arrive(waiting: Sequence[asyncio.Future[LineageReceipt]], taking: Taking) -> None:
    for future, answer in zip(waiting, taking.answers, strict=True):
        if future.cancelled():
            continue
        if isinstance(answer, LineageReceipt):
            future.set_result(answer)
        else:
            assert answer is not None, "it is called when all are answered"
            future.set_exception(answer)


def _answer(content: object, status: int = 200) -> web.Response:
    import orjson
    from aiohttp import web

    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json", charset="utf-8")
