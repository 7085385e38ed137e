"""What stands beside the passages tells nothing of hidden documents: facets, the catalog's search, ids, mentions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import CollectionFacets, Mesh, MeshError, PortEntry
from tests.integration.mesh_setup import contract
from tests.integration.test_retrieval_worlds import TERMS
from tests.servers import RunningServer

PAGES, NAMED, PEOPLE = "desk.files.pages", "desk.named.pages", "desk.people.people"
FILES = {
    "lunch.md": "# Lunch\n\nLunch is at noon in the hall of Hooli GmbH in Berlin, since 2021-03-04.\n",
    "merger.md": "# Merger\n\nThe merger with Globex Corporation in Paris costs $ 40 million on 2031-05-06.\n",
    "letter.md": "# Letter\n\nThe lunch is paid from DE89370400440532013000 by Zerlina Quackenbush.\n",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path_factory.mktemp("desk") / "mesh", MESH_EMBEDDER="hashing")
    with server.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:olga"])
        admin.admin.create_purpose("audit")
        admin.admin.create_guardrail("ibans", "tag:pii.iban", mask="replace-with-null", exempt=["user:olga", "user:mia"])
        admin.admin.create_guardrail("mails", "tag:pii.email", mask="replace-with-null", exempt=["user:olga"])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def olga(desk: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Owns files, and files that are named after somebody's address."""
    columns = ["id: string, required: true, primaryKey: true, primaryKeyPosition: 1", "name: string, tags: [pii.name]"]
    with pytest.MonkeyPatch.context() as patch, desk.user("user:olga") as mesh:
        patch.setenv("MESH_EMBEDDER", "hashing")
        people = pl.DataFrame({"id": ["C-1"], "name": ["Zerlina Quackenbush"]})
        domain = mesh.domain("desk")
        domain.product("people", contract("desk.people", {"people": columns})).publish(people=people, progress=False)
        for product, files in (
            ("files", FILES),
            ("named", {"lunch.md": FILES["lunch.md"], "jane.roe@mail.example.md": "# Post\n\nZerlina Quackenbush wrote.\n"}),
        ):
            folder = tmp_path_factory.mktemp(product)
            for name, text in files.items():
                (folder / name).write_text(text)
            terms = TERMS.replace("policy.notes", f"desk.{product}")
            domain.product(product, contract=terms).publish(pages=folder, progress=False)
        yield mesh


def facets_of(mesh: Mesh, port: str = PAGES) -> CollectionFacets:
    """What the catalog tells of the documents."""
    facets = mesh.show(port).facets  # type: ignore[union-attr]
    assert facets is not None
    return facets


def test_who_may_read_all_documents_is_told_what_they_are_about(desk: RunningServer, olga: Mesh) -> None:
    olga.grant("user:ada", "desk.files")
    with desk.user("user:ada") as ada:
        for mesh in (olga, ada):  # one passage is masked for Ada, and none is hidden
            facets = facets_of(mesh)
            assert (facets.is_withheld, facets.documents) == (False, 3)
            assert set(facets.organisations) == {"Hooli GmbH", "Globex Corporation"}
            assert [hit.name for hit in mesh.discover("globex")] == [PAGES]


@pytest.mark.parametrize("right", ["rows", "discover", "title", "denied tag", "hidden documents", "partly"])
def test_who_may_not_read_all_of_them_is_told_only_what_was_not_looked_for(desk: RunningServer, olga: Mesh, right: str) -> None:
    name = f"user:part-{right.replace(' ', '-')}"
    port = NAMED if right == "hidden documents" else PAGES
    product = port.rpartition(".")[0]
    if right == "rows":
        olga.grant(name, product, rows="document != 'merger.md'")
    elif right == "discover":
        olga.grant(name, product, actions=["discover"])
    elif right == "title":
        olga.grant(name, product, masks={"title": "replace-with-null"})
    elif right == "partly":
        olga.grant(name, port, columns=["document"])
        olga.grant(name, port, columns=["text"], rows="document != 'merger.md'")
    else:
        olga.grant(name, product)
    with desk.user(name) as mesh, desk.admin() as admin:
        if right == "denied tag":
            admin.admin.create_guardrail("no-names", "tag:pii.name", deny_read=True, exempt=["user:olga"])
        facets = facets_of(mesh, port)
        assert facets == CollectionFacets(is_withheld=True, not_covered=facets_of(olga, port).not_covered)
        for product_entry in mesh.products("desk"):
            assert all(it.facets is None or it.facets.is_withheld for it in product_entry.ports if it.name == port)
        assert [hit.name for word in ("globex", "paris", "hooli") for hit in mesh.discover(word) if hit.name == port] == []
        assert mesh.discover(port)[0].name == port
        if right == "denied tag":
            admin.admin.delete_guardrail("no-names")


def test_a_purpose_that_opens_all_of_them_counts(desk: RunningServer, olga: Mesh) -> None:
    olga.grant("user:eve", "desk.files", actions=["discover"])
    given = olga.grant("user:eve", "desk.files", purpose="audit")
    with desk.user("user:eve") as eve:
        assert facets_of(eve).documents == 3
        olga.revoke(given.id)
        assert facets_of(eve).is_withheld


def test_the_id_of_a_passage_tells_no_name_of_a_document_that_is_not_shown(desk: RunningServer, olga: Mesh) -> None:
    olga.grant("user:masked", "desk.files", masks={"document": "replace-with-null"})
    olga.grant("user:ungiven", "desk.files", columns=["text"])
    for name in ("user:masked", "user:ungiven"):
        with desk.user(name) as mesh:
            hits = mesh.retrieve(PAGES, "lunch", limit=10)
        assert len(hits) == 3
        for hit in hits:
            guesses = {hashlib.sha256(f"{it}\0{hit.start}\0{hit.text}".encode()).hexdigest()[:32] for it in FILES}
            assert hit.id not in guesses
            assert hit.document == ""


