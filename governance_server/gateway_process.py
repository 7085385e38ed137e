"""The gateway as a child process of the control server: started once, started again when it dies, ended with the server."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

from governance_server.config import Settings
from governance_server.stop_request import StopRequest

__all__ = ["OF_SERVER", "GatewayProcess"]

_LOG = logging.getLogger(__name__)
OF_SERVER = "server"
"""The value of MESH_PARENT_PIPE that tells a gateway that a server waits for its address, or for why it has none."""
_STOP_SECONDS = 5.0
_SHORT_LIFE_SECONDS, _LONGEST_PAUSE_SECONDS = 10.0, 30.0
_ENVIRONMENT = {
    # BLAS threads wait for each other by spinning, on a busy machine for a second. Many texts have a thread a core without them.
    "OPENBLAS_NUM_THREADS": "1",
    # Messages of megabytes come and go: given back to the system each time, they cost a third of a stream in page faults.
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}


class GatewayProcess:
    """The gateway's process. Any thread may stop it."""

    def __init__(self, settings: Settings, stop: StopRequest) -> None:
        self._settings = settings
        self._stop = stop
        self._process: subprocess.Popen[str] | None = None
        self._starting = threading.Lock()
        self.address = ""

    def launch(self) -> None:
        """The process has been started, unless the end was asked for; it does not serve yet."""
        environment = {**_ENVIRONMENT, **os.environ, **_environment(self._settings), "MESH_PARENT_PIPE": OF_SERVER}
        with self._starting:
            if self._stop.is_set():
                return
            self._process = subprocess.Popen(
                [sys.executable, "-m", "governance_server", "gateway"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
                start_new_session=True,
            )

    def await_ready(self) -> None:
        """The gateway serves and is kept serving. Raises: OSError if it does not start."""
        self._read_address()
        threading.Thread(target=self._keep, name="gateway-keeper", daemon=True).start()

    def stop(self) -> None:
        """The gateway has ended, and none is started any more."""
        self._stop.set()
        with self._starting:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _read_address(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise OSError(f"the gateway did not start (exit status {process.wait()}): the log says why")
        ready = json.loads(line)
        if "failed" in ready:
            raise OSError(f"the gateway did not start: {ready['failed']}")
        self.address = ready["gateway"]
        port = int(self.address.rpartition(":")[2])
        self._settings = replace(self._settings, gateway_port=port, files_port=int(ready["files"]))

    def _keep(self) -> None:
        """Until the end is asked for a gateway that died is started again; what dies again and again, after longer pauses."""
        short_lives = 0
        while not self._stop.is_set():
            begun = time.monotonic()
            assert self._process is not None
            status = self._process.wait()
            if self._stop.is_set():
                return
            short_lives = short_lives + 1 if time.monotonic() - begun < _SHORT_LIFE_SECONDS else 0
            pause = min(2.0 ** (short_lives - 2), _LONGEST_PAUSE_SECONDS) if short_lives > 1 else 0.0
            _LOG.error("gateway ended status=%s, starting it again in %g s", status, pause)
            self._stop.wait(pause)
            try:
                self._start_again()
            except OSError as error:
                _LOG.error("gateway did not start again error=%s", error)  # the message says it all

    def _start_again(self) -> None:
        before = self._process
        self.launch()
        if before is not None and before is not self._process:
            for pipe in (before.stdin, before.stdout):
                if pipe is not None:
                    pipe.close()
        if not self._stop.is_set():
            self._read_address()


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "MESH_HOME": str(settings.home),
        "MESH_HOST": settings.host,
        "MESH_PORT": str(settings.port),
        "MESH_GATEWAY_PORT": str(settings.gateway_port),
        "MESH_FILES_PORT": str(settings.files_port),
        "MESH_DATABASE": settings.database_url,
    }
