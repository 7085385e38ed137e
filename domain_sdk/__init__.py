"""The SDK of a data mesh in which governance acts: find, ask for, read, trace and publish data products.

    from domain_sdk import Mesh

    mesh = Mesh.connect()
    frame = mesh.scan("finance.ledger.entries", purpose="forecasting")

Importing this package loads neither polars, pyarrow nor gRPC; they are loaded by the first call that needs them.
"""

from __future__ import annotations

from domain_sdk.access import (
    Decision,
    Explanation,
    Grant,
    Guardrail,
    ReadPlan,
    VisibleColumn,
)
from domain_sdk.access_requests import (
    AccessApproval,
    AccessRequest,
    AccessRequestEvent,
    AccessRequestState,
    AccessRequestStep,
    AccessTerms,
    ApproverLevel,
)
from domain_sdk.admin import Admin
from domain_sdk.approval_rules import ApprovalRule, ApprovalRules
from domain_sdk.audit import Audit, Change
from domain_sdk.audit_log import (
    AuditedDenial,
    AuditedGrant,
    AuditedLog,
    AuditedUse,
    AuditProblem,
    AuditProof,
    AuditReport,
    Checkpoint,
    DecisionEnd,
    DecisionKind,
    DecisionRecord,
    PolicyChange,
    checkpoint_lines,
    read_checkpoints,
)
from domain_sdk.break_glass import BreakGlass
from domain_sdk.catalog import ColumnEntry, DerivedTag, DomainEntry, Hit, PortEntry, PortKind, ProductEntry
from domain_sdk.changes import ChangePlan, Changes, ChangeSet, FieldDifference, PlannedChange, Resource
from domain_sdk.collections import Passage
from domain_sdk.domain import Domain, Transform
from domain_sdk.errors import (
    AccessDenied,
    AlreadyExists,
    Conflict,
    ContractViolated,
    DeadlineExceeded,
    IncompatibleContract,
    InternalError,
    InvalidContract,
    InvalidExpression,
    InvalidRequest,
    MeshError,
    NotConfigured,
    NotFound,
    Overloaded,
    PurposeNotHeld,
    RequestIdReused,
    RevisionNotReached,
    SecondPersonNeeded,
    ServerUnreachable,
    StorageUnavailable,
    TooLarge,
    Unauthenticated,
    Violation,
    WrongState,
)
from domain_sdk.identity import NewToken, Principal, Purpose, ServerStatus, Token
from domain_sdk.inbox import Inbox, Notice, NoticeKind
from domain_sdk.lineage import LineageEdge, LineageGraph, LineageNode
from domain_sdk.mesh import Mesh
from domain_sdk.policy import Policy
from domain_sdk.product import Product
from domain_sdk.release import Preview, QualityResult, QualityStatus, Release, ReleasedPort
from domain_sdk.tags import GovernedTag, TagRelease

__all__ = [
    "AccessApproval",
    "AccessDenied",
    "AccessRequest",
    "AccessRequestEvent",
    "AccessRequestState",
    "AccessRequestStep",
    "AccessTerms",
    "Admin",
    "AlreadyExists",
    "ApprovalRule",
    "ApprovalRules",
    "ApproverLevel",
    "Audit",
    "AuditProblem",
    "AuditProof",
    "AuditReport",
    "AuditedDenial",
    "AuditedGrant",
    "AuditedLog",
    "AuditedUse",
    "BreakGlass",
    "Change",
    "ChangePlan",
    "ChangeSet",
    "Changes",
    "Checkpoint",
    "ColumnEntry",
    "Conflict",
    "ContractViolated",
    "DeadlineExceeded",
    "Decision",
    "DecisionEnd",
    "DecisionKind",
    "DecisionRecord",
    "DerivedTag",
    "Domain",
    "DomainEntry",
    "Explanation",
    "FieldDifference",
    "GovernedTag",
    "Grant",
    "Guardrail",
    "Hit",
    "Inbox",
    "IncompatibleContract",
    "InternalError",
    "InvalidContract",
    "InvalidExpression",
    "InvalidRequest",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "Mesh",
    "MeshError",
    "NewToken",
    "NotConfigured",
    "NotFound",
    "Notice",
    "NoticeKind",
    "Overloaded",
    "Passage",
    "PlannedChange",
    "Policy",
    "PolicyChange",
    "PortEntry",
    "PortKind",
    "Preview",
    "Principal",
    "Product",
    "ProductEntry",
    "Purpose",
    "PurposeNotHeld",
    "QualityResult",
    "QualityStatus",
    "ReadPlan",
    "Release",
    "ReleasedPort",
    "RequestIdReused",
    "Resource",
    "RevisionNotReached",
    "SecondPersonNeeded",
    "ServerStatus",
    "ServerUnreachable",
    "StorageUnavailable",
    "TagRelease",
    "Token",
    "TooLarge",
    "Transform",
    "Unauthenticated",
    "Violation",
    "VisibleColumn",
    "WrongState",
    "checkpoint_lines",
    "read_checkpoints",
]
