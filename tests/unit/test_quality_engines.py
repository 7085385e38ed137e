"""Custom rules are run by the engine they name, and are never passed without one."""

from __future__ import annotations

from typing import Any

import polars as pl

from mesh_core.quality import Outcome, check_frame, compile_checks
from mesh_core.quality.engines import EngineVerdict, QualityEngine, run_custom
from tests.unit.test_quality_checks import port_of

PORT = port_of("  - {name: a, logicalType: integer}\n", "[{type: custom, engine: My-Engine, implementation: {most: 2}}]")
FRAME = pl.LazyFrame({"a": [1, 2, 3]})


def verdict(engine: QualityEngine | None) -> tuple[Outcome, bool, str]:
    (check,) = [check for check in compile_checks(PORT) if check.name == "quality[0]"]
    (result,) = [it for it in check_frame(FRAME, PORT).results if it.check == "quality[0]"]
    found = run_custom(check, result, FRAME, find=lambda name: engine)
    return found.outcome, found.is_blocking, found.message


def at_most(implementation: str | dict[str, Any], frame: pl.LazyFrame, *, column: str) -> EngineVerdict:
    assert isinstance(implementation, dict)
    beyond = frame.filter(pl.col("a") > implementation["most"]).collect().height
    return EngineVerdict(beyond == 0, f"{beyond} rows are beyond", beyond)


def broken(implementation: str | dict[str, Any], frame: pl.LazyFrame, *, column: str) -> EngineVerdict:
    raise RuntimeError("secret value 42")


def test_the_engine_gets_the_implementation_and_the_rows_and_its_verdict_counts() -> None:
    assert verdict(at_most) == (Outcome.FAILED, True, "custom rule: 1 rows are beyond")


def test_without_an_engine_or_with_a_broken_one_nothing_is_passed_and_no_value_leaks() -> None:
    assert verdict(None)[:2] == (Outcome.NOT_RUN, False)
    outcome, blocks, message = verdict(broken)
    assert (outcome, blocks) == (Outcome.NOT_RUN, False)
    assert "RuntimeError" in message
    assert "42" not in message
