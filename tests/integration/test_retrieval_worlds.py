"""Two worlds that differ only in what a reader may not see answer that reader alike, on both stores; and rights act at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from domain_sdk import AccessDenied, Mesh, Passage
from mesh_core.vectors.identifiers import collection_identifier
from mesh_core.vectors.store import open_store
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

LEFT, RIGHT = "desk.left.pages", "desk.right.pages"
HIDDEN = {
    "left": ("Zerlina Quackenbush", "DE89370400440532013000", "zerlina@example.com"),
    "right": ("Ignatia Throckmortn", "DE02120300000000202051", "ignatia@example.org"),
}
LETTER = """# Complaint

Dear Ms. {name},

the refund for the broken toaster goes to IBAN {iban} within forty days. We wrote to {mail} twice.
If {name} does not answer, the refund waits.

## Postage

Postage for the toaster is refunded with it.
"""
RULES = "# Refunds\n\nA refund takes forty days. The IBAN must be that of the buyer; a letter says which toaster it was.\n"
SECRET = "# Merger\n\nThe toaster merger of {name} is secret: refund, IBAN, letter, forty days.\n"
QUESTIONS = (
    "refund for the toaster",
    "When is postage refunded?",
    *(value for world in HIDDEN.values() for value in world),
    "Quackenbush",
    "DE89 3704 0044 0532 0130 00",
    "toaster refund Zerlina Quackenbush DE89370400440532013000",
)
TERMS = CONTRACT.replace("      - {name: text,", "      - {name: title, logicalType: string}\n      - {name: text,").replace(
    "dimensions: 384", "dimensions: 256"
)


@pytest.fixture(scope="module", params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    vectors = {"MESH_VECTORS": request.getfixturevalue("weaviate_url")} if request.param == "weaviate" else {}
    server = RunningServer(tmp_path_factory.mktemp("desk") / "mesh", MESH_EMBEDDER="hashing", **vectors)
    with server.admin() as admin:
        admin.admin.create_domain("desk", owners=["user:olga"])
        admin.admin.create_guardrail("personal", "tag:pii.*", mask="show-last-4", exempt=["user:olga"])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def olga(desk: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The owner of both worlds, of which user:rob may read all but the secret documents, and nothing personal."""
    with pytest.MonkeyPatch.context() as patch, desk.user("user:olga") as mesh:
        patch.setenv("MESH_EMBEDDER", "hashing")
        for world, (name, iban, mail) in HIDDEN.items():
            folder = tmp_path_factory.mktemp(world)
            (folder / "complaint.md").write_text(LETTER.format(name=name, iban=iban, mail=mail))
            (folder / "rules.md").write_text(RULES)
            (folder / "secret.md").write_text(SECRET.format(name=name))
            text = TERMS.replace("policy.notes", f"desk.{world}")
            mesh.domain("desk").product(world, contract=text).publish(pages=folder, progress=False)
            mesh.grant("user:rob", f"desk.{world}", rows="document != 'secret.md'")
        yield mesh


def shown(hits: list[Passage]) -> list[tuple[object, ...]]:
    """All that a hit says, but its id and port."""
    return [
        (hit.rank, hit.document, hit.title, hit.heading, hit.text, hit.tags, hit.page, hit.start, hit.end, hit.version)
        for hit in hits
    ]


def test_hidden_values_neither_show_nor_rank(desk: RunningServer, olga: Mesh) -> None:
    with desk.user("user:rob") as rob:
        for question in QUESTIONS:
            for limit in (1, 2, 100):
                left, right = (rob.retrieve(port, question, limit=limit) for port in (LEFT, RIGHT))
                assert shown(left) == shown(right), question
                assert len(left) == min(limit, 3)
                said = str(shown(left))
                assert not any(value in said for world in HIDDEN.values() for value in (*world, *world[0].split()))
        assert not {hit.id for hit in left} & {
            hit.id for hit in olga.retrieve(LEFT, QUESTIONS[0], limit=100) if "IBAN D" in hit.text
        }


def test_a_masked_passage_says_what_stood_there(desk: RunningServer, olga: Mesh) -> None:
    with desk.user("user:rob") as rob:
        (hit,) = [hit for hit in rob.retrieve(LEFT, "refund for the broken toaster", limit=10) if "broken" in hit.text]
    assert "goes to IBAN [IBANs] within forty days. We wrote to [e-mail addresses] twice." in hit.text
    assert hit.text.count("[names of people]") == 2
    assert set(hit.tags) == {"pii.email", "pii.iban", "pii.name"}


