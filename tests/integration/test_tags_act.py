"""A tag on a source column acts on what is derived from it: three products deep, at the next read, until it is retracted."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from domain_sdk import Mesh, PortEntry, Release, keyed_hash
from domain_sdk.cli.app import run
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

TAG = "pii.name"
_NUMBERS = itertools.count(1)
PEOPLE = ["id: integer, required: true", "name: 'string', tags: [pii.name]", "age: 'integer', tags: [pii.age]", "city: string"]
UNTAGGED = ["id: integer, required: true", "name: string", "age: 'integer', tags: [pii.age]", "city: string"]


def people() -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [1, 2, 3, 4], "name": ["Ann", "Bob", "Cyd", "Dan"], "age": [31, 42, 53, 64], "city": ["A", "A", "B", "B"]}
    )


@dataclass(frozen=True)
class Company:
    """A source and the domain that derives from it; each test has its own, in one mesh."""

    server: RunningServer
    number: int
    owner: Mesh
    """Owns crm, exempt from the guardrail on the way in."""
    analyst: Mesh
    """Owns lab, exempt too, so that it reads clear what it derives from."""
    reader: Mesh
    """May read everything in lab and is not exempt."""

    @property
    def crm(self) -> str:
        return f"crm{self.number}"

    @property
    def lab(self) -> str:
        return f"lab{self.number}"

    @property
    def source(self) -> str:
        return f"{self.crm}.people.people"

    def publish_source(self, columns: list[str], version: str) -> Release:
        text = contract(f"{self.crm}.people", {"people": columns}, version=version)
        return self.owner.domain(self.crm).product("people", text).publish(people=people(), progress=False)

    def derive(
        self,
        product: str,
        columns: list[str],
        make: Callable[[pl.LazyFrame], pl.LazyFrame],
        *,
        source: str = "",
        mesh: Mesh | None = None,
    ) -> str:
        """The product's only port, published by a transform."""
        made = (
            (mesh or self.analyst)
            .domain(self.lab)
            .transform(
                inputs=[source or self.source], output=product, contract=contract(f"{self.lab}.{product}", {"rows": columns})
            )(make)
        )
        made.run(progress=False)
        return f"{self.lab}.{product}.rows"

    def tags(self, port: str) -> dict[str, list[str]]:
        """Column → the tags that were derived for it."""
        shown = self.reader.show(port)
        assert isinstance(shown, PortEntry)
        return {column.name: [tag.tag for tag in column.derived_tags] for column in shown.columns}


@pytest.fixture(scope="module")
def people_of(server: RunningServer) -> Iterator[dict[str, Mesh]]:
    with server.admin() as admin:
        admin.admin.create_guardrail("no-names", "tag:pii.name", mask="replace-with-null", exempt=["user:cora", "user:lea"])
    meshes = {name: server.user(f"user:{name}") for name in ("cora", "lea", "rob", "mia")}
    yield meshes
    for mesh in meshes.values():
        mesh.close()


@pytest.fixture
def company(server: RunningServer, people_of: dict[str, Mesh]) -> Company:
    number = next(_NUMBERS)
    made = Company(server, number, people_of["cora"], people_of["lea"], people_of["rob"])
    with server.admin() as admin:
        admin.admin.create_domain(made.crm, owners=["user:cora"])
        admin.admin.create_domain(made.lab, owners=["user:lea"])
    made.publish_source(PEOPLE, "1.0.0")
    made.owner.grant("user:lea", made.crm)
    made.owner.grant("user:rob", made.crm, actions=["discover"])
    made.analyst.grant("user:rob", made.lab)
    return made


def test_a_tag_follows_a_column_through_three_products_and_masks_it_there(company: Company) -> None:
    first = company.derive("first", ["key: integer", "who: string"], lambda f: f.select(key="id", who="name"))
    second = company.derive(
        "second", ["key: integer", "shout: string", "size: integer"],
        lambda f: f.select("key", shout=pl.col("who").str.to_uppercase() + "!", size=pl.col("who").str.len_bytes().cast(int)),
        source=first,
    )  # fmt: skip
    assert company.tags(first) == {"key": [], "who": [TAG]}
    assert company.tags(second) == {"key": [], "shout": [TAG], "size": [TAG]}
    shown = company.reader.show(second)
    assert isinstance(shown, PortEntry)
    (tag,) = next(column for column in shown.columns if column.name == "shout").derived_tags
    assert tag.path == (f"{company.source}#name", f"{first}#who", f"{second}#shout")
    for via in ("stream", "files"):
        assert company.reader.read(first, via=via).rows() == [(i, None) for i in (1, 2, 3, 4)]  # type: ignore[arg-type]
        assert company.reader.read(second, via=via).rows() == [(i, None, None) for i in (1, 2, 3, 4)]  # type: ignore[arg-type]
        assert company.analyst.read(second, via=via)["shout"].to_list() == ["ANN!", "BOB!", "CYD!", "DAN!"]  # type: ignore[arg-type]
    assert second in [hit.name for hit in company.reader.discover(tag=TAG)]
    assert company.reader.explain(second).plan is not None


