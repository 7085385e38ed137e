"""The kinds of resource a change set may hold, in the order they are written: what others rest on comes first."""

from __future__ import annotations

from typing import Any

from governance_server.editing.approval_rules import ApprovalRuleEditor
from governance_server.editing.domains import DomainEditor
from governance_server.editing.editor import Editor
from governance_server.editing.grants import GrantEditor
from governance_server.editing.guardrails import GovernedTagEditor, GuardrailEditor, TagReleaseEditor
from governance_server.editing.principals import PrincipalEditor, PurposeEditor

__all__ = [
    "APPROVAL_RULES",
    "DOMAINS",
    "EDITORS",
    "GOVERNED_TAGS",
    "GRANTS",
    "GUARDRAILS",
    "PRINCIPALS",
    "PURPOSES",
    "TAG_RELEASES",
]

PURPOSES = PurposeEditor()
PRINCIPALS = PrincipalEditor()
DOMAINS = DomainEditor()
GOVERNED_TAGS = GovernedTagEditor()
GUARDRAILS = GuardrailEditor()
TAG_RELEASES = TagReleaseEditor()
GRANTS = GrantEditor()
APPROVAL_RULES = ApprovalRuleEditor()

EDITORS: dict[str, Editor[Any]] = {
    editor.kind: editor
    for editor in (
        PURPOSES, PRINCIPALS, DOMAINS, GOVERNED_TAGS, GUARDRAILS, TAG_RELEASES, GRANTS, APPROVAL_RULES,
    )
}  # fmt: skip
