"""Mentions are told by the rights of the very moment that they are of, whatever is written while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domainmesh.v1 import grant_pb2
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, CreateGuardrailRequest, RevokeGrantRequest
from domainmesh.v1.maintenance_service_pb2 import EraseSubjectRequest
from domainmesh.v1.mention_service_pb2 import ListMentionsRequest
from governance_server.rules import kinds
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract
from tests.integration.test_erased_mentions import COLUMNS, PEOPLE, make_desk
from tests.integration.test_retrieval_worlds import TERMS

SOUP = "# Soup\n\nThe soup of Zerlina Quackenbush was cold.\n"
RENT = "# Rent\n\nZerlina Quackenbush pays the rent from DE89370400440532013000.\n"
DEN = "# Den\n\nZerlina Quackenbush keeps bees.\n"


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InnerMesh]:
    """Rob may read of people and of letters, but of no letters in which there is an account."""
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    with inner_mesh(tmp_path / "home") as made:
        make_desk(made)
        hidden = grant_pb2.Guardrail(id="ibans", resource="tag:pii.iban", deny_read=True, exempt=["user:olga"])
        made.call(ADMIN, "CreateGuardrail", CreateGuardrailRequest(guardrail=hidden))
        made.publish("user:olga", "desk.people", contract("desk.people", {"people": COLUMNS}), {"people": PEOPLE})
        grant(made, "desk.people")
        yield made


def grant(mesh: InnerMesh, product: str) -> str:
    given = grant_pb2.Grant(subject="user:rob", resource=product, actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
    found: str = mesh.call("user:olga", "CreateGrant", CreateGrantRequest(grant=given)).id
    return found


def publish(mesh: InnerMesh, folder: Path, **letters: str) -> None:
    """A release of exactly these letters."""
    folder.mkdir()
    for name, text in letters.items():
        (folder / f"{name}.md").write_text(text)
    mesh.publish("user:olga", "desk.letters", TERMS.replace("policy.notes", "desk.letters"), {"pages": folder})  # type: ignore[dict-item] # a folder, as the SDK takes


def told(mesh: InnerMesh) -> dict[int, set[str]]:
    """The documents that Rob is told to mention Zerlina, by version of the letters."""
    asked = ListMentionsRequest(port="desk.people.people", key=["C-1"])
    found = mesh.call("user:rob", "ListMentions", asked).collections
    return {it.version: {mention.document for mention in it.mentions} for it in found}


def once_listed(mesh: InnerMesh, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """When mentions are listed for the next time, this happens at once behind it, before the list is used."""
    catalog, left = mesh.backend.catalog, [happens]
    actual = catalog.list

    def listed(kind: str, **selection: Any) -> list[tuple[str, bytes]]:
        found = actual(kind, **selection)
        if kind == kinds.MENTIONS and not selection.get("prefix") and left:
            left.pop()()
        return found

    monkeypatch.setattr(catalog, "list", listed)


@pytest.mark.parametrize("is_opened", [True, False])
def test_no_mentions_of_a_version_are_told_by_the_tags_of_another(
    mesh: InnerMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_opened: bool
) -> None:
    first, second = ({"den": DEN, "rent": RENT}, {"soup": SOUP}) if is_opened else ({"soup": SOUP}, {"den": DEN, "rent": RENT})
    publish(mesh, tmp_path / "first", **first)
    grant(mesh, "desk.letters")
    assert told(mesh) == ({} if is_opened else {1: {"soup.md"}})
    once_listed(mesh, monkeypatch, lambda: publish(mesh, tmp_path / "second", **second))
    assert told(mesh) == ({2: {"soup.md"}} if is_opened else {})


def test_a_right_that_is_revoked_while_mentions_are_read_shows_none(
    mesh: InnerMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mesh, tmp_path / "first", soup=SOUP)
    given = grant(mesh, "desk.letters")
    once_listed(mesh, monkeypatch, lambda: mesh.call("user:olga", "RevokeGrant", RevokeGrantRequest(id=given)))
    assert told(mesh) == {}


def test_who_is_erased_while_mentions_are_read_is_in_none(
    mesh: InnerMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mesh, tmp_path / "first", soup=SOUP)
    grant(mesh, "desk.letters")
    asked = EraseSubjectRequest(tag="pii.name", value="Zerlina Quackenbush", reason="asked", products=["desk.letters"])
    once_listed(mesh, monkeypatch, lambda: mesh.call("user:olga", "EraseSubject", asked))
    assert told(mesh) == {}
