"""Who is erased is in no mention of a document, nor found by the name of one; everybody else still is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Mesh
from domainmesh.v1.domain_service_pb2 import CreateDomainRequest
from domainmesh.v1.maintenance_service_pb2 import EraseSubjectRequest
from domainmesh.v1.mention_pb2 import DocumentMentions
from domainmesh.v1.principal_service_pb2 import CreatePrincipalRequest
from domainmesh.v1.publication_service_pb2 import AbortPublicationRequest, BeginPublicationRequest
from governance_server.backend import read, store
from governance_server.journal.command import Outcome
from governance_server.journal.verification import verify
from governance_server.publishing import completion
from governance_server.rules import kinds
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract
from tests.integration.test_retrieval_worlds import TERMS
from tests.servers import RunningServer

COLUMNS = [
    "id: string, required: true, primaryKey: true, primaryKeyPosition: 1", "name: string, tags: [pii.name]",
    "mail: string, tags: [pii.email]",
]  # fmt: skip
PEOPLE = pl.DataFrame(
    {
        "id": ["C-1", "C-2"],
        "name": ["Zerlina Quackenbush", "Ignatia Throckmortn"],
        "mail": ["zerlina@example.com", "ignatia@example.com"],
    }
)
LETTERS = {
    "both.md": "# Lunch\n\nThe lunch of Zerlina\nQuackenbush and Ignatia Throckmortn was late.\n",
    "cold.md": "# Soup\n\nThe lunch of Ignatia Throckmortn was cold.\n",
    "Zerlina_Quackenbush-2024.md": "# Rent\n\nThe rent of the lunch room is due.\n",
}
NAMES = ("desk.letters.pages", kinds.versioned_name("desk.letters.pages", 1))
"""Mentions as they were kept before versions were told apart, and as they are now."""
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def olga(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    server = RunningServer(tmp_path_factory.mktemp("desk") / "mesh", MESH_EMBEDDER="hashing")
    with pytest.MonkeyPatch.context() as patch, server.admin() as admin:
        patch.setenv("MESH_EMBEDDER", "hashing")
        admin.admin.create_domain("desk", owners=["user:olga"])
        with server.user("user:olga") as mesh:
            yield mesh
    server.stop()


def published(olga: Mesh, folder: Path) -> tuple[str, str]:
    """A table of people, and letters that mention them: names of both products."""
    people, letters = (f"desk.{name}{next(_NUMBERS)}" for name in ("people", "letters"))
    for name, text in LETTERS.items():
        (folder / name).write_text(text)
    domain = olga.domain("desk")
    domain.product(people.partition(".")[2], contract(people, {"people": COLUMNS})).publish(people=PEOPLE, progress=False)
    publish_letters(olga, letters, folder)
    return people, letters


def letters_in(folder: Path) -> Path:
    """A folder with the letters in it."""
    target = folder / "letters"
    target.mkdir()
    for name, text in LETTERS.items():
        (target / name).write_text(text)
    return target


def make_desk(mesh: InnerMesh) -> None:
    """A domain that olga owns."""
    mesh.call(ADMIN, "CreatePrincipal", CreatePrincipalRequest(principal={"name": "user:olga"}))
    mesh.call(ADMIN, "CreateDomain", CreateDomainRequest(domain={"name": "desk", "owners": ["user:olga"]}))


def publish_letters(olga: Mesh, letters: str, folder: Path) -> None:
    terms = TERMS.replace("policy.notes", letters)
    olga.domain("desk").product(letters.partition(".")[2], contract=terms).publish(pages=folder, progress=False)


def mentioned(olga: Mesh, people: str, letters: str, key: str) -> set[str]:
    """The documents of these letters that mention the record."""
    return {it.document for it in olga.mentions(f"{people}.people", key) if it.collection == f"{letters}.pages"}


def test_no_document_is_told_of_a_record_that_was_erased(olga: Mesh, tmp_path: Path) -> None:
    people, letters = published(olga, tmp_path)
    assert mentioned(olga, people, letters, "C-1") == {"both.md", "Zerlina_Quackenbush-2024.md"}
    olga.admin.erase("pii.email", "zerlina@example.com", reason="asked", products=[people])
    assert mentioned(olga, people, letters, "C-1") == set()
    assert mentioned(olga, people, letters, "C-2") == {"both.md", "cold.md"}


def test_passages_go_with_their_mentions_and_so_does_a_document_of_that_name(olga: Mesh, tmp_path: Path) -> None:
    people, letters = published(olga, tmp_path)
    (found,) = olga.admin.erase("pii.name", "zerlina quackenbush", reason="asked", products=[letters])
    assert (found.ports[0].count, found.is_complete) == (2, True)
    assert [hit.document for hit in olga.retrieve(f"{letters}.pages", "lunch", limit=9)] == ["cold.md"]
    assert mentioned(olga, people, letters, "C-1") == set()
    assert mentioned(olga, people, letters, "C-2") == {"cold.md"}


def test_a_record_that_only_older_versions_hold_is_in_no_mention_once_it_is_erased(olga: Mesh, tmp_path: Path) -> None:
    people, letters = published(olga, tmp_path)
    olga.domain("desk").product(people.partition(".")[2]).publish(people=PEOPLE[1:], progress=False)
    olga.admin.erase("pii.name", "Zerlina Quackenbush", reason="asked", products=[people])
    assert mentioned(olga, people, letters, "C-1") == set()
    assert mentioned(olga, people, letters, "C-2") == {"both.md", "cold.md"}


def test_a_publication_that_ends_after_the_erasure_mentions_nobody_who_was_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    folder = letters_in(tmp_path)
    with inner_mesh(tmp_path / "home") as mesh:
        make_desk(mesh)
        mesh.publish("user:olga", "desk.people", contract("desk.people", {"people": COLUMNS}), {"people": PEOPLE})
        asked = EraseSubjectRequest(tag="pii.email", value="zerlina@example.com", reason="asked", products=["desk.people"])
        receipts = []

        def at(point: str) -> None:
            if point == "publish.before_final":
                receipts.extend(mesh.call("user:olga", "EraseSubject", asked).erasures)

        monkeypatch.setattr(completion, "fault_point", at)
        terms = TERMS.replace("policy.notes", "desk.letters")
        mesh.publish("user:olga", "desk.letters", terms, {"pages": folder})  # type: ignore[dict-item] # a folder, as the SDK takes
        found = read(mesh.backend.catalog, kinds.MENTIONS, kinds.versioned_name("desk.letters.pages", 1), DocumentMentions)
    assert [it.is_complete for it in receipts] == [True]
    assert {it.document for it in found.mentions} == {"both.md", "cold.md"}
    assert (len({it.record for it in found.mentions}), found.mention_count, found.document_count) == (1, 2, 2)


@pytest.mark.parametrize("is_trial", [True, False])
def test_a_publication_that_is_given_up_takes_no_mentions_with_it_that_it_did_not_find(tmp_path: Path, is_trial: bool) -> None:
    with inner_mesh(tmp_path / "home") as mesh:
        make_desk(mesh)
        before = [store(kinds.MENTIONS, name, DocumentMentions(port="desk.letters.pages")) for name in NAMES]
        mesh.backend.journal_as(ADMIN, lambda tx: Outcome("publication.mentions", "desk.letters", tuple(before), b""))
        terms = TERMS.replace("policy.notes", "desk.letters")
        asked = BeginPublicationRequest(product="desk.letters", contract_text=terms, is_trial=is_trial)
        begun = mesh.call("user:olga", "BeginPublication", asked)
        mesh.call("user:olga", "AbortPublication", AbortPublicationRequest(id=begun.id))
        assert [name for name, _ in mesh.backend.catalog.list(kinds.MENTIONS)] == list(NAMES)


def test_who_comes_back_after_an_erasure_is_mentioned_again(olga: Mesh, tmp_path: Path) -> None:
    people, letters = published(olga, tmp_path)
    again = olga.domain("desk").product(people.partition(".")[2])
    olga.admin.erase("pii.email", "zerlina@example.com", reason="asked", products=[people])
    again.publish(people=PEOPLE, progress=False)
    publish_letters(olga, letters, tmp_path)
    assert mentioned(olga, people, letters, "C-1") == {"both.md", "Zerlina_Quackenbush-2024.md"}


def test_a_record_that_older_versions_hold_under_another_name_of_the_column_is_in_no_mention(olga: Mesh, tmp_path: Path) -> None:
    people, letters = published(olga, tmp_path)
    text = contract(people, {"people": [*COLUMNS[:2], "address: string, tags: [pii.email]"]})
    text = re.sub(r"^version: .*$", "version: 2.0.0", text, flags=re.MULTILINE)
    renamed = PEOPLE[1:].rename({"mail": "address"})
    olga.domain("desk").product(people.partition(".")[2], text).publish(people=renamed, progress=False)
    olga.admin.erase("pii.email", "zerlina@example.com", reason="asked", products=[people])
    assert mentioned(olga, people, letters, "C-1") == set()
    assert mentioned(olga, people, letters, "C-2") == {"both.md", "cold.md"}


def test_the_journal_has_no_payload_of_a_publication_in_which_a_document_of_that_name_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    folder = letters_in(tmp_path)
    with inner_mesh(tmp_path / "home") as mesh:
        make_desk(mesh)
        mesh.publish("user:olga", "desk.people", contract("desk.people", {"people": COLUMNS}), {"people": PEOPLE})
        terms = TERMS.replace("policy.notes", "desk.letters")
        mesh.publish("user:olga", "desk.letters", terms, {"pages": folder})  # type: ignore[dict-item] # a folder, as the SDK takes

        def told(word: bytes) -> list[str]:
            every = mesh.backend.journal.read_changes(0, 500)
            return [it.kind for it in every if it.body is not None and word in it.body.lower()]

        assert told(b"zerlina_quackenbush") == ["publication.committing", "publication.mentions"]
        for product in ("desk.people", "desk.letters"):
            for value in ("Ignatia Throckmortn", "Zerlina Quackenbush"):
                asked = EraseSubjectRequest(tag="pii.name", value=value, reason="asked", products=[product])
                assert [it.is_complete for it in mesh.call("user:olga", "EraseSubject", asked).erasures] == [True]
        assert told(b"zerlina_quackenbush") == []
        assert verify(mesh.backend.database).ok
        assert mesh.backend.journal.verify(deep=True).ok
