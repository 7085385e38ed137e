"""Turns what was counted into a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mesh_core.contract.model import Rule
from mesh_core.quality.check import LIBRARY, RECORDED, Check, Kind
from mesh_core.quality.compile import dotted
from mesh_core.quality.report import CheckResult, Outcome, Sample
from mesh_core.types.normalise import ProblemKind, TypePlan

__all__ = ["holds", "judge", "must_run", "recorded"]

_UNRUN = {
    Kind.TEXT: "it is for people",
    Kind.SQL: "it is run over the whole port",
    Kind.FOREIGN_KEY: "it is run over the whole port",
    Kind.CUSTOM: "no engine has run it",
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "mustBe": lambda value, wanted: value == wanted,
    "mustNotBe": lambda value, wanted: value != wanted,
    "mustBeGreaterThan": lambda value, wanted: value > wanted,
    "mustBeGreaterOrEqualTo": lambda value, wanted: value >= wanted,
    "mustBeLessThan": lambda value, wanted: value < wanted,
    "mustBeLessOrEqualTo": lambda value, wanted: value <= wanted,
}


def recorded(check: Check, reason: str, total_rows: int) -> CheckResult:
    """A result that claims nothing, with the reason: of a text it is recorded, of any other rule not run."""
    if check.rule is None or check.kind is Kind.TEXT:
        return _result(check, Outcome.RECORDED, 0, total_rows, message=f"{check.description}; recorded, not enforced: {reason}.")
    found = _result(check, Outcome.NOT_RUN, 0, total_rows, message=f"{check.description}; not run: {reason}.")
    return replace(found, is_blocking=must_run(check.rule))


def judge(check: Check, rows: int, total_rows: int, samples: tuple[Sample, ...], plan: TypePlan | None) -> CheckResult:
    """The verdict on a check after `rows` rows at fault (or counted, for a library rule) of `total_rows`."""
    if check.kind in RECORDED:
        return recorded(check, _UNRUN[check.kind], total_rows)
    if check.kind is Kind.SCHEMA:
        return _schema(check, total_rows, plan)
    if check.kind is Kind.TYPE:
        return _type(check, rows, total_rows, samples, plan)
    if check.kind in LIBRARY and check.rule is not None:
        return _library(check, check.rule, rows, total_rows, samples)
    if not rows:
        return _result(check, Outcome.PASSED, 0, total_rows, message=check.description)
    message = f"{rows} of {total_rows} rows break the promise: {check.description}"
    return _result(check, Outcome.FAILED, rows, total_rows, samples=samples, message=message)


def _schema(check: Check, total_rows: int, plan: TypePlan | None) -> CheckResult:
    if plan is None:
        return _result(
            check, Outcome.FAILED, 0, total_rows, message="no batch was observed, so nothing is known; observe an empty one."
        )
    problems = [str(problem) for problem in plan.problems if problem.kind in (ProblemKind.MISSING, ProblemKind.UNEXPECTED)]
    if problems:
        return _result(check, Outcome.FAILED, 0, total_rows, message=" ".join(problems))
    filled = f"; filled with null: {', '.join(plan.filled)}" if plan.filled else ""
    found = _result(check, Outcome.PASSED, 0, total_rows, message=check.description + filled)
    return replace(found, filled=tuple(plan.filled))


def _type(check: Check, rows: int, total_rows: int, samples: tuple[Sample, ...], plan: TypePlan | None) -> CheckResult:
    name = check.columns[0]
    problems = [problem for problem in (plan.problems if plan else ()) if problem.column == name]
    if any(problem.kind is ProblemKind.TYPE for problem in problems):
        return _result(check, Outcome.FAILED, total_rows, total_rows, message=problems[0].message)
    if plan is None or problems:
        return recorded(check, "the column is missing", total_rows)
    if rows:
        column = next(column for column in plan.columns if column.name == name)
        return _result(check, Outcome.FAILED, rows, total_rows, samples=samples, message=f"{rows} {column.loss_message}")
    return _result(check, Outcome.PASSED, 0, total_rows, message=check.description)


def _library(check: Check, rule: Rule, rows: int, total_rows: int, samples: tuple[Sample, ...]) -> CheckResult:
    if rule.unit not in ("rows", "percent") or (rule.unit == "percent" and check.kind is Kind.ROW_COUNT):
        return recorded(check, f"the unit {rule.unit!r} is not defined for {check.kind.value}", total_rows)
    value = rows if rule.unit == "rows" else (100 * rows / total_rows if total_rows else 0.0)
    verdict = holds(rule, value)
    if verdict is None:
        return recorded(check, f"{rule.operator} {rule.threshold!r} cannot be compared with a number", total_rows)
    unit = "%" if rule.unit == "percent" else ""
    measured = f"{value:g}{unit}"
    message = f"{check.description}: {check.kind.value} is {measured}, {rule.operator} {rule.threshold}{unit}"
    if verdict:
        return replace(_result(check, Outcome.PASSED, rows, total_rows, message=message), measured=measured)
    found = _result(check, Outcome.FAILED, rows, total_rows, samples=samples, message=message)
    return replace(found, measured=measured)


def holds(rule: Rule, value: object) -> bool | None:
    """Whether the operator accepts the value; None when the two cannot be compared. Between includes both ends.

    A truth value is compared with one, or with 1 and 0; a text only for being equal or not.
    """
    wanted = rule.threshold
    if isinstance(value, bool) or isinstance(wanted, bool):
        return _equal(rule, value, wanted) if all(it in (True, False) for it in (value, wanted)) else None
    if isinstance(value, str) and isinstance(wanted, str):
        return _equal(rule, value, wanted)
    if not isinstance(value, (int, float)):
        return None
    if rule.operator in ("mustBeBetween", "mustNotBeBetween"):
        if not (isinstance(wanted, list) and len(wanted) == 2 and all(_is_number(item) for item in wanted)):
            return None
        return bool(min(wanted) <= value <= max(wanted)) == (rule.operator == "mustBeBetween")
    compare = _COMPARISONS.get(rule.operator or "")
    if compare is None or not isinstance(wanted, (int, float)):
        return None
    return compare(value, wanted)


def _equal(rule: Rule, value: object, wanted: object) -> bool | None:
    return {"mustBe": value == wanted, "mustNotBe": value != wanted}.get(rule.operator or "")


def must_run(rule: Rule | None) -> bool:
    """Whether the publication stops when the rule cannot be run: only if its severity says in a word that it matters."""
    return bool(rule and (rule.severity or "").strip() and rule.is_blocking)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _result(
    check: Check, outcome: Outcome, rows: int, total_rows: int, *, message: str, samples: tuple[Sample, ...] = ()
) -> CheckResult:
    column = dotted(check.path) if check.path else ", ".join(check.columns)
    return CheckResult(check.name, check.kind, column, outcome, check.is_blocking, rows, total_rows, samples, message)
