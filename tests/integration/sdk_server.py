"""A real server process for the SDK's tests, and people to act as."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain_sdk import Mesh

__all__ = ["People", "running_server"]


class People:
    """The mesh as its administrator sees it, and by name as principals do, made on first use with tokens of their own."""

    def __init__(self, url: str, administrator_token: str) -> None:
        self.url = url
        self.admin = Mesh.connect(url, administrator_token)
        self._by_name: dict[str, Mesh] = {}

    def __getitem__(self, name: str) -> Mesh:
        """The mesh as the principal sees it."""
        if name not in self._by_name:
            if name not in {principal.name for principal in self.admin.admin.principals()}:
                self.admin.admin.create_principal(name)
            with Mesh.connect(self.url, self.admin.admin.create_token(name).secret) as handed_out:
                own = handed_out.admin.activate_token().secret
            self._by_name[name] = Mesh.connect(self.url, own)
        return self._by_name[name]

    def close(self) -> None:
        """Every connection is closed."""
        for mesh in (self.admin, *self._by_name.values()):
            mesh.close()


@contextmanager
def running_server(home: Path) -> Iterator[People]:
    """Control server and gateway on free ports, with the hashing embedder; ended on leaving."""
    ports = {"MESH_PORT": "0", "MESH_GATEWAY_PORT": "0", "MESH_FILES_PORT": "0"}
    settings = {**os.environ, **ports, "MESH_HOME": str(home), "MESH_EMBEDDER": "hashing"}
    command = [sys.executable, "-m", "governance_server", "serve"]
    with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            people = People(ready["url"], Path(ready["administrator_token_file"]).read_text().strip())
            try:
                yield people
            finally:
                people.close()
        finally:
            process.terminate()
