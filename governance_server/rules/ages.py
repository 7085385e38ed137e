"""Is what a product serves older than it promises, or its next release overdue? Pure: catalog entries in, warnings out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from domainmesh.v1 import product_pb2
from mesh_core.contract.freshness import age_words

__all__ = ["age_warnings", "product_warnings"]


def product_warnings(product: product_pb2.Product, now: datetime) -> Iterator[product_pb2.QualityWarning]:
    """Everything late or suspicious about the product: ages, the release that does not come, what the last one warned of."""
    for port in product.ports:
        for message in age_warnings(product, port, now):
            yield product_pb2.QualityWarning(resource=port.name, kind="freshness", message=message)
    published = product.update_time.ToDatetime(tzinfo=UTC)
    waited = (now - published).total_seconds()
    if product.overdue_after_seconds and waited > product.overdue_after_seconds:
        usual = age_words(product.overdue_after_seconds)
        message = f"the last release is {age_words(waited)} old; by its history the next one comes within {usual}"
        yield product_pb2.QualityWarning(resource=product.name, kind="overdue", message=message)
    shown = {port.name for port in product.ports}
    yield from (warning for warning in product.warnings if warning.resource in shown)


def age_warnings(
    product: product_pb2.Product, port: product_pb2.Port, now: datetime, *, clear: Collection[str] | None = None
) -> Iterator[str]:
    """What is older than promised, in words.

    The age is counted from the newest value of the column that the promise names, else from the time of publication. With
    `clear`, nothing more than the broken promise is said of a column that is not among these.
    """
    for limit in port.age_limits:
        is_of_data = limit.HasField("newest")
        since = (limit.newest if is_of_data else product.update_time).ToDatetime(tzinfo=UTC)
        age = (now - since).total_seconds()
        if age <= limit.seconds:
            continue
        if is_of_data and clear is not None and limit.column not in clear:
            yield f"promised is {limit.promise}; the data is older"
        else:
            what = f"the newest {limit.column}" if is_of_data else "the last release"
            yield f"promised is {limit.promise}; {what} is {age_words(age)} old"
