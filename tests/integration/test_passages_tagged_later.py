"""A passage whose source gains a masking tag is left out at the next retrieval, until it is indexed anew without it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, PortEntry
from tests.integration.mesh_setup import contract
from tests.servers import RunningServer

_MINOR = itertools.count()
NOTES, PAGES = "crm.notes.notes", "desk.answers.pages"
COLLECTION = """kind: DataContract
apiVersion: v3.2.0
id: desk.answers
name: Answers
version: 1.0.0
status: active
domain: desk
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {dimensions: 256, distanceMetric: cosine, embeddingModel: hashing}
"""


@pytest.fixture(scope="module", params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    vectors = {"MESH_VECTORS": request.getfixturevalue("weaviate_url")} if request.param == "weaviate" else {}
    server = RunningServer(tmp_path_factory.mktemp("desk") / "mesh", MESH_EMBEDDER="hashing", **vectors)
    with server.admin() as admin:
        for domain in ("crm", "desk"):
            admin.admin.create_domain(domain, owners=["user:cora"])
        admin.admin.create_guardrail("no-names", "tag:pii.name", mask="replace-with-null", exempt=["user:cora"])
    yield server
    server.stop()


def _publish_notes(cora: Mesh, *columns: str, product: str = "notes") -> None:
    text = contract(f"crm.{product}", {"notes": ["id: integer", *columns]}, version=f"1.{next(_MINOR)}.0")
    rows = pl.DataFrame({"id": [1], "note": ["As Ann asked."], "plain": ["As Ann asked."]})
    cora.domain("crm").product(product, text).publish(notes=rows, progress=False)


@pytest.mark.timeout(180)
def test_a_tag_that_comes_later_leaves_passages_out_until_they_are_indexed_anew(
    desk: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    (tmp_path / "refunds.md").write_text("# Refunds\n\nRefunds take forty days.\n")
    with desk.user("user:cora") as cora, desk.user("user:rob") as rob:
        cora.grant("user:rob", "desk")
        _publish_notes(cora, "note: string", "plain: string")
        answers = cora.domain("desk").product("answers", COLLECTION)
        answers.publish(pages=tmp_path, lineage={"pages": {"text": [f"{NOTES}.note"]}}, progress=False)
        assert [hit.document for hit in rob.retrieve(PAGES, "refunds")] == ["refunds.md"]

        _publish_notes(cora, "note: 'string', tags: [pii.name]", "plain: string")
        with pytest.raises(AccessDenied, match="masked or hidden for you"):
            rob.retrieve(PAGES, "refunds")
        told = rob.explain(PAGES)
        assert (told.is_allowed, told.reasons[0]) == (False, "Its text is masked or hidden, so it cannot be searched.")
        assert "no-names" in told.next_step
        assert not rob.check("read", PAGES).is_allowed
        assert not any(hit.is_readable for hit in rob.discover("answers"))
        assert cora.explain(PAGES).is_allowed
        assert all(hit.is_readable for hit in cora.discover("answers"))
        assert [hit.document for hit in cora.retrieve(PAGES, "refunds")] == ["refunds.md"]
        shown = cora.show(PAGES)
        assert isinstance(shown, PortEntry)
        paths = {column.name: [tag.path for tag in column.derived_tags] for column in shown.columns}
        assert paths["text"] == [(f"{NOTES}#note", f"{PAGES}#text")]

        answers.publish(pages=tmp_path, lineage={"pages": {"text": [f"{NOTES}.plain"]}}, progress=False)
        assert [hit.document for hit in rob.retrieve(PAGES, "refunds")] == ["refunds.md"]
        with pytest.raises(AccessDenied):
            rob.retrieve(PAGES, "refunds", version=1)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("column", ["title", "heading"])
def test_what_is_indexed_with_the_text_leaves_passages_out_while_it_is_masked(
    desk: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Masked only where it is shown, a title would still be told by what a question for it finds."""
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    for name, word in (("one", "Zanzibar"), ("two", "Quixotic"), ("bare", "")):
        title, heading = (word, "") if column == "title" else ("Terms", f"# {word}\n\n" if word else "")
        (tmp_path / f"{name}.md").write_text(f"---\ntitle: {title}\n---\n\n{heading}Refunds take forty days.\n")
    product, notes = f"answers-{column}", f"notes-{column}"
    pages, left = f"desk.{product}.pages", ["bare.md"] if column == "heading" else []

    def found(mesh: Mesh, question: str, version: int | None = None) -> list[str]:
        return [hit.document for hit in mesh.retrieve(pages, question, version=version)]

    with desk.user("user:cora") as cora, desk.user("user:rob") as rob, desk.admin() as admin:
        cora.grant("user:rob", "desk")
        _publish_notes(cora, "note: 'string', tags: [pii.name]", "plain: string", product=notes)
        answers = cora.domain("desk").product(product, COLLECTION.replace("desk.answers", f"desk.{product}"))

        def publish(source: str) -> int:
            return answers.publish(
                pages=tmp_path, lineage={"pages": {column: [f"crm.{notes}.notes.{source}"]}}, progress=False
            ).version

        tagged = publish("note")
        assert found(rob, "Zanzibar") == found(rob, "Quixotic") == left
        assert found(cora, "Zanzibar")[0] == "one.md"
        publish("plain")
        assert (found(rob, "Zanzibar")[0], found(rob, "Quixotic")[0]) == ("one.md", "two.md")
        assert found(rob, "Zanzibar", tagged) == left
        publish("note")
        assert found(rob, "Zanzibar") == left
        admin.admin.release_tag(f"crm.{notes}.notes#note", "pii.name", reason="nobody is named there")
        _publish_notes(cora, "note: string", "plain: string", product=notes)
        assert (found(rob, "Zanzibar")[0], found(rob, "Quixotic")[0]) == ("one.md", "two.md")
        cora.grant("user:rob", pages, columns=[column], deny=True)
        assert found(rob, "Zanzibar") == left
