"""Personal data that stands around the text of documents: in titles, headings, file names, headers of mail, names of speakers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import Mesh
from tests.integration.mesh_setup import contract
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

PAGES = "clinic.papers.pages"
FILES = {
    "titled.md": "---\ntitle: Notes of Dr. Grace Hopper\n---\nThe compiler was finished in the spring.\n",
    "headed.md": "# Review\n\n## Signed by Barbara Liskov\n\nThe abstraction was found sound by the whole committee.\n",
    "again.md": "# Hamilton case\n\nDear Ms. Hamilton, the landing went well.\n\n## Annex\n\nThe checklist has nine pages.\n",
    "Zerlina_Quackenbush-2024.md": "# Contract\n\nThe rent is due on the first of each month.\n",
    "known.md": "# Ignatius Thwaite\n\nThe garden behind the house was measured twice.\n",
    "jane.roe@mail.example.txt": "The parcel came with the morning post.\n",
    "call.vtt": (
        "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Katherine Johnson>The orbit was computed by hand.\n\n"
        "00:05.000 --> 00:08.000\n<v Speaker 2>Thank you, Katherine, that is a relief.\n"
    ),
    "note.eml": (
        "From: =?utf-8?q?Zo=C3=AB_=C3=85ngstr=C3=B6m?= <z@mail.example>\nTo: Bob Jones <b@mail.example>\nSubject: Lunch\n"
        "Date: Mon, 1 Jan 2024 10:00:00 +0000\n\nBob Jones brings the soup, says Zoë.\n"
    ),
    "plain.md": "# Lunch\n\nLunch is at noon in the hall.\n",
}
NAMES = ("Hopper", "Liskov", "Hamilton", "Quackenbush", "Thwaite", "roe@", "Johnson", "Katherine", "Zoë", "Ångström", "Jones")


@pytest.fixture(scope="module")
def olga(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder: Path = tmp_path_factory.mktemp("papers")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with server.admin() as admin:
        admin.admin.create_principal("user:olga")
        admin.admin.create_domain("clinic", owners=["user:olga"])
        admin.admin.create_guardrail("people", "tag:pii.*", mask="replace-with-null", exempt=["user:olga"])
    columns = ["id: string, required: true, primaryKey: true, primaryKeyPosition: 1", "name: string, tags: [pii.name]"]
    with server.user("user:olga") as mesh:
        people = pl.DataFrame({"id": ["P-1", "P-2"], "name": ["Zerlina Quackenbush", "Ignatius Thwaite"]})
        mesh.domain("clinic").product("people", contract("clinic.people", {"patients": columns})).publish(
            patients=people, progress=False
        )
        text = CONTRACT.replace("policy.notes", "clinic.papers").replace(
            "      - {name: text,",
            "      - {name: title, logicalType: string}\n      - {name: heading, logicalType: string}\n      - {name: text,",
        )
        mesh.domain("clinic").product("papers", contract=text).publish(pages=folder, progress=False)
        mesh.grant("user:quin", "clinic.papers")
        yield mesh


def test_whom_a_guardrail_binds_reads_no_name_anywhere_around_a_text(server: RunningServer, olga: Mesh) -> None:
    with server.user("user:quin") as quin:
        hits = quin.retrieve(PAGES, "What was said, measured, computed or paid?", limit=100)
    shown = [(hit.document, hit.title, hit.heading, hit.text) for hit in hits]
    assert [name for name in NAMES if name in str(shown)] == []
    assert {hit.document for hit in hits} == {"plain.md", "note.eml"}  # the rest has names where no place can be masked
    assert any("[names of people] brings the soup, says [names of people]." in hit.text for hit in hits)


def test_who_may_see_the_names_finds_every_document_with_its_tag(olga: Mesh) -> None:
    hits = olga.retrieve(PAGES, "What was said, measured, computed or paid?", limit=100)
    assert {hit.document for hit in hits} == set(FILES)
    assert {hit.document for hit in hits if not hit.tags} == {"plain.md"}


def test_a_record_leads_to_documents_that_are_named_after_it(olga: Mesh) -> None:
    (mention,) = olga.mentions("clinic.people.patients", "P-1")
    assert (mention.document, mention.start) == ("Zerlina_Quackenbush-2024.md", mention.end)
    (mention,) = olga.mentions("clinic.people.patients", "P-2")
    assert mention.document == "known.md"
