"""Pipelines through a real server: order, pinned versions, repetition by run id, and transforms that are a query."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import InvalidRequest, Mesh, PortEntry, _incremental
from domain_sdk.pipelines import load_transforms, run_transforms
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

SOURCE = "shop.people.people"
PIPELINE = """
import polars as pl
from domain_sdk import Mesh

shop = Mesh.connect().domain("shop")


@shop.transform(sql="select city, max(who) as last, count(*) as n from shop.clean.rows group by city", output="cities",
                contract=CITIES)
def cities():
    ...


@shop.transform(inputs=["shop.people.people"], output="clean", contract=CLEAN)
def clean(people: pl.LazyFrame) -> pl.LazyFrame:
    return people.filter(pl.col("age") > 17).select("id", "city", who="name")
"""


@pytest.fixture(scope="module")
def ana(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:ana"])
        admin.admin.create_guardrail("no-names", "tag:pii.name", mask="replace-with-null", exempt=["user:ana"])
    with server.user("user:ana") as mesh:
        _publish_people(mesh)
        yield mesh


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    (tmp_path / "cities.yaml").write_text(contract("shop.cities", {"rows": ["city: string", "last: string", "n: integer"]}))
    (tmp_path / "clean.yaml").write_text(contract("shop.clean", {"rows": ["id: integer", "city: string", "who: string"]}))
    text = PIPELINE.replace("CITIES", repr(str(tmp_path / "cities.yaml"))).replace("CLEAN", repr(str(tmp_path / "clean.yaml")))
    (tmp_path / "pipeline.py").write_text(text)
    return tmp_path / "pipeline.py"


def _publish_people(mesh: Mesh) -> int:
    columns = ["id: integer", "name: 'string', tags: [pii.name]", "age: integer", "city: string"]
    rows = pl.DataFrame({"id": [1, 2, 3], "name": ["Ann", "Bob", "Cyd"], "age": [40, 17, 20], "city": ["A", "A", "B"]})
    product = mesh.domain("shop").product("people", contract("shop.people", {"people": columns}))
    return product.publish(people=rows, progress=False).version


def _run(server: RunningServer, pipeline: Path, *arguments: str) -> dict[str, int | None]:
    environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token_of(server, "user:ana")}
    command = [str(Path(sys.executable).with_name("mesh")), "run", str(pipeline), "--json", *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return {it["transform"]: it["release"]["version"] if it["release"] else None for it in json.loads(done.stdout)}


def test_a_pipeline_runs_in_the_order_of_its_data_and_a_repeated_run_makes_nothing_new(
    server: RunningServer, ana: Mesh, pipeline: Path
) -> None:
    first = _run(server, pipeline, "--run-id", "monday")
    assert list(first) == ["clean", "cities"]
    assert _run(server, pipeline, "--run-id", "monday") == first
    assert _run(server, pipeline, "--changed") == {"clean": None, "cities": None}
    assert ana.read("shop.cities.rows").sort("city").rows() == [("A", "Ann", 1), ("B", "Cyd", 1)]
    _publish_people(ana)
    again = _run(server, pipeline, "--changed")
    assert {name: version > first[name] for name, version in again.items()} == {"clean": True, "cities": True}


def test_a_query_has_lineage_down_to_columns_with_pinned_versions_and_tags_follow_it(
    server: RunningServer, ana: Mesh, pipeline: Path
) -> None:
    made = _run(server, pipeline)
    edges = {(e.source, e.target, e.subtype) for e in ana.lineage("shop.cities.rows.last", direction="upstream", depth=1).edges}
    assert edges == {
        ("shop.clean.rows#who", "shop.cities.rows#last", "AGGREGATION"),
        ("shop.clean.rows#city", "shop.cities.rows#last", "GROUP_BY"),
    }
    origin = next(it for it in ana.lineage("shop.cities.rows", direction="upstream").origins if it.port == "shop.cities.rows")
    assert (origin.inputs, origin.job) == ((("shop.clean.rows", made["clean"]),), "shop.cities")
    shown = ana.show("shop.cities.rows")
    assert isinstance(shown, PortEntry)
    assert {c.name: [tag.tag for tag in c.derived_tags] for c in shown.columns} == {"city": [], "last": ["pii.name"], "n": []}
    with server.user("user:rob") as rob:
        ana.grant("user:rob", "shop.cities")
        assert rob.read("shop.cities.rows")["last"].null_count() == 2


def test_an_earlier_version_of_an_input_can_be_read_again(ana: Mesh, pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MESH_TOKEN", "unused: each transform runs as the mesh it is given")
    clean, cities = load_transforms(pipeline)
    clean.run(ana, versions={SOURCE: 1}, progress=False)
    origin = next(it for it in ana.lineage("shop.clean.rows", direction="upstream").origins if it.port == "shop.clean.rows")
    assert origin.inputs == ((SOURCE, 1),)
    _publish_people(ana)
    assert not clean.is_current(ana)
    with pytest.raises(InvalidRequest, match="no input of clean"):
        clean.run(ana, versions={"shop.other.rows": 1})
    with pytest.raises(InvalidRequest, match=r"AT \(VERSION"):
        cities.run(ana, versions={"shop.clean.rows": 1})
    assert [it.transform for it in run_transforms([clean, cities], ana, only_changed=True)] == ["clean", "cities"]


def test_a_file_that_is_no_pipeline_is_refused_with_what_is_wrong(tmp_path: Path, ana: Mesh) -> None:
    (tmp_path / "empty.py").write_text("x = 1")
    with pytest.raises(InvalidRequest, match="defines no transform"):
        load_transforms(tmp_path / "empty.py")
    with pytest.raises(InvalidRequest, match="is no Python file"):
        load_transforms(tmp_path / "missing.py")
    with pytest.raises(InvalidRequest, match="give one of the two"):
        ana.domain("shop").transform(output="x")(lambda: None)


ADULTS = contract("shop.adults", {"rows": ["id: integer, primaryKey: true", "who: string"]})
PEOPLE = ["id: integer, primaryKey: true", "name: 'string', tags: [pii.name]", "age: integer", "city: string"]


def test_an_incremental_run_reads_what_changed_and_leaves_the_output_as_a_whole_run_would(
    ana: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def spied(*given: Any) -> Any:
        found = changed_rows(*given)
        seen.append((found[0].height, found[1].height))
        return found

    changed_rows = _incremental.changed_rows
    monkeypatch.setattr(_incremental, "changed_rows", spied)
    shop = ana.domain("shop")
    source = shop.product("guests", contract("shop.guests", {"people": PEOPLE}))

    def publish(ids: list[int], ages: list[int], mode: str = "overwrite", gone: list[bool] | None = None) -> None:
        names = [f"n{number}-{age}" for number, age in zip(ids, ages, strict=True)]
        frame = pl.DataFrame({"id": ids, "name": names, "age": ages, "city": ["A"] * len(ids)})
        flagged = frame if gone is None else frame.with_columns(gone=pl.Series(gone))
        source.publish(people=flagged, mode=mode, delete_flag="gone" if gone else None, progress=False)  # type: ignore[arg-type]

    @shop.transform(inputs=["shop.guests.people", SOURCE], output="adults", contract=ADULTS, incremental="shop.guests.people")
    def adults(guests: pl.LazyFrame, people: pl.LazyFrame) -> pl.LazyFrame:
        home = people.select("city", lives=pl.lit(True)).unique()
        return guests.join(home, on="city", how="left").filter(pl.col("age") > 17, "lives").select("id", who="name")

    def rows() -> list[tuple[int, str]]:
        return ana.read("shop.adults.rows").sort("id").rows()

    publish([1, 2, 3, 4], [40, 17, 20, 30])
    adults.run(progress=False)
    assert rows() == [(1, "n1-40"), (3, "n3-20"), (4, "n4-30")]
    publish([2, 3, 5, 4], [18, 3, 50, 30], mode="merge", gone=[False, False, False, True])
    publish([5, 6], [51, 60], mode="merge")
    publish([7], [70], mode="append")
    release = adults.run(progress=False)
    assert rows() == [(1, "n1-40"), (2, "n2-18"), (5, "n5-51"), (6, "n6-60"), (7, "n7-70")]
    assert seen == [(5, 3)], "2, 3, 5, 6 and 7 came, 2, 3 and 4 went; 5 in between is in neither, and 1 was not read"
    assert adults.is_current()
    assert release.version == shop.product("adults").release().version
    edges = {(it.source, it.target) for it in ana.lineage("shop.adults.rows.who", direction="upstream", depth=1).edges}
    assert ("shop.guests.people#name", "shop.adults.rows#who") in edges
    _publish_people(ana)
    publish([1], [41], mode="merge")
    adults.run(progress=False)
    assert (rows()[0], len(seen)) == ((1, "n1-41"), 1), "another input changed: all was made anew"


def test_an_incremental_transform_needs_an_input_to_follow(ana: Mesh) -> None:
    with pytest.raises(InvalidRequest, match="is no input of whole"):

        @ana.domain("shop").transform(inputs=[SOURCE], output="x", incremental="shop.other.rows")
        def whole(people: pl.LazyFrame) -> pl.LazyFrame:
            return people
