"""A real Weaviate server for a benchmark, from the binary that `scripts/build-weaviate` keeps in the user's cache."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import NotRun

__all__ = ["WeaviateAddress", "weaviate_server"]

_READY_SECONDS = 60
_REST_SECONDS, _QUIET_SECONDS, _IDLE = 120, 3, 0.1
_PORTS = ("http", "grpc", "gossip", "data", "raft", "raft_rpc")


@dataclass(frozen=True, slots=True)
class WeaviateAddress:
    """Where it listens, on loopback."""

    http_port: int
    grpc_port: int
    pid: int

    @property
    def url(self) -> str:
        """As `MESH_VECTORS` wants it."""
        return f"weaviate://127.0.0.1:{self.http_port}?grpc_port={self.grpc_port}"

    def rest(self) -> None:
        """Returns when the server has done what it put off (writing, merging), so that what is measured next does not pay."""
        quiet = 0
        for _ in range(_REST_SECONDS):
            before = self._processor_seconds()
            time.sleep(1)
            quiet = quiet + 1 if self._processor_seconds() - before < _IDLE else 0
            if quiet == _QUIET_SECONDS:
                return
        raise RuntimeError(f"Weaviate was still busy after {_REST_SECONDS} s.")

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def weaviate_server(folder: Path) -> Iterator[WeaviateAddress]:
    """An empty server runs while the block does; its data lies in the folder. Raises: NotRun, if it was never built."""
    binary = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "bin" / "weaviate-server"
    if not binary.exists():
        raise NotRun(f"{binary} is not there: build Weaviate with scripts/build-weaviate.")
    folder.mkdir(parents=True, exist_ok=True)
    ports = _free_ports()
    command = [str(binary), "--host", "127.0.0.1", "--port", str(ports["http"]), "--scheme", "http"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=_environment(folder, ports), stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_ready(process, ports["http"], folder / "log")
        yield WeaviateAddress(ports["http"], ports["grpc"], process.pid)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "PERSISTENCE_DATA_PATH": str(folder / "data"),
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "AUTOSCHEMA_ENABLED": "false",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_BIND_ADDR": "127.0.0.1",
        "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
        "CLUSTER_GOSSIP_BIND_PORT": str(ports["gossip"]),
        "CLUSTER_DATA_BIND_PORT": str(ports["data"]),
        "RAFT_PORT": str(ports["raft"]),
        "RAFT_INTERNAL_RPC_PORT": str(ports["raft_rpc"]),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "GRPC_PORT": str(ports["grpc"]),
        "PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "5",  # until then keyword ranks are wrong: docs/operations.md
        "GO_PROFILING_DISABLE": "true",
        "DISABLE_TELEMETRY": "true",
        "LOG_LEVEL": "warning",
        "LIMIT_RESOURCES": "false",
    }


def _free_ports() -> dict[str, int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return dict(zip(_PORTS, (one.getsockname()[1] for one in sockets), strict=True))


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/.well-known/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"Weaviate was not ready; the end of its log:\n{log.read_text(errors='replace')[-2000:]}")