def test_who_may_see_the_values_is_given_them_but_finds_nothing_by_them(olga: Mesh) -> None:
    for question in (QUESTIONS[0], *(value for world in HIDDEN.values() for value in world[1:])):
        left, right = (olga.retrieve(port, question, limit=100) for port in (LEFT, RIGHT))
        order = [[(hit.document, hit.start) for hit in hits if hit.document != "secret.md"] for hits in (left, right)]
        assert order[0] == order[1]
        assert any(HIDDEN["left"][1] in hit.text for hit in left)
        assert any(HIDDEN["right"][1] in hit.text for hit in right)


def test_no_hidden_value_is_in_the_store(desk: RunningServer, olga: Mesh) -> None:
    indexed = [text for port in (LEFT, RIGHT) for text in _indexed(desk, port)]
    assert len(indexed) == 8
    assert not any(value in text for text in indexed for world in HIDDEN.values() for value in world[1:])
    assert not [text for text in indexed if "Complaint" in text and ("Zerlina" in text or "Ignatia" in text)]


def test_the_catalog_names_no_hidden_value(desk: RunningServer, olga: Mesh) -> None:
    with desk.user("user:rob") as rob:
        said = str(rob.show(LEFT)) + str(rob.discover("toaster"))
    assert not any(value in said for value in HIDDEN["left"])


def test_a_question_that_only_a_secret_answers_is_like_one_that_nothing_answers(desk: RunningServer, olga: Mesh) -> None:
    with desk.user("user:rob") as rob:
        secret, nothing = (rob.retrieve(LEFT, question, limit=100) for question in ("the merger", "the qwxyzk"))
        assert {hit.document for hit in secret} == {hit.document for hit in nothing} == {"complaint.md", "rules.md"}
        assert len(secret) == len(nothing)
        errors = []
        for port in (LEFT, "desk.absent.pages"):
            with pytest.raises(AccessDenied) as caught, desk.user("user:nobody") as nobody:
                nobody.retrieve(port, "the merger")
            errors.append(str(caught.value).partition("request id")[0].replace(port, "PORT"))
        assert errors[0] == errors[1]


def test_a_mask_that_is_lifted_or_a_grant_that_is_revoked_acts_at_the_next_query_without_an_index_write(
    desk: RunningServer, olga: Mesh
) -> None:
    before = _state(desk, LEFT)
    given = olga.grant("user:sue", "desk.left")
    with desk.user("user:sue") as sue, desk.admin() as admin:
        assert not any(HIDDEN["left"][1] in hit.text for hit in sue.retrieve(LEFT, "refund", limit=100))
        admin.admin.delete_guardrail("personal")
        assert any(HIDDEN["left"][1] in hit.text for hit in sue.retrieve(LEFT, "refund", limit=100))
        admin.admin.create_guardrail("personal", "tag:pii.*", mask="show-last-4", exempt=["user:olga"])
        assert not any(HIDDEN["left"][1] in hit.text for hit in sue.retrieve(LEFT, "refund", limit=100))
        olga.revoke(given.id)
        with pytest.raises(AccessDenied):
            sue.retrieve(LEFT, "refund")
    assert _state(desk, LEFT) == before


def _url(desk: RunningServer) -> str:
    return desk.environment.get("MESH_VECTORS", f"lancedb://{desk.home}/vectors")


def _indexed(desk: RunningServer, port: str) -> list[str]:
    """What keyword search sees of every passage."""
    with closing(open_store(_url(desk))) as opened:
        store: Any = opened
        if "MESH_VECTORS" in desk.environment:
            return [str(item.properties["indexed_text"]) for item in store._collections.use(port).iterator()]
        return list(store._table(port).to_arrow()["indexed_text"].to_pylist())


def _state(desk: RunningServer, port: str) -> object:
    """What any write would change: LanceDB's commit, or the time of each of Weaviate's objects."""
    with closing(open_store(_url(desk))) as opened:
        store: Any = opened
        if "MESH_VECTORS" in desk.environment:
            items = store._collections.use(port).query.fetch_objects(limit=100, return_metadata=["last_update_time"]).objects
            return sorted((str(item.uuid), item.metadata.last_update_time) for item in items)
        return store._database.open_table(collection_identifier(port)).version
