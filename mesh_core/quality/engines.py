"""Engines of `custom` rules: packages that a domain installs beside the SDK, found by entry point.

An engine is a callable registered in the group `domain_mesh.quality_engines` under the name that contracts write as `engine`. It
is run where the data is published, over the files to be delivered. What no engine has run is *not run*, never passed.
Source: ODCS 3.2 quality, "Custom".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from mesh_core.quality.check import Check
from mesh_core.quality.report import CheckResult, Outcome

if TYPE_CHECKING:
    import polars as pl

__all__ = ["GROUP", "EngineVerdict", "QualityEngine", "engine_of", "run_custom"]

GROUP = "domain_mesh.quality_engines"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """What an engine found: whether the rule holds, in words, and how many rows break it, if that can be told."""

    holds: bool
    message: str
    failing_rows: int = 0


class QualityEngine(Protocol):
    """What an entry point of the group names."""

    def __call__(self, implementation: str | dict[str, Any], frame: pl.LazyFrame, *, column: str) -> EngineVerdict:
        """The verdict on the rows. What it raises means that the rule was not run."""
        ...


def engine_of(name: str) -> QualityEngine | None:
    """The engine of that name, loaded; None if no package registers one. Names are compared without regard to case, - and _."""
    for point in entry_points(group=GROUP):
        if _plain(point.name) == _plain(name):
            loaded: QualityEngine = point.load()
            return loaded
    return None


def run_custom(
    check: Check, result: CheckResult, frame: pl.LazyFrame, *, find: Callable[[str], QualityEngine | None] = engine_of
) -> CheckResult:
    """The result of a `custom` rule after its engine has run, or the given one (not run) with the reason.

    Without an engine it does not block, whatever its severity: contracts name engines that other tools run.
    """
    entry = check.rule.document if check.rule else {}
    name = str(entry.get("engine", ""))
    try:
        engine = find(name)
        if engine is None:
            reason = f"{check.description}; not run: no package registers the engine {name!r} in {GROUP}."
            return replace(result, is_blocking=False, message=reason)  # nobody here can run it, whatever the data
        verdict = engine(entry["implementation"], frame, column=".".join(check.path))
    except Exception as error:  # noqa: BLE001 # somebody else's code: whatever it raises, the rule was not run
        _LOG.warning("quality engine failed engine=%s check=%s", name, check.name, exc_info=True)
        return replace(result, message=f"{check.description}; not run: the engine {name!r} failed ({type(error).__name__}).")
    outcome = Outcome.PASSED if verdict.holds else Outcome.FAILED
    message = f"{check.description}: {verdict.message}"
    return replace(result, outcome=outcome, is_blocking=check.is_blocking, failing_rows=verdict.failing_rows, message=message)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")
