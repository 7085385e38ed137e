"""What a product's age costs: publishing to and reading of a small table after one version, ten, a hundred … ten thousand.

What is measured goes through the SDK. The releases in between go by the protocol's own calls, with one file that was written and
judged once. Not among the benchmarks that run by themselves: ten thousand releases take several minutes.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.small_table import CONTRACT, PORT, PRODUCT, rows
from benchmarks.timing import seconds_of
from domain_sdk import Mesh
from domainmesh.v1 import publication_service_pb2 as pb
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub

__all__ = ["growth"]

_MOST_VERSIONS = 10_000
_SAMPLES = 20


def growth(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of an overwrite and of a read of the version served, medians of twenty, beside those at a hundred versions."""
    server = bench.server()
    with server.administrator() as admin:
        admin.admin.create_domain("bench", owners=["user:olga", "user:otto"])
    with server.user("user:olga") as owner, server.user("user:otto") as otto:
        otto.grant("user:olga", "bench", actions=["read"])
        product = owner.domain("bench").product("small", contract=CONTRACT)
        ageing = _Ageing(owner, bench.folder / "written")

        def publish(number: int) -> float:
            return seconds_of(lambda: product.publish(rows=rows(number), progress=False))

        found: dict[int, tuple[float, float]] = {}
        version = 0
        for size in _sizes(bench.scaled(_MOST_VERSIONS, least=100)):
            while version < size - 1:
                version = ageing.publish()
            published = [publish(size + number) for number in range(_SAMPLES)]
            version += _SAMPLES
            reads = [seconds_of(lambda: owner.read(PORT, via="stream")) for _ in range(_SAMPLES)]
            found[size] = statistics.median(published), statistics.median(reads)
    first = found[min(size for size in found if size >= 100)]
    for size, (publish, read) in found.items():
        is_last = size == max(found)
        bar = Bar("≤", 2, of="ratio") if is_last else None
        yield Figure(f"growth.publish_at_{size}", publish * 1e3, "ms", "the same at a hundred versions", first[0] * 1e3, bar)
        yield Figure(f"growth.read_at_{size}", read * 1e3, "ms", "the same at a hundred versions", first[1] * 1e3, bar)


def _sizes(most: int) -> Iterator[int]:
    size = 1
    while size <= most:
        yield size
        size *= 10


class _Ageing:
    """Publishes one and the same file again and again."""

    def __init__(self, owner: Mesh, folder: Path) -> None:
        from domain_sdk._delivery import deliver
        from domain_sdk.publish import _delivered_message, _quality_message
        from mesh_core.contract import load_contract

        folder.mkdir()
        made = deliver(load_contract(CONTRACT).ports[0], PORT, rows(0), folder=folder, hook=lambda done, total: None)
        self._folder = folder
        self._transport = owner._transport
        self._stub = owner._transport.control(PublicationServiceStub)
        self._delivered = _delivered_message(made)
        self._quality = [_quality_message(result) for result in made.quality]

    def publish(self) -> int:
        """The version that it became."""
        wanted = pb.BeginPublicationRequest(product=PRODUCT, contract_text=CONTRACT)
        begun = self._transport.call(self._stub.BeginPublication, wanted)
        for file in self._folder.iterdir():
            shutil.copyfile(file, Path(begun.locations[0].path) / file.name)
        done = pb.CommitPublicationRequest(id=begun.id, ports=[self._delivered], quality=self._quality)
        return int(self._transport.call(self._stub.CommitPublication, done).version)
