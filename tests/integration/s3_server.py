"""A real S3-compatible server for a test session: moto's, in a process of its own on loopback, ended by its process id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

_READY_SECONDS = 40


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an empty server."""
    with running_s3() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def new_warehouse(s3_endpoint: str) -> Iterator[Callable[[], str]]:
    """Gives `s3://…` of an empty warehouse; while the module's tests run, this process and its children reach it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_environment(s3_endpoint).items():
            patch.setenv(name, value)
        yield lambda: new_bucket(s3_endpoint)


def s3_environment(endpoint: str) -> dict[str, str]:
    """The standard variables by which the server is reached."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key-of-the-server",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-server",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def new_bucket(endpoint: str) -> str:
    """A warehouse's URL in a bucket of its own."""
    name = f"mesh-{uuid.uuid4().hex[:16]}"
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=10):
        return f"s3://{name}/lake/main"


@contextmanager
def running_s3() -> Iterator[str]:
    """The server runs while the block does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {"PATH": os.environ.get("PATH", ""), "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(16 << 20)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, endpoint)
        yield endpoint
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(process: subprocess.Popen[bytes], endpoint: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(endpoint, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the S3 server was not ready after {_READY_SECONDS} s")
