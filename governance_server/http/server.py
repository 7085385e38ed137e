"""The control server's HTTP door: one port, on which each open protocol has its paths.

Owns listening, identity and how refusals look over HTTP. The port is bound at once; the library behind it is imported by the
door's own thread, so that a server is ready without waiting for it: callers that come earlier are kept by the system meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from domainmesh.v1 import error_reason_pb2 as pb
from governance_server.authentication import Authenticator
from governance_server.caller import Caller
from governance_server.config import Settings
from governance_server.listening import listening_socket, server_certificates
from governance_server.rules.errors import GovernanceError, Unauthenticated, Unavailable
from governance_server.storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["HttpServer", "Identify", "refusal"]

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 5.0
_FINISH_SECONDS = 2.0
_OWN_TOKEN = "Bearer mesh_"
_STATUS: dict[pb.ErrorReason.ValueType, int] = {
    pb.ERROR_REASON_UNAUTHENTICATED: 401,
    pb.ERROR_REASON_ACCESS_DENIED: 403,
    pb.ERROR_REASON_NOT_FOUND: 404,
    pb.ERROR_REASON_INVALID: 400,
    pb.ERROR_REASON_WRONG_STATE: 409,
    pb.ERROR_REASON_TOO_LARGE: 413,
    pb.ERROR_REASON_OVERLOADED: 503,
    pb.ERROR_REASON_STORAGE_UNAVAILABLE: 503,
}

Identify = Callable[["web.Request"], Any]
"""An awaitable of the caller whose token a request carries. Raises: GovernanceError."""


class HttpServer:
    """Serves paths from a thread with its own event loop.

    Args:
        settings: Host, port and certificates.
        authenticator: Whose tokens are accepted.
        mounts: Each adds its paths to the application; it is given how to tell the caller of a request.
    """

    def __init__(
        self, settings: Settings, authenticator: Authenticator, *mounts: Callable[[web.Application, Identify], None]
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._mounts = mounts
        self._loop = asyncio.new_event_loop()
        self._must_stop = asyncio.Event()
        self._socket = listening_socket(settings.host, settings.http_port, "MESH_HTTP_PORT")
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """The door opens as soon as the library is imported; who knocks before that waits."""
        self._thread.start()

    def stop(self) -> None:
        """The door is closed, requests that were being served have been answered."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._must_stop.set)
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    async def identify(self, request: web.Request) -> Caller:
        """The caller whose token the request carries. Raises: GovernanceError."""
        authorization, call_id = request.headers.get("Authorization", ""), secrets.token_hex(8)
        if not authorization:
            raise Unauthenticated("This needs a token: send the header `Authorization: Bearer <token>`.")
        if authorization.startswith(_OWN_TOKEN):
            caller = self._authenticator.identify(authorization, call_id=call_id)
            weighed = self._authenticator.weigh_at_once(caller)  # each turn of another thread costs more than an event
            return await asyncio.to_thread(self._authenticator.weigh, caller) if weighed is None else weighed
        return await asyncio.to_thread(self._authenticator.authenticate, authorization, call_id=call_id)

    def _run(self) -> None:
        from aiohttp import web

        asyncio.set_event_loop(self._loop)
        application = web.Application(client_max_size=self._settings.max_message_bytes, middlewares=[_refusing(web)])
        for mount in self._mounts:
            mount(application, self.identify)
        self._loop.run_until_complete(self._serve(web.AppRunner(application, access_log=None, shutdown_timeout=_FINISH_SECONDS)))
        self._loop.close()

    async def _serve(self, runner: web.AppRunner) -> None:
        """The door is open until it is told to close, which may be before it has opened."""
        from aiohttp import web

        await runner.setup()
        await web.SockSite(runner, self._socket, ssl_context=server_certificates(self._settings)).start()
        await self._must_stop.wait()
        await runner.cleanup()


def refusal(error: GovernanceError) -> dict[str, Any]:
    """The error as JSON: what failed, on what, and every violation."""
    reason = pb.ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
    violations = [{"path": it.path, "message": it.message} for it in error.problems[:100]]
    return {"error": reason, "message": error.message, "resource": error.resource, "violations": violations}


def _refusing(web: Any) -> Any:  # noqa: ANN401  # aiohttp is imported late
    @web.middleware  # type: ignore[untyped-decorator]  # of a module imported late
    async def refuse(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            message = "The body is longer than this server takes (MESH_MAX_MESSAGE_BYTES): send less at once."
            body = {"error": "TOO_LARGE", "message": message, "resource": "", "violations": []}
            return web.json_response(body, status=413)
        except web.HTTPException:
            raise
        except GovernanceError as error:
            return web.json_response(refusal(error), status=_STATUS.get(error.reason, 500))
        except StorageUnavailable:
            _LOG.exception("http storage unavailable path=%s", request.path)
            return web.json_response(refusal(Unavailable("The mesh's storage does not answer: try again.")), status=503)
        except Exception:  # noqa: BLE001  # the door's edge: whoever knocks gets an answer, the log what happened
            _LOG.exception("http failed path=%s", request.path)
            return web.json_response({"error": "INTERNAL", "message": "The server failed; its log says why."}, status=500)

    return refuse
