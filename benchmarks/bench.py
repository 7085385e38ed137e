"""What every benchmark is given: the scale, a folder of its own and servers that end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.mesh_process import MeshProcess

__all__ = ["Bench", "Benchmark", "NotRun"]


class NotRun(Exception):
    """The benchmark cannot run on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Bench:
    """One benchmark's surroundings."""

    scale: float
    """1 is the size the bars are set for; figures at other scales are never stored."""
    folder: Path
    """An empty folder that is removed afterwards."""
    cleanup: ExitStack = field(default_factory=ExitStack)

    def server(self, name: str = "mesh", **environment: str) -> MeshProcess:
        """A server with a home of its own, which ends when the benchmark does."""
        process = MeshProcess(self.folder / name, **environment)
        self.cleanup.callback(process.stop)
        process.start()
        return process

    def scaled(self, number: int, *, least: int = 1) -> int:
        """The number at this scale."""
        return max(least, round(number * min(self.scale, 1)))


Benchmark = Callable[[Bench], Iterator[Figure]]
