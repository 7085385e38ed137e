"""Whether anything is still given after a grant was revoked: counted, not timed."""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.timing import percentile

if TYPE_CHECKING:
    from domain_sdk import Mesh

__all__ = ["revocation"]

_LOOPS = 200
_PORT = "desk.notes.notes"
_CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: desk.notes
name: Notes
version: 1.0.0
status: active
domain: desk
schema:
  - name: notes
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, description: Number.}
"""


def revocation(bench: Bench) -> Iterator[Figure]:
    """How many reads right after a revocation were still allowed: a stream, files, and a file whose URL was known before."""
    server = bench.server()
    _publish(server)
    loops = bench.scaled(_LOOPS, least=5)
    stale, denied_after = 0, []
    with server.user("user:dora") as owner, server.user("user:rick") as reader:
        for _ in range(loops):
            grant = owner.grant("user:rick", _PORT, actions=["read"])
            assert reader.read(_PORT).height == 3
            url = _file_url(reader)
            assert _is_served(url)
            owner.revoke(grant.id)
            begin = time.perf_counter()
            stale += _reads(reader, "stream")
            denied_after.append((time.perf_counter() - begin) * 1e3)
            stale += _reads(reader, "files") + _is_served(url)
    yield Figure("revocation.stale_allows", stale, f"of {3 * loops:,}", bar=Bar("=", 0))
    yield Figure("revocation.denial_p50", percentile(denied_after, 0.5), "ms")


def _publish(server: MeshProcess) -> None:
    import polars as pl

    with server.administrator() as mesh:
        mesh.admin.create_domain("desk", owners=["user:dora"])
    with server.user("user:dora") as owner:
        product = owner.domain("desk").product("notes", contract=_CONTRACT)
        product.publish(notes=pl.DataFrame({"id": [1, 2, 3]}), progress=False)


def _reads(mesh: Mesh, via: str) -> bool:
    from domain_sdk import AccessDenied

    with contextlib.suppress(AccessDenied):
        mesh.read(_PORT, via=via)  # type: ignore[arg-type]  # one of the literals
        return True
    return False


def _file_url(mesh: Mesh) -> str:
    """The address the gateway announced for the port's one file, as the SDK's file reads get it."""
    from domainmesh.v1.read_service_pb2 import PrepareFilesRequest
    from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub

    transport = mesh._transport
    files = transport.call(transport.gateway(ReadServiceStub).PrepareFiles, PrepareFilesRequest(port=_PORT)).files
    return files[0].url


def _is_served(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
