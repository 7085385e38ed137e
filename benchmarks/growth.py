"""What a product's age costs: publishing to and reading of a small table after one version, ten, a hundred … ten thousand.

Not among the benchmarks that run by themselves: ten thousand releases take a quarter of an hour.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.small_table import CONTRACT, PORT, rows
from benchmarks.timing import seconds_of
from domain_sdk import Mesh

if TYPE_CHECKING:
    from domain_sdk.product import Product

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
        found = dict(_ages(owner, product, bench.scaled(_MOST_VERSIONS, least=100)))
    first = found[min(size for size in found if size >= 100)]
    for size, (publish, read) in found.items():
        is_last = size == max(found)
        bar = Bar("≤", 2, of="ratio") if is_last else None
        yield Figure(f"growth.publish_at_{size}", publish * 1e3, "ms", "the same at a hundred versions", first[0] * 1e3, bar)
        yield Figure(f"growth.read_at_{size}", read * 1e3, "ms", "the same at a hundred versions", first[1] * 1e3, bar)


def _ages(owner: Mesh, product: Product, most: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """Age → seconds of a publication and of a read; measured when the product has that many versions."""
    size, version = 1, 0
    recent: list[float] = []
    while size <= most:
        while version < max(size, _SAMPLES):
            version += 1
            number = version
            recent.append(seconds_of(lambda number=number: product.publish(rows=rows(number), progress=False)))
        reads = [seconds_of(lambda: owner.read(PORT, via="stream")) for _ in range(_SAMPLES)]
        yield size, (statistics.median(recent[-_SAMPLES:]), statistics.median(reads))
        size *= 10
