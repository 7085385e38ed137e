"""A real OpenFGA server for a benchmark, from the binary that `scripts/build-openfga` keeps in the user's cache; and its client.

The client is built from what the server's own reflection tells, so that both sides are called by the same Python gRPC.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench import NotRun

__all__ = ["OpenFga", "openfga_server"]

_READY_SECONDS = 60
_SERVICE = "openfga.v1.OpenFGAService"


class OpenFga:
    """Calls of the OpenFGA API by name, with messages made from dictionaries."""

    def __init__(self, address: str) -> None:
        import grpc
        from google.protobuf.descriptor_pool import DescriptorPool
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

        self._channel = grpc.insecure_channel(address)
        grpc.channel_ready_future(self._channel).result(_READY_SECONDS)
        self._service = DescriptorPool(ProtoReflectionDescriptorDatabase(self._channel)).FindServiceByName(_SERVICE)

    def method(self, name: str) -> tuple[Any, Any]:
        """The callable, and the function that makes its request from a dictionary."""
        from google.protobuf import json_format, message_factory

        found = self._service.methods_by_name[name]
        request, response = (message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type))
        call = self._channel.unary_unary(
            f"/{_SERVICE}/{name}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return call, lambda fields: json_format.ParseDict(fields, request())

    def call(self, name: str, fields: dict[str, Any]) -> Any:  # noqa: ANN401  # a message known at run time only
        """The reply to one request."""
        method, make = self.method(name)
        return method(make(fields), timeout=60)

    def close(self) -> None:
        """The channel is closed."""
        self._channel.close()


@contextmanager
def openfga_server(folder: Path, *options: str) -> Iterator[tuple[OpenFga, int]]:
    """An empty server on SQLite runs while the block does: its client and its process. Raises: NotRun, if it was never built."""
    binary = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "bin" / "openfga"
    if not binary.exists():
        raise NotRun(f"{binary} is not there: build OpenFGA with scripts/build-openfga.")
    folder.mkdir(parents=True, exist_ok=True)
    store = ["--datastore-engine", "sqlite", "--datastore-uri", f"file:{folder}/openfga.db"]
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    subprocess.run([str(binary), "migrate", *store], check=True, env=environment, capture_output=True)
    address = f"127.0.0.1:{_free_port()}"
    command = [
        str(binary), "run", *store, "--grpc-addr", address, "--http-enabled=false", "--metrics-enabled=false",
        "--log-level", "error", "--max-checks-per-batch-check", "100", "--request-timeout", "60s", *options,
    ]  # fmt: skip
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        with ExitStack() as stack:
            client = OpenFga(_listening(address, process, folder / "log"))
            stack.callback(client.close)
            yield client, process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listening(address: str, process: subprocess.Popen[bytes], log: Path) -> str:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return address
    raise RuntimeError(f"OpenFGA did not start; the end of its log:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
