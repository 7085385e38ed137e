"""How approval rules are edited: by who may grant on their resource, as what they approve is a grant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domainmesh.v1 import approval_rule_pb2, grant_pb2
from governance_server.backend import stamp
from governance_server.editing.central import acts_for_the_centre
from governance_server.editing.editor import Edit, Editor
from governance_server.editing.grants import check_rule_id, located, prepare_grant, source_of_resource
from governance_server.granting import rest_grant
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid

__all__ = ["FIELDS", "ApprovalRuleEditor"]

FIELDS = frozenset({"subjects", "resource", "purpose", "longest_days", "columns", "row_filter", "masks", "reason", "is_disabled"})
"""What people decide of a rule."""

_MOST_DAYS = 36_500


class ApprovalRuleEditor(Editor[approval_rule_pb2.ApprovalRule]):
    """Edits approval rules."""

    kind = kinds.APPROVAL_RULE
    message = approval_rule_pb2.ApprovalRule

    def name_of(self, wanted: approval_rule_pb2.ApprovalRule) -> str:
        """Its id."""
        check_rule_id(wanted.id, wanted.resource)
        return wanted.id

    def content(self, message: approval_rule_pb2.ApprovalRule) -> approval_rule_pb2.ApprovalRule:
        """Everything but who made it and when; names sorted, each once."""
        content = approval_rule_pb2.ApprovalRule()
        content.CopyFrom(message)
        for field in ("creator", "creator_makers", "create_time", "etag", "is_dead", "subjects", "columns", "masks"):
            content.ClearField(field)
        content.subjects.extend(sorted(set(message.subjects)))
        content.columns.extend(sorted(set(message.columns)))
        content.masks.extend(sorted(message.masks, key=lambda mask: (mask.column, mask.mask)))
        return content

    def authorise(
        self, edit: Edit, live: approval_rule_pb2.ApprovalRule | None, wanted: approval_rule_pb2.ApprovalRule | None
    ) -> bool:
        """By who may grant on the resource, and on the one it was on before. Ending one is never central."""
        policy = edit.backend.policy
        if wanted is not None:
            policy.authorise(edit.caller, "grant", wanted.resource)
        if live is not None and not policy.check(edit.caller, "grant", live.resource).allowed:
            raise denied("change the approval rule", live.id)
        if wanted is None:
            return False
        return acts_for_the_centre(policy, edit.caller, "grant", wanted.resource)

    def settle(
        self, edit: Edit, live: approval_rule_pb2.ApprovalRule | None, wanted: approval_rule_pb2.ApprovalRule
    ) -> approval_rule_pb2.ApprovalRule:
        """With who answers for it, and since when it is there. Who only disables one does not answer for it."""
        settled = approval_rule_pb2.ApprovalRule()
        settled.CopyFrom(wanted)
        settled.ClearField("is_dead")
        settled.etag = str(edit.state.revision)
        is_authored = live is None or not _only_disables(live, wanted)
        settled.creator = edit.caller.name if live is None or is_authored else live.creator
        del settled.creator_makers[:]
        settled.creator_makers.extend(sorted(edit.caller.token_makers) if live is None or is_authored else live.creator_makers)
        settled.create_time.CopyFrom(live.create_time if live is not None else stamp(edit.state.time))
        return settled

    def check(self, edit: Edit, live: approval_rule_pb2.ApprovalRule | None, settled: approval_rule_pb2.ApprovalRule) -> None:
        """It has subjects, and the grant it would make is understood and no more than its author holds."""
        if not settled.subjects:
            raise Invalid("An approval rule says whose requests it approves: name subjects, or `*`.", resource=settled.id)
        if not 0 <= settled.longest_days <= _MOST_DAYS:
            raise Invalid(f"longest_days is a number of days up to {_MOST_DAYS:,}, or 0 for no bound.", resource=settled.id)
        if (settled.columns or settled.masks or settled.row_filter) and settled.resource.count(".") != 2:
            raise Invalid(
                "Columns, masks and a row filter belong to one port: name the port, like sales.orders.orders.",
                resource=settled.id,
            )
        if live is not None and _only_disables(live, settled):
            return  # what approves nothing gives nothing
        for subject in settled.subjects:
            grant = grant_pb2.Grant(
                id=settled.id, subject=subject, resource=settled.resource, actions=("discover", "read"),
                effect=grant_pb2.EFFECT_ALLOW, purpose=settled.purpose, columns=settled.columns,
                row_filter=settled.row_filter, masks=settled.masks,
            )  # fmt: skip
            if settled.longest_days:
                grant.expire_time.CopyFrom(stamp(edit.state.time, plus=timedelta(days=settled.longest_days)))
            prepare_grant(edit.backend, edit.state, grant)
            rest_grant(edit.backend, edit.state, edit.caller, grant)  # it gives at most what its author holds

    def located(self, edit: Edit, content: approval_rule_pb2.ApprovalRule) -> approval_rule_pb2.ApprovalRule:
        """On the port of a product that has one only, if it is about columns or rows."""
        return located(edit.backend, content)

    def sources_of(self, message: approval_rule_pb2.ApprovalRule) -> Sequence[str]:
        """The folder of its resource's domain."""
        return (source_of_resource(message.resource),)


def _only_disables(live: approval_rule_pb2.ApprovalRule, wanted: approval_rule_pb2.ApprovalRule) -> bool:
    """True if the rule is to approve nothing any more, and nothing else about it changes."""
    before, after = approval_rule_pb2.ApprovalRule(), approval_rule_pb2.ApprovalRule()
    before.CopyFrom(live)
    after.CopyFrom(wanted)
    for rule in (before, after):
        for field in ("is_disabled", "etag", "is_dead", "creator", "creator_makers", "create_time"):
            rule.ClearField(field)
    return wanted.is_disabled and before == after
