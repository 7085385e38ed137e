"""How the rules of the centre are edited: guardrails, governed tags, and consents to lose one."""

from __future__ import annotations

from domainmesh.v1 import governed_tag_pb2, grant_pb2, product_pb2
from governance_server.backend import stamp
from governance_server.editing.editor import Edit, Editor
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid
from governance_server.rules.governed_tags import check_tag_release
from governance_server.rules.grants import check_guardrail
from governance_server.rules.policy_facts import exemption_role
from mesh_core.names import MESH, check_tag, tag_object

__all__ = ["GovernedTagEditor", "GuardrailEditor", "TagReleaseEditor"]

_LONGEST_OBJECT = 1024


class GuardrailEditor(Editor[grant_pb2.Guardrail]):
    """Edits guardrails."""

    kind = kinds.GUARDRAIL
    message = grant_pb2.Guardrail

    def name_of(self, wanted: grant_pb2.Guardrail) -> str:
        """Its id."""
        return check_tag(wanted.id)

    def content(self, message: grant_pb2.Guardrail) -> grant_pb2.Guardrail:
        """Its rule, on what, and who is exempt; names sorted, each once."""
        content = grant_pb2.Guardrail()
        content.CopyFrom(message)
        for field in ("create_time", "creator", "exempt", "warning"):
            content.ClearField(field)
        content.exempt.extend(sorted(set(message.exempt)))
        return content

    def authorise(self, edit: Edit, live: grant_pb2.Guardrail | None, wanted: grant_pb2.Guardrail | None) -> bool:
        """Central."""
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
        return True

    def settle(self, edit: Edit, live: grant_pb2.Guardrail | None, wanted: grant_pb2.Guardrail) -> grant_pb2.Guardrail:
        """With who made it, and when."""
        settled = grant_pb2.Guardrail()
        settled.CopyFrom(wanted)
        settled.creator = edit.caller.name
        settled.ClearField("warning")
        settled.create_time.CopyFrom(stamp(edit.state.time))
        return settled

    def check(self, edit: Edit, live: grant_pb2.Guardrail | None, settled: grant_pb2.Guardrail) -> None:
        """It is understood, and purposes it exempts exist."""
        product = edit.backend.policy.product_of(settled.resource)
        check_guardrail(settled, product)
        _check_exists(edit, settled.resource, product)
        for exempt in settled.exempt:
            name = exempt.removeprefix("purpose:")
            if exempt.startswith("purpose:") and edit.state.get(kinds.PURPOSE, name) is None:
                raise Invalid(f"There is no purpose {name!r} to exempt: create it first.", resource=exemption_role(settled.id))
        if edit.state.get(kinds.GRANT, settled.id) is not None:
            raise Invalid(f"There is a grant {settled.id!r}: choose another id.", resource=settled.id)


def _check_exists(edit: Edit, resource: str, product: product_pb2.Product | None) -> None:
    """Returns if a resource named is there: a guardrail on a misspelt one would bind nothing. Raises: Invalid."""
    if resource == MESH or resource.startswith("tag:"):
        return
    domain, dots = resource.partition(".")[0], resource.count(".")
    if not dots:
        is_there = edit.state.get(kinds.DOMAIN, domain) is not None
    else:
        is_there = product is not None and (dots == 1 or any(port.name == resource for port in product.ports))
    if not is_there:
        raise Invalid(
            f"There is no {resource!r}, so the guardrail would bind nothing: check the spelling, or name a tag.",
            resource=resource,
        )


class GovernedTagEditor(Editor[governed_tag_pb2.GovernedTag]):
    """Edits governed tags."""

    kind = kinds.GOVERNED_TAG
    message = governed_tag_pb2.GovernedTag

    def name_of(self, wanted: governed_tag_pb2.GovernedTag) -> str:
        """The tag; `pii.*` and `pii` are the same one."""
        return tag_object(wanted.tag).removeprefix("tag:")

    def content(self, message: governed_tag_pb2.GovernedTag) -> governed_tag_pb2.GovernedTag:
        """The tag and what it means."""
        return governed_tag_pb2.GovernedTag(tag=message.tag, description=message.description)

    def authorise(
        self, edit: Edit, live: governed_tag_pb2.GovernedTag | None, wanted: governed_tag_pb2.GovernedTag | None
    ) -> bool:
        """Central."""
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
        return True

    def settle(
        self, edit: Edit, live: governed_tag_pb2.GovernedTag | None, wanted: governed_tag_pb2.GovernedTag
    ) -> governed_tag_pb2.GovernedTag:
        """With who governed it, and when."""
        settled = self.content(wanted)
        settled.creator = edit.caller.name
        settled.create_time.CopyFrom(stamp(edit.state.time))
        return settled

    def check(self, edit: Edit, live: governed_tag_pb2.GovernedTag | None, settled: governed_tag_pb2.GovernedTag) -> None:
        """It is a tag."""
        self.name_of(settled)


class TagReleaseEditor(Editor[governed_tag_pb2.TagRelease]):
    """Edits consents to lose a governed tag."""

    kind = kinds.TAG_RELEASE
    message = governed_tag_pb2.TagRelease

    def name_of(self, wanted: governed_tag_pb2.TagRelease) -> str:
        """The object and the tag."""
        if not wanted.object.isprintable() or not 0 < len(wanted.object) <= _LONGEST_OBJECT:
            raise Invalid("A consent to lose a tag names a product, port or column, like finance.ledger.entries#iban.")
        return kinds.tag_release_name(wanted.object, tag_object(wanted.tag).removeprefix("tag:"))

    def content(self, message: governed_tag_pb2.TagRelease) -> governed_tag_pb2.TagRelease:
        """Object, tag and reason."""
        return governed_tag_pb2.TagRelease(object=message.object, tag=message.tag, reason=message.reason)

    def authorise(self, edit: Edit, live: governed_tag_pb2.TagRelease | None, wanted: governed_tag_pb2.TagRelease | None) -> bool:
        """Central."""
        edit.backend.policy.authorise(edit.caller, "administer", MESH)
        return True

    def settle(
        self, edit: Edit, live: governed_tag_pb2.TagRelease | None, wanted: governed_tag_pb2.TagRelease
    ) -> governed_tag_pb2.TagRelease:
        """With who consented, and when."""
        settled = self.content(wanted)
        settled.creator = edit.caller.name
        settled.create_time.CopyFrom(stamp(edit.state.time))
        return settled

    def check(self, edit: Edit, live: governed_tag_pb2.TagRelease | None, settled: governed_tag_pb2.TagRelease) -> None:
        """It names something that can carry a tag, and says why."""
        check_tag_release(settled)
