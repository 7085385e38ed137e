"""Which services a control server has: to add one, add its line. Their parts are made in `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from domainmesh.v1.access_request_service_pb2_grpc import add_AccessRequestServiceServicer_to_server
from domainmesh.v1.approval_rule_service_pb2_grpc import add_ApprovalRuleServiceServicer_to_server
from domainmesh.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from domainmesh.v1.break_glass_service_pb2_grpc import add_BreakGlassServiceServicer_to_server
from domainmesh.v1.change_set_service_pb2_grpc import add_ChangeSetServiceServicer_to_server
from domainmesh.v1.contract_change_service_pb2_grpc import add_ContractChangeServiceServicer_to_server
from domainmesh.v1.decision_service_pb2_grpc import add_DecisionServiceServicer_to_server
from domainmesh.v1.domain_service_pb2_grpc import add_DomainServiceServicer_to_server
from domainmesh.v1.expectation_service_pb2_grpc import add_ExpectationServiceServicer_to_server
from domainmesh.v1.grant_service_pb2_grpc import add_GrantServiceServicer_to_server, add_GuardrailServiceServicer_to_server
from domainmesh.v1.inbox_service_pb2_grpc import add_InboxServiceServicer_to_server
from domainmesh.v1.journal_service_pb2_grpc import add_JournalServiceServicer_to_server
from domainmesh.v1.lineage_service_pb2_grpc import add_LineageServiceServicer_to_server
from domainmesh.v1.maintenance_service_pb2_grpc import add_MaintenanceServiceServicer_to_server
from domainmesh.v1.mention_service_pb2_grpc import add_MentionServiceServicer_to_server
from domainmesh.v1.open_lineage_service_pb2_grpc import add_OpenLineageServiceServicer_to_server
from domainmesh.v1.principal_service_pb2_grpc import add_PrincipalServiceServicer_to_server, add_TokenServiceServicer_to_server
from domainmesh.v1.product_service_pb2_grpc import add_ProductServiceServicer_to_server
from domainmesh.v1.publication_service_pb2_grpc import add_PublicationServiceServicer_to_server
from domainmesh.v1.quality_service_pb2_grpc import add_QualityServiceServicer_to_server
from domainmesh.v1.question_service_pb2_grpc import add_QuestionServiceServicer_to_server
from domainmesh.v1.server_service_pb2_grpc import add_ServerServiceServicer_to_server
from domainmesh.v1.tag_service_pb2_grpc import add_TagServiceServicer_to_server
from governance_server.audit.checkpoints import CheckpointMaker
from governance_server.audit.recorded_reads import RecordedReads
from governance_server.backend import Backend
from governance_server.lineage.intake import LineageIntake
from governance_server.publishing.publisher import Publisher
from governance_server.search.index import SearchIndex
from governance_server.services.access_requests import AccessRequestService
from governance_server.services.approval_rules import ApprovalRuleService
from governance_server.services.audit import AuditService
from governance_server.services.break_glass import BreakGlassService
from governance_server.services.changes import ChangeSetService
from governance_server.services.contract_changes import ContractChangeService
from governance_server.services.decisions import DecisionService
from governance_server.services.domains import DomainService
from governance_server.services.expectations import ExpectationService
from governance_server.services.grants import GrantService, GuardrailService
from governance_server.services.inbox import InboxService
from governance_server.services.journal import JournalService
from governance_server.services.lineage import LineageService
from governance_server.services.maintenance import MaintenanceService
from governance_server.services.mentions import MentionService
from governance_server.services.open_lineage import OpenLineageService
from governance_server.services.principals import PrincipalService
from governance_server.services.products import ProductService
from governance_server.services.publications import PublicationService
from governance_server.services.quality import QualityService
from governance_server.services.questions import QuestionService
from governance_server.services.registered_contracts import drafts
from governance_server.services.server_info import ServerService
from governance_server.services.tags import TagService
from governance_server.services.tokens import TokenService
from governance_server.storage.events import EventLog
from governance_server.upkeep.erasure import Eraser
from governance_server.upkeep.upkeep import Upkeep

__all__ = ["ControlParts", "Registration", "control_services", "register"]

Registration = tuple[Callable[[Any, grpc.Server], None], object]
"""The generated function that adds a service to a server, and the servicer."""


@dataclass(frozen=True, kw_only=True)
class ControlParts:
    """What the services of a control server are made from."""

    backend: Backend
    publisher: Publisher
    upkeep: Upkeep
    eraser: Eraser
    events: EventLog
    intake: LineageIntake
    checkpoints: CheckpointMaker
    gateway: Callable[[], str]


def control_services(parts: ControlParts) -> list[Registration]:
    """The services of a control server."""
    backend = parts.backend
    return [
        (add_DomainServiceServicer_to_server, DomainService(backend)),
        (add_PrincipalServiceServicer_to_server, PrincipalService(backend)),
        (add_TokenServiceServicer_to_server, TokenService(backend)),
        (add_ProductServiceServicer_to_server, ProductService(backend, SearchIndex(backend.policy, partial(drafts, backend)))),
        (add_GrantServiceServicer_to_server, GrantService(backend)),
        (add_GuardrailServiceServicer_to_server, GuardrailService(backend)),
        (add_ChangeSetServiceServicer_to_server, ChangeSetService(backend)),
        (add_AccessRequestServiceServicer_to_server, AccessRequestService(backend)),
        (add_ApprovalRuleServiceServicer_to_server, ApprovalRuleService(backend)),
        (add_InboxServiceServicer_to_server, InboxService(backend)),
        (add_DecisionServiceServicer_to_server, DecisionService(backend)),
        (add_QuestionServiceServicer_to_server, QuestionService(backend, RecordedReads(backend.database, now=backend.now))),
        (add_LineageServiceServicer_to_server, LineageService(backend, parts.events)),
        (add_OpenLineageServiceServicer_to_server, OpenLineageService(backend, parts.intake, parts.events)),
        (add_JournalServiceServicer_to_server, JournalService(backend)),
        (add_PublicationServiceServicer_to_server, PublicationService(backend, parts.publisher)),
        (add_ContractChangeServiceServicer_to_server, ContractChangeService(backend)),
        (add_MaintenanceServiceServicer_to_server, MaintenanceService(backend, parts.upkeep, parts.eraser)),
        (add_ExpectationServiceServicer_to_server, ExpectationService(backend)),
        (add_QualityServiceServicer_to_server, QualityService(backend)),
        (add_BreakGlassServiceServicer_to_server, BreakGlassService(backend)),
        (add_TagServiceServicer_to_server, TagService(backend)),
        (add_AuditServiceServicer_to_server, AuditService(backend, parts.checkpoints)),
        (add_MentionServiceServicer_to_server, MentionService(backend)),
        (add_ServerServiceServicer_to_server, ServerService(backend, gateway=parts.gateway)),
    ]


def register(services: list[Registration], server: grpc.Server) -> list[str]:
    """The services are on the server; returned are their full names, for health and reflection."""
    names = []
    for add, servicer in services:
        add(servicer, server)
        names.append(f"domainmesh.v1.{add.__name__.removeprefix('add_').removesuffix('Servicer_to_server')}")
    return names
