"""The SDK's public names are frozen here: a change of this list is a change of the API."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import domain_sdk

FROZEN = [
    "AccessApproval",
    "AccessChange",
    "AccessDenied",
    "AccessPath",
    "AccessRequest",
    "AccessRequestEvent",
    "AccessRequestState",
    "AccessRequestStep",
    "AccessTerms",
    "ActionChange",
    "Admin",
    "AffectedConsumer",
    "AffectedKind",
    "AlreadyExists",
    "Answer",
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
    "Citation",
    "CollectionFacets",
    "ColumnChange",
    "ColumnEntry",
    "CompatibilityMode",
    "Conflict",
    "ContractAcceptance",
    "ContractChange",
    "ContractChangeState",
    "ContractChanges",
    "ContractDifference",
    "ContractImpact",
    "ContractViolated",
    "Counterexample",
    "DeadlineExceeded",
    "Decision",
    "DecisionEnd",
    "DecisionKind",
    "DecisionRecord",
    "DerivedTag",
    "DimensionEntry",
    "Domain",
    "DomainEntry",
    "EventResult",
    "Expectation",
    "ExpectationResult",
    "ExpectationStatus",
    "ExplainedColumn",
    "Explanation",
    "FieldDifference",
    "Figure",
    "GovernedTag",
    "Grant",
    "Guardrail",
    "Hit",
    "Impact",
    "Inbox",
    "IncompatibleContract",
    "InternalError",
    "InvalidContract",
    "InvalidExpression",
    "InvalidRequest",
    "LineageEdge",
    "LineageGraph",
    "LineageNode",
    "LineageOrigin",
    "LineageReach",
    "LineageReceipt",
    "LineageRun",
    "MeasureEntry",
    "Mention",
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
    "Proof",
    "Purpose",
    "PurposeNotHeld",
    "QualityResult",
    "QualityStatus",
    "QueriedPort",
    "QueryPlan",
    "Question",
    "ReadChange",
    "ReadPlan",
    "Readers",
    "ReceiptEdge",
    "ReceivedEvent",
    "Release",
    "ReleasedPort",
    "RequestIdReused",
    "Resource",
    "RevisionNotReached",
    "RowChange",
    "RunDataset",
    "RunSummary",
    "SecondPersonNeeded",
    "SeenColumn",
    "Sentence",
    "ServerStatus",
    "ServerUnreachable",
    "Shown",
    "Sight",
    "Stage",
    "StorageUnavailable",
    "TagRelease",
    "TagRescan",
    "Token",
    "TooLarge",
    "Transform",
    "Unauthenticated",
    "UsedPort",
    "Violation",
    "Visible",
    "VisibleColumn",
    "WayKind",
    "WayOut",
    "WrongState",
    "checkpoint_lines",
    "read_checkpoints",
]

MESH = [
    "admin",
    "approval_rules",
    "approve",
    "ask",
    "audit",
    "changes",
    "check",
    "close",
    "connect",
    "contracts",
    "deny",
    "discover",
    "domain",
    "domains",
    "expect",
    "expectations",
    "explain",
    "get_request",
    "grant",
    "grants",
    "guardrails",
    "inbox",
    "lineage",
    "measure",
    "mentions",
    "notices",
    "plan_sql",
    "policy",
    "products",
    "quality_warnings",
    "reach",
    "read",
    "record_events",
    "renew",
    "request",
    "requests",
    "retrieve",
    "revision",
    "revoke",
    "run_summaries",
    "runs",
    "scan",
    "set_dataset_alias",
    "show",
    "sql",
    "status",
    "whoami",
    "withdraw",
    "withdraw_expectation",
]


def test_the_public_names_are_the_frozen_ones() -> None:
    assert domain_sdk.__all__ == FROZEN
    assert all(hasattr(domain_sdk, name) for name in FROZEN)


def test_the_methods_of_a_mesh_are_the_frozen_ones() -> None:
    mesh = domain_sdk.Mesh.connect("http://127.0.0.1:1", "token")
    assert [name for name in dir(mesh) if not name.startswith("_")] == MESH


def test_every_public_name_and_method_is_documented() -> None:
    for name in FROZEN:
        member = getattr(domain_sdk, name)
        assert member.__doc__, name
        assert not member.__doc__.startswith(f"{name}("), f"{name} has only the docstring that dataclass makes"
        for attribute, value in vars(member).items():
            if callable(value) and not attribute.startswith("_") and not isinstance(value, type):
                assert value.__doc__, f"{name}.{attribute}"


def test_values_are_frozen_dataclasses() -> None:
    values = [getattr(domain_sdk, name) for name in FROZEN if dataclasses.is_dataclass(getattr(domain_sdk, name))]
    assert len(values) > 25
    assert all(value.__dataclass_params__.frozen for value in values)


def test_importing_the_sdk_loads_no_heavy_library() -> None:
    code = "import domain_sdk, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"polars", "pyarrow", "grpc", "google.protobuf", "numpy", "yaml", "rich", "jsonschema"}
    assert heavy.isdisjoint(loaded)
