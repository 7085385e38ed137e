"""Every case of the conformance pack counts what was counted by hand."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import polars as pl
import pytest
import yaml

from mesh_core.contract import load_contract
from mesh_core.quality import Kind, Outcome, check_frame
from tests.conformance.cases import CASES, contract_of, frame_of
from tests.shared_data import ROOT

NATURAL = (Kind.SCHEMA, Kind.TYPE)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_case_counts_what_was_counted_by_hand(case: dict[str, Any]) -> None:
    port = load_contract(yaml.safe_dump(contract_of(case))).ports[0]
    (result,) = [it for it in check_frame(frame_of(case).lazy(), port).results if it.kind not in NATURAL]
    assert (result.failing_rows, result.outcome is Outcome.PASSED) == (case["count"], case["holds"]), result.message


def test_the_pack_has_every_metric_and_every_operator() -> None:
    rules = [case["rule"] for case in CASES if "rule" in case]
    assert {rule["metric"] for rule in rules} == {"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"}
    operators = {name for rule in rules for name in rule if name.startswith("must")}
    assert operators == {
        "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
        "mustBeBetween", "mustNotBeBetween",
    }  # fmt: skip


def test_cases_have_names_of_their_own_and_frames_as_written() -> None:
    assert len({case["case"] for case in CASES}) == len(CASES)
    assert frame_of({"columns": {"a": []}, "types": {"a": "integer"}}).schema == {"a": pl.Int64}


def test_the_page_has_the_disagreements_that_were_found() -> None:
    """Found by `scripts/quality_conformance.py`, which runs the peer itself."""
    spec = importlib.util.spec_from_file_location("quality_conformance", ROOT / "scripts" / "quality_conformance.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    findings = json.loads(script.FINDINGS.read_text(encoding="utf-8"))
    assert set(findings) == {case["case"] for case in CASES}
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.page_with(page, findings) == page
