"""One behaviour, two stores: every promise of VectorStore is held by LanceDB and by a real Weaviate."""

from __future__ import annotations

import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from mesh_core.expressions.tree import (
    FALSE,
    TRUE,
    And,
    Column,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Subject,
)
from mesh_core.vectors.passages import Candidate, Hit, InvalidPassage, Passage
from mesh_core.vectors.store import (
    AllowedScope,
    Arrange,
    AskedVector,
    CollectionMismatch,
    CollectionMissing,
    CollectionOutdated,
    Published,
    StageResult,
    StagingConflict,
    StoreUnavailable,
    VectorStore,
    VectorStoreError,
    open_store,
)

EVERYTHING = AllowedScope(TRUE)
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    if request.param == "lancedb":
        url = f"lancedb://{tmp_path_factory.mktemp('vectors')}"
    else:
        url = request.getfixturevalue("weaviate_url")
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def collection(store: VectorStore) -> Iterator[str]:
    name = f"finance.memos-{next(_NUMBERS)}.Pages"
    attributes = {"region": str, "Größe in €": int, "score": float, "is_final": bool}
    store.ensure_collection(name, dimensions=8, attributes=attributes)
    yield name
    store.drop_collection(name)


def unit(*numbers: float) -> np.ndarray:
    vector = np.zeros(8, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector


def passage(
    name: str, *, text: str = "", tags: tuple[str, ...] = (), vector: np.ndarray | None = None, **attributes: object
) -> Passage:
    random = np.random.default_rng(zlib.crc32(name.encode())) if vector is None else None
    return Passage(
        id=name,
        document=f"{name}.md",
        title="Title",
        heading="Heading",
        text=text or f"text of {name}",
        start=0,
        end=10,
        page=None,
        tags=tags,
        attributes=attributes,  # type: ignore[arg-type]
        vector=random.normal(size=8).astype(np.float32) if random is not None else vector,  # type: ignore[arg-type]
    )


def visible(store: VectorStore, collection: str, version: int, scope: AllowedScope = EVERYTHING) -> set[str]:
    hits = store.search(collection, text="", vector=unit(1), version=version, scope=scope, limit=100)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    return {hit.passage.id for hit in hits}


def test_a_store_says_whether_a_later_version_is_staged(store: VectorStore, collection: str) -> None:
    assert not store.is_overtaken(collection, 1)
    store.stage(collection, 2, [passage("a"), passage("b")])
    assert [store.is_overtaken(collection, version) for version in (1, 2, 3)] == [True, False, False]
    store.stage(collection, 4, [passage("a")])
    assert [store.is_overtaken(collection, version) for version in (3, 4)] == [True, False]


def test_a_staged_version_holds_exactly_its_passages(store: VectorStore, collection: str) -> None:
    assert store.stage(collection, 1, [passage("a"), passage("b")]) == StageResult(added=2, kept=0, closed=0)
    assert visible(store, collection, 1) == {"a", "b"}
    assert store.count(collection, 1) == 2


def test_a_stored_passage_comes_back_as_it_was_handed_over(store: VectorStore, collection: str) -> None:
    given = Passage(
        id="id/1 'x'",
        document='memos/Größe "2".md',
        title="Reisekosten – 旅費 🧳",
        heading="A > B",
        text="  Zeile 1\n\tZeile 2 O'Neil \\ %_* \u202e  ",
        start=3,
        end=40,
        page=7,
        tags=("pii.email", "finance"),
        attributes={"region": " EU'; drop ", "Größe in €": -(2**53), "score": 0.1, "is_final": False},
        vector=unit(1, 2, 3),
    )
    store.stage(collection, 1, [given])
    (hit,) = store.search(collection, text="旅費", vector=unit(1), version=1, scope=EVERYTHING, limit=5)
    found = hit.passage
    for field in ("id", "document", "title", "heading", "text", "start", "end", "page", "attributes"):
        assert getattr(found, field) == getattr(given, field), field
    assert found.tags == ("finance", "pii.email")
    assert not hasattr(found, "vector")
    assert not hasattr(hit, "score")


def test_readers_of_earlier_versions_see_no_change(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a"), passage("b")])
    result = store.stage(collection, 4, [passage("b"), passage("c")])
    assert result == StageResult(added=1, kept=1, closed=1)
    assert [visible(store, collection, version) for version in (1, 3, 4, 5)] == [{"a", "b"}, {"a", "b"}, {"b", "c"}, {"b", "c"}]
    assert [store.count(collection, version) for version in (1, 3, 4, 5)] == [2, 2, 2, 2]


def test_a_passage_that_comes_back_is_absent_in_between(store: VectorStore, collection: str) -> None:
    for version, names in ((1, "ab"), (2, "b"), (3, "ab"), (4, "")):
        store.stage(collection, version, [passage(name) for name in names])
    assert [visible(store, collection, version) for version in (1, 2, 3, 4)] == [{"a", "b"}, {"b"}, {"a", "b"}, set()]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, text="changed"),
        lambda p: replace(p, tags=("pii",)),
        lambda p: replace(p, attributes={"region": "US"}),
        lambda p: replace(p, indexed_text="other words"),
        lambda p: replace(p, vector=-np.asarray(p.vector)),
    ],
    ids=["text", "tags", "attributes", "indexed text", "vector"],
)
def test_a_passage_changed_under_the_same_id_is_replaced_from_its_version_on(
    store: VectorStore, collection: str, change: Callable[[Passage], Passage]
) -> None:
    before = passage("a", region="EU")
    store.stage(collection, 1, [before])
    assert store.stage(collection, 2, [change(before)]) == StageResult(added=1, kept=0, closed=1)
    assert store.count(collection, 1) == store.count(collection, 2) == 1


