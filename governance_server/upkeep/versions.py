"""Released versions and their end: which may be read, which have expired, and retiring one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from domainmesh.v1 import product_pb2
from governance_server.backend import Reader, stamp, store
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from governance_server.rules.errors import NotFound, Precondition
from governance_server.rules.retention import Kept

__all__ = ["find_release", "kept_releases", "kept_times", "refuse_retired", "retire"]


def find_release(reader: Reader, product: str, version: int) -> product_pb2.Release:
    """The release, retired or not. Raises: NotFound."""
    body = reader.get(kinds.RELEASE, kinds.versioned_name(product, version))
    if body is None:
        raise NotFound(f"{product} has no version {version}: list versions with `mesh show {product}`.", resource=product)
    return product_pb2.Release.FromString(body)


def refuse_retired(release: product_pb2.Release) -> None:
    """Returns if the version may be read. Raises: Precondition."""
    if release.HasField("retire_time"):
        day = release.retire_time.ToDatetime().date().isoformat()
        raise Precondition(
            f"Version {release.version} of {release.product} was retired on {day} ({release.retire_reason}): read a later one.",
            resource=release.product,
        )


def kept_releases(reader: Reader, product: str) -> list[product_pb2.Release]:
    """The releases that may be read, oldest first."""
    releases = [product_pb2.Release.FromString(body) for _, body in reader.list(kinds.RELEASE, prefix=f"{product}/")]
    return [release for release in releases if not release.HasField("retire_time")]


def kept_times(releases: Iterable[product_pb2.Release]) -> list[Kept]:
    """The releases as retention sees them."""
    return [Kept(release.version, release.publish_time.ToDatetime(tzinfo=UTC)) for release in releases]


def retire(tx: Transaction, product: product_pb2.Product, version: int, reason: str) -> Outcome:
    """The outcome by which the version is retired; nothing happens if it is already. Raises: NotFound, Precondition."""
    release = find_release(tx, product.name, version)
    name = kinds.versioned_name(product.name, version)
    if release.HasField("retire_time"):
        return Outcome("version.retired", name, (), release.SerializeToString())
    if version == product.version:
        raise Precondition(
            f"Version {version} of {product.name} is the one served: publish another one first.", resource=product.name
        )
    release.retire_time.CopyFrom(stamp(tx.time))
    release.retire_reason = reason
    return Outcome("version.retired", name, (store(kinds.RELEASE, name, release),), release.SerializeToString())
