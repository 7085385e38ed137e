"""The control server's HTTP door: one port, on which each open protocol has its paths.

Owns listening and identity. The port is bound at once; the library behind it is imported by the
door's own thread, so that a server is ready without waiting for it: callers that come earlier are kept by the system meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from governance_server.authentication import Authenticator, presents_own_token
from governance_server.caller import Caller
from governance_server.config import Settings
from governance_server.listening import listening_socket, server_certificates
from governance_server.rules.errors import Unauthenticated

if TYPE_CHECKING:
    from aiohttp import web

    from governance_server.http.door import Door

__all__ = ["HttpServer", "Identify"]

_STOP_SECONDS = 5.0

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
        if presents_own_token(authorization):
            caller = self._authenticator.identify(authorization, call_id=call_id)
            weighed = self._authenticator.weigh_at_once(caller)  # each turn of another thread costs more than an event
            return await asyncio.to_thread(self._authenticator.weigh, caller) if weighed is None else weighed
        return await asyncio.to_thread(self._authenticator.authenticate, authorization, call_id=call_id)

    def _run(self) -> None:
        from governance_server.http.door import Door, application

        asyncio.set_event_loop(self._loop)
        served = application(most_bytes=self._settings.max_message_bytes)
        for mount in self._mounts:
            mount(served, self.identify)
        self._loop.run_until_complete(self._serve(Door(served, self._socket, server_certificates(self._settings))))
        self._loop.close()

    async def _serve(self, door: Door) -> None:
        """The door is open until it is told to close, which may be before it has opened."""
        await door.open()
        await self._must_stop.wait()
        await door.close()