def test_vectors_that_differ_by_rounding_are_unchanged(store: VectorStore, collection: str) -> None:
    before = passage("a")
    store.stage(collection, 1, [before])
    after = replace(before, vector=np.asarray(before.vector) * np.float32(1.0000002))
    assert store.stage(collection, 2, [after]) == StageResult(added=0, kept=1, closed=0)


def test_a_passage_is_indexed_anew_when_the_rule_of_what_is_indexed_changed(
    store: VectorStore, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [passage("a", text="alpha"), passage("b", text="beta")]
    assert store.stage(collection, 1, given).added == 2
    with monkeypatch.context() as other:
        other.setattr("mesh_core.vectors.passages.with_word_pairs", lambda text: f"{text}\nzebra" if "beta" in text else text)
        assert store.stage(collection, 2, given) == StageResult(added=1, kept=1, closed=1)
    asked = partial(store.search, collection, text="zebra", vector=unit(1), scope=EVERYTHING, limit=5, alpha=0)
    assert [[hit.passage.id for hit in asked(version=version)] for version in (1, 2)] == [[], ["b"]]


def test_staging_again_changes_nothing_and_says_the_same(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a"), passage("b"), passage("c")])
    wanted = [passage("b"), passage("d"), replace(passage("c"), text="new")]
    results = [store.stage(collection, 2, wanted) for _ in range(3)]
    assert results == [StageResult(added=2, kept=1, closed=2)] * 3
    assert visible(store, collection, 1) == {"a", "b", "c"}
    assert visible(store, collection, 2) == {"b", "c", "d"}


def test_staging_a_version_anew_with_other_passages_replaces_what_it_did(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a"), passage("b")])
    store.stage(collection, 2, [passage("b"), passage("c")])
    assert store.stage(collection, 2, [passage("a"), passage("d")]) == StageResult(added=1, kept=1, closed=1)
    assert visible(store, collection, 2) == {"a", "d"}
    assert visible(store, collection, 1) == {"a", "b"}


def test_a_crash_while_staging_is_invisible_and_is_repaired(store: VectorStore, collection: str) -> None:
    def crashing() -> Iterator[Passage]:
        yield from (passage(f"new {number}") for number in range(1500))
        raise ConnectionError

    store.stage(collection, 1, [passage("a"), passage("b")])
    with pytest.raises(ConnectionError):
        store.stage(collection, 2, crashing())
    assert visible(store, collection, 1) == {"a", "b"}
    store.unstage(collection, 2)
    store.unstage(collection, 2)
    assert [store.count(collection, version) for version in (1, 2, 3)] == [2, 2, 2]
    assert store.stage(collection, 3, [passage("b")]) == StageResult(added=0, kept=1, closed=1)
    assert visible(store, collection, 3) == {"b"}


def test_unstaging_undoes_additions_and_closings(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a"), passage("b")])
    store.stage(collection, 2, [passage("b"), passage("c")])
    store.unstage(collection, 2)
    assert [visible(store, collection, version) for version in (1, 2, 3)] == [{"a", "b"}] * 3


def test_pruning_removes_what_no_kept_version_sees_and_nothing_else(store: VectorStore, collection: str) -> None:
    for version, ids in {1: "ab", 2: "bc", 3: "cd", 4: "d"}.items():
        store.stage(collection, version, [passage(name) for name in ids])
    assert store.prune(collection, [3, 4], dry_run=True) == 2
    assert store.prune(collection, [3, 4]) == 2
    assert store.prune(collection, [3, 4]) == 0
    assert [visible(store, collection, version) for version in (1, 3, 4)] == [set(), {"c", "d"}, {"d"}]
    store.stage(collection, 5, [passage("a"), passage("d")])
    assert visible(store, collection, 5) == {"a", "d"}
    assert store.prune("no.such.collection", [1]) == 0


@pytest.mark.parametrize(
    ("published", "is_held"),
    [
        (Published(3), True),
        (Published(3, newest=2, newest_count=2), True),
        (Published(4), False),
        (Published(2), False),
        (Published(3, newest=2, newest_count=3), False),
    ],
)
def test_a_version_that_is_not_as_it_was_published_is_not_searched(
    store: VectorStore, collection: str, published: Published, is_held: bool
) -> None:
    store.stage(collection, 1, [passage("a"), passage("b")])
    store.stage(collection, 2, [passage("b"), passage("c"), passage("d")])
    assert [store.count(collection, 2, since=since) for since in (1, 2)] == [3, 2]
    asked = {"text": "", "vector": unit(1), "version": 2, "scope": EVERYTHING, "limit": 9, "published": published}
    for _ in range(2):
        if is_held:
            assert len(store.search(collection, **asked)) == 3  # type: ignore[arg-type]
        else:
            with pytest.raises(CollectionOutdated, match="were published"):
                store.search(collection, **asked)  # type: ignore[arg-type]
    assert store.erase(collection, lambda text: "text of d" in text) == 1
    with pytest.raises(CollectionOutdated):
        store.search(collection, **{**asked, "published": Published(3)})  # type: ignore[arg-type]


def test_an_erased_passage_is_in_no_version_and_the_others_are_as_before(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a", text="Dear Ana, hello"), passage("b", text="Banana")])
    store.stage(collection, 2, [passage("b", text="Banana"), passage("ana")])
    assert store.erase(collection, lambda text: "ana" in text.lower().replace("banana", ""), dry_run=True) == 2
    assert store.about(collection, lambda text: "ana" in text.lower().replace("banana", "")) == {"a", "ana"}
    assert visible(store, collection, 1) == {"a", "b"}
    assert store.erase(collection, lambda text: "ana" in text.lower().replace("banana", "")) == 2
    assert [visible(store, collection, version) for version in (1, 2)] == [{"b"}, {"b"}]
    assert store.erase("no.such.collection", lambda text: True) == 0
    assert store.about("no.such.collection", lambda text: True) == frozenset()
    store.stage(collection, 3, [passage("b", text="Banana"), passage("d")])
    assert visible(store, collection, 3) == {"b", "d"}


def test_a_version_below_a_staged_one_can_be_neither_staged_nor_unstaged(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a")])
    store.stage(collection, 3, [])
    for change in (lambda: store.stage(collection, 2, [passage("b")]), lambda: store.unstage(collection, 1)):
        with pytest.raises(StagingConflict, match="version 3 is already staged"):
            change()
    assert visible(store, collection, 1) == {"a"}


def test_an_id_that_occurs_twice_is_refused_by_name(store: VectorStore, collection: str) -> None:
    with pytest.raises(StagingConflict, match="'twin'"):
        store.stage(collection, 1, [passage("twin"), passage("twin")])


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        (np.ones(7), "8 dimensions"),
        (np.array([np.nan] + [1] * 7), "NaN or infinite"),
        (np.array([np.inf] + [1] * 7), "NaN or infinite"),
        (np.array([1e300] + [1] * 7), "NaN or infinite"),
        (np.zeros(8), "zeros only"),
    ],
    ids=["short", "NaN", "infinite", "beyond float32", "zero"],
)
def test_a_bad_vector_is_refused_when_staged_and_when_asked(
    store: VectorStore, collection: str, vector: np.ndarray, says: str
) -> None:
    with pytest.raises(InvalidPassage, match=f"'bad'.*{says}"):
        store.stage(collection, 1, [passage("good"), passage("bad", vector=vector)])
    assert store.count(collection, 1) == 0
    with pytest.raises(InvalidPassage, match=f"the question.*{says}"):
        store.search(collection, text="x", vector=list(vector), version=1, scope=EVERYTHING, limit=1)


@pytest.mark.parametrize(
    "attributes",
    [{"colour": "red"}, {"region": 1}, {"Größe in €": True}, {"Größe in €": 2**60}, {"score": float("nan")}, {"is_final": 1}],
)
def test_an_attribute_that_breaks_the_declaration_is_refused(
    store: VectorStore, collection: str, attributes: dict[str, object]
) -> None:
    with pytest.raises(InvalidPassage, match=f"'a'.*attribute '{next(iter(attributes))}'"):
        store.stage(collection, 1, [passage("a", **attributes)])


LARGE = "Größe in €"
OFFERED = [
    passage("eu", region="EU", score=1.0, is_final=True, **{LARGE: 10}),
    passage("eu-exec", region="EU-exec", score=2.5, is_final=False, **{LARGE: 20}),
    passage("eu lower", region="eu", score=-1.0, is_final=True, **{LARGE: 30}),
    passage("eu spaced", region=" EU ", **{LARGE: 40}),
    passage("eu slash", region="EU/west", is_final=True),
    passage("two words", region="EU west"),
    passage("quote", region="O'Neil"),
    passage("empty", region=""),
    passage("none"),
]
REGION = Column("region")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (TRUE, {p.id for p in OFFERED}),
        (Compare("=", REGION, Literal("EU")), {"eu"}),
        (Compare("=", Literal("EU"), REGION), {"eu"}),
        (Compare("=", REGION, Literal(" EU ")), {"eu spaced"}),
        (Compare("=", REGION, Literal("O'Neil")), {"quote"}),
        (Compare("=", REGION, Literal("")), {"empty"}),
        (Compare("=", REGION, Literal(None)), set()),
        (Compare("=", REGION, Literal(5)), set()),
        (In(REGION, (Literal("EU"), Literal("eu"))), {"eu", "eu lower"}),
        (Like(REGION, "EU%"), {"eu", "eu-exec", "eu slash", "two words"}),
        (Like(REGION, "%west"), {"eu slash", "two words"}),
        (Like(REGION, "E_"), {"eu"}),
        (Compare(">=", Column(LARGE), Literal(20)), {"eu-exec", "eu lower", "eu spaced"}),
        (Compare("!=", Column(LARGE), Literal(20)), {"eu", "eu lower", "eu spaced"}),
        (Compare("<", Column(LARGE), Literal(10.5)), {"eu"}),
        (Compare("=", Column("score"), Literal(2.5)), {"eu-exec"}),
        (Compare("<", Column("score"), Literal(0)), {"eu lower"}),
        (Column("is_final"), {"eu", "eu lower", "eu slash"}),
        (Not(Column("is_final")), {"eu-exec"}),
        (Not(Compare("<", Column(LARGE), Literal(40))), {"eu spaced"}),
        (And((Column("is_final"), Compare(">", Column(LARGE), Literal(10)))), {"eu lower"}),
        (Or((Compare("=", REGION, Literal("EU")), Compare("=", Column(LARGE), Literal(40)))), {"eu", "eu spaced"}),
        (Not(Or((Compare("=", Column(LARGE), Literal(10)), Not(Column("is_final"))))), {"eu lower"}),
        (Compare("!=", REGION, Literal("EU")), {p.id for p in OFFERED} - {"eu", "none"}),
        (Not(Compare("=", REGION, Literal("EU"))), {p.id for p in OFFERED} - {"eu", "none"}),
        (
            Not(In(REGION, (Literal("EU"), Literal("O'Neil"), Literal("elsewhere")))),
            {p.id for p in OFFERED} - {"eu", "quote", "none"},
        ),
        (Not(In(REGION, (Literal("EU"), Literal(None)))), set()),
        (Not(Like(REGION, "%E%")), {"eu lower", "quote", "empty"}),
        (Compare("<", REGION, Literal("EU")), {"eu spaced", "empty"}),
        (Compare(">=", REGION, Literal("O")), {"eu lower", "quote"}),
        (Not(IsNull(REGION)), {p.id for p in OFFERED} - {"none"}),
        (Compare("=", REGION, REGION), {p.id for p in OFFERED} - {"none"}),
        (Like(REGION, "%"), {p.id for p in OFFERED} - {"none"}),
        (IsNull(REGION), {"none"}),
        (Not(Not(IsNull(REGION))), {"none"}),
        (IsNull(Column("is_final")), {"eu spaced", "two words", "quote", "empty", "none"}),
        (Not(IsNull(Column("score"))), {"eu", "eu-exec", "eu lower"}),
        (Not(IsNull(Column(LARGE))), {"eu", "eu-exec", "eu lower", "eu spaced"}),
        (Or((IsNull(REGION), Compare("=", REGION, Literal("EU")))), {"eu", "none"}),
        (Or((IsNull(REGION), Compare("!=", REGION, Literal("EU")))), {p.id for p in OFFERED} - {"eu"}),
        (Not(Or((IsNull(Column("score")), Not(Column("is_final"))))), {"eu", "eu lower"}),
        (And((IsNull(Column("score")), Compare(">=", Column(LARGE), Literal(0)))), {"eu spaced"}),
        (And((IsNull(Column("score")), Column("is_final"))), {"eu slash"}),
        (Not(And((IsNull(Column("score")), IsNull(Column("is_final"))))), {"eu", "eu-exec", "eu lower", "eu slash"}),
        (And((IsNull(REGION), Not(IsNull(REGION)))), set()),
        (Or((IsNull(REGION), Not(IsNull(REGION)))), {p.id for p in OFFERED}),
        (Not(Or((Compare("=", REGION, Literal("EU")), Column("is_final")))), {"eu-exec"}),
        (And((Compare("!=", REGION, Literal("EU")), Compare(">", Column(LARGE), Literal(20)))), {"eu lower", "eu spaced"}),
        (FALSE, set()),
    ],
)
def test_a_filter_keeps_exactly_the_passages_for_which_it_is_true(
    store: VectorStore, offered: str, expression: Expression, expected: set[str]
) -> None:
    assert visible(store, offered, 1, AllowedScope(expression)) == expected


def test_a_scope_may_name_thousands_of_values_of_several_grants(store: VectorStore, offered: str) -> None:
    granted = [In(REGION, tuple(Literal(f"region {grant} {number}") for number in range(900))) for grant in range(6)]
    compared = [And((Compare("=", REGION, Literal(f"r{number}")), Column("is_final"))) for number in range(500)]
    assert visible(store, offered, 1, AllowedScope(Or((*granted, *compared, Compare("=", REGION, Literal("EU")))))) == {"eu"}


def test_passages_of_before_an_attribute_came_have_none_of_it(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("old"), passage("both", region="EU")])
    added = {"region": str, "Größe in €": int, "score": float, "is_final": bool, "colour": str}
    store.ensure_collection(collection, dimensions=8, attributes=added)
    kept = [passage("old"), passage("both", region="EU"), passage("bare"), passage("red", colour="red")]
    store.stage(collection, 2, kept)
    colour = Column("colour")

    def found(version: int, expression: Expression) -> set[str]:
        return visible(store, collection, version, AllowedScope(expression))

    assert found(1, IsNull(colour)) == {"old", "both"}
    assert found(2, IsNull(colour)) == {"old", "both", "bare"}
    assert found(2, Not(IsNull(colour))) == {"red"}
    assert found(2, Or((IsNull(colour), Compare("=", colour, Literal("red"))))) == {it.id for it in kept}
    assert found(2, And((IsNull(colour), IsNull(REGION)))) == {"old", "bare"}


@pytest.fixture(scope="module")
def offered(store: VectorStore) -> Iterator[str]:
    name = "sales.offers.pages"
    store.ensure_collection(name, dimensions=8, attributes={"region": str, LARGE: int, "score": float, "is_final": bool})
    store.stage(name, 1, OFFERED)
    yield name
    store.drop_collection(name)


@pytest.mark.parametrize("expression", [Compare("=", Column("colour"), Literal("red")), Compare("=", REGION, Subject("region"))])
def test_a_filter_on_what_is_unknown_is_an_error_and_not_open(store: VectorStore, offered: str, expression: Expression) -> None:
    with pytest.raises(CollectionMismatch, match=offered):
        visible(store, offered, 1, AllowedScope(expression))


def test_an_empty_scope_answers_without_asking_the_store(store: VectorStore) -> None:
    scope = AllowedScope(FALSE)
    assert store.search("no.such.collection", text="x", vector=[1.0], version=1, scope=scope, limit=5) == []


def test_excluded_tags_hide_exactly_the_passages_that_carry_them(store: VectorStore, collection: str) -> None:
    offered = [
        passage("plain"),
        passage("finance", tags=("group:finance",)),
        passage("exec", tags=("group:finance-exec",)),
        passage("slash", tags=("group:finance/ma",)),
        passage("upper", tags=("Group:Finance",)),
        passage("both", tags=("group:finance", "group:finance-exec")),
        passage("spaced", tags=("group:finance ",)),
    ]
    store.stage(collection, 1, offered)

    def without(*tags: str) -> set[str]:
        return visible(store, collection, 1, AllowedScope(TRUE, frozenset(tags)))

    everything = {p.id for p in offered}
    assert without("group:finance") == everything - {"finance", "both"}
    assert without("group:finance-exec") == everything - {"exec", "both"}
    assert without("group") == everything
    assert without("group:finance ", "Group:Finance") == everything - {"spaced", "upper"}
    assert without(*(tag for p in offered for tag in p.tags)) == {"plain"}


def test_nothing_is_found_when_every_passage_carries_an_excluded_tag(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a", tags=("pii",))])
    assert visible(store, collection, 1, AllowedScope(TRUE, frozenset({"pii"}))) == set()


def test_tags_new_in_a_later_version_are_known_when_it_is_read(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a")])
    scope = AllowedScope(TRUE, frozenset({"pii"}))
    assert visible(store, collection, 1, scope) == {"a"}
    store.stage(collection, 2, [passage("a"), passage("b", tags=("draft",)), passage("c", tags=("draft", "pii"))])
    assert visible(store, collection, 2, scope) == {"a", "b"}


def test_two_thousand_passages_are_found_as_by_brute_force_within_the_permitted_subset(
    store: VectorStore, collection: str
) -> None:
    random = np.random.default_rng(7)
    vectors = random.normal(size=(2000, 8)).astype(np.float32)
    regions = random.choice(["EU", "US", "rare"], size=2000, p=[0.5, 0.48, 0.02])
    staged = [
        passage(f"p{number}", vector=vectors[number], tags=("secret",) if number % 3 == 0 else (), region=str(regions[number]))
        for number in range(2000)
    ]
    assert store.stage(collection, 1, staged) == StageResult(added=2000, kept=0, closed=0)
    assert store.count(collection, 1) == 2000
    normal = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for region in ("EU", "rare"):
        permitted = [number for number in range(2000) if regions[number] == region and number % 3]
        scope = AllowedScope(Compare("=", REGION, Literal(region)), frozenset({"secret"}))
        for question in random.normal(size=(10, 8)).astype(np.float32):
            nearest = sorted(permitted, key=lambda number: -float(normal[number] @ question))[:10]
            hits = store.search(collection, text="", vector=list(question), version=1, scope=scope, limit=10)
            assert [hit.passage.id for hit in hits] == [f"p{number}" for number in nearest]


def test_every_repetition_answers_from_the_newest_state_within_the_scope(store: VectorStore, collection: str) -> None:
    random = np.random.default_rng(23)
    vectors = random.normal(size=(300, 8)).astype(np.float32)
    given = [passage(f"p{n:03}", vector=v, tags=("hr",) * (n % 7 == 0), score=n / 300) for n, v in enumerate(vectors)]
    scopes = [
        EVERYTHING,
        AllowedScope(Compare("<", Column("score"), Literal(0.5))),
        AllowedScope(TRUE, frozenset({"hr"})),
        AllowedScope(Compare("<", Column("score"), Literal(0.01))),
    ]

    def expected(names: Sequence[str], scope: AllowedScope, question: np.ndarray) -> list[str]:
        most = 1.0 if scope.filter is TRUE else float(scope.filter.right.value)  # type: ignore[union-attr]
        tagged = range(0, 300, 7) if scope.excluded_tags else ()
        allowed = [n for n in names if int(n[1:]) / 300 < most and int(n[1:]) not in tagged]
        lengths = np.linalg.norm(vectors, axis=1)
        return sorted(allowed, key=lambda n: -float(vectors[int(n[1:])] @ question) / lengths[int(n[1:])])[:5]

    def check(version: int, names: Sequence[str]) -> None:
        for question in random.normal(size=(4, 8)).astype(np.float32):
            for scope in scopes:
                hits = store.search(collection, text="", vector=question, version=version, scope=scope, limit=5)
                assert [hit.passage.id for hit in hits] == expected(names, scope, question), (version, scope)

    names = [it.id for it in given]
    store.stage(collection, 1, given[:200])
    check(1, names[:200])
    store.stage(collection, 2, given[100:])
    check(2, names[100:])
    check(1, names[:200])
    store.unstage(collection, 2)
    check(1, names[:200])
    store.erase(collection, lambda text: "p150.md" in text or "p003.md" in text)
    check(1, [n for n in names[:200] if n not in ("p150", "p003")])


def test_a_page_is_full_however_few_of_the_best_are_permitted(store: VectorStore, collection: str) -> None:
    near = [passage(f"near {number}", vector=unit(1, number / 1000), text="travel advance", region="US") for number in range(300)]
    far = [passage(f"far {number}", vector=unit(0, 1, number / 10), region="EU") for number in range(5)]
    store.stage(collection, 1, near + far)
    scope = AllowedScope(Compare("=", REGION, Literal("EU")))
    hits = store.search(collection, text="travel advance", vector=unit(1), version=1, scope=scope, limit=5)
    assert {hit.passage.id for hit in hits} == {p.id for p in far}


def test_only_permitted_candidates_are_arranged_and_in_the_order_asked_for(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage(f"p{n}", text="common", region="EU" if n % 3 else "US") for n in range(30)])
    shown: list[str] = []

    def backwards(candidates: Sequence[Candidate]) -> Sequence[int]:
        shown.extend(it.document for it in candidates)
        return list(reversed(range(len(candidates))))

    allowed = AllowedScope(Compare("=", Column("region"), Literal("EU")))
    hits = store.search(collection, text="common", vector=unit(1), version=1, scope=allowed, limit=4, arrange=backwards)
    assert sorted(shown) == sorted(f"p{n}.md" for n in range(30) if n % 3)
    assert [hit.passage.document for hit in hits] == shown[:-5:-1]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert hits[0].passage.text == "common"


def test_an_order_that_changes_nothing_gives_what_is_found_without_one(store: VectorStore, collection: str) -> None:
    """Asked twice: what is remembered of candidates shows them as they are read, at every version, and nothing erased."""
    first = [passage(f"p{n}", text=f"common word{n % 7}", region="EU" if n % 3 else "US") for n in range(40)]
    second = [replace(it, title="Other", document=f"other-{it.document}") if n % 2 else it for n, it in enumerate(first)]
    store.stage(collection, 1, first)
    scope = AllowedScope(Compare("=", REGION, Literal("EU")))
    shown: list[Candidate] = []

    def as_they_are(candidates: Sequence[Candidate]) -> Sequence[int]:
        shown[:] = candidates
        return range(len(candidates))

    def hits(version: int, arrange: Arrange | None) -> list[Hit]:
        return store.search(
            collection, text="common word3", vector=unit(1, 1), version=version, scope=scope, limit=9, arrange=arrange
        )

    def agree(version: int, passages: Sequence[Passage]) -> None:
        for _ in range(2):
            assert hits(version, as_they_are) == hits(version, None)
            wanted = {(it.document, it.title) for it in passages if it.attributes["region"] == "EU"}
            assert {(it.document, it.title) for it in shown} == wanted

    agree(1, first)
    store.stage(collection, 2, second)
    agree(1, first)
    agree(2, second)
    store.erase(collection, lambda text: "p1.md" in text)
    agree(1, [it for it in first if it.id != "p1"])
    agree(2, [it for it in second if it.id != "p1"])


def test_a_promised_vector_finds_what_the_vector_finds_and_its_failure_is_raised(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage(f"p{n}", text="common", vector=unit(1, n)) for n in range(30)])

    def asked(vector: AskedVector) -> list[Hit]:
        return store.search(collection, text="common", vector=vector, version=1, scope=EVERYTHING, limit=5)

    with ThreadPoolExecutor(1) as pool:
        promised = pool.submit(lambda: threading.Event().wait(0.1) or unit(1, 2))
        assert asked(promised) == asked(unit(1, 2))
        with pytest.raises(ZeroDivisionError):
            asked(pool.submit(lambda: [1 / 0]))


def test_words_and_meaning_both_count(store: VectorStore, collection: str) -> None:
    store.stage(
        collection,
        1,
        [
            passage("meaning", text="cash beforehand", vector=unit(1, 0.1)),
            passage("words", text="per diem voucher SF-1164", vector=unit(0, 0, 1)),
            passage("neither", text="something else", vector=unit(0, 0, 0, 1)),
        ],
    )

    def first(text: str, alpha: float) -> str:
        hits = store.search(collection, text=text, vector=unit(1), version=1, scope=EVERYTHING, limit=1, alpha=alpha)
        return hits[0].passage.id

    assert first("voucher SF-1164", 1.0) == "meaning"
    assert first("voucher SF-1164", 0.75) == "meaning"
    assert first("voucher SF-1164", 0.25) == "words"
    assert first("voucher SF-1164", 0.0) == "words"


def test_a_question_of_any_characters_is_only_words(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a", text="naïve café O'Neil")])
    for text in ('" OR 1=1 --', "text:* AND (", "café", "'", "\\", "的", "a" * 5000, "\u0000".replace("\u0000", " ")):
        assert len(store.search(collection, text=text, vector=unit(1), version=1, scope=EVERYTHING, limit=3)) == 1


def test_equal_passages_keep_one_order(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage(f"twin {number}", text="same", vector=unit(1)) for number in range(20)])
    answers = [
        [
            hit.passage.id
            for hit in store.search(collection, text="same", vector=unit(1), version=1, scope=EVERYTHING, limit=limit)
        ]
        for limit in (20, 20, 5)
    ]
    assert answers[0] == answers[1]
    assert answers[0][:5] == answers[2]


def test_collections_with_like_names_are_apart(store: VectorStore) -> None:
    names = ["a.b.c_d", "a.b.c.d", "a.b_c.d", "a.b.C_d", "a.b.c-d"]
    for name in names:
        store.ensure_collection(name, dimensions=8, attributes={})
    try:
        for name in names:
            store.stage(name, 1, [passage(name)])
        assert [visible(store, name, 1) for name in names] == [{name} for name in names]
    finally:
        for name in names:
            store.drop_collection(name)


def test_a_missing_collection_is_named_in_the_error(store: VectorStore) -> None:
    store.drop_collection("no.such.pages")
    calls: list[Callable[[], object]] = [
        lambda: store.search("no.such.pages", text="x", vector=unit(1), version=1, scope=EVERYTHING, limit=1),
        lambda: store.count("no.such.pages", 1),
        lambda: store.stage("no.such.pages", 1, []),
        lambda: store.unstage("no.such.pages", 1),
    ]
    for call in calls:
        with pytest.raises(CollectionMissing, match=r"no\.such\.pages"):
            call()


def test_ensuring_again_adds_attributes_and_refuses_another_shape(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a", region="EU")])
    store.ensure_collection(collection, dimensions=8, attributes={"region": str, "colour": str})
    store.stage(collection, 2, [passage("a", region="EU"), passage("b", colour="red")])
    assert visible(store, collection, 2, AllowedScope(Compare("=", Column("colour"), Literal("red")))) == {"b"}
    assert visible(store, collection, 2, AllowedScope(Compare("=", REGION, Literal("EU")))) == {"a"}
    with pytest.raises(CollectionMismatch, match="8 dimensions, not 9"):
        store.ensure_collection(collection, dimensions=9, attributes={})
    with pytest.raises(CollectionMismatch, match="'region' is stored as str"):
        store.ensure_collection(collection, dimensions=8, attributes={"region": int})


def test_a_collection_made_anew_after_a_drop_is_empty(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage("a", tags=("pii",))])
    visible(store, collection, 1, AllowedScope(TRUE, frozenset({"x"})))
    store.drop_collection(collection)
    store.ensure_collection(collection, dimensions=4, attributes={})
    assert store.count(collection, 1) == 0
    store.stage(collection, 1, [replace(passage("b", tags=("draft",)), vector=np.ones(4))])
    hits = store.search(collection, text="", vector=np.ones(4), version=1, scope=AllowedScope(TRUE, frozenset({"x"})), limit=5)
    assert [hit.passage.id for hit in hits] == ["b"]


@pytest.mark.parametrize("version", [0, -1, 2**31 - 1])
def test_a_number_that_is_no_version_is_refused(store: VectorStore, collection: str, version: int) -> None:
    with pytest.raises(ValueError, match="no version number"):
        store.stage(collection, version, [])
    with pytest.raises(ValueError, match="no version number"):
        store.search(collection, text="", vector=unit(1), version=version, scope=EVERYTHING, limit=1)


@pytest.mark.parametrize("url", ["lancedb://relative/path", "lancedb:", "weaviate:///x", "postgres://host/db", ""])
def test_a_url_that_names_no_store_is_refused_with_both_forms(url: str) -> None:
    with pytest.raises(VectorStoreError, match=r"lancedb:///.*weaviate://"):
        open_store(url)


def test_an_absent_server_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"(?s)127\.0\.0\.1:1 .*MESH_VECTORS"):
        open_store("weaviate://127.0.0.1:1?grpc_port=2")


