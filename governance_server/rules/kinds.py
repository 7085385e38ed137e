"""The kinds of resource the journal holds, and the message each is stored as."""

from __future__ import annotations

from google.protobuf.message import Message

from domainmesh.v1 import (
    access_request_pb2,
    approval_rule_pb2,
    break_glass_pb2,
    change_set_pb2,
    contract_change_pb2,
    domain_pb2,
    erasure_pb2,
    expectation_pb2,
    governed_tag_pb2,
    grant_pb2,
    lineage_pb2,
    mention_pb2,
    notice_pb2,
    principal_pb2,
    product_pb2,
    publication_pb2,
)

__all__ = [
    "ACCESS_REQUEST",
    "APPLIED_SOURCE",
    "APPROVAL_RULE",
    "BREAK_GLASS",
    "CARRIED_TAGS",
    "CHANGE_SET",
    "CONTRACT",
    "CONTRACT_CHANGE",
    "DOMAIN",
    "EXPECTATION",
    "FOLLOWED_KINDS",
    "GOVERNED_TAG",
    "GRANT",
    "GUARDRAIL",
    "IDENTITY",
    "LINEAGE",
    "MENTIONS",
    "MESSAGES",
    "NOTICE",
    "OBSERVED_LINEAGE",
    "POLICY_KINDS",
    "PRINCIPAL",
    "PRODUCT",
    "PUBLICATION",
    "PUBLICATION_RUN",
    "PURPOSE",
    "REGISTERED_CONTRACT",
    "RELEASE",
    "SUBJECT_ERASURE",
    "TAG_RELEASE",
    "TOKEN",
    "TOKEN_OWNER",
    "tag_release_name",
    "versioned_name",
]

DOMAIN = "domain"
PRINCIPAL = "principal"
TOKEN = "token"
IDENTITY = "identity"
"""Who a subject of the identity provider is here, under a digest of both."""
TOKEN_OWNER = "token_owner"
"""The tokens of a principal: `user:ana/<id>`, so that a page of them is one range of names."""
PURPOSE = "purpose"
PRODUCT = "product"
CONTRACT = "contract"
CONTRACT_CHANGE = "contract_change"
"""A change of a contract that those it breaks are asked to accept."""
REGISTERED_CONTRACT = "registered_contract"
"""A product's next contract, kept under the product's name; it counts until a release follows."""
RELEASE = "release"
PUBLICATION = "publication"
PUBLICATION_RUN = "publication_run"
"""What a run became: the product, `@` and the run's id."""
LINEAGE = "lineage"
EXPECTATION = "expectation"
"""What a consumer relies on, under its port and id: `finance.ledger.entries/x-…`."""
SUBJECT_ERASURE = "subject_erasure"
"""The receipt of an erasure, under the product and the id of the erasure."""
OBSERVED_LINEAGE = "observed_lineage"
"""What events told of a dataset: its node, `<`, the job, `@` and which of the job's lineages of it this is."""
GRANT = "grant"
GUARDRAIL = "guardrail"
ACCESS_REQUEST = "access_request"
GOVERNED_TAG = "governed_tag"
TAG_RELEASE = "tag_release"
APPROVAL_RULE = "approval_rule"
CARRIED_TAGS = "carried_tags"
BREAK_GLASS = "break_glass"
CHANGE_SET = "change_set"
APPLIED_SOURCE = "applied_source"
NOTICE = "notice"
MENTIONS = "mentions"
"""Where the documents of a collection mention records of tables, under its name and the version they were found in."""

MESSAGES: dict[str, type[Message]] = {
    DOMAIN: domain_pb2.Domain,
    PRINCIPAL: principal_pb2.Principal,
    IDENTITY: principal_pb2.Identity,
    TOKEN: principal_pb2.StoredToken,
    TOKEN_OWNER: principal_pb2.Token,
    PURPOSE: principal_pb2.Purpose,
    PRODUCT: product_pb2.Product,
    CONTRACT: product_pb2.Contract,
    REGISTERED_CONTRACT: product_pb2.Contract,
    CONTRACT_CHANGE: contract_change_pb2.ContractChange,
    RELEASE: product_pb2.Release,
    PUBLICATION: publication_pb2.Publication,
    PUBLICATION_RUN: publication_pb2.PublicationRun,
    EXPECTATION: expectation_pb2.Expectation,
    LINEAGE: lineage_pb2.PortLineage,
    OBSERVED_LINEAGE: lineage_pb2.PortLineage,
    GRANT: grant_pb2.Grant,
    GUARDRAIL: grant_pb2.Guardrail,
    ACCESS_REQUEST: access_request_pb2.AccessRequest,
    GOVERNED_TAG: governed_tag_pb2.GovernedTag,
    TAG_RELEASE: governed_tag_pb2.TagRelease,
    CARRIED_TAGS: governed_tag_pb2.CarriedTags,
    BREAK_GLASS: break_glass_pb2.BreakGlass,
    APPROVAL_RULE: approval_rule_pb2.ApprovalRule,
    CHANGE_SET: change_set_pb2.ChangeSet,
    APPLIED_SOURCE: change_set_pb2.AppliedSource,
    NOTICE: notice_pb2.Notice,
    MENTIONS: mention_pb2.DocumentMentions,
    SUBJECT_ERASURE: erasure_pb2.Erasure,
}

POLICY_KINDS = frozenset({DOMAIN, PRINCIPAL, IDENTITY, PURPOSE, PRODUCT, LINEAGE, OBSERVED_LINEAGE, GRANT, GUARDRAIL})
"""Kinds that decisions depend on."""

FOLLOWED_KINDS = frozenset({DOMAIN, PRINCIPAL, IDENTITY, PURPOSE, GRANT})
"""Those whose change touches no other resource's rows (no tag flows), so that a group of commands goes on after one."""


def versioned_name(product: str, version: int) -> str:
    """The name of a release or contract: `finance.ledger/00000000000000000007`; names sort as versions do."""
    return f"{product}/{version:020d}"


def tag_release_name(object: str, tag: str) -> str:
    """The name of a consent to lose a governed tag: `finance.ledger.entries#iban/pii.email`."""
    return f"{object}/{tag}"
