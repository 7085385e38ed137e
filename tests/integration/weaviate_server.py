"""A real Weaviate server for a test session: built once into the cache, bound to loopback, ended by its process id."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.shared_data import ROOT

_READY_SECONDS = 40
_PORTS = ("http", "grpc", "gossip", "data", "raft", "raft_rpc")


@pytest.fixture(scope="session")
def weaviate_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`weaviate://127.0.0.1:…?grpc_port=…` of an empty server, for `open_store`."""
    with running_weaviate(weaviate_binary(), tmp_path_factory.mktemp("weaviate")) as url:
        yield url


def weaviate_binary() -> Path:
    """The cached binary, built if absent. Without Go the test skips; under CI=true it fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not (cache / "domain-mesh" / "bin" / "weaviate-server").exists() and shutil.which("go") is None:
        message = "Weaviate is not built and Go is not installed: install Go, then run scripts/build-weaviate"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    built = subprocess.run([ROOT / "scripts" / "build-weaviate"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(built.stdout.strip())


@contextmanager
def running_weaviate(
    binary: Path,
    folder: Path,
    settings: Mapping[str, str] = MappingProxyType({}),
    *,
    certificate: Path | None = None,
    started: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    ports: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """The server runs while the block does; data and log lie in `folder`, where a second run finds them again.

    Args:
        binary: The server.
        folder: Of data and log.
        settings: More of its environment.
        certificate: It is reached by TLS only, under this certificate.
        started: Is told its process.
        ports: Those it listens on, as `free_ports` gives them; by default new ones.
    """
    ports = ports or free_ports()
    command = [str(binary), "--host", "127.0.0.1", "--port", str(ports["http"]), "--scheme", "http"]
    if certificate is not None:
        command = [str(binary), "--tls-host", "127.0.0.1", "--tls-port", str(ports["http"]), "--scheme", "https"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**_environment(folder / "data", ports), **settings}, stdout=log, stderr=log, cwd=folder
        )
        try:
            started(process)
            _wait_until_ready(process, ports["http"], folder / "log", certificate)
            url = f"weaviate://127.0.0.1:{ports['http']}?grpc_port={ports['grpc']}"
            yield f"{url}&secure=true" if certificate is not None else url
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(data: Path, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(data.parent),
        "PERSISTENCE_DATA_PATH": str(data),
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
        "GOMEMLIMIT": "1GiB",
        "GOMAXPROCS": "2",
        "LIMIT_RESOURCES": "false",
    }


def free_ports() -> dict[str, int]:
    """Ports for one server that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return dict(zip(_PORTS, (one.getsockname()[1] for one in sockets), strict=True))


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, certificate: Path | None) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    trusted = ssl.create_default_context(cafile=str(certificate)) if certificate is not None else None
    address = f"http{'s' if certificate is not None else ''}://127.0.0.1:{port}/v1/.well-known/ready"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=2, context=trusted) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"Weaviate was not ready after {_READY_SECONDS} s; the end of its log:\n{tail}")