def test_indexes_made_anew_hold_every_version_as_it_was(store: VectorStore, collection: str) -> None:
    names = ("eu", "us", "old")
    store.stage(collection, 1, [passage(name, region=name.upper(), tags=(name,), text=f"voucher {name}") for name in names])
    store.stage(collection, 3, [passage(name, region=name.upper(), tags=(name,), text=f"voucher {name}") for name in names[:2]])
    scope = AllowedScope(Compare("=", REGION, Literal("EU")), frozenset({"us"}))

    def answers() -> list[object]:
        found = [visible(store, collection, version) for version in (1, 2, 3)]
        words = store.search(collection, text="voucher old", vector=unit(1), version=1, scope=EVERYTHING, limit=1, alpha=0)
        return [*found, visible(store, collection, 3, scope), words]

    before = answers()
    assert store.rebuild(collection) == 3
    assert answers() == before
    assert store.rebuild(collection) == 3
    assert store.stage(collection, 4, [passage("eu", region="EU", tags=("eu",), text="voucher eu")]).kept == 1
    assert [visible(store, collection, version) for version in (3, 4)] == [{"eu", "us"}, {"eu"}]
    with pytest.raises(CollectionMissing, match=r"no\.such\.pages"):
        store.rebuild("no.such.pages")


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (["员工可以在三十天内申请退款。", "午餐在中午供应。", "办公室周末关闭。"], ["退款政策是什么", "午餐时间", "周末上班吗"]),
        (
            ["返金は三十日以内に申請できます。", "昼食は正午に出ます。", "事務所は週末に閉まります。"],
            ["返金の期限", "昼食はいつ", "週末"],
        ),
        (
            ["환불은 삼십일 이내에 신청할 수 있습니다.", "점심은 정오에 제공됩니다.", "사무실은 주말에 닫습니다."],
            ["환불 기한", "점심", "주말에"],
        ),
        (["يُمكنُ طلبُ الاسْتِرْدادِ", "يُقَدَّمُ الغَداءُ ظُهْراً", "المَكْتَبُ مُغْلَقٌ"], ["الاسترداد", "متى الغداء", "المكتب"]),
        (["אפשר לבקש הֶחְזֵר", "אֲרוּחַת צהריים", "המִשְׂרָד סגור"], ["החזר", "ארוחת", "המשרד"]),
        (["ขอคืนเงินได้ภายในสามสิบวัน", "อาหารกลางวันเสิร์ฟเที่ยง", "สำนักงานปิดวันหยุด"], ["คืนเงิน", "อาหารกลางวัน", "สำนักงาน"]),
        (["Le café est fermé", "L\u2019e\u0301te\u0301 est long", "Rien de neuf"], ["cafe", "été", "neuf"]),
    ],
    ids=["chinese", "japanese", "korean", "arabic", "hebrew", "thai", "french"],
)
def test_words_of_any_script_are_found_as_their_readers_write_them(
    store: VectorStore, collection: str, texts: list[str], asked: list[str]
) -> None:
    """By words alone, which have no space around them there, or marks that most leave out."""
    store.stage(collection, 1, [passage(f"p{number}", text=text) for number, text in enumerate(texts)])
    said = {"vector": unit(1), "version": 1, "scope": EVERYTHING, "limit": 3, "alpha": 0}
    best = [[hit.passage.id for hit in store.search(collection, text=it, **said)][:1] for it in asked]  # type: ignore[arg-type]
    assert best == [["p0"], ["p1"], ["p2"]]


