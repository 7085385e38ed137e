"""Documents of many formats in a real mesh: what the catalog tells of them, and what a guardrail masks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain_sdk import InvalidExpression, Mesh
from tests.document_files import mail_file, pdf_file, presentation_file, word_file
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

PORT = "office.files.pages"
TEXT = CONTRACT.replace("policy.notes", "office.files").replace(
    "      - {name: text,", "      - {name: heading, logicalType: string}\n      - {name: text,"
)
PROSE = "The advance is paid before the journey and settled within a month of the return, by Hooli GmbH in Germany."


@pytest.fixture(scope="module")
def paul(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("files")
    pdf_file(
        folder / "rules.pdf",
        [[("Advances", 20), (PROSE, 11)], [("Refunds", 20), ("Refunds end after forty days.", 11)]],
        table_on=2,
    )
    word_file(folder / "travel.docx")
    presentation_file(folder / "deck.pptx")
    mail_file(folder / "note.eml")
    (folder / "cut.pdf").write_bytes(b"%PDF-1.7")
    with server.admin() as admin:
        admin.admin.create_principal("user:paul")
        admin.admin.create_domain("office", owners=["user:paul"])
        admin.admin.create_guardrail("mail", "tag:pii.*", mask="replace-with-null", exempt=["user:paul"])
    with server.user("user:paul") as mesh:
        product = mesh.domain("office").product("files", contract=TEXT)
        product.publish(pages=folder, progress=False)
        mesh.grant("user:quin", "office.files")
        yield mesh


def test_the_catalog_shows_and_finds_what_the_documents_are_about(paul: Mesh) -> None:
    facets = paul.show(PORT).facets
    assert facets is not None
    assert (facets.documents, facets.failed_documents, facets.pages, facets.tables) == (4, 1, 4, 4)
    assert facets.personal["pii.email"] >= 2
    assert facets.organisations == {"Hooli GmbH": 1}
    assert "Ada" not in str(facets)
    assert [hit.name for hit in paul.discover("hooli")] == [PORT]
    assert PORT in {hit.name for hit in paul.discover("", tag="pii.email")}


def test_a_row_filter_that_no_search_could_use_is_refused_when_it_is_written(paul: Mesh) -> None:
    for rows in ("text LIKE '%advance%'", "embedding IS NULL"):
        with pytest.raises(InvalidExpression, match="There is no column"):
            paul.grant("user:rob", PORT, rows=rows)
    assert not [it for it in paul.grants(resource=PORT) if it.subject == "user:rob"]


def test_a_citation_leads_to_its_page_and_table(paul: Mesh) -> None:
    (refund, *_) = paul.retrieve(PORT, "When do refunds end?")
    assert (refund.document, refund.page, refund.heading.split(" > ")[-1]) == ("rules.pdf", 2, "Refunds")
    hits = paul.retrieve(PORT, "daily rate and cap in Oslo", limit=10)
    assert any("| Oslo | 140 | 320 |" in hit.text and hit.page == 2 for hit in hits)


def test_personal_data_is_masked_in_passages_for_whom_the_guardrail_binds(server: RunningServer, paul: Mesh) -> None:
    question = "the budget of 4711 euros that Ada sent"
    with server.user("user:quin") as quin:
        mine, theirs = paul.retrieve(PORT, question, limit=20), quin.retrieve(PORT, question, limit=20)
    assert "note.eml" in {hit.document for hit in mine}
    assert any("pii.email" in hit.tags for hit in mine)
    assert {hit.document for hit in theirs} >= {"rules.pdf", "travel.docx", "deck.pptx"}
    assert not any("@" in hit.text for hit in theirs)
    assert any("[e-mail addresses]" in hit.text for hit in theirs)
