"""What a release looks like beside those before it: warnings about its volume and its rhythm, and the age of its data.

Owns looking the history up and writing the findings where they belong: results of the release, and what the product's entry keeps
for `mesh status`. The statistics are in `governance_server.rules.anomalies`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.rules import kinds
from governance_server.rules.anomalies import MOST, Usual, usual
from governance_server.storage.catalog import Catalog
from mesh_core.contract.freshness import age_words

__all__ = ["date_ports", "note_history", "past_releases"]

_LEAST_WAIT_SECONDS = 3600
_PASSED, _FAILED = product_pb2.QUALITY_STATUS_PASSED, product_pb2.QUALITY_STATUS_FAILED


def past_releases(catalog: Catalog, product: str, before: int) -> list[product_pb2.Release]:
    """The releases before this version, newest first, as many as count."""
    rows = catalog.list(kinds.RELEASE, prefix=f"{product}/", limit=MOST + 1, is_descending=True)
    releases = (product_pb2.Release.FromString(body) for _, body in rows)
    return [release for release in releases if release.version < before][:MOST]


def note_history(
    entry: product_pb2.Product, release: product_pb2.Release, past: Sequence[product_pb2.Release], now: datetime
) -> None:
    """The release has a result for each port whose history tells what is usual, one for its rhythm; the entry what is kept."""
    del release.quality[_first_noted(release) :]
    release.quality.extend(_volumes(release, past))
    times = [now, *(it.publish_time.ToDatetime(tzinfo=UTC) for it in past)]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(times)]
    expected = usual(gaps[1:])
    if expected is not None:
        release.quality.append(_rhythm(release, gaps, expected))
    following = usual(gaps)
    entry.overdue_after_seconds = int(_longest(following)) if following else 0
    del entry.warnings[:]
    entry.warnings.extend(_warnings(release))


def _rhythm(release: product_pb2.Release, gaps: Sequence[float], expected: Usual) -> product_pb2.QualityResult:
    waited, before = age_words(gaps[0]), len(gaps) - 1
    return product_pb2.QualityResult(
        port=release.ports[0].port if release.ports else release.product,
        check="history.interval",
        status=_FAILED if gaps[0] > _longest(expected) else _PASSED,
        message=f"published {waited} after the last release; the median of {before} is {age_words(expected.median)}",
        measured=f"{gaps[0]:.0f}",
    )


def _longest(expected: Usual) -> float:
    """The longest usual wait in seconds: twice the median is no news yet, nor is what lasts less than an hour."""
    return max(expected.most, 2 * expected.median, _LEAST_WAIT_SECONDS)


def _first_noted(release: product_pb2.Release) -> int:
    noted = [index for index, it in enumerate(release.quality) if it.check.startswith("history.")]
    return noted[0] if noted else len(release.quality)


def _volumes(release: product_pb2.Release, past: Sequence[product_pb2.Release]) -> Iterator[product_pb2.QualityResult]:
    for released in release.ports:
        counts = [it.row_count for before in past for it in before.ports if it.port == released.port]
        expected = usual(counts)
        if expected is None:
            continue
        is_odd = expected.is_suspicious(released.row_count)
        message = (
            f"{released.row_count} rows; the median of {len(counts)} releases is {expected.median:g}, "
            f"{expected.least:.0f} to {expected.most:.0f} are usual"
        )
        yield product_pb2.QualityResult(
            port=released.port, check="history.rowCount", status=_FAILED if is_odd else _PASSED, message=message,
            total_rows=released.row_count, measured=str(released.row_count),
        )  # fmt: skip


def _warnings(release: product_pb2.Release) -> Iterator[product_pb2.QualityWarning]:
    for it in release.quality:
        if it.status == _FAILED:
            yield product_pb2.QualityWarning(resource=it.port, kind=it.check, message=it.message)


def date_ports(entry: product_pb2.Product, verified: Sequence[publication_pb2.VerifiedPort], served: product_pb2.Product) -> None:
    """Each age limit that names a column knows the newest value of it, from the files' statistics.

    What is added to a port leaves what was there: then the value known before counts, too.
    """
    files = {port.port: port for port in verified}
    limits = [(port.name, limit) for port in served.ports for limit in port.age_limits]
    known = {(name, limit.column): limit.newest for name, limit in limits if limit.HasField("newest")}
    for port in entry.ports:
        found = files.get(port.name)
        is_whole = found is not None and found.mode in (product_pb2.WRITE_MODE_UNSPECIFIED, product_pb2.WRITE_MODE_OVERWRITE)
        for limit in port.age_limits:
            stats = [json.loads(file.stats or "{}").get("maxValues", {}) for file in (found.files if found else ())]
            newest = [moment for it in stats if (moment := _moment(it.get(limit.column))) is not None]
            if not is_whole and (port.name, limit.column) in known:
                newest.append(known[port.name, limit.column].ToDatetime(tzinfo=UTC))
            if limit.column and newest:
                limit.newest.FromDatetime(max(newest))


def _moment(written: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
