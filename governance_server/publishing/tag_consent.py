"""Whether a release loses a governed tag: reads what the centre governs and what the product has carried, at the locked head."""

from __future__ import annotations

from domainmesh.v1 import governed_tag_pb2, grant_pb2, product_pb2
from governance_server.backend import Reader, store
from governance_server.journal.command import Transaction
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.governed_tags import Governance, carried_after, check_tags, declared_tags, families

__all__ = ["carried_write", "refuse_lost_tags"]


def refuse_lost_tags(tx: Transaction, product: product_pb2.Product, wanted: product_pb2.Product) -> None:
    """Returns if the wanted release keeps every governed tag, or has the centre's consent. Raises: IncompatibleContract."""
    check_tags(_carried(tx, product), wanted, _governance(tx))


def carried_write(tx: Transaction, product: product_pb2.Product, released: product_pb2.Product) -> ResourceWrite:
    """The write that remembers with which tags the product's things have been released."""
    carried = carried_after(_carried(tx, product), released, _governance(tx))
    message = governed_tag_pb2.CarriedTags(product=product.name)
    for obj, tags in sorted(carried.items()):
        message.tags.extend(governed_tag_pb2.CarriedTag(object=obj, tag=tag) for tag in sorted(tags))
    return store(kinds.CARRIED_TAGS, product.name, message)


def _carried(tx: Reader, product: product_pb2.Product) -> dict[str, frozenset[str]]:
    """What is remembered, and what the catalog has now."""
    found = {obj: set(tags) for obj, tags in declared_tags(product).items()}
    body = tx.get(kinds.CARRIED_TAGS, product.name)
    for carried in governed_tag_pb2.CarriedTags.FromString(body or b"").tags:
        found.setdefault(carried.object, set()).add(carried.tag)
    return {obj: frozenset(tags) for obj, tags in found.items()}


def _governance(tx: Transaction) -> Governance:
    governed = [governed_tag_pb2.GovernedTag.FromString(body).tag for _, body in tx.list(kinds.GOVERNED_TAG)]
    guardrails = [grant_pb2.Guardrail.FromString(body).resource for _, body in tx.list(kinds.GUARDRAIL)]
    consents = [governed_tag_pb2.TagRelease.FromString(body) for _, body in tx.list(kinds.TAG_RELEASE)]
    return Governance(
        families([*governed, *(resource for resource in guardrails if resource.startswith("tag:"))]),
        frozenset((consent.object, consent.tag) for consent in consents),
    )
