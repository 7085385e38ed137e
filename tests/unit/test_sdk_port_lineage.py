"""Lineage of what is published: from the plan, declared, or unknown; and names of source columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from domain_sdk._made_frames import remember
from domain_sdk._port_lineage import declared_lineage, planned_lineage
from domain_sdk.errors import InvalidContract, InvalidRequest
from domain_sdk.product import _together, contract_text
from mesh_core.lineage import ColumnEdge, InputVersion, PortLineage, Subtype, Transformation

TARGET = "sales.revenue.by_region"
STEP = Transformation.of(Subtype.TRANSFORMATION)


def test_an_eager_frame_has_only_the_inputs_that_are_declared() -> None:
    lineage = planned_lineage(pl.DataFrame({"a": [1]}), port=TARGET, scans=[], inputs=["x.y.z", "a.b.c"])
    assert lineage == PortLineage(target_port=TARGET, inputs=(), edges=(), unknown_inputs=("a.b.c", "x.y.z"))


def test_a_lazy_frame_without_scans_has_no_lineage_and_is_no_error() -> None:
    frame = pl.LazyFrame({"a": [1]}).filter(pl.col("a") > 0).map_batches(lambda batch: batch)
    lineage = planned_lineage(frame, port=TARGET, scans=[], inputs=[])
    assert (lineage.inputs, lineage.edges, lineage.unknown_inputs) == ((), (), ())


@pytest.mark.parametrize("name", ["finance.ledger.entries.amount", "finance.ledger.entries#amount"])
def test_a_source_column_is_written_with_a_dot_or_a_hash(name: str) -> None:
    lineage = declared_lineage({"total": [name, name]}, port=TARGET, inputs=[])
    assert lineage.edges == (ColumnEdge("finance.ledger.entries", "amount", "total", STEP),)


def test_a_column_name_may_hold_dots() -> None:
    lineage = declared_lineage({"t": ["a.b.c.address.zip"]}, port=TARGET, inputs=[])
    assert lineage.edges[0].source_column == "address.zip"


@pytest.mark.parametrize("name", ["amount", "finance.ledger.entries", "finance.ledger#amount", "a.b.c#", "A.b.c.d"])
def test_what_is_no_column_of_a_port_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"domain\.product\.port\.column"):
        declared_lineage({"total": [name]}, port=TARGET, inputs=[])


def test_a_contract_is_a_path_or_its_text(tmp_path: Path) -> None:
    path = tmp_path / "contract.odcs.yaml"
    path.write_bytes("id: ü\r\n".encode())
    assert contract_text(path) == contract_text(str(path)) == "id: ü\r\n"  # byte for byte
    assert contract_text("id: x\n") == "id: x\n"
    assert contract_text('{"id": "x"}') == '{"id": "x"}'


def test_a_contract_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidContract, match=r"nowhere\.yaml cannot be read"):
        contract_text(tmp_path / "nowhere.yaml")
    (tmp_path / "empty.yaml").write_text("\n")
    with pytest.raises(InvalidContract, match=r"empty\.yaml is empty"):
        contract_text(tmp_path / "empty.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"id: \xfc\n")
    with pytest.raises(InvalidContract, match="not UTF-8"):
        contract_text(path)


def test_a_port_given_twice_is_refused() -> None:
    assert _together({"a-b": 1}, {"c": 2}) == {"a-b": 1, "c": 2}
    with pytest.raises(InvalidRequest, match=r"Given twice.*: c"):
        _together({"c": 1}, {"c": 2})


def test_a_frame_that_was_handed_out_keeps_its_lineage_and_one_changed_since_only_its_ports() -> None:
    frame = pl.DataFrame({"total": [1, 2]})
    query = PortLineage("", (InputVersion("a.b.c", 3),), (ColumnEdge("a.b.c", "amount", "total", STEP),))
    remember(frame, query)
    assert planned_lineage(frame, port=TARGET, scans=[], inputs=[]) == replace(query, target_port=TARGET)
    assert planned_lineage(frame.head(1), port=TARGET, scans=[], inputs=[]).inputs == ()
    frame[0, "total"] = 7
    changed = planned_lineage(frame, port=TARGET, scans=[], inputs=[])
    assert (changed.edges, changed.unknown_inputs, changed.inputs) == ((), ("a.b.c",), (InputVersion("a.b.c", 3),))