def test_the_command_tells_the_way_of_a_tag(
    company: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = company.derive("told", ["key: integer", "who: string"], lambda f: f.select(key="id", who="name"))
    monkeypatch.setenv("MESH_URL", company.server.url)

    def said(who: str, *words: str) -> tuple[int, str]:
        monkeypatch.setenv("MESH_TOKEN", token_of(company.server, who))
        capsys.readouterr()
        status = run(["tags", "explain", *words])
        told = capsys.readouterr()
        return status, told.out + told.err

    path = [f"{company.source}#name", f"{first}#who"]
    found = json.loads(said("user:rob", path[1], "--json")[1])
    assert found == {"column": path[1], "tags": [], "derived_tags": [{"tag": TAG, "path": path}], "rescans": []}
    declared = json.loads(said("user:rob", path[0], "--json")[1])
    assert declared == {"column": path[0], "tags": [TAG], "derived_tags": [], "rescans": []}
    assert json.loads(said("user:rob", path[1].replace("#", "."), "--json")[1]) == found
    status, text = said("user:rob", path[1])
    assert (status, all(step in text for step in path)) == (0, True)
    assert "carries no tag" in said("user:rob", f"{first}#key")[1]

    company.analyst.grant("user:mia", company.lab, actions=["discover"])
    assert json.loads(said("user:mia", path[1], "--json")[1])["derived_tags"] == [{"tag": TAG, "path": ["?", path[1]]}]
    status, text = said("user:mia", path[1])
    assert (status, "hidden from you" in text, company.source in text) == (0, True, False)
    for wrong in (f"{first}#nothing", first, path[0]):
        status, text = said("user:mia", wrong)
        assert (status != 0, "Traceback" in text) == (True, False)


def test_counts_sums_and_means_break_a_tag_and_smallest_largest_and_first_do_not(company: Company) -> None:
    aggregated = company.derive(
        "ages",
        ["city: string", *(f"{n}: integer" for n in ["n", "total", "youngest", "oldest", "one"]), "mean: number", "name: string"],
        lambda f: f.group_by("city").agg(
            n=pl.col("age").count().cast(pl.Int64), total=pl.col("age").sum(), mean=pl.col("age").mean(),
            youngest=pl.col("age").min(), oldest=pl.col("age").max(), one=pl.col("age").first(), name=pl.col("name").max(),
        ),
    )  # fmt: skip
    assert company.tags(aggregated) == {
        "city": [], "n": [], "total": [], "mean": [],
        "youngest": ["pii.age"], "oldest": ["pii.age"], "one": ["pii.age"], "name": [TAG],
    }  # fmt: skip
    seen = company.reader.read(aggregated).sort("city")
    assert seen["name"].to_list() == [None, None]
    assert seen["total"].to_list() == [73, 117]
    with company.server.admin() as admin:
        admin.admin.create_guardrail("no-ages", "tag:pii.*", mask="replace-with-null")
    seen = company.reader.read(aggregated).sort("city")
    with company.server.admin() as admin:
        admin.admin.delete_guardrail("no-ages")
    assert [seen[name].null_count() for name in ("youngest", "oldest", "one", "n", "total", "mean")] == [2, 2, 2, 0, 0, 0]


def test_a_keyed_hash_breaks_a_tag_and_a_hash_that_can_be_guessed_does_not(company: Company) -> None:
    port = company.derive(
        "pseudonyms", ["who: string", "guessable: string"],
        lambda f: f.select(who=keyed_hash("name", b"a key of the lab alone"), guessable=pl.col("name").hash(7).cast(pl.String)),
    )  # fmt: skip
    assert company.tags(port) == {"who": [], "guessable": [TAG]}
    seen = company.reader.read(port)
    assert seen["guessable"].null_count() == 4
    ann = hmac.digest(b"a key of the lab alone", b"Ann", "sha256").hex()
    assert (ann in seen["who"].to_list(), seen["who"].n_unique()) == (True, 4)


def test_what_a_transform_reads_on_the_side_is_in_its_lineage(company: Company) -> None:
    """Scanned in its body without being an input, or read by a Python function while polars runs: the tag arrives."""
    first = company.derive("first", ["key: integer", "who: string"], lambda f: f.select(key="id", who="name"))
    scanned = company.derive(
        "scanned", ["key: integer", "name: string"],
        lambda f: f.select("key").join(company.analyst.scan(company.source).select("id", "name"), left_on="key", right_on="id"),
        source=first,
    )  # fmt: skip
    assert company.tags(scanned) == {"key": [], "name": [TAG]}

    def looked_up(people: pl.LazyFrame, keys: pl.LazyFrame) -> pl.LazyFrame:
        def name_of(key: int) -> str:
            return str(people.filter(pl.col("id") == key).select("name").collect().item())

        return keys.select("key", name=pl.col("key").map_elements(name_of, return_dtype=pl.String))

    text = contract(f"{company.lab}.looked", {"rows": ["key: integer", "name: string"]})
    made = company.analyst.domain(company.lab).transform(inputs=[company.source, first], output="looked", contract=text)
    made(looked_up).run(progress=False)
    assert TAG in company.tags(f"{company.lab}.looked.rows")["name"]
    assert company.reader.read(f"{company.lab}.looked.rows")["name"].null_count() == 4


def test_only_deciding_about_rows_does_not_pass_a_tag_on(company: Company) -> None:
    port = company.derive(
        "adults", ["id: integer"], lambda f: f.filter((pl.col("age") > 40) & (pl.col("name") != "Dan")).sort("name").select("id")
    )
    assert company.tags(port) == {"id": []}
    assert sorted(company.reader.read(port)["id"]) == [2, 3]
    graph = company.analyst.lineage(port)
    assert graph.nodes


def test_what_was_read_masked_is_derived_without_the_tag(company: Company, people_of: dict[str, Mesh]) -> None:
    """The evidence of a mask breaks a tag: what its reader never saw cannot be in what it made."""
    company.owner.grant("user:mia", company.crm)
    with company.server.admin() as admin:
        admin.admin.update_domain(company.lab, members=["user:mia"])
    mia = people_of["mia"]
    port = company.derive("masked", ["id: integer", "who: string"], lambda f: f.select("id", who="name"), mesh=mia)
    assert company.tags(port) == {"id": [], "who": []}
    assert company.analyst.read(port)["who"].null_count() == 4
    assert any(edge.is_masking for edge in mia.lineage(f"{port}.who", direction="upstream").edges)


def test_a_retracted_tag_is_gone_everywhere_and_the_derived_column_is_clear_again(company: Company) -> None:
    first = company.derive("first", ["who: string"], lambda f: f.select(who="name"))
    second = company.derive("second", ["who: string"], lambda f: f.select("who"), source=first)
    assert company.reader.read(second)["who"].null_count() == 4
    with company.server.admin() as admin:
        admin.admin.release_tag(f"{company.source}#name", TAG, reason="these people are made up")
    company.publish_source(UNTAGGED, "1.1.0")
    assert company.tags(first) == company.tags(second) == {"who": []}
    for port in (first, second):
        assert company.reader.read(port)["who"].to_list() == ["Ann", "Bob", "Cyd", "Dan"]
    assert not company.reader.discover(tag=TAG, domain=company.lab)
    company.publish_source(PEOPLE, "1.2.0")
    assert company.tags(second) == {"who": [TAG]}
    assert company.reader.read(second)["who"].null_count() == 4


def test_a_source_column_tagged_later_masks_what_was_derived_before(company: Company) -> None:
    port = company.derive("cities", ["place: string"], lambda f: f.select(place="city"))
    assert company.reader.read(port)["place"].null_count() == 0
    tagged = [*PEOPLE[:3], "city: 'string', tags: [pii.name]"]
    company.publish_source(tagged, "1.1.0")
    assert company.tags(port) == {"place": [TAG]}
    assert company.reader.read(port)["place"].null_count() == 4


def test_a_new_release_that_leaves_the_column_out_loses_its_tag(company: Company) -> None:
    port = company.derive("first", ["id: integer", "who: string"], lambda f: f.select("id", who="name"))
    assert company.tags(port)["who"] == [TAG]
    company.derive("first", ["id: integer", "who: string"], lambda f: f.select("id", who="city"))
    assert company.tags(port)["who"] == []
    assert company.reader.read(port)["who"].to_list() == ["A", "A", "B", "B"]


def test_a_version_published_with_the_tagged_column_stays_masked_after_a_clean_release(company: Company) -> None:
    """Version 1 of the derived port holds names whatever version 2 holds: reading it must not show them."""
    port = company.derive("first", ["id: integer", "who: string"], lambda f: f.select("id", who="name"))
    company.derive("first", ["id: integer", "who: string"], lambda f: f.select("id", who="city"))
    assert company.reader.read(port, version=1)["who"].null_count() == 4


def test_rows_whose_making_is_unknown_take_every_tag_of_their_inputs(company: Company) -> None:
    frame = company.analyst.read(company.source)
    text = contract(f"{company.lab}.loose", {"rows": ["id: integer", "label: string"]})
    company.analyst.domain(company.lab).product("loose", text).publish(
        rows=frame.select("id", label=pl.col("name")), inputs=[company.source], progress=False
    )
    assert set(company.tags(f"{company.lab}.loose.rows")["label"]) == {TAG, "pii.age"}
    assert company.reader.read(f"{company.lab}.loose.rows")["label"].null_count() == 4


def test_a_querys_result_published_as_it_is_has_the_lineage_of_the_query(company: Company) -> None:
    asked = company.analyst.sql(f"SELECT name AS who, count(*) AS n FROM {company.source} GROUP BY name ORDER BY name")
    text = contract(f"{company.lab}.asked", {"rows": ["who: string", "n: integer"]})
    release = company.analyst.domain(company.lab).product("asked", text).publish(rows=asked, progress=False)
    port = f"{company.lab}.asked.rows"
    assert company.tags(port) == {"who": [TAG], "n": []}
    (made,) = [it for it in company.reader.lineage(port, direction="upstream").origins if it.port == port]
    assert (made.version, made.inputs) == (release.version, ((company.source, 1),))
