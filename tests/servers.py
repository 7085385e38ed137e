"""Real servers for tests: started as `mesh serve` starts them, on free loopback ports, ended by process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain_sdk import Mesh

__all__ = ["RunningServer"]

_END_SECONDS = 50.0
"""Longer than a server gives itself."""


class RunningServer:
    """A server in a process of its own, with its gateway."""

    def __init__(self, home: Path, *, launcher: Sequence[str] = (), **environment: str) -> None:
        """`launcher`: a command that becomes the one it is given, after it has prepared something."""
        self.home = home
        self.launcher = launcher
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}
        self.start()

    def start(self, extra: Mapping[str, str] | None = None) -> None:
        """The server serves; its ports stay the same over restarts."""
        ports = {"MESH_PORT": "0", "MESH_GATEWAY_PORT": "0", "MESH_FILES_PORT": "0"}
        environment = {**os.environ, **ports, "MESH_HOME": str(self.home), **self.environment, **(extra or {})}
        self.log = self.home.parent / f"{self.home.name}.log"
        with self.log.open("a") as log:
            command = [*self.launcher, sys.executable, "-m", "governance_server", "serve"]
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.wait()
            raise AssertionError(f"the server did not start: {self.log.read_text()[-2000:]}")
        self.ready = json.loads(line)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def admin_token(self) -> str:
        return Path(self.ready["administrator_token_file"]).read_text().strip()

    def admin(self) -> Mesh:
        """The mesh as its first administrator."""
        return Mesh.connect(self.url, self.admin_token)

    def user(self, name: str, **principal: Any) -> Mesh:
        """The mesh as a principal, created if it does not exist; an administrator has its own token and a seat."""
        with self.admin() as mesh:
            is_administrator = principal.pop("is_administrator", False)
            if name not in {p.name for p in mesh.admin.principals()}:
                mesh.admin.create_principal(name, **principal)
            secret = mesh.admin.create_token(name).secret
            if is_administrator:
                mesh.admin.update_principal(name, is_administrator=True)
                with Mesh.connect(self.url, secret) as handed_out:
                    return Mesh.connect(self.url, handed_out.admin.activate_token().secret)
            return Mesh.connect(self.url, secret)

    @property
    def gateway_pid(self) -> int:
        """The gateway's process."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()  # a later gateway is the child of another thread
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        (gateway,) = [child for child in children if b"gateway" in Path(f"/proc/{child}/cmdline").read_bytes().split(bytes(1))]
        return int(gateway)

    def kill(self) -> None:
        """The server is dead by SIGKILL; its gateway ends by itself."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """The exit status, once the process has ended."""
        assert self.process is not None
        try:
            return self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its gateway ends by itself; nothing may outlive the test
            self.process.wait()
            raise AssertionError(f"the server did not end: {self.log.read_text()[-4000:]}") from None
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()

    def stop(self) -> None:
        """The server has ended in good order."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            self.wait()
