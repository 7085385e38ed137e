"""What an erasure makes of releases: those that held the subject end, and one without it takes the place of the one served."""

from __future__ import annotations

from collections.abc import Sequence

from domainmesh.v1 import product_pb2
from governance_server.backend import read, stamp, store
from governance_server.journal.command import Transaction
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.upkeep.subject_survey import Subject, Survey

__all__ = ["released_without", "retired_with"]


def retired_with(tx: Transaction, found: Survey, subject: Subject, reason: str) -> list[ResourceWrite]:
    """Releases that held the subject are retired; no release shows a sample with its value, or tells what it changed in one.

    What a release changed in a retired one cannot be asked any more, and its rows may be the subject's.
    """
    writes = []
    is_after_retired = False
    for name, body in tx.list(kinds.RELEASE, prefix=f"{found.product.name}/"):
        release = product_pb2.Release.FromString(body)
        is_changed = _without_samples(release, subject)
        for port in release.ports if is_after_retired else ():
            is_changed |= port.HasField("changes")
            port.ClearField("changes")
        is_after_retired = release.version in found.holding or release.HasField("retire_time")
        if release.version in found.holding and not release.HasField("retire_time"):
            release.retire_time.CopyFrom(stamp(tx.time))
            release.retire_reason, is_changed = reason, True
        if is_changed:
            writes.append(store(kinds.RELEASE, name, release))
    return writes


def _without_samples(release: product_pb2.Release, subject: Subject) -> bool:
    """True if the release had samples with the subject's value; they are gone."""
    is_changed = False
    for result in release.quality:
        kept = [sample for sample in result.samples if not subject.is_in(sample)]
        if len(kept) < len(result.samples):
            del result.samples[:]
            result.samples.extend(kept)
            is_changed = True
    return is_changed


def released_without(
    tx: Transaction, release: product_pb2.Release, contract: product_pb2.Contract, said: tuple[int, str]
) -> Sequence[ResourceWrite]:
    """The release that takes the place of the one served: the same but for the subject."""
    version, principal = said
    product = read(tx, kinds.PRODUCT, release.product, product_pb2.Product)
    new = product_pb2.Release()
    new.CopyFrom(release)
    new.version, new.principal, new.publication = version, principal, ""
    new.publish_time.CopyFrom(stamp(tx.time))
    for result in new.quality:
        del result.samples[:]
    for released in new.ports:
        released.ClearField("changes")
    ports = {it.port: it for it in new.ports}
    for port in product.ports:
        port.delta_version, port.row_count = ports[port.name].delta_version, ports[port.name].row_count
    product.version = version
    product.update_time.CopyFrom(stamp(tx.time))
    name = kinds.versioned_name(product.name, version)
    return (store(kinds.PRODUCT, product.name, product), store(kinds.RELEASE, name, new), store(kinds.CONTRACT, name, contract))
