"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as the official clients send them.

Thin: identity, body, intake, receipt. A body may be compressed with gzip; its length counts as it is after that. In a batch each
event is accepted or refused by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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
        application.router.add_post("/api/v1/lineage", self._one)
        application.router.add_post("/api/v1/lineage/batch", self._many)

    async def _one(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await _body(request)
        if len(body) <= _INLINE_BYTES:
            future = self._intake.receive(body, caller)
        else:
            future = await asyncio.to_thread(self._intake.receive, body, caller)
        receipt: LineageReceipt = await asyncio.wrap_future(future)
        return _answer(asdict(receipt))

    async def _many(self, request: web.Request) -> web.Response:
        caller = await self._identify(request)
        body = await _body(request)
        results = await asyncio.to_thread(self._receive_all, body, caller)
        answered: list[dict[str, Any]] = []
        for index, result in enumerate(results):
            try:
                receipt = await asyncio.wrap_future(result) if not isinstance(result, GovernanceError) else None
            except GovernanceError as error:
                result, receipt = error, None
            if receipt is None:
                assert isinstance(result, GovernanceError), "what has no receipt was refused"
                answered.append({"index": index, "status": "refused", **refusal(result)})
            else:
                answered.append({"index": index, "status": "accepted", "receipt": asdict(receipt)})
        accepted = sum(it["status"] == "accepted" for it in answered)
        word = "success" if accepted == len(answered) else "partial_success" if accepted else "failure"
        summary = {"received": len(answered), "successful": accepted, "failed": len(answered) - accepted}
        return _answer({"status": word, "summary": summary, "results": answered}, status=200 if accepted or not answered else 400)

    def _receive_all(self, body: bytes, caller: Caller) -> Sequence[Any]:
        """For each event of the array its receipt's promise or its refusal. Raises: Invalid, TooLarge."""
        results: list[Any] = []
        parts = array_parts(body)
        if len(parts) > _MOST_EVENTS:
            raise TooLarge(f"A batch of {len(parts)} events: send at most {_MOST_EVENTS}.")
        for part in parts:
            try:
                results.append(self._intake.receive(part, caller))
            except GovernanceError as error:
                results.append(error)
        return results


async def _body(request: web.Request) -> bytes:
    from aiohttp import web

    try:
        return await request.read()
    except web.HTTPBadRequest as error:
        raise Invalid("The body cannot be read: it is not what its Content-Encoding says.") from error


def _answer(content: dict[str, Any], status: int = 200) -> web.Response:
    from aiohttp import web

    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json")
