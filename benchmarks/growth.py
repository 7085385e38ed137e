"""What a product's age costs: publishing to and reading of a small table after one version, a hundred … ten thousand.

What is measured goes through the SDK, in turns with a young product on a server of its own: both meet the same neighbours.
The releases in between go by the protocol's own calls, with one file that was written and judged once. Not among the benchmarks
that run by themselves: ten thousand releases take some minutes.
"""

from __future__ import annotations

import shutil
import statistics
from collections import defaultdict
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

_SIZES = (1, 100, 1_000, 5_000, 10_000)
_SAMPLES = 20
_PEER = "the same of a product with few versions on a server of its own, in turns"


def growth(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of an overwrite, of the first read of the version that it made and of the next, medians of twenty."""
    most = bench.scaled(_SIZES[-1], least=100)
    with _owner(bench, "aged") as owner, _owner(bench, "young") as young:
        ageing = _Ageing(owner, bench.folder / "written")
        subjects = _Subject(owner), _Subject(young)
        for size in (size for size in _SIZES if size <= most):
            while subjects[0].version < size - 1:
                subjects[0].version = ageing.publish()
            aged, peer = _in_turns(*subjects)
            for what in aged:
                bar = Bar("≤", 1.2, of="ratio") if size == most else None
                yield Figure(f"growth.{what}_at_{size}", aged[what] * 1e3, "ms", _PEER, peer[what] * 1e3, bar)


def _owner(bench: Bench, name: str) -> Mesh:
    """Who publishes on a new server and may read there."""
    server = bench.server(name)
    with server.administrator() as admin:
        admin.admin.create_domain("bench", owners=["user:olga", "user:otto"])
    with server.user("user:otto") as otto:
        server.token("user:olga")
        otto.grant("user:olga", "bench", actions=["read"])
    return server.user("user:olga")


class _Subject:
    """A product that is published and read."""

    def __init__(self, owner: Mesh) -> None:
        self.version = 0
        self._owner = owner
        self._product = owner.domain("bench").product("small", contract=CONTRACT)

    def once(self) -> dict[str, float]:
        """Seconds of a publication, of the first read of its version and of the second."""
        frame = rows(self.version)

        def publish() -> None:
            self.version = self._product.publish(rows=frame, progress=False).version

        def read() -> None:
            self._owner.read(PORT, via="stream")

        return {"publish": seconds_of(publish), "first_read": seconds_of(read), "read": seconds_of(read)}


def _in_turns(*subjects: _Subject) -> list[dict[str, float]]:
    """Medians of each subject's seconds."""
    found: list[defaultdict[str, list[float]]] = [defaultdict(list) for _ in subjects]
    for _ in range(_SAMPLES):
        for subject, times in zip(subjects, found, strict=True):
            for what, seconds in subject.once().items():
                times[what].append(seconds)
    return [{what: statistics.median(seconds) for what, seconds in times.items()} for times in found]


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
