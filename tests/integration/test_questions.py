"""Questions about many, asked of a real server: what it says people see is what they read, and nobody is told too much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidRequest, Mesh, MeshError, NotFound, Question, Resource, Shown, TooLarge, WayKind
from domain_sdk.cli import main
from domainmesh.v1 import question_service_pb2 as pb
from domainmesh.v1.question_service_pb2_grpc import QuestionServiceStub
from tests.integration.mesh_setup import contract, detail_of, raw_mesh, token_of
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

ORDERS, STAFF = "sales.orders.orders", "hr.staff.people"
ORDER_COLUMNS = ["id: integer, required: true", "region: string", "email: 'string', tags: [pii.email]"]
STAFF_COLUMNS = ["name: 'string', tags: [pii.name]", "salary: integer"]
PEOPLE = ("user:olga", "user:hugo", "user:rita", "user:gus", "user:stan")


@dataclass(frozen=True)
class Company:
    """Two domains with a product each, a guardrail, and people with different rights."""

    server: RunningServer
    admin: Mesh
    users: dict[str, Mesh]
    revision: int
    """Before anything was granted."""

    def reads(self, name: str, port: str, purpose: str = "") -> list[str]:
        """The columns the person really gets; none if the read is refused."""
        try:
            return self.users[name].read(port, purpose=purpose or None).columns
        except AccessDenied:
            return []


@pytest.fixture(scope="module")
def company(server: RunningServer) -> Iterator[Company]:
    admin = server.admin()
    for purpose in ("billing", "marketing"):
        admin.admin.create_purpose(purpose)
    users = {name: server.user(name) for name in ("user:olga", "user:hugo", "user:rita", "user:stan")}
    users["user:gus"] = server.user("user:gus", groups=["group:clerks"], purposes=["billing"])
    admin.admin.create_domain("sales", owners=["user:olga"])
    admin.admin.create_domain("hr", owners=["user:hugo"])
    orders = pl.DataFrame({"id": [1, 2], "region": ["EU", "US"], "email": ["a@x.org", "b@x.org"]})
    staff = pl.DataFrame({"name": ["Ann", "Bo"], "salary": [1, 2]})
    text = contract("sales.orders", {"orders": ORDER_COLUMNS})
    users["user:olga"].domain("sales").product("orders", text).publish(orders=orders, progress=False)
    text = contract("hr.staff", {"people": STAFF_COLUMNS})
    users["user:hugo"].domain("hr").product("staff", text).publish(people=staff, progress=False)
    revision = admin.audit.changes()[-1].revision
    admin.admin.create_guardrail("mask-pii", "tag:pii.*", mask="mask-alphanum", exempt=["purpose:billing"])
    users["user:olga"].grant("user:rita", ORDERS, columns=["id", "email"], rows="region = 'EU'")
    users["user:olga"].grant("group:clerks", "sales.orders")
    users["user:hugo"].grant("user:gus", STAFF, columns=["name"], purpose="billing")
    yield Company(server, admin, users, revision)
    for mesh in (admin, *users.values()):
        mesh.close()


def names(error: BaseException) -> str:
    assert isinstance(error, MeshError)
    return str(error)


def test_what_somebody_sees_is_what_it_reads(company: Company) -> None:
    for name in PEOPLE:
        found = company.admin.policy.sees(name)
        assert not found.is_restricted
        seen = {(it.port, purpose): [c.name for c in it.columns] for it in found.sights for purpose in it.purposes}
        for port in (ORDERS, STAFF):
            for purpose in ("", "billing", "marketing"):
                assert seen.get((port, purpose), []) == company.reads(name, port, purpose), (name, port, purpose)


def test_everybody_who_sees_a_column_is_listed_with_the_way_to_it(company: Company) -> None:
    found = company.admin.policy.who(f"{ORDERS}.email")
    listed = {(it.principal, purpose): it for it in found.sights for purpose in it.purposes}
    for name in PEOPLE:
        for purpose in ("", "billing", "marketing"):
            assert ((name, purpose) in listed) == ("email" in company.reads(name, ORDERS, purpose)), (name, purpose)
    rita, gus = listed["user:rita", ""], listed["user:gus", "billing"]
    assert (rita.columns[0].shown, rita.columns[0].mask, rita.row_filter) == (Shown.MASKED, "mask-alphanum", "\"region\" = 'EU'")
    assert gus.columns[0].shown is Shown.CLEAR
    assert [path.via for path in gus.paths] == [("user:gus", "group:clerks")]
    assert ("group:clerks", "") in listed
    assert found.principal_count > len(PEOPLE)


def test_a_domain_owner_is_told_of_its_own_domain_only(company: Company) -> None:
    found = company.users["user:olga"].policy.sees("user:gus")
    assert found.is_restricted
    assert {it.port for it in found.sights} == {ORDERS}
    assert {it.principal for it in company.users["user:olga"].policy.who(ORDERS).sights} >= {"user:olga", "user:rita", "user:gus"}
    with pytest.raises(AccessDenied):
        company.users["user:olga"].policy.who(STAFF)
    proof = company.users["user:olga"].policy.prove(guardrail="mask-pii")
    assert proof.is_restricted
    assert {it.column for it in proof.counterexamples} == {f"{ORDERS}#email"}


def test_who_may_grant_nowhere_cannot_ask_about_others_but_may_ask_about_itself(company: Company) -> None:
    rita = company.users["user:rita"]
    for ask in (
        lambda: rita.policy.sees("user:olga"),
        lambda: rita.policy.sees("*"),
        lambda: rita.policy.who(ORDERS),
        lambda: rita.policy.prove(tag="pii.*"),
        lambda: rita.policy.explain_many([Question(ORDERS, "user:olga")]),
        lambda: rita.policy.simulate([Resource("grant", {"subject": "user:stan", "resource": ORDERS, "actions": ["read"]})]),
    ):
        with pytest.raises(AccessDenied):
            ask()
    own = rita.policy.sees()
    assert [(it.port, it.row_filter, it.paths) for it in own.sights] == [(ORDERS, "restricted", ())]
    assert company.users["user:stan"].policy.sees().sights == ()


def test_what_is_hidden_and_what_does_not_exist_are_refused_with_the_same_bytes(company: Company) -> None:
    token = token_of(company.server, "user:olga")
    with raw_mesh(company.server, token) as raw:
        stub = raw.control(QuestionServiceStub)

        def refusal(hidden: str) -> bytes:
            changes = [
                Resource("grant", {"subject": "user:stan", "resource": hidden, "actions": ["read"], "columns": ["salary"]})
            ]
            from domain_sdk._change_calls import to_desired

            calls = [
                (stub.ListReaders, pb.ListReadersRequest(resource=hidden)),
                (
                    stub.ExplainMany,
                    pb.ExplainManyRequest(questions=[pb.ExplainManyRequest.Question(principal="user:gus", port=hidden)]),
                ),
                (stub.Simulate, pb.SimulateRequest(changes=to_desired(changes))),
            ]
            told = b""
            for call, request in calls:
                with pytest.raises(grpc.RpcError) as raised:
                    call(request, metadata=raw.metadata)
                detail = detail_of(raised.value)
                detail.request_id = ""
                told += detail.SerializeToString(deterministic=True)
            return told.replace(hidden.encode(), b"@" * len(hidden))

        assert refusal("hr.staff.people") == refusal("hr.staff.nobody")


def test_a_token_narrowed_to_reading_asks_nothing_about_others(company: Company) -> None:
    token = company.admin.admin.create_token("user:olga", scope=["discover,read:sales"]).secret
    with Mesh.connect(company.server.url, token) as narrow:
        with pytest.raises(AccessDenied):
            narrow.policy.who(ORDERS)
        with pytest.raises(AccessDenied):
            narrow.policy.sees("user:gus")
        assert [it.port for it in narrow.policy.sees().sights] == [ORDERS]


def test_questions_are_answered_as_of_a_revision(company: Company) -> None:
    then = company.admin.policy.who(ORDERS, as_of=company.revision)
    assert {it.principal for it in then.sights if it.principal.startswith("user:")} == {"user:olga"}
    assert {column.shown for it in then.sights for column in it.columns} == {Shown.CLEAR}
    assert then.revision == company.revision
    assert company.admin.policy.sees("user:gus", as_of=company.revision).sights == ()
    assert not company.admin.policy.prove(tag="pii.email", as_of=company.revision).holds
    past = company.admin.policy.explain_many([Question(ORDERS, "user:gus")], as_of=company.revision)
    assert [it.is_visible for it in past] == [False]
    with pytest.raises(InvalidRequest):
        company.admin.policy.who(ORDERS, as_of=10**9)


def test_a_grant_is_simulated_and_then_does_what_was_said(company: Company) -> None:
    grant = Resource(
        "grant",
        {"subject": "user:stan", "resource": ORDERS, "actions": ["discover", "read"], "columns": ["id"], "effect": "allow"},
    )
    impact = company.users["user:olga"].policy.simulate([grant])
    change = next(it for it in impact.access if it.principals == ("user:stan",))
    assert (change.gains, change.loses, change.could_read, change.can_read) == (True, False, False, True)
    assert [(it.column, it.before, it.after) for it in change.columns] == [("id", Shown.HIDDEN, Shown.CLEAR)]
    assert [(it.action, it.resource, it.is_allowed) for it in impact.actions] == [("discover", ORDERS, True)]
    assert (impact.gained_count, impact.lost_count, impact.is_restricted, impact.is_cut) == (1, 0, True, False)
    assert company.reads("user:stan", ORDERS) == []
    made = company.users["user:olga"].grant("user:stan", ORDERS, columns=["id"])
    assert company.reads("user:stan", ORDERS) == ["id"]
    company.users["user:olga"].revoke(made.id)


def test_a_plan_shows_what_its_changes_do_to_access(company: Company) -> None:
    fields = {"subject": "user:stan", "resource": ORDERS, "actions": ["read"], "columns": ["id"], "effect": "allow"}
    plan = company.users["user:olga"].changes.plan([Resource("grant", fields)])
    assert plan.impact is not None
    assert [(it.principals, it.port, it.can_read) for it in plan.impact.access] == [(("user:stan",), ORDERS, True)]
    assert company.reads("user:stan", ORDERS) == []


def test_recorded_reads_tell_whom_a_change_would_hurt(company: Company) -> None:
    assert company.reads("user:rita", ORDERS) == ["id", "email"]
    grants = company.users["user:olga"].grants(subject="user:rita")
    impact = company.users["user:olga"].policy.simulate(
        [Resource("grant", {"id": grants[0].id}, is_absent=True)], recorded_days=1
    )
    denied = next(it for it in impact.reads if it.principal == "user:rita")
    assert denied.is_denied
    assert denied.read_count >= 1
    assert impact.affected_read_count >= 1
    assert impact.recorded_days == 1


def test_many_questions_are_asked_of_a_state_nobody_has_made(company: Company) -> None:
    changes = [
        Resource("principal", {"name": "user:new", "groups": ["group:clerks"], "purposes": ["billing"]}),
        Resource("guardrail", {"id": "no-region", "resource": ORDERS, "row_filter": "region <> 'US'"}),
    ]
    asked = [Question(ORDERS, "user:new", "billing"), Question(ORDERS, "user:new"), Question(STAFF, "user:new")]
    clear, masked, nothing = company.admin.policy.explain_many(asked, changes=changes)
    assert [(it.name, it.shown) for it in clear.columns] == [(name, Shown.CLEAR) for name in ("id", "region", "email")]
    assert clear.row_filter == "\"region\" != 'US'"
    assert [it.mask for it in masked.columns] == ["", "", "mask-alphanum"]
    assert not nothing.is_visible
    assert nothing.reasons
    with pytest.raises(AccessDenied):  # an owner may not make central changes, so it may not suppose them
        company.users["user:olga"].policy.explain_many(asked[:1], changes=changes)
    assert {it.name for it in company.admin.admin.principals()}.isdisjoint({"user:new"})


def test_a_proof_names_who_reads_past_a_guardrail(company: Company) -> None:
    proof = company.admin.policy.prove(guardrail="mask-pii")
    assert not proof
    found = {(it.principal, it.column): it for it in proof.counterexamples}
    gus = found["user:gus", f"{ORDERS}#email"]
    assert (gus.purposes, gus.shown) == (("billing",), Shown.CLEAR)
    assert [path.via for path in gus.exemptions] == [("purpose:billing",)]
    assert {name for name, _ in found} == {"user:gus"}
    assert company.admin.policy.prove(guardrail="mask-pii", purpose="marketing").holds
    assert company.admin.policy.prove(tag="pii.*", subject="user:rita").holds
    assert not company.admin.policy.prove(tag="pii.*", subject="user:rita", hidden=True).holds
    with pytest.raises(NotFound):
        company.admin.policy.prove(guardrail="nothing")


def test_names_that_nobody_has_are_no_vacuous_answers(company: Company) -> None:
    admin, olga = company.admin, company.users["user:olga"]
    with pytest.raises(NotFound, match=r"nothing to prove: no column carries tag:pii\.emial"):
        admin.policy.prove(tag="pii.emial")
    for ask in (
        lambda: admin.policy.prove(tag="pii.*", purpose="biling"),
        lambda: admin.policy.sees("user:gus", purpose="biling"),
        lambda: olga.policy.who(ORDERS, purpose="biling"),
        lambda: admin.request(ORDERS, purpose="biling", reason="x"),
        lambda: olga.grant("user:stan", ORDERS, actions=["read"], purpose="biling"),
    ):
        with pytest.raises(InvalidRequest, match="There is no purpose 'biling': did you mean billing"):
            ask()
    for question in (
        lambda: admin.policy.sees("user:guss"),
        lambda: admin.explain(ORDERS, principal="user:guss"),
        lambda: admin.policy.prove(tag="pii.*", subject="user:guss"),
    ):
        with pytest.raises(NotFound, match="There is no principal 'user:guss': did you mean user:gus"):
            question()
    admin.policy.sees("role:owner-of-sales")  # no principal, but rules are about it
    assert olga.policy.sees("user:guss").sights == olga.policy.sees("user:nobody").sights == ()  # may not know who there is


def test_an_explanation_names_what_would_change_it_and_it_does(company: Company) -> None:
    gus, hugo = company.users["user:gus"], company.users["user:hugo"]
    plain = gus.explain(ORDERS)
    assert [(it.name, it.shown, it.mask) for it in plain.columns] == [
        ("id", Shown.CLEAR, ""), ("region", Shown.CLEAR, ""), ("email", Shown.MASKED, "mask-alphanum"),
    ]  # fmt: skip
    assert plain.columns[2].reasons[-1] == "mask-pii masks it with mask-alphanum"
    ways = {way.kind: way for way in plain.ways}
    assert (ways[WayKind.STATE_PURPOSE].purpose, ways[WayKind.STATE_PURPOSE].columns) == ("billing", ("email",))
    assert gus.explain(ORDERS, purpose="billing").columns[2].shown is Shown.CLEAR
    assert "purpose:billing" in ways[WayKind.EXEMPTION].words
    rita = company.users["user:rita"].explain(ORDERS)
    assert [it.reasons for it in rita.columns if it.shown is Shown.HIDDEN] == [("no rule gives it",)]
    assert rita.request_command == ""  # she may discover and read, not request
    assert not any(way.actor for way in rita.ways)
    seen = hugo.grant("user:gus", STAFF, actions=["discover"])
    denial = hugo.grant("user:gus", STAFF, actions=["read"], deny=True)
    told = hugo.explain(STAFF, principal="user:gus", purpose="billing")
    assert not told.is_allowed
    ended = next(way for way in told.ways if way.kind is WayKind.END_DENIAL)
    assert (ended.rule, ended.actor) == (denial.id, "user:hugo")
    hidden = next(way for way in gus.explain(STAFF, purpose="billing").ways if way.kind is WayKind.END_DENIAL)
    assert (hidden.rule, hidden.actor) == (denial.id, "")
    hugo.revoke(denial.id)
    hugo.revoke(seen.id)
    assert hugo.explain(STAFF, principal="user:gus", purpose="billing").is_allowed


def test_an_explanation_gives_the_line_that_asks_and_who_decides_it(company: Company) -> None:
    olga, stan = company.users["user:olga"], company.users["user:stan"]
    with pytest.raises(AccessDenied):
        stan.explain(ORDERS)
    made = olga.grant("user:stan", ORDERS, actions=["discover", "request"])
    found = stan.explain(ORDERS, purpose="")
    assert found.request_command == f"mesh request {ORDERS} --reason …"
    assert [level.approvers for level in found.approvers] == [("user:olga",)]
    assert {it.shown for it in found.columns} == {Shown.HIDDEN}
    write = stan.explain(ORDERS, action="write")
    assert not write.is_allowed
    assert "user:olga" in write.next_step
    assert f"mesh grant user:stan {ORDERS} --actions write" in write.next_step
    assert olga.explain(ORDERS, action="write").is_allowed
    with pytest.raises(InvalidRequest):
        stan.explain(ORDERS, action="fly")  # type: ignore[arg-type]
    olga.revoke(made.id)
    with pytest.raises(AccessDenied):
        stan.explain(ORDERS)


def test_a_purpose_that_only_the_centre_can_assign_is_named(company: Company) -> None:
    made = company.users["user:olga"].grant("user:stan", ORDERS)
    found = company.users["user:stan"].explain(ORDERS)
    assigned = next(way for way in found.ways if way.kind is WayKind.ASSIGN_PURPOSE)
    assert (assigned.purpose, assigned.columns) == ("billing", ("email",))
    company.users["user:olga"].revoke(made.id)


def test_questions_are_in_the_decision_log(company: Company) -> None:
    company.users["user:olga"].policy.who(ORDERS)
    with pytest.raises(AccessDenied):
        company.users["user:rita"].policy.who(ORDERS)
    kinds = {(it.principal, str(it.kind), it.is_allowed) for it in company.admin.audit.decisions(resource=ORDERS)}
    assert {("user:olga", "question", True), ("user:rita", "question", False)} <= kinds


def test_pages_together_are_the_whole_answer(company: Company) -> None:
    stub = company.admin._transport.control(QuestionServiceStub)
    for request, method in (
        (pb.ListReadersRequest(resource=ORDERS, page_size=1), stub.ListReaders),
        (pb.ListVisibleRequest(principal="user:gus", page_size=1), stub.ListVisible),
    ):
        pages = [company.admin._transport.call(method, request)]
        while pages[-1].next_page_token:
            request.page_token = pages[-1].next_page_token
            pages.append(company.admin._transport.call(method, request))
        whole = type(request)()
        whole.CopyFrom(request)
        whole.page_size, whole.page_token = 500, ""
        together = [it for page in pages for it in page.sights]
        assert len(pages) > 1
        assert together == list(company.admin._transport.call(method, whole).sights)


@pytest.mark.parametrize(
    "changes",
    [
        [Resource("grant", {"subject": "nobody at all", "resource": ORDERS, "actions": ["read"]})],
        [Resource("grant", {"subject": "user:stan", "resource": ORDERS, "actions": ["read"], "columns": ["nothing"]})],
        [Resource("grant", {"subject": "user:stan", "resource": ORDERS, "actions": ["fly"]})],
        [Resource("grant", {"subject": "user:stan", "resource": ORDERS, "actions": ["read"], "row_filter": "1 +"})],
        [Resource("purpose", {"name": ""})],
        [Resource("guardrail", {"id": "x"})] * 2,
    ],
)
def test_changes_that_make_no_sense_are_refused_clearly(company: Company, changes: list[Resource]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        company.admin.policy.simulate(changes)
    assert len(names(raised.value)) > 20


def test_too_much_at_once_is_refused(company: Company) -> None:
    with pytest.raises(TooLarge):
        company.admin.policy.explain_many([Question(ORDERS)] * 1001)
    with pytest.raises(TooLarge):
        company.admin.policy.simulate([Resource("purpose", {"name": f"p{number}"}) for number in range(1001)])


def test_the_commands_say_it_in_words_and_in_json(
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("MESH_URL", company.server.url)
    monkeypatch.setenv("MESH_TOKEN", company.server.admin_token)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str]:
        status = main(list(words))
        return status, capsys.readouterr().out

    status, text = run("who", f"{ORDERS}.email")
    assert status == 0
    assert "user:rita" in text
    assert "group:clerks" in text
    status, text = run("sees", "user:gus", "--domain", "sales")
    assert status == 0
    assert "email (mask-alphanum)" in text
    status, text = run("prove", "mask-pii")
    assert status == 1
    assert "Does not hold: " in text
    assert "purpose:billing" in text
    status, text = run("prove", "tag:pii.*", "--purpose", "marketing", "--json")
    assert (status, json.loads(text)["holds"]) == (0, True)
    status, text = run("simulate", "--grant", f"user:stan={ORDERS}", "--mask", "id=replace-with-null", "--days", "1")
    assert status == 0
    assert "user:stan" in text
    assert "id hidden → replace-with-null" in text
    file = tmp_path_factory.mktemp("changes") / "changes.yaml"
    grant = f"- grant: {{subject: user:stan, resource: {ORDERS}, actions: [read], effect: allow}}"
    file.write_text(f"{grant}\n- guardrail: {{id: mask-pii}}\n  absent: true\n")
    status, text = run("simulate", str(file), "--json")
    assert status == 0
    assert {it["port"] for it in json.loads(text)["access"]} == {ORDERS, STAFF}
    assert replace(Question(ORDERS), purpose="billing").purpose == "billing"
