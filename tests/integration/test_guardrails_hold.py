"""No sequence of actions of domain administrators lets anyone see what a guardrail hides (reference §7, "T").

Two owners and their friends try everything that the API lets them ask for: grants of every shape, roles, members, requests and
approvals, approval rules, change sets, releases with other tags and lineage, columns dropped and brought back, copies in another
domain, tokens, purposes, break-glass. The oracle knows the secret values and looks for them in every cell that anybody sees.
Publishing the same raw data under a new name is not in it: who has the raw data needs no mesh to tell it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from domainmesh.v1 import access_request_pb2, change_set_pb2, domain_pb2, grant_pb2, lineage_pb2, principal_pb2
from domainmesh.v1.access_request_service_pb2 import ApproveAccessRequestRequest, CreateAccessRequestRequest
from domainmesh.v1.approval_rule_service_pb2 import CreateApprovalRuleRequest
from domainmesh.v1.break_glass_service_pb2 import OpenBreakGlassRequest
from domainmesh.v1.change_set_service_pb2 import ApplyChangesRequest
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest, UpdateDomainRequest
from domainmesh.v1.grant_service_pb2 import (
    CreateGrantRequest,
    CreateGuardrailRequest,
    DeleteGuardrailRequest,
    ListGrantsRequest,
    RevokeGrantRequest,
)
from domainmesh.v1.principal_service_pb2 import (
    CreatePrincipalRequest,
    CreatePurposeRequest,
    CreateTokenRequest,
    UpdatePrincipalRequest,
)
from domainmesh.v1.tag_service_pb2 import CreateTagReleaseRequest, DeleteGovernedTagRequest
from governance_server.gateway.scan_errors import ScanError
from governance_server.rules.errors import GovernanceError
from governance_server.warehouse.errors import WarehouseError
from mesh_core.names import InvalidName
from tests.integration.inner_mesh import ADMIN, InnerMesh
from tests.integration.mesh_setup import contract
from tests.soak_time import SOAK_SECONDS, rounds

SAM, DORA, EVE, FAY, CARL = "user:sam", "user:dora", "user:eve", "user:fay", "user:carl"
BAD = (SAM, DORA, EVE, FAY)
PORT, COPY = "sales.crm.people", "lab.copy.people"
HIDDEN = "XX"
ROWS = pl.DataFrame(
    {"id": [1, 2, 3, 4], "region": ["EU", "US", HIDDEN, "EU"], "mail": [f"secret-{i}" for i in range(4)], "total": [1, 2, 3, 4]}
)
SECRETS = frozenset(ROWS["mail"].to_list())
PURPOSES = ("", "analytics", "care")
ACTIONS = ["discover", "request", "read", "write", "grant", "administer"]
CONSENT = {"object": f"{PORT}#mail", "tag": "pii.email", "reason": "x"}
TAGS = {"mail": ["pii.email", "PII.email", "pii", "pii.email.work", "other", ""], "id": ["", "pii.email", "other"]}

who = st.sampled_from(BAD)
owners = st.sampled_from([SAM, DORA])
subjects = st.sampled_from([*BAD, "*", "group:friends", "role:desk", "domain:sales", "domain:lab", CARL, ADMIN])
resources = st.sampled_from([PORT, "sales.crm", "sales", COPY, "lab", "mesh"])
filters = st.sampled_from(["", "", "total > 1", "mail LIKE 'secret%'", "region = 'XX'", "region = subject.region", "TRUE"])
roles = st.sampled_from(["role:desk", "role:break-glass", "role:steward"])
columns = st.sets(st.sampled_from(["id", "region", "mail", "total"]), max_size=3)


@contextmanager
def tried() -> Iterator[None]:
    """Whatever is refused is refused; an error that is none of ours fails the test."""
    with suppress(GovernanceError, InvalidName, WarehouseError, ScanError):
        yield


class Attack(RuleBasedStateMachine):
    """One mesh under attack."""

    mesh: InnerMesh

    def __init__(self) -> None:
        super().__init__()
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._home = tempfile.TemporaryDirectory(dir=memory)
        self.mesh = InnerMesh(Path(self._home.name))
        self.version = 1
        set_up(self.mesh)

    def teardown(self) -> None:
        """Nothing is left."""
        self.mesh.close()
        self._home.cleanup()

    def do(self, name: str, method: str, request: Message) -> None:
        """One call, refused or not."""
        with tried():
            self.mesh.call(name, method, request)

    @rule(name=who, subject=subjects, resource=resources, actions=st.sets(st.sampled_from(ACTIONS), min_size=1), rows=filters,
          shown=columns, mask=st.booleans(), purpose=st.sampled_from(PURPOSES), deny=st.booleans())  # fmt: skip
    def give(self, name: str, subject: str, resource: str, **shape: Any) -> None:
        """Any grant or denial."""
        self.do(name, "CreateGrant", CreateGrantRequest(grant=shaped(subject, resource, shape)))

    @rule(name=owners, subject=subjects, resource=resources)
    def give_all(self, name: str, subject: str, resource: str) -> None:
        """Everything an owner has."""
        grant = grant_pb2.Grant(subject=subject, resource=resource, actions=ACTIONS, effect=grant_pb2.EFFECT_ALLOW)
        self.do(name, "CreateGrant", CreateGrantRequest(grant=grant))

    @rule(name=who, number=st.integers(0, 30))
    def revoke(self, name: str, number: int) -> None:
        """Any grant or denial there is."""
        with tried():
            found = self.mesh.call(name, "ListGrants", ListGrantsRequest()).grants
            if found:
                self.mesh.call(name, "RevokeGrant", RevokeGrantRequest(id=found[number % len(found)].id))

    @rule(name=who, domain=st.sampled_from(["sales", "lab"]), role=roles, member=who)  # fmt: skip
    def fill_role(self, name: str, domain: str, role: str, member: str) -> None:
        """A role of a domain, some of which mean something mesh-wide."""
        changed = domain_pb2.Domain(name=domain, roles=[domain_pb2.DomainRole(name=role, members=[member])])
        self.do(name, "UpdateDomain", UpdateDomainRequest(domain=changed, update_mask={"paths": ["roles"]}))

    @rule(name=who, domain=st.sampled_from(["sales", "lab"]), member=who, field=st.sampled_from(["owners", "members"]))
    def take_office(self, name: str, domain: str, member: str, field: str) -> None:
        """Owners and members are the centre's to name."""
        changed = domain_pb2.Domain(name=domain, **{field: [SAM, member]})
        self.do(name, "UpdateDomain", UpdateDomainRequest(domain=changed, update_mask={"paths": [field]}))

    @rule(name=who, change=st.sampled_from([
        {"roles": ["role:break-glass"]}, {"purposes": ["care"]}, {"groups": ["group:exempt"]}, {"is_administrator": True},
    ]), person=who)  # fmt: skip
    def promote(self, name: str, change: dict[str, Any], person: str) -> None:
        """Principals are the centre's."""
        principal = principal_pb2.Principal(name=person, **change)
        self.do(name, "UpdatePrincipal", UpdatePrincipalRequest(principal=principal, update_mask={"paths": list(change)}))

    @rule(name=who, number=st.integers(0, 5))
    def meddle(self, name: str, number: int) -> None:
        """Guardrails, tags, purposes and other people's tokens are the centre's."""
        method, request = [
            ("DeleteGuardrail", DeleteGuardrailRequest(id="mail")),
            ("CreateGuardrail", CreateGuardrailRequest(guardrail={"id": "none", "resource": "mesh", "row_filter": "TRUE"})),
            ("DeleteGovernedTag", DeleteGovernedTagRequest(tag="pii")),
            (
                "CreateTagRelease",
                CreateTagReleaseRequest(tag_release=CONSENT),
            ),
            ("CreatePurpose", CreatePurposeRequest(purpose={"name": "caring", "parent": "care"})),
            ("CreateToken", CreateTokenRequest(principal=CARL)),
        ][number]
        self.do(name, method, request)

    @rule(
        name=who,
        approver=who,
        purpose=st.sampled_from(PURPOSES),
        rows=filters,
        resource=st.sampled_from([PORT, "sales.crm", COPY]),
    )
    def ask(self, name: str, approver: str, purpose: str, rows: str, resource: str) -> None:
        """A request, and its approval."""
        asked = access_request_pb2.AccessRequest(resource=resource, purpose=purpose, reason="please")
        with tried():
            filed = self.mesh.call(name, "CreateAccessRequest", CreateAccessRequestRequest(access_request=asked))
            self.mesh.call(approver, "ApproveAccessRequest", ApproveAccessRequestRequest(id=filed.id, row_filter=rows))

    @rule(name=who, purpose=st.sampled_from(PURPOSES), resource=st.sampled_from([PORT, "sales", COPY]))
    def automate(self, name: str, purpose: str, resource: str) -> None:
        """A rule that approves whatever is asked."""
        made = {"resource": resource, "subjects": ["*"], "purpose": purpose, "reason": "all"}
        self.do(name, "CreateApprovalRule", CreateApprovalRuleRequest(approval_rule=made))

    @rule(name=who, source=st.sampled_from(["", "domain:sales", "centre"]), subject=subjects, number=st.integers(0, 4))
    def apply(self, name: str, source: str, subject: str, number: int) -> None:
        """Any resource by way of a change set."""
        wanted = [
            change_set_pb2.DesiredResource(guardrail={"id": "mail"}, is_absent=True),
            change_set_pb2.DesiredResource(tag_release=CONSENT),
            change_set_pb2.DesiredResource(principal={"name": name, "purposes": ["care"], "is_administrator": True}),
            change_set_pb2.DesiredResource(
                grant={
                    "id": "sales:all",
                    "subject": subject,
                    "resource": PORT,
                    "actions": ACTIONS,
                    "effect": 1,
                    "purpose": "care",
                }
            ),
            change_set_pb2.DesiredResource(domain={"name": "sales", "owners": [name], "members": list(BAD)}),
        ][number]
        self.do(name, "ApplyChanges", ApplyChangesRequest(source=source, resources=[wanted], reason="x"))

    @rule(name=who)
    def break_glass(self, name: str) -> None:
        """Without the role."""
        self.do(name, "OpenBreakGlass", OpenBreakGlassRequest(resource=PORT, reason="help"))

    @rule(tag=st.sampled_from(TAGS["mail"]), other=st.sampled_from(TAGS["id"]),
          name=st.sampled_from(["mail", "Mail", "MAIL", ""]), wide=st.sampled_from(["", "other", "pii.email"]),
          publisher=who)  # fmt: skip
    def release(self, tag: str, other: str, name: str, wide: str, publisher: str) -> None:
        """The table again, with other tags, another case, or the column dropped to bring it back later."""
        self.version += 1
        tags = {"id": other, "mail": tag}
        written = {"id": "integer", "region": "string", "mail": "string", "total": "integer"}
        lines, names = [], []
        for column, kind in written.items():
            shown = name if column == "mail" else column
            if shown:
                names.append((column, shown))
                tagged = f", tags: [{tags[column]}]" if tags.get(column) else ""
                lines.append(f"{shown}: '{kind}'{tagged}")
        text = contract("sales.crm", {"people": lines}, version=f"{self.version}.0.0")
        if wide:
            text = text.replace("status: active\n", f"status: active\ntags: [{wide}]\n")
        frame = ROWS.select(pl.col(column).alias(shown) for column, shown in names)
        with tried():
            self.mesh.publish(publisher, "sales.crm", text, {"people": frame})

    @rule(tag=st.sampled_from(TAGS["mail"]), name=st.sampled_from(["mail", "mail", "MAIL", ""]))
    def untag(self, tag: str, name: str) -> None:
        """The owner releases the table, as it may; only the tag of the column is another."""
        self.release(tag, "", name, "", SAM)

    @rule(name=st.sampled_from([DORA, SAM, EVE]), purpose=st.sampled_from(PURPOSES), traced=st.booleans())
    def copy(self, name: str, purpose: str, traced: bool) -> None:
        """What one gets to see is published untagged in another domain, with or without its lineage."""
        self.version += 1
        with tried():
            seen = self.mesh.see(name, PORT, purpose)
            if seen is None or not seen.columns:
                return
            kinds = {column: "integer" if seen.schema[column] == pl.Int64 else "string" for column in seen.columns}
            lines = [f"{column}: {kind}" for column, kind in kinds.items()]
            text = contract("lab.copy", {"people": lines}, version=f"{self.version}.0.0")
            lineage = [lineage_pb2.PortLineage(port=COPY, inputs=[{"port": PORT}], unknown_inputs=[PORT])] if traced else []
            self.mesh.publish(DORA, "lab.copy", text, {"people": seen}, lineage)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.mesh.tick(hours=hours)

    @invariant()
    def nobody_sees_a_secret(self) -> None:
        """No cell anybody gets to see holds a hidden value, and no row a hidden one."""
        for name in (*BAD, ADMIN):
            for port in (PORT, COPY):
                for purpose in PURPOSES:
                    with tried():
                        self._look(name, port, purpose)

    def _look(self, name: str, port: str, purpose: str) -> None:
        seen = self.mesh.see(name, port, purpose)
        if seen is not None:
            cells = {value for row in seen.rows() for value in row}
            assert not cells & SECRETS, (name, port, purpose)
            assert HIDDEN not in cells, (name, port, purpose)


