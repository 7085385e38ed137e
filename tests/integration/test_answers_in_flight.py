"""An answer that is being written ends when anything ends that it rests on, whatever its model has been shown already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain_sdk import Mesh, MeshError
from tests.integration.ask_mesh import HANDBOOK, AskMesh
from tests.integration.scripted_chat import Body, ScriptedChat
from tests.integration.test_ask_model import QUESTION, chat, source_with

__all__ = ["chat"]

READER = "user:vera"
END: dict[str, Callable[[AskMesh, Mesh], object]] = {
    "grant revoked": lambda mesh, admin: [mesh.paula.revoke(it.id) for it in mesh.paula.grants(subject=READER)],
    "grant expired": lambda mesh, admin: time.sleep(4),
    "purpose withdrawn": lambda mesh, admin: admin.admin.update_principal(READER, purposes=[]),
    "attribute changed": lambda mesh, admin: admin.admin.update_principal(READER, attributes={"document": "none"}),
    "principal disabled": lambda mesh, admin: admin.admin.update_principal(READER, is_disabled=True),
    "token revoked": lambda mesh, admin: [admin.admin.revoke_token(it.id) for it in admin.admin.tokens(READER)],
    "reading banned": lambda mesh, admin: admin.admin.create_guardrail("banned", HANDBOOK, deny_read=True),
    "rows filtered": lambda mesh, admin: admin.admin.create_guardrail("filtered", HANDBOOK, rows="document = 'none'"),
    "group left": lambda mesh, admin: admin.admin.update_principal(READER, groups=[]),
}


@pytest.fixture
def vera(ask_mesh: AskMesh, request: pytest.FixtureRequest) -> Iterator[Mesh]:
    how = request.param
    with ask_mesh.server.admin() as admin:
        if "audit" not in {it.name for it in admin.admin.purposes()}:
            admin.admin.create_purpose("audit")
        who: dict[str, Any] = {"groups": ["group:readers"], "purposes": ["audit"], "attributes": {"document": "%"}}
        mesh = ask_mesh.server.user(READER, **who)
        admin.admin.update_principal(READER, is_disabled=False, **who)
        until = datetime.now(UTC) + timedelta(seconds=4) if how == "grant expired" else None
        ask_mesh.paula.grant(
            "group:readers" if how == "group left" else READER, HANDBOOK, until=until,
            rows="'%' = subject.document" if how == "attribute changed" else "",
        )  # fmt: skip
        if how == "purpose withdrawn":
            admin.admin.create_guardrail("filtered", HANDBOOK, rows="document = 'none'", exempt=["purpose:audit"])
        with mesh:
            yield mesh
        admin.admin.update_principal(READER, is_disabled=False, **who)
        for name in ("banned", "filtered"):
            if name in {it.id for it in admin.guardrails()}:
                admin.admin.delete_guardrail(name)
        for subject in (READER, "group:readers"):
            for grant in ask_mesh.paula.grants(subject=subject):
                ask_mesh.paula.revoke(grant.id)


@pytest.mark.parametrize(("vera", "how"), [(it, it) for it in END], indirect=["vera"])
def test_what_ends_while_the_model_writes_ends_the_answer(ask_mesh: AskMesh, vera: Mesh, chat: ScriptedChat, how: str) -> None:
    purpose = "audit" if how == "purpose withdrawn" else ""
    told: list[object] = []

    def script(body: Body) -> str:
        mark = source_with(body, "within 30 days")
        with ask_mesh.server.admin() as admin:
            END[how](ask_mesh, admin)
        return f"An order may be returned within 30 days of delivery [{mark}]."

    chat.script = script
    with pytest.raises(MeshError):
        vera.ask(QUESTION, purpose=purpose, on_part=told.append)
    assert len(chat.asked) == 1
    assert "30 days" not in str(told)
