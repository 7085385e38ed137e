"""The gateway's HTTP door for governed files: GET, HEAD and ranges, by sendfile; every request is decided anew."""

from __future__ import annotations

import asyncio
import threading

from aiohttp import web

from governance_server.gateway.tickets import Tickets
from governance_server.rules.errors import Unavailable

__all__ = ["FilesServer"]


class FilesServer:
    """Serves files on loopback from a thread with its own event loop."""

    def __init__(self, tickets: Tickets, *, port: int) -> None:
        self._tickets = tickets
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._error: OSError | None = None
        self.port = port
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def start(self) -> None:
        """The door is open; `port` is the real one and tickets carry its address. Raises: OSError if the port is taken."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        self._tickets.base_url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """The door is closed."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_get("/files/{secret}/{name}", self._serve)
        runner = web.AppRunner(application, access_log=None)
        try:
            self._loop.run_until_complete(runner.setup())
            site = web.TCPSite(runner, "127.0.0.1", self.port)
            self._loop.run_until_complete(site.start())
            self.port = runner.addresses[0][1]
        except OSError as error:
            self._error = error
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            path, logged = self._tickets.resolve(request.match_info["secret"], request.match_info["name"])
            if logged is not None:
                await asyncio.wrap_future(logged)
        except Unavailable as error:
            raise web.HTTPServiceUnavailable(text=error.message) from error
        if path is None or not path.is_file():
            raise web.HTTPForbidden(text="This file is not, or no longer, yours to read: ask for it again.")
        return web.FileResponse(path, headers={"Content-Type": "application/vnd.apache.parquet", "Cache-Control": "no-store"})