def test_mentions_are_told_only_of_documents_whose_names_may_be_read(desk: RunningServer, olga: Mesh) -> None:
    assert {it.document for it in olga.mentions(PEOPLE, "C-1")} == {"letter.md", "jane.roe@mail.example.md"}
    for name in ("user:max", "user:mia", "user:moe"):
        olga.grant(name, "desk.people")
    olga.grant("user:max", "desk.files", masks={"document": "replace-with-null"})
    olga.grant("user:moe", "desk.files", columns=["text"])
    for product in ("desk.files", "desk.named"):
        olga.grant("user:mia", product)
    with desk.user("user:max") as maxim, desk.user("user:mia") as mia, desk.user("user:moe") as moe:
        assert maxim.mentions(PEOPLE, "C-1") == []
        assert moe.mentions(PEOPLE, "C-1") == []
        assert {it.document for it in mia.mentions(PEOPLE, "C-1")} == {"letter.md"}  # the other's name is an address


def test_a_known_name_that_two_passages_share_is_hidden_in_both(desk: RunningServer, olga: Mesh, tmp_path: Path) -> None:
    """Sentences that are longer than a passage are cut between any two words."""
    for before in range(112, 124):
        words = [*(f"w{it}" for it in range(before)), "Zerlina", "Quackenbush", *(f"v{it}" for it in range(90))]
        (tmp_path / f"n{before}.md").write_text(f"# Long\n\n{' '.join(words)}.\n")
    terms = TERMS.replace("policy.notes", "desk.long")
    olga.domain("desk").product("long", contract=terms).publish(pages=tmp_path, progress=False)
    hits = olga.retrieve("desk.long.pages", "Long", limit=100)
    assert any(hit.text.endswith(" Zerlina") for hit in hits)
    assert {hit.tags for hit in hits if "Zerlina" in hit.text or "Quackenbush" in hit.text} == {("pii.name",)}
    with desk.admin() as admin:
        admin.admin.create_guardrail("names", "tag:pii.name", mask="replace-with-null", exempt=["user:olga"])
        olga.grant("user:nan", "desk.long")
        with desk.user("user:nan") as nan:
            shown = nan.retrieve("desk.long.pages", "Long", limit=100)
        admin.admin.delete_guardrail("names")
    assert len(shown) == len(hits)
    assert not any(word in hit.text for hit in shown for word in ("Zerlina", "Quackenbush"))
    assert {it.document for it in olga.mentions(PEOPLE, "C-1") if it.collection == "desk.long.pages"} == {
        hit.document for hit in hits
    }


def test_names_of_files_that_gave_no_document_are_told_to_who_may_write(desk: RunningServer, olga: Mesh, tmp_path: Path) -> None:
    (tmp_path / "lunch.md").write_text(FILES["lunch.md"])
    (tmp_path / "dismissal-of-zerlina.pdf").write_bytes(b"%PDF-1.7")
    terms = TERMS.replace("policy.notes", "desk.partial")
    olga.domain("desk").product("partial", contract=terms).publish(pages=tmp_path, progress=False)
    olga.grant("user:ann", "desk.partial")

    def told(mesh: Mesh) -> str:
        product = mesh.domain("desk").product("partial")
        return f"{product.quality_history()} {product.releases()} {mesh.quality_warnings('desk')}"

    assert told(olga).count("dismissal-of-zerlina.pdf") == 3
    with desk.user("user:ann") as ann:
        assert "dismissal" not in told(ann)
        (result,) = [it for it in ann.domain("desk").product("partial").quality_history()[0].results if it.check == "documents"]
        assert (result.failing_rows, result.message) == (1, "1 file was left out: who may write desk.partial is told which.")


def test_documents_of_a_release_before_that_are_hidden_today_are_told_of_in_no_past_catalog(tmp_path: Path) -> None:
    """The release of today carries no such tag any more: the one that is shown decides."""
    desk = RunningServer(tmp_path / "mesh", MESH_EMBEDDER="hashing")
    secret = "# Account DE89370400440532013000\n\nThe merger with Globex Corporation in Paris costs $ 40 million.\n"
    with desk.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:olga"])
    with pytest.MonkeyPatch.context() as patch, desk.user("user:olga") as olga, desk.user("user:ada") as ada:
        patch.setenv("MESH_EMBEDDER", "hashing")
        product = olga.domain("desk").product("files", contract=TERMS.replace("policy.notes", "desk.files"))
        for name, text in (("lunch.md", FILES["lunch.md"]), ("secret.md", secret)):
            (tmp_path / "files" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "files" / name).write_text(text)
        product.publish(pages=tmp_path / "files", progress=False)
        olga.grant("user:ada", "desk.files")
        with desk.admin() as admin:
            admin.admin.create_guardrail("ibans", "tag:pii.iban", deny_read=True, exempt=["user:olga"])
        (tmp_path / "files" / "secret.md").unlink()
        product.publish(pages=tmp_path / "files", progress=False)
        told = {mesh: _organisations_ever(mesh) for mesh in (olga, ada)}
    desk.stop()
    assert told[olga] == {"Hooli GmbH", "Globex Corporation"}
    assert told[ada] == {"Hooli GmbH"}


def _organisations_ever(mesh: Mesh) -> set[str]:
    """Those that the catalog names at any revision."""
    found: set[str] = set()
    for revision in range(1, 100):
        try:
            port = mesh.show(PAGES, as_of=revision)
        except MeshError:
            continue
        found |= set(port.facets.organisations) if isinstance(port, PortEntry) and port.facets else set()
    return found
