"""The kinds of resource the journal holds, and the message each is stored as."""

from __future__ import annotations

from google.protobuf.message import Message

from domainmesh.v1 import access_request_pb2, domain_pb2, grant_pb2, lineage_pb2, principal_pb2, product_pb2, publication_pb2

__all__ = [
    "ACCESS_REQUEST",
    "CONTRACT",
    "DOMAIN",
    "GRANT",
    "GUARDRAIL",
    "LINEAGE",
    "MESSAGES",
    "POLICY_KINDS",
    "PRINCIPAL",
    "PRODUCT",
    "PUBLICATION",
    "PURPOSE",
    "RELEASE",
    "TOKEN",
    "versioned_name",
]

DOMAIN = "domain"
PRINCIPAL = "principal"
TOKEN = "token"
PURPOSE = "purpose"
PRODUCT = "product"
CONTRACT = "contract"
RELEASE = "release"
PUBLICATION = "publication"
LINEAGE = "lineage"
GRANT = "grant"
GUARDRAIL = "guardrail"
ACCESS_REQUEST = "access_request"

MESSAGES: dict[str, type[Message]] = {
    DOMAIN: domain_pb2.Domain,
    PRINCIPAL: principal_pb2.Principal,
    TOKEN: principal_pb2.StoredToken,
    PURPOSE: principal_pb2.Purpose,
    PRODUCT: product_pb2.Product,
    CONTRACT: product_pb2.Contract,
    RELEASE: product_pb2.Release,
    PUBLICATION: publication_pb2.Publication,
    LINEAGE: lineage_pb2.PortLineage,
    GRANT: grant_pb2.Grant,
    GUARDRAIL: grant_pb2.Guardrail,
    ACCESS_REQUEST: access_request_pb2.AccessRequest,
}

POLICY_KINDS = frozenset({DOMAIN, PRINCIPAL, PURPOSE, PRODUCT, LINEAGE, GRANT, GUARDRAIL})
"""Kinds that decisions depend on."""


def versioned_name(product: str, version: int) -> str:
    """The name of a release or contract: `finance.ledger/00000000000000000007`; names sort as versions do."""
    return f"{product}/{version:020d}"
