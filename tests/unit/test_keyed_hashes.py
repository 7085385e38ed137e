"""The SDK's keyed hash: HMAC-SHA-256 of a column, which the plan shows as masking, wherever it stands."""

from __future__ import annotations

import hashlib
import hmac

import polars as pl
import pytest

from domain_sdk import InvalidRequest, keyed_hash
from domain_sdk._polars_plan.lineage import Source, column_lineage
from domain_sdk._polars_plan.row_wise import is_row_wise
from domain_sdk._polars_plan.traversal import PlanReader
from mesh_core.lineage import PortLineage
from tests.unit.polars_plan_sources import MemoryPort

KEY = b"sixteen bytes or more"
c = pl.col


@pytest.fixture
def people() -> MemoryPort:
    rows = pl.DataFrame({"id": [1, 2, 3], "email": ["a@x", None, "c@x"], "city": ["A", "B", "A"], "amount": [1, 2, 3]})
    return MemoryPort("crm.base.people", rows)


def _masking(frame: pl.LazyFrame, port: MemoryPort) -> set[tuple[str, str, bool]]:
    """(source column, target column, is it masked) of the direct edges."""
    found = _lineage(frame, port)
    assert found.unknown_inputs == ()
    return {(e.source_column, e.target_column, e.transformation.masking) for e in found.edges if e.transformation.is_direct}


def _lineage(frame: pl.LazyFrame, port: MemoryPort) -> PortLineage:
    return column_lineage(frame, target_port="a.b.c", sources=[Source(port.name, 1, port.frame, port.was_read)])


def test_a_keyed_hash_is_the_hmac_of_rfc_4231() -> None:
    # RFC 4231, test case 6.
    value = "Test Using Larger Than Block-Size Key - Hash Key First"
    found = pl.select(keyed_hash(pl.lit(value), b"\xaa" * 131)).item()
    assert found == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


def test_values_are_hashed_by_their_text_and_null_stays_null() -> None:
    frame = pl.DataFrame({"x": ["ü", None, ""], "n": [7, None, -1]})
    found = frame.select(keyed_hash("x", KEY), keyed_hash(c.n, KEY.decode()))

    def expected(text: str) -> str:
        return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()

    assert found.to_dict(as_series=False) == {
        "x": [expected("ü"), None, expected("")],
        "n": [expected("7"), None, expected("-1")],
    }


@pytest.mark.parametrize("key", [b"", b"fifteen bytes..", "short", 5, None])
def test_a_key_that_can_be_guessed_is_refused_without_being_repeated(key: object) -> None:
    with pytest.raises(InvalidRequest, match="16 bytes") as error:
        keyed_hash("email", key)  # type: ignore[arg-type]
    assert "short" not in str(error.value)


def test_the_plan_shows_a_keyed_hash_as_masked_and_names_its_column(people: MemoryPort) -> None:
    frame = people.frame.select("id", keyed_hash("email", KEY), raw=c.email)
    assert _masking(frame, people) == {("id", "id", False), ("email", "email", True), ("email", "raw", False)}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("of an expression", lambda f: f.select(h=keyed_hash(c.email.str.to_lowercase(), KEY))),
        ("in an expression", lambda f: f.select(h=pl.concat_str(pl.lit("p-"), keyed_hash("email", KEY).str.slice(0, 12)))),
        ("of a first", lambda f: f.group_by("city").agg(h=keyed_hash(c.email.first(), KEY)).select("h")),
        ("then a max", lambda f: f.group_by("city").agg(h=keyed_hash("email", KEY).max()).select("h")),
        ("over a window", lambda f: f.select(h=keyed_hash(c.email.max().over("city"), KEY))),
        ("in a struct", lambda f: f.select(h=pl.struct(keyed_hash("email", KEY)))),
        ("as a group's key", lambda f: f.group_by(h=keyed_hash("email", KEY)).agg(pl.len()).select("h")),
        ("of a cast", lambda f: f.select(h=keyed_hash(c.email.cast(pl.Categorical), KEY))),
        ("by a selector", lambda f: f.select(keyed_hash(pl.selectors.by_name("email"), KEY).name.suffix("_h"))),
    ],
)
def test_wherever_it_stands(name: str, make, people: MemoryPort) -> None:
    frame = make(people.frame)
    assert {(source, masked) for source, _, masked in _masking(frame, people)} == {("email", True)}
    hidden = {value for column in frame.collect().iter_columns() for value in map(str, column.to_list())}
    assert not any("a@x" in value or "c@x" in value for value in hidden)


def test_a_value_beside_its_keyed_hash_is_not_masked(people: MemoryPort) -> None:
    frame = people.frame.select(h=pl.concat_str("email", keyed_hash("email", KEY)))
    assert _masking(frame, people) == {("email", "h", False), ("email", "h", True)}


@pytest.mark.parametrize(
    "weak",
    [
        c.email.hash(seed=981_237_123),
        c.email.hash().cast(pl.String),
        pl.when(pl.lit("domain_sdk.keyed_hash").is_not_null() & c.email.is_not_null()).then(c.email),
    ],
    ids=["seeded hash", "hash", "imitation that shows the value"],
)
def test_what_can_be_guessed_or_shows_the_value_is_not_masked(weak: pl.Expr, people: MemoryPort) -> None:
    assert {(s, m) for s, _, m in _masking(people.frame.select(h=weak), people)} == {("email", False)}


def test_another_python_function_is_not_masked(people: MemoryPort) -> None:
    imitation = c.email.map_elements(lambda value: value, return_dtype=pl.String)
    assert _masking(people.frame.select(h=imitation), people) == {("email", "h", False)}


def test_a_keyed_hash_is_made_row_by_row(people: MemoryPort) -> None:
    frame = people.frame.select(keyed_hash("email", KEY))
    reader = PlanReader(frame)
    node = reader.node(reader.root)
    assert is_row_wise(reader, node.view.expr[0].node)


def test_it_streams(tmp_path) -> None:
    values = [f"p{i}@example.org" for i in range(50_000)]
    pl.DataFrame({"email": values}).write_parquet(tmp_path / "in.parquet", row_group_size=5_000)
    pl.scan_parquet(tmp_path / "in.parquet").select(keyed_hash("email", KEY)).sink_parquet(tmp_path / "out.parquet")
    found = pl.read_parquet(tmp_path / "out.parquet")["email"].to_list()
    assert found == [hmac.digest(KEY, value.encode(), "sha256").hex() for value in values]


def test_the_key_stands_nowhere_in_the_plan_or_the_function(people: MemoryPort) -> None:
    expression = keyed_hash("email", KEY)
    assert "sixteen" not in str(expression) + people.frame.select(expression).explain()
