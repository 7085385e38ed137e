"""Documents that mention people of the mesh's own tables: tagged, masked by guardrails, and found again from the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidRequest, Mesh
from tests.integration.mesh_setup import contract
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

TABLE, PAGES = "crm.people.customers", "crm.letters.pages"
LETTER = "# Complaint\n\nThe machine sold to Zerlina Quackenbush in May has failed twice.\n"
OTHER = "# Thanks\n\nThe delivery was quick and all is well.\n"


@pytest.fixture(scope="module")
def olga(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("letters")
    (folder / "complaint.md").write_text(LETTER)
    (folder / "thanks.md").write_text(OTHER)
    with server.admin() as admin:
        for name in ("user:olga", "user:mallory", "user:zed", "user:yan"):
            admin.admin.create_principal(name)
        admin.admin.create_domain("crm", owners=["user:olga"])
        admin.admin.create_domain("rival", owners=["user:mallory"])
        admin.admin.create_guardrail(
            "names", "tag:pii.name", mask="replace-with-null", exempt=["user:olga", "user:zed", "user:yan"]
        )
    people = pl.DataFrame(
        {"id": ["C-1", "C-2"], "name": ["Zerlina Quackenbush", "Ignatius Thwaite"], "region": ["north", "south"]}
    )
    columns = [
        "id: string, required: true, primaryKey: true, primaryKeyPosition: 1",
        "name: string, tags: [pii.name]",
        "region: string, partitioned: true",
    ]
    with server.user("user:olga") as mesh:
        table = mesh.domain("crm").product("people", contract("crm.people", {"customers": columns}))
        table.publish(customers=people, progress=False)
        table.upkeep.compact(z_order=["name"])
        text = CONTRACT.replace("policy.notes", "crm.letters")
        mesh.domain("crm").product("letters", contract=text).publish(pages=folder, progress=False)
        yield mesh


def test_a_record_leads_to_the_place_in_the_document(olga: Mesh) -> None:
    (mention,) = olga.mentions(TABLE, "C-1")
    assert (mention.collection, mention.document, mention.column, mention.tag) == (PAGES, "complaint.md", "name", "pii.name")
    assert LETTER[mention.start : mention.end] == "Zerlina Quackenbush"
    assert olga.mentions(TABLE, "C-2") == []
    facets = olga.show(PAGES).facets
    assert facets is not None
    assert (facets.mentioning_documents, facets.known_values) == (1, 2)


def test_a_passage_that_mentions_a_customer_obeys_the_guardrail(server: RunningServer, olga: Mesh) -> None:
    question = "Which machine has failed?"
    olga.grant("user:quin", "crm.letters")
    with server.user("user:quin") as quin:
        assert [hit.tags for hit in olga.retrieve(PAGES, question, limit=1)] == [("pii.name",)]
        (letter,) = [hit for hit in quin.retrieve(PAGES, question, limit=10) if hit.document == "complaint.md"]
        assert letter.text == "The machine sold to [names of people] in May has failed twice."
        found = [[hit.document for hit in olga.retrieve(PAGES, name)] for name in ("Zerlina Quackenbush", "Ignatius Thwaite")]
        assert found[0] == found[1]  # the one stands in a letter, the other nowhere: nobody finds out by searching


def test_mentions_need_every_row_of_the_table_and_the_documents_as_they_are(server: RunningServer, olga: Mesh) -> None:
    with server.user("user:rita") as rita:
        with pytest.raises(AccessDenied):
            rita.mentions(TABLE, "C-1")
        olga.grant("user:rita", TABLE, rows="region = 'south'")
        with pytest.raises(AccessDenied):
            rita.mentions(TABLE, "C-1")
        olga.grant("user:rita", TABLE)
        assert rita.mentions(TABLE, "C-1") == []
        olga.grant("user:rita", "crm.letters")
        assert rita.mentions(TABLE, "C-1") == []  # a guardrail binds the tag of the passage
    with pytest.raises(InvalidRequest, match=f"the value of the primary key of {TABLE}"):
        olga.mentions(TABLE, ["C-1", "x"])
    with pytest.raises(InvalidRequest, match=rf"{PAGES} has no primary key.*name a table"):
        olga.mentions(PAGES, "complaint.md")


def test_a_collection_that_is_none_is_refused_with_where_their_names_are(olga: Mesh) -> None:
    with pytest.raises(InvalidRequest, match=r"'pages' is no published collection of crm.letters: .*`mesh show crm.letters`"):
        olga.domain("crm").product("letters").upkeep.reindex(port="pages")


def test_mentions_tell_no_value_that_the_table_itself_would_not_show(server: RunningServer, olga: Mesh) -> None:
    for name in ("user:zed", "user:yan"):
        olga.grant(name, "crm.letters")
    olga.grant("user:zed", TABLE, columns=["id", "region"])
    olga.grant("user:yan", TABLE, masks={"id": "sha-256-global"})
    with server.user("user:zed") as zed, server.user("user:yan") as yan:
        assert zed.read(TABLE).columns == ["id", "region"]
        assert zed.mentions(TABLE, "C-1") == []  # else the letter would tell the name
        with pytest.raises(AccessDenied):
            yan.mentions(TABLE, "C-1")  # else it would find out which key is whose
    olga.grant("user:zed", TABLE)
    with server.user("user:zed") as zed:
        assert [it.document for it in zed.mentions(TABLE, "C-1")] == ["complaint.md"]


def test_who_may_not_read_a_table_learns_nothing_of_it_from_tags(server: RunningServer, olga: Mesh, tmp_path: Path) -> None:
    (tmp_path / "probe.md").write_text("# Probe\n\nIs Zerlina Quackenbush among them, or Ignatius Thwaite?\n")
    with server.user("user:mallory") as mallory:
        text = CONTRACT.replace("policy.notes", "rival.probe")
        mallory.domain("rival").product("probe", contract=text).publish(pages=tmp_path, progress=False)
        entry = mallory.show("rival.probe.pages")
        assert entry.passage_tags == ()
        assert entry.facets is not None
        assert entry.facets.known_values == 0


def test_a_release_without_the_letter_forgets_the_mention(olga: Mesh, tmp_path: Path) -> None:
    (tmp_path / "thanks.md").write_text(OTHER)
    text = CONTRACT.replace("policy.notes", "crm.letters")
    olga.domain("crm").product("letters", contract=text).publish(pages=tmp_path, progress=False)
    assert olga.mentions(TABLE, "C-1") == []
    assert olga.show(PAGES).passage_tags == ()
