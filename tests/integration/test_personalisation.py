"""What is known of a customer is used in answers only under a purpose that the product's contract permits."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from domain_sdk import Answer, InvalidContract, Mesh
from tests.integration.ask_mesh import AskMesh, pages_contract
from tests.integration.mesh_setup import contract

TABLE = "care.view.customers"
QUESTION = "Which return rules hold?"
COLUMNS = [
    "customer_id: string, required: true, primaryKey: true, primaryKeyPosition: 1", "segment: string, required: true",
    "nickname: string, tags: [pii.name]",
]  # fmt: skip
NOTHING = ("Nothing that you may use for this purpose is known of whom the question is about.",)


def view_contract(purposes: str) -> str:
    """The contract of the customers' view."""
    stated = f"customProperties: [{{property: personalisation, value: {purposes}}}]\n" if purposes else ""
    return contract("care.view", {"customers": COLUMNS}) + stated


@pytest.fixture(scope="module")
def care(ask_mesh: AskMesh) -> Iterator[Mesh]:
    """Owns what is known of customers, which answers may use for `care-service` only; `care-returns` is a part of that."""
    with ask_mesh.server.admin() as admin:
        admin.admin.create_principal("user:cara")
        admin.admin.create_domain("care", owners=["user:cara"])
        for purpose, parent in (("care-service", ""), ("care-returns", "care-service"), ("care-marketing", "")):
            admin.admin.create_purpose(purpose, parent=parent)
    with ask_mesh.server.user("user:cara") as cara:
        rows = pl.DataFrame({"customer_id": ["C-0042", "C-0043"], "segment": ["platinum", "basic"], "nickname": ["Zed", "Yan"]})
        cara.domain("care").product("view", view_contract("[care-service]")).publish(customers=rows, progress=False)
        yield cara


def told(answer: Answer) -> str:
    """What the answer says and rests on."""
    return f"{answer.text} {[figure.rows for figure in answer.figures]} {[port.port for port in answer.ports]}"


def agent(ask_mesh: AskMesh, care: Mesh, name: str) -> Mesh:
    """Someone who may read the view for every purpose, and for none."""
    with ask_mesh.server.admin() as admin:
        if name not in {it.name for it in admin.admin.principals()}:
            admin.admin.create_principal(name, purposes=["care-service", "care-marketing"])
    care.grant(name, "care.view")
    return ask_mesh.reader(name, "policy.handbook")


def test_a_customer_is_known_only_under_a_purpose_that_permits_it(ask_mesh: AskMesh, care: Mesh) -> None:
    with agent(ask_mesh, care, "user:agent-1") as mesh:
        for purpose in ("care-service", "care-returns"):
            used = mesh.ask(QUESTION, about="customer C-0042", purpose=purpose, extractive=True)
            assert TABLE in {port.port for port in used.ports}, used
            assert NOTHING[0] not in used.notices
        for purpose in ("", "care-marketing"):
            unused = mesh.ask(QUESTION, about="customer C-0042", purpose=purpose or None, extractive=True)
            assert "care.view" not in told(unused)
            assert unused.notices == NOTHING
        assert mesh.read(TABLE)["segment"].to_list() == ["platinum", "basic"]  # it is the use in answers that is narrowed


def test_a_question_finds_the_customer_only_under_such_a_purpose(ask_mesh: AskMesh, care: Mesh) -> None:
    question = "Which segment has customer C-0042?"
    with agent(ask_mesh, care, "user:agent-2") as mesh:
        assert "platinum" in mesh.ask(question, purpose="care-service", extractive=True).text
        assert "platinum" not in told(mesh.ask(question, purpose="care-marketing", extractive=True))
        assert "platinum" not in told(mesh.ask(question, extractive=True))


def test_what_may_not_be_read_and_what_is_not_there_are_told_alike(ask_mesh: AskMesh, care: Mesh) -> None:
    with agent(ask_mesh, care, "user:agent-3") as mesh, ask_mesh.reader("user:guest", "policy.handbook") as guest:
        absent = mesh.ask(QUESTION, about="customer C-9999", purpose="care-service", extractive=True)
        forbidden = guest.ask(QUESTION, about="customer C-0042", extractive=True)
    assert absent.notices == forbidden.notices == NOTHING


def test_a_model_cannot_read_it_for_another_purpose(ask_mesh: AskMesh, care: Mesh) -> None:
    with agent(ask_mesh, care, "user:agent-4") as mesh:
        answer = mesh.ask("What do we know of platinum customers?", purpose="care-marketing")
    assert "care.view" not in told(answer)


@pytest.fixture(scope="module")
def diary(care: Mesh, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Notes on customers, which answers may use for `care-service` only."""
    folder = tmp_path_factory.mktemp("diary")
    (folder / "zed.md").write_text("# Customer C-0042\n\nCustomer C-0042 wants to be called in the evening.\n")
    text = pages_contract("care.diary") + "customProperties: [{property: personalisation, value: [care-service]}]\n"
    care.domain("care").product("diary", contract=text).publish(pages=folder, progress=False)
    return "care.diary"


def test_a_purpose_that_is_held_for_something_else_uses_nothing(ask_mesh: AskMesh, care: Mesh, diary: str) -> None:
    question = "When does customer C-0042 want to be called?"
    with ask_mesh.server.user("user:desk-1") as mesh:
        for product in ("care.view", diary):
            care.grant("user:desk-1", product)
        ask_mesh.paula.grant("user:desk-1", "policy.handbook", purpose="care-service")
        answer = mesh.ask(question, about="customer C-0042", purpose="care-service", extractive=True)
        assert ("evening" in told(answer), "platinum" in told(answer), "care." in told(answer)) == (False, False, False)
        care.grant("user:desk-1", diary, purpose="care-service")
        assert "evening" in mesh.ask(question, purpose="care-service", extractive=True).text


def test_an_answer_is_given_again_without_it_to_who_holds_the_purpose_no_more(ask_mesh: AskMesh, care: Mesh, diary: str) -> None:
    question = "When does customer C-0042 want to be called?"
    with agent(ask_mesh, care, "user:agent-5") as mesh, ask_mesh.server.admin() as admin:
        care.grant("user:agent-5", diary)
        answer = mesh.ask(question, purpose="care-service", extractive=True)
        assert "evening" in mesh.ask(as_of=answer.id).text
        admin.admin.update_principal("user:agent-5", purposes=["care-marketing"])
        assert "evening" not in told(mesh.ask(as_of=answer.id))


def test_a_contract_that_names_no_purpose_is_refused(care: Mesh) -> None:
    rows = pl.DataFrame({"customer_id": ["C-1"], "segment": ["x"], "nickname": ["y"]})
    with pytest.raises(InvalidContract, match="personalisation"):
        care.domain("care").product("other", view_contract("[]").replace("care.view", "care.other")).publish(
            customers=rows, progress=False
        )
