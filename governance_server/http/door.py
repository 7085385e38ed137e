"""An open HTTP port: whatever is wrong with a request is told as one JSON error, whoever finds it.

aiohttp refuses much by itself, before any handler or middleware, in plain text, and logs that as a failure with the request's own
bytes, tokens among them: so connections are ours. What a client did wrong is never logged as an error. Imports aiohttp: loaded
by the threads that serve.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientError, web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from governance_server.http.refusals import refusal, status_of, words_of
from governance_server.rules.errors import GovernanceError, Invalid, Unavailable
from governance_server.storage.errors import StorageUnavailable

__all__ = ["Door", "application"]

_LOG = logging.getLogger(__name__)
_FINISH_SECONDS = 2.0
"""What a request that is being served may take when the door closes."""
_BACKLOG = 128
_ENCODINGS = {"gzip", "deflate", "identity"}
_UNREADABLE = (HttpProcessingError, ClientError, web.RequestPayloadError)
_KEPT_HEADERS = ("Allow", "Accept-Encoding")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(*, most_bytes: int = 1 << 20) -> web.Application:
    """An application without paths, in which handlers may raise our errors; bodies are `most_bytes` long at most."""
    return web.Application(client_max_size=most_bytes, middlewares=[_refuse])


class Door:
    """Serves an application on a socket, in the running event loop."""

    def __init__(self, served: web.Application, listening: socket.socket, certificates: ssl.SSLContext | None = None) -> None:
        self._runner = web.AppRunner(served, access_log=None, shutdown_timeout=_FINISH_SECONDS)
        self._socket = listening
        self._certificates = certificates

    async def open(self) -> None:
        """The door is open."""
        await self._runner.setup()
        manager, loop = self._runner.server, asyncio.get_running_loop()
        assert manager is not None, "the runner was set up"
        self._server = await loop.create_server(
            lambda: _Connection(manager, loop=loop, access_log=None),  # type: ignore[arg-type]  # as its runner does
            sock=self._socket, ssl=self._certificates, backlog=_BACKLOG,
        )  # fmt: skip

    async def close(self) -> None:
        """The door is closed; requests that were being served had their time to be answered."""
        self._server.close()
        await self._runner.cleanup()


@web.middleware
async def _refuse(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        _check_encoding(request)
        return await handler(request)
    except web.HTTPException:
        raise  # told by the connection
    except GovernanceError as error:
        return web.json_response(refusal(error), status=status_of(error))
    except StorageUnavailable:
        _LOG.exception("http storage unavailable path=%s", request.path)
        return web.json_response(refusal(Unavailable("The mesh's storage does not answer: try again.")), status=503)
    except _UNREADABLE:
        unreadable = Invalid("The body cannot be read: it is not what its Content-Encoding and Transfer-Encoding say.")
        return web.json_response(refusal(unreadable), status=400)
    except Exception as error:  # noqa: BLE001  # the door's edge: whoever knocks gets an answer, the log what happened
        if isinstance(error, ConnectionError) and request.transport is None:
            _LOG.info("http client left path=%s", request.path)
        else:
            _LOG.exception("http failed path=%s", request.path)
        return _told(500)


def _check_encoding(request: web.Request) -> None:
    """Returns if the body is read as the client meant it. The library takes what it does not know for no encoding at all."""
    named = ",".join(request.headers.getall("Content-Encoding", ())).strip()
    if named and named.lower() not in _ENCODINGS:
        raise web.HTTPUnsupportedMediaType


def _told(status: int, headers: dict[str, str] | None = None) -> web.Response:
    kept = {name: value for name, value in (headers or {}).items() if name in _KEPT_HEADERS}
    if status == 415:
        kept["Accept-Encoding"] = "gzip, deflate"  # RFC 9110 section 15.5.16
    return web.json_response(words_of(status, kept.get("Allow", "")), status=status, headers=kept)


class _Connection(web.RequestHandler):
    """A client's connection, whose refusals are ours."""

    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """The response is sent, in our words if the library made it."""
        told = _told(resp.status, dict(resp.headers)) if isinstance(resp, web.HTTPException) else resp
        return await super().finish_response(request, told, start_time)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The response to what is no request, or to what failed outside of any handler. The connection ends."""
        self.log_exception("http failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        known = {LineTooLong: 431, ContentEncodingError: 415}
        response = _told(next((it for kind, it in known.items() if isinstance(exc, kind)), status))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401  # as the library calls it
        """The failure is logged, unless it is the client's; the library's messages hold bytes of the request."""
        error = kw.get("exc_info")
        if isinstance(error, _UNREADABLE):
            _LOG.info("http request refused kind=%s", type(error).__name__)
        else:
            super().log_exception(*args, **kw)