def test_searches_during_a_rebuild_never_see_a_part(store: VectorStore, collection: str) -> None:
    store.stage(collection, 1, [passage(f"p{number}", text="common") for number in range(1200)])
    done = threading.Event()
    seen: list[int] = []

    def search() -> None:
        while not done.is_set():
            hits = store.search(collection, text="common", vector=unit(1), version=1, scope=EVERYTHING, limit=1200)
            seen.append(len(hits))

    with ThreadPoolExecutor(1) as pool:
        searching = pool.submit(search)
        store.rebuild(collection)
        done.set()
        searching.result()
    assert seen
    assert set(seen) == {1200}


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01])
def test_a_scope_answers_as_an_index_of_only_what_it_permits(store: VectorStore, collection: str, share: float) -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(1000, 8)).astype(np.float32)
    words = ["travel", "advance", "voucher", "refund", "leave", "ledger"]
    texts = [" ".join(random.choice(words, 12)) for _ in range(1000)]
    ranks = random.permutation(1000)
    offered = [passage(f"p{n}", text=texts[n], vector=vectors[n], score=float(ranks[n])) for n in range(1000)]
    scope = AllowedScope(Compare("<", Column("score"), Literal(1000 * share)))
    oracle = f"{collection}-only"
    store.ensure_collection(oracle, dimensions=8, attributes={"score": float, "region": str})
    store.stage(collection, 1, offered)
    store.stage(oracle, 1, [it for it, rank in zip(offered, ranks, strict=True) if rank < 1000 * share])
    asked = [(list(random.normal(size=8)), " ".join(random.choice(words, 2))) for _ in range(20)]

    def shared(*, by_words: bool) -> int:
        """How many of two hundred passages are found in both."""
        found = 0
        for vector, text in asked:
            how: dict[str, Any] = {"text": text if by_words else "", "vector": vector, "version": 1, "limit": 10}
            right = {hit.passage.id for hit in store.search(oracle, scope=EVERYTHING, **how)}
            got = {hit.passage.id for hit in store.search(collection, scope=scope, **how)}
            assert len(got) == len(right) == 10
            found += len(right & got)
        return found

    dense, hybrid = shared(by_words=False), shared(by_words=True)
    for _ in range(10):  # Weaviate ranks by words wrongly what it still has in memory: docs/operations.md
        if hybrid >= 198:
            break
        time.sleep(2)
        hybrid = shared(by_words=True)
    store.drop_collection(oracle)
    assert dense == 200
    assert hybrid >= 198
