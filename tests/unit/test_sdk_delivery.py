"""One port's delivery: every kind of input is stored value for value, or refused with every reason, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain_sdk._delivery import Delivered, deliver
from domain_sdk.errors import ContractViolated, InvalidRequest
from domain_sdk.release import QualityStatus
from mesh_core.contract import Column, Port, PortKind

ENTRIES = Port(
    name="entries",
    columns=(
        Column("id", logical_type="integer", physical_type="int", required=True),
        Column("region", logical_type="string"),
        Column("note", logical_type="string"),
    ),
)
FRAME = pl.DataFrame({"region": ["EU", None, "US"], "id": [1, 2, 3]}, schema_overrides={"id": pl.Int32})
STORED = pl.DataFrame(
    {"id": [1, 2, 3], "region": ["EU", None, "US"], "note": [None] * 3},
    schema={"id": pl.Int32, "region": pl.String, "note": pl.String},
)


def _deliver(given: Any, folder: Path | None, port: Port = ENTRIES, seen: list[Any] | None = None) -> Delivered:
    return deliver(
        port,
        f"finance.ledger.{port.name}",
        given,
        folder=folder,
        hook=lambda *step: seen.append(step) if seen is not None else None,
    )


def _read(folder: Path, delivered: Delivered) -> pl.DataFrame:
    return pl.read_parquet([folder / file.name for file in delivered.files])


def _failed(delivered: Delivered) -> dict[str, int]:
    return {it.check: it.failing_rows for it in delivered.quality if it.status is QualityStatus.FAILED}


KINDS: list[Callable[[pl.DataFrame], Any]] = [
    lambda f: f,
    lambda f: f.lazy(),
    lambda f: f.to_arrow(),
    lambda f: pa.RecordBatchReader.from_stream(f),
    lambda f: f.to_pandas(),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("integer", [pl.Int32, pl.Int64])
def test_every_kind_of_rows_is_stored_in_the_contracts_order_and_types(
    tmp_path: Path, kind: Callable[[pl.DataFrame], Any], integer: Any
) -> None:
    delivered = _deliver(kind(FRAME.cast({"id": integer})), tmp_path)
    assert _read(tmp_path, delivered).equals(STORED)
    assert _failed(delivered) == {}
    assert sum(file.rows for file in delivered.files) == 3
    assert {path.name for path in tmp_path.iterdir()} == {file.name for file in delivered.files}
    assert all((tmp_path / file.name).stat().st_size == file.size for file in delivered.files)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_does_not_fit_is_counted_not_changed(tmp_path: Path, kind: Callable[[pl.DataFrame], Any]) -> None:
    delivered = _deliver(kind(FRAME.cast({"id": pl.Int64}).with_columns(id=pl.lit(2**40))), tmp_path)
    assert _failed(delivered)["id.type"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_in_a_required_column_and_wrong_types_are_all_found(tmp_path: Path, kind: Callable[[pl.DataFrame], Any]) -> None:
    wrong = pl.DataFrame({"id": ["1", "2"], "extra": [1, 2]}, schema={"id": pl.String, "extra": pl.Int8})
    delivered = _deliver(kind(wrong), tmp_path)
    assert delivered.files == ()
    assert list(tmp_path.iterdir()) == []
    assert {"schema", "id.type"} <= set(_failed(delivered))


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_folder_the_same_is_found_and_nothing_written(tmp_path: Path, kind: Callable[[pl.DataFrame], Any]) -> None:
    frame = FRAME.with_columns(id=pl.Series([None, 1, None], dtype=pl.Int32))
    checked = _deliver(kind(frame), None)
    written = _deliver(kind(frame), tmp_path)
    assert checked.files == ()
    assert checked.quality == written.quality
    assert _failed(checked) == {"id.required": 2}


def test_a_lazy_frame_is_computed_once(tmp_path: Path) -> None:
    counted: list[int] = []

    def count(batch: pl.DataFrame) -> pl.DataFrame:
        counted.append(batch.height)
        return batch

    _deliver(FRAME.lazy().map_batches(count, schema=FRAME.schema), tmp_path)
    assert counted == [3]


def test_no_rows_are_no_files_and_no_violation(tmp_path: Path) -> None:
    for rows in (FRAME.clear(), FRAME.clear().lazy(), FRAME.clear().to_arrow()):
        delivered = _deliver(rows, tmp_path)
        assert (delivered.files, _failed(delivered)) == ((), {})


def test_progress_counts_up_to_all_rows(tmp_path: Path) -> None:
    seen: list[Any] = []
    frame = pl.DataFrame({"id": pl.int_range(300_000, dtype=pl.Int32, eager=True), "region": pl.Series(["EU"] * 300_000)})
    _deliver(frame, tmp_path, seen=seen)
    assert seen[-1] == (300_000, 300_000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("wrong", [42, [{"id": 1}], None, pd])
def test_what_is_no_table_is_refused_with_the_port_named(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"(?s)table cannot be made from.*finance\.ledger\.entries"):
        _deliver(wrong, tmp_path)


PAGES = Port(
    name="pages",
    kind=PortKind.COLLECTION,
    columns=(Column("text", logical_type="string"), Column("embedding", logical_type="vector", options={"dimensions": 256})),
)


@pytest.fixture
def memos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    folder = tmp_path / "memos"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nOne.\n")
    (folder / "b.txt").write_text("Two.")
    return folder


def test_documents_become_passages_with_vectors(tmp_path: Path, memos: Path) -> None:
    for source in (memos, str(memos / "*"), [memos / "a.md", str(memos / "b.txt")]):
        delivered = _deliver(source, tmp_path, PAGES)
        rows = _read(tmp_path, delivered)
        assert rows.sort("document")["text"].to_list() == ["One.", "Two."]
        assert rows["vector"].list.len().to_list() == [256, 256]
        assert (delivered.embedding_model, delivered.dimensions) == ("hashing-256", 256)


def test_a_missing_folder_and_an_empty_pattern_are_named(tmp_path: Path, memos: Path) -> None:
    for source in (str(memos / "*.rst"), tmp_path / "nowhere"):
        with pytest.raises(ContractViolated, match="cannot be published"):
            _deliver(source, tmp_path, PAGES)
        assert list(tmp_path.glob("*.parquet")) == []


def test_an_embedding_of_the_wrong_size_is_refused_before_any_document_is_read(tmp_path: Path, memos: Path) -> None:
    port = Port(
        name="pages", kind=PortKind.COLLECTION, columns=(Column("e", logical_type="vector", options={"dimensions": 384}),)
    )
    with pytest.raises(ContractViolated, match="promises 384 dimensions, hashing-256 makes 256"):
        _deliver(memos, tmp_path, port)


@pytest.mark.parametrize(("named", "is_taken"), [("hashing", True), ("all-MiniLM-L6-v2", False)])
def test_the_model_that_the_contract_names_is_the_one_that_embeds(
    tmp_path: Path, memos: Path, named: str, is_taken: bool
) -> None:
    options = {"dimensions": 256, "embeddingModel": named}
    port = Port(name="pages", kind=PortKind.COLLECTION, columns=(Column("e", logical_type="vector", options=options),))
    if is_taken:
        assert _deliver(memos, tmp_path, port).embedding_model == "hashing-256"
        return
    with pytest.raises(ContractViolated, match="promises vectors of all-MiniLM-L6-v2, these are of hashing-256"):
        _deliver(memos, tmp_path, port)


def test_a_frame_is_no_collection(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="collection cannot be made from DataFrame"):
        _deliver(FRAME, tmp_path, PAGES)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), st.one_of(st.none(), st.text(max_size=3))), max_size=8
    )
)
def test_checks_see_the_same_whether_rows_come_eager_lazy_or_as_a_stream(rows: list[tuple[int | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"id": pl.Int64, "region": pl.String}, orient="row")
    outside = sum(1 for value, _ in rows if value is not None and not -(2**31) <= value < 2**31)
    nulls = sum(1 for value, _ in rows if value is None)
    for source in (frame, frame.lazy(), frame.to_arrow()):
        failed = _failed(_deliver(source, None))
        assert failed.get("id.type", 0) == outside
        assert failed.get("id.required", 0) in (nulls, nulls + outside)


TYPED = Port(
    name="entries",
    columns=(
        Column("id", logical_type="integer", physical_type="int", required=True),
        Column("price", logical_type="number", physical_type="decimal(10,2)"),
        Column("day", logical_type="date"),
        Column("tags", logical_type="array", items=Column("tag", logical_type="string")),
        Column("region", logical_type="string"),
    ),
)


@pytest.mark.parametrize("is_lazy", [True, False])
def test_a_file_of_text_with_nothing_but_a_header_is_an_empty_table_of_the_contracts_types(tmp_path: Path, is_lazy: bool) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("id,price,day,tags,region\n")
    folder = tmp_path / "drop"
    folder.mkdir()
    given = pl.scan_csv(file) if is_lazy else pl.read_csv(file)
    checked = _deliver(given, None, TYPED)
    written = _deliver(given, folder, TYPED)
    assert _failed(checked) == _failed(written) == {}
    assert (written.files, list(folder.iterdir())) == ((), [])


def test_text_with_rows_is_refused_for_a_number_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("id,price,day,tags,region\n1,2.50,2026-01-01,a,EU\n")
    given = pl.scan_csv(file, infer_schema=False)
    assert {"id.type", "price.type", "day.type", "tags.type"} <= set(_failed(_deliver(given, None, TYPED)))


def test_an_empty_frame_still_needs_the_contracts_columns() -> None:
    assert "schema" in _failed(_deliver(pl.DataFrame(schema={"id": pl.String, "extra": pl.String}), None, TYPED))
    assert "id.type" in _failed(_deliver(pl.DataFrame(schema={"id": pl.Date}), None, TYPED))
