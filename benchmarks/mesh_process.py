"""A real server in processes of its own, started as `mesh serve` starts it, on free loopback ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import children
from domain_sdk import Mesh

__all__ = ["MeshProcess"]


class MeshProcess:
    """Control server and gateway over one home folder; may be started again after it was stopped."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.ready: dict[str, Any] = {}
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """It serves; returned are the seconds from the start of the process to its ready line."""
        ports = {"MESH_PORT": "0", "MESH_GATEWAY_PORT": "0", "MESH_FILES_PORT": "0"}
        environment = {**os.environ, **ports, "MESH_HOME": str(self.home), **self._environment}
        log = self.home.parent / f"{self.home.name}.log"
        with log.open("a") as errors:
            begin = time.perf_counter()
            command = [sys.executable, "-m", "governance_server", "serve"]
            self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            elapsed = time.perf_counter() - begin
        if not line:
            raise RuntimeError(f"the server did not start; the end of its log:\n{log.read_text()[-2000:]}")
        self.ready = json.loads(line)
        return elapsed

    def stop(self) -> None:
        """Both processes have ended."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its gateway ends by itself
            self._process.wait()
            raise
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def start_again(self) -> float:
        """It was stopped and serves again; returned are the seconds until it does."""
        self.stop()
        return self.start()

    def as_token(self, token: str) -> Mesh:
        """The mesh as the holder of a token."""
        return Mesh.connect(self.url, token)

    @property
    def pids(self) -> list[int]:
        """The control server's process and its gateway's."""
        assert self._process is not None
        return [self._process.pid, *children(self._process.pid)]

    @property
    def url(self) -> str:
        """Where the control server listens."""
        return str(self.ready["url"])

    @property
    def administrator_token(self) -> str:
        """The first administrator's token."""
        return Path(self.ready["administrator_token_file"]).read_text().strip()

    def administrator(self) -> Mesh:
        """The mesh as its administrator."""
        return Mesh.connect(self.url, self.administrator_token)

    def token(self, name: str, **principal: Any) -> str:  # noqa: ANN401  # passed on to create_principal
        """A token of a principal, which is created if it does not exist."""
        with self.administrator() as mesh:
            if name not in {known.name for known in mesh.admin.principals()}:
                mesh.admin.create_principal(name, **principal)
            return mesh.admin.create_token(name).secret

    def user(self, name: str, **principal: Any) -> Mesh:  # noqa: ANN401  # passed on to create_principal
        """The mesh as that principal."""
        return Mesh.connect(self.url, self.token(name, **principal))

    def warehouse(self, port: str) -> Path:
        """The Delta table of a port, for a peer that reads it without asking the mesh."""
        return self.home.joinpath("warehouse", *port.split("."))