def shaped(subject: str, resource: str, shape: dict[str, Any]) -> grant_pb2.Grant:
    """A grant of this shape."""
    effect = grant_pb2.EFFECT_DENY if shape["deny"] else grant_pb2.EFFECT_ALLOW
    grant = grant_pb2.Grant(subject=subject, resource=resource, actions=sorted(shape["actions"]), effect=effect)
    grant.purpose, grant.row_filter = shape["purpose"], shape["rows"]
    grant.columns.extend(sorted(shape["shown"]))
    if shape["mask"]:
        grant.masks.add(column="mail", mask="show-first-4")
    return grant


def set_up(mesh: InnerMesh) -> None:
    """The centre's work, and the first release; Carl, who holds the exempting purpose, sees what others must not."""
    for name, parent in (("analytics", ""), ("care", "")):
        mesh.call(ADMIN, "CreatePurpose", CreatePurposeRequest(purpose={"name": name, "parent": parent}))
    for name in (*BAD, CARL):
        purposes = ["care"] if name == CARL else ["analytics"]
        mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": name, "purposes": purposes}))
    for name, owner, members in (("sales", SAM, [EVE]), ("lab", DORA, [])):
        domain = domain_pb2.Domain(name=name, owners=[owner], members=members)
        mesh.call(ADMIN, "CreateDomain", CreateDomainRequest(domain=domain))
    lines = ["id: integer", "region: string", "mail: string, tags: [pii.email]", "total: integer"]
    mesh.publish(SAM, "sales.crm", contract("sales.crm", {"people": lines}), {"people": ROWS})
    for rule_id, resource, said in (
        ("mail", "tag:pii.*", {"mask": "replace-with-null"}),
        ("rows", PORT, {"row_filter": f"region <> '{HIDDEN}'"}),
    ):
        guardrail = grant_pb2.Guardrail(id=rule_id, resource=resource, exempt=["purpose:care"], **said)
        mesh.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=guardrail))
    grant = grant_pb2.Grant(subject=CARL, resource=PORT, actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    mesh.call(SAM, "CreateGrant", CreateGrantRequest(grant=grant))
    seen = mesh.see(CARL, PORT, "care")
    assert seen is not None
    assert set(seen["mail"]) == SECRETS  # the oracle would notice


TestNoSequenceOfActionsLiftsAGuardrail = Attack.TestCase
TestNoSequenceOfActionsLiftsAGuardrail.settings = settings(
    max_examples=5, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


_LONG = settings(max_examples=3, stateful_step_count=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 900)
def test_no_sequence_does_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    for number in rounds():
        run_state_machine_as_test(Attack, settings=_LONG)
        with capsys.disabled():
            print(f"round {number + 1}: {_LONG.max_examples} attacks of up to {_LONG.stateful_step_count} steps, no secret seen")
