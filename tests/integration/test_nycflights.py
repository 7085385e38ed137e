"""A third of a million real flights, published as one product of four tables: what each reader gets is what an independent
computation in pandas says it may see, cell by cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domain_sdk import InvalidRequest, Mesh, NotFound, Release
from tests.integration.flights_data import CONTRACT, PORTS, source, source_frame
from tests.servers import RunningServer

FLIGHTS = "aviation.flights.flights"
B_COLUMNS = ["year", "month", "day", "carrier", "flight", "tailnum", "dest", "air_time", "arr_delay", "time_hour"]
D_COLUMNS = ["tailnum", "distance", "month"]
NAMES = ["carrier", "origin", "dest"]
LAST_MONTH = 12

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Flown:
    """The mesh after two releases, and who reads it."""

    owner: Mesh
    every_grant: Mesh
    without_jfk: Mesh
    names_only: Mesh
    first: Release
    second: Release


def without_december(name: str) -> pl.DataFrame:
    frame = source_frame(name)
    return frame.filter(pl.col("month") < LAST_MONTH) if name == "flights" else frame


def grant_overlapping(owner: Mesh) -> None:
    owner.grant("user:amy", FLIGHTS, rows="origin = 'JFK'")
    masks = {"tailnum": "show-last-4", "flight": "sha-256-global", "air_time": "mask-to-fixed-value"}
    owner.grant("group:partners", FLIGHTS, rows="carrier in ('UA', 'AA')", columns=B_COLUMNS, masks=masks)
    owner.grant("group:partners", FLIGHTS, rows="month = 1", columns=D_COLUMNS, masks={"tailnum": "mask-alphanum"})
    owner.grant("*", FLIGHTS, columns=NAMES)


@pytest.fixture(scope="module")
def flown(server: RunningServer) -> Iterator[Flown]:
    with server.admin() as admin:
        admin.admin.create_domain("aviation", owners=["user:olga"])
        admin.admin.create_guardrail("coarse-delay", "tag:ops.delay", mask="mask-to-fixed-value", exempt=["user:olga"])
    owner = server.user("user:olga")
    product = owner.domain("aviation").product("flights", CONTRACT)
    first = product.publish({name: source_frame(name) for name in PORTS}, progress=False)
    second = product.publish({name: without_december(name) for name in PORTS}, progress=False)
    grant_overlapping(owner)
    readers = [
        server.user("user:amy", groups=["group:partners"]),
        server.user("user:bob", groups=["group:partners"]),
        server.user("user:carl"),
    ]
    yield Flown(owner, *readers, first, second)
    for mesh in (owner, *readers):
        mesh.close()


def hashed(value: int) -> int:
    """`sha-256-global` of a long: the first eight bytes of the digest of its eight bytes, little-endian, as a signed long."""
    return int(np.frombuffer(hashlib.sha256(np.int64(value).tobytes()).digest()[:8], "<i8")[0])


def letters_and_digits_hidden(text: str) -> str:
    return "".join("n" if "0" <= letter <= "9" else letter if letter in "(),.-@" else "x" for letter in text)


def in_polars(columns: dict[str, pd.Series], like: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.Series(name, [None if pd.isna(v) else v for v in column.tolist()], dtype=like.schema[name])
            for name, column in columns.items()
        }
    )


def partner_cells(raw: pd.DataFrame, has_jfk: bool) -> dict[str, pd.Series]:
    """What the grants give together: a cell is there only if one single grant has both its row and its column."""
    a = (raw.origin == "JFK") if has_jfk else pd.Series(False, index=raw.index)
    b, d = raw.carrier.isin(["UA", "AA"]), raw.month == 1
    nothing = pd.Series([None] * len(raw), index=raw.index, dtype=object)
    cells: dict[str, pd.Series] = {}
    for name in raw.columns:
        value = raw[name].astype(object)
        given = a | (b if name in B_COLUMNS else False) | (d if name in D_COLUMNS else False) | (name in NAMES)
        cells[name] = value.where(given, nothing)
    present = raw.tailnum.notna()
    only_b, only_d, both = b & ~d & ~a & present, d & ~b & ~a & present, b & d & ~a
    tail = cells["tailnum"].copy()
    tail[only_b] = [letters_and_digits_hidden(t[:-4]) + t[-4:] for t in raw.tailnum[only_b]]
    tail[only_d] = [letters_and_digits_hidden(t) for t in raw.tailnum[only_d]]
    tail[both] = None  # the two masks show different parts: no order between them
    cells["tailnum"] = tail
    flight = cells["flight"].copy()
    hashes = {number: hashed(number) for number in raw.flight.unique()}
    flight[b & ~a] = [hashes[number] for number in raw.flight[b & ~a]]
    cells["flight"] = flight
    air_time = cells["air_time"].copy()
    air_time[b & ~a & raw.air_time.notna()] = 0.0
    cells["air_time"] = air_time
    delay = cells["arr_delay"].copy()
    delay[delay.notna()] = 0.0  # the guardrail, on top of every grant
    cells["arr_delay"] = delay
    return cells


def expected(has_jfk: bool, version: int) -> pl.DataFrame:
    raw = source("flights")
    kept = raw if version == 1 else raw[raw.month < LAST_MONTH].reset_index(drop=True)
    cells = partner_cells(kept, has_jfk)
    if not has_jfk:
        cells = {name: cells[name] for name in raw.columns if name in {*B_COLUMNS, *D_COLUMNS, *NAMES}}
    return in_polars(cells, source_frame("flights"))


@pytest.fixture(scope="module")
def amys() -> pl.DataFrame:
    """What a reader with every grant sees of the second release."""
    return expected(True, 2)


@pytest.fixture(scope="module")
def bobs() -> pl.DataFrame:
    """What a reader without the JFK grant sees of the second release."""
    return expected(False, 2)


@pytest.mark.parametrize("via", ["stream", "files"])
@pytest.mark.parametrize("name", PORTS)
def test_an_unrestricted_reader_gets_the_source_row_for_row(flown: Flown, name: str, via: str) -> None:
    seen = flown.owner.read(f"aviation.flights.{name}", via=via, version=1)  # type: ignore[arg-type]
    assert_frame_equal(seen, source_frame(name), check_exact=True)
    released = {port.port: port.row_count for port in flown.first.ports}
    assert released[f"aviation.flights.{name}"] == len(source(name))


@pytest.mark.parametrize("via", ["stream", "files"])
def test_a_reader_of_several_grants_gets_each_cell_that_one_of_them_gives(flown: Flown, amys: pl.DataFrame, via: str) -> None:
    assert_frame_equal(flown.every_grant.read(FLIGHTS, via=via), amys, check_exact=True)  # type: ignore[arg-type]
    assert 0 < amys["distance"].null_count() < amys.height  # the case is not trivial
    assert 0 < amys["tailnum"].str.contains("x").sum() < amys.height


@pytest.mark.parametrize("via", ["stream", "files"])
def test_without_one_of_the_grants_its_columns_and_cells_are_gone(flown: Flown, bobs: pl.DataFrame, via: str) -> None:
    assert_frame_equal(flown.without_jfk.read(FLIGHTS, via=via), bobs, check_exact=True)  # type: ignore[arg-type]
    assert "dep_delay" not in bobs.columns


@pytest.mark.parametrize("via", ["stream", "files"])
def test_a_reader_of_names_sees_every_row_of_names_and_nothing_else(flown: Flown, via: str) -> None:
    seen = flown.names_only.read(FLIGHTS, via=via)  # type: ignore[arg-type]
    assert_frame_equal(seen, without_december("flights").select("carrier", "origin", "dest").select(seen.columns))
    assert sorted(seen.columns) == sorted(NAMES)
    with pytest.raises(InvalidRequest):
        flown.names_only.read(FLIGHTS, columns=["tailnum"])


QUESTIONS: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "columns": lambda f: f.select("dest", "tailnum", "carrier"),
    "clear predicate": lambda f: f.filter((pl.col("carrier") == "UA") & pl.col("dest").is_in(["SFO", "LAX", "SEA"])),
    "masked predicate": lambda f: f.filter(pl.col("tailnum").str.starts_with("x")).select("carrier", "tailnum"),
    "predicate on a partly hidden number": lambda f: f.filter(pl.col("distance") > 1000).select("origin", "distance"),
    "nulls": lambda f: f.filter(pl.col("distance").is_null()).select("carrier", "origin", "dest"),
    "negation": lambda f: f.filter(~(pl.col("month") < 6)).select("month", "origin"),
    "limit": lambda f: f.head(1000),
    "limit behind a predicate": lambda f: f.filter(pl.col("dest") == "BOS").select("carrier", "flight", "dest").head(37),
    "limit of nothing": lambda f: f.head(0),
    "aggregate": lambda f: (
        f.group_by("carrier").agg(pl.len(), pl.col("distance").sum(), pl.col("tailnum").n_unique()).sort("carrier")
    ),
    "untranslatable predicate": lambda f: f.filter(pl.col("dest").str.len_chars() + pl.col("month") > 10).select("dest", "month"),
    "count": lambda f: f.select(pl.len()),
    "sort": lambda f: f.sort("distance", "flight", "time_hour", nulls_last=True).head(50).select("distance", "flight"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("reader", ["every_grant", "without_jfk"])
def test_a_pushed_down_scan_answers_as_polars_would_on_what_is_visible(
    flown: Flown, amys: pl.DataFrame, bobs: pl.DataFrame, question: str, reader: str
) -> None:
    mesh, visible = (flown.every_grant, amys) if reader == "every_grant" else (flown.without_jfk, bobs)
    ask = QUESTIONS[question]
    assert_frame_equal(ask(mesh.scan(FLIGHTS)).collect(), ask(visible.lazy()).collect(), check_exact=True)


def test_a_join_of_two_governed_tables_equals_the_join_in_pandas(flown: Flown) -> None:
    flights = flown.owner.scan(FLIGHTS, version=1).select("tailnum", "distance")
    planes = flown.owner.scan("aviation.flights.planes", version=1).select("tailnum", "manufacturer")
    seen = flights.join(planes, on="tailnum").group_by("manufacturer").agg(pl.col("distance").sum()).collect()
    joined = (
        source("flights")[["tailnum", "distance"]].dropna().merge(source("planes")[["tailnum", "manufacturer"]], on="tailnum")
    )
    assert dict(seen.iter_rows()) == joined.groupby("manufacturer").distance.sum().to_dict()


def test_each_version_stays_readable_under_the_same_grants(flown: Flown, amys: pl.DataFrame) -> None:
    assert (flown.first.version, flown.second.version) == (1, 2)
    assert flown.every_grant.read(FLIGHTS, columns=["month"], version=1).height == len(source("flights"))
    assert flown.every_grant.read(FLIGHTS, columns=["month"]).height == amys.height < len(source("flights"))
    assert_frame_equal(flown.every_grant.read(FLIGHTS, version=1), expected(True, 1), check_exact=True)
    with pytest.raises(NotFound):
        flown.every_grant.read(FLIGHTS, version=3)


def test_a_scan_stays_with_the_version_it_was_planned_on(server: RunningServer, flown: Flown) -> None:
    planes = flown.owner.scan("aviation.flights.planes")
    before = planes.select(pl.len()).collect().item()
    frames = {name: without_december(name) for name in PORTS} | {"planes": source_frame("planes").head(2000)}
    assert flown.owner.domain("aviation").product("flights", CONTRACT).publish(frames, progress=False).version == 3
    assert planes.select(pl.len()).collect().item() == before == 3322
    assert flown.owner.read("aviation.flights.planes").height == 2000
