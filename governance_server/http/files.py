"""The gateway's HTTP door for governed files: GET, HEAD and ranges, by sendfile; every request is decided anew."""

from __future__ import annotations

import asyncio
import threading

from aiohttp import web

from governance_server.gateway.tickets import Tickets
from governance_server.http.door import Door, application
from governance_server.listening import listening_socket
from governance_server.rules.errors import AccessDenied

__all__ = ["FilesServer"]

_HOST = "127.0.0.1"
_STOP_SECONDS = 5.0


class FilesServer:
    """Serves files on loopback from a thread with its own event loop; tickets carry its address.

    Raises: OSError if the port is taken.
    """

    def __init__(self, tickets: Tickets, *, port: int) -> None:
        self._tickets = tickets
        self._loop = asyncio.new_event_loop()
        self._socket = listening_socket(_HOST, port, "MESH_FILES_PORT")
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)
        tickets.base_url = f"http://{_HOST}:{self.port}"

    def start(self) -> None:
        """The door is open."""
        self._thread.start()

    def stop(self) -> None:
        """The door is closed."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        served = application()
        served.router.add_get("/files/{secret}/{name}", self._serve)
        door = Door(served, self._socket)
        self._loop.run_until_complete(door.open())
        self._loop.run_forever()
        self._loop.run_until_complete(door.close())
        self._loop.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, logged = self._tickets.resolve(request.match_info["secret"], request.match_info["name"])
        if logged is not None:
            await asyncio.wrap_future(logged)
        if path is None or not path.is_file():
            raise AccessDenied("This file is not, or no longer, yours to read: ask for it again.")
        return web.FileResponse(path, headers={"Content-Type": "application/vnd.apache.parquet", "Cache-Control": "no-store"})
