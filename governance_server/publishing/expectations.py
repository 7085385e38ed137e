"""Consumers' expectations, judged on what is about to be released, before anything of it is visible.

Each is judged with its consumer's rights of that moment: on the rows it would see, and only if it sees the named columns as they
are. So its outcome tells the consumer nothing that reading the release would not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from domainmesh.v1 import expectation_pb2 as messages
from governance_server.backend import Backend, store
from governance_server.caller import Caller
from governance_server.publishing.candidate_files import Candidate
from governance_server.publishing.contract_gate import Resources
from governance_server.publishing.delivery import storage_schema_of
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import ContractViolated, GovernanceError, Problem
from governance_server.rules.expectations import BLOCK, Expected, policy_of, read_rule
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.storage.resources import ResourceList
from mesh_core.contract import Column, Contract, Port
from mesh_core.expressions.errors import ExpressionError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Expectations", "expectations_on", "name_of", "needed_columns", "shown_results"]

_MET, _BROKEN = messages.EXPECTATION_STATUS_MET, messages.EXPECTATION_STATUS_BROKEN
_INACTIVE = messages.EXPECTATION_STATUS_INACTIVE
_TYPING = ("format", "timezone", "elementType", "dimensions")
"""Options that say how a value is stored, not which values there are."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: messages.ExpectationStatus.ValueType
    message: str
    failing: int = 0
    total: int = 0


def expectations_on(reader: Resources, product: str) -> Sequence[messages.Expectation]:
    """The expectations on the product's ports, by id."""
    return [messages.Expectation.FromString(body) for _, body in reader.list(kinds.EXPECTATION, prefix=f"{product}.")]


def name_of(port: str, expectation_id: str) -> str:
    """What an expectation is stored under, so that those of a product are one range of names."""
    return f"{port}/{expectation_id}"


def needed_columns(plan: ReadPlan, columns: Sequence[str]) -> str:
    """Which of the columns the plan does not show as they are; empty if it shows all of them so."""
    clear = {column.name for column in plan.columns if column.is_clear}
    return ", ".join(name for name in columns if name not in clear)


class Expectations:
    """Judges expectations."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def judge(self, candidate: Candidate, *, in_force: Contract) -> list[messages.ExpectationResult]:
        """How each expectation on the product comes out on the candidate; `in_force` says whether they block."""
        is_blocking = policy_of(in_force) == BLOCK
        ports = {f"{candidate.product}.{port.name}": port for port in candidate.contract.ports}
        results = []
        for it in expectations_on(_Everything(self._backend), candidate.product):
            port = ports.get(it.port)
            found = self._outcome(it, _Rows(candidate, port)) if port else _Outcome(_BROKEN, "the port is gone")
            results.append(
                messages.ExpectationResult(
                    expectation=it.id, port=it.port, principal=it.principal, rule=it.rule, status=found.status,
                    failing_rows=found.failing, total_rows=found.total, message=found.message, is_blocking=is_blocking,
                )
            )  # fmt: skip
        return results

    def refuse_broken(self, product: str, results: Sequence[messages.ExpectationResult], caller: Caller) -> None:
        """Returns if no expectation that blocks is broken. Raises: ContractViolated with each of them."""
        broken = [it for it in results if it.is_blocking and it.status == _BROKEN]
        if not broken:
            return
        raise ContractViolated(
            f"The release of {product} would break what consumers expect: mend the data, or agree with them.",
            resource=product,
            problems=[
                Problem(it.port, f"{it.rule} ({it.expectation}, {it.principal or 'a consumer you may not see'}): {it.message}")
                for it in shown_results(self._backend, broken, caller)
            ],
        )

    def writes(self, tx: Resources, results: Sequence[messages.ExpectationResult], version: int) -> Iterator[ResourceWrite]:
        """The writes that tell consumers how the release came out."""
        for it in results:
            body = tx.get(kinds.EXPECTATION, name_of(it.port, it.expectation))
            if body is not None:
                kept = messages.Expectation.FromString(body)
                kept.last_result.CopyFrom(it)
                kept.last_result.version = version
                yield store(kinds.EXPECTATION, name_of(kept.port, kept.id), kept)

    def _outcome(self, expectation: messages.Expectation, rows: _Rows) -> _Outcome:
        expected = read_rule(expectation.rule, expectation.column, expectation.port)
        plan = self._plan(expectation)
        if plan is None:
            return _Outcome(_INACTIVE, "its consumer may not read the port any more")
        hidden = needed_columns(plan, expected.columns)
        if hidden:
            return _Outcome(_INACTIVE, "its consumer does not see every column it names as it is")
        have = {column.name for column in rows.port.columns}
        gone = [name for name in expected.columns if name not in have]
        if gone:
            return _Outcome(_BROKEN, f"the column {', '.join(gone)} is gone")
        return _judged(expected, plan, rows)

    def _plan(self, expectation: messages.Expectation) -> ReadPlan | None:
        """What its consumer sees of the port now; None if nothing."""
        known = self._backend.policy.facts().principals.get(expectation.principal)
        caller = self._backend.policy.caller_of(expectation.principal)
        if caller is None or known is None or known.is_disabled:
            return None
        with suppress(GovernanceError):
            plan = self._backend.policy.explain(caller, expectation.port, expectation.purpose)
            return None if isinstance(plan, Denied) else plan
        return None


def shown_results(
    backend: Backend, results: Sequence[messages.ExpectationResult], caller: Caller
) -> list[messages.ExpectationResult]:
    """The results as a producer may see them: of whom they are, only if it may grant on the port."""
    shown = []
    for it in results:
        copy = messages.ExpectationResult()
        copy.CopyFrom(it)
        if copy.principal != caller.name and not backend.policy.check(caller, "grant", copy.port).allowed:
            copy.ClearField("principal")
        shown.append(copy)
    return shown


@dataclass(frozen=True, slots=True)
class _Everything:
    """The catalog without its limit of a page."""

    backend: Backend

    def get(self, kind: str, name: str) -> bytes | None:
        return self.backend.catalog.get(kind, name)

    def list(self, kind: str, *, prefix: str | None = None) -> ResourceList:
        return self.backend.catalog.list(kind, prefix=prefix, limit=None)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows a port is going to have, batch by batch."""

    candidate: Candidate
    port: Port

    def batches(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """These columns; an empty frame first, so that there is one."""
        import polars as pl

        yield pl.DataFrame(storage_schema_of(self.port).empty_table()).select(columns)
        yield from (pl.DataFrame(batch).select(columns) for batch in self.candidate.batches(self.port, columns))


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch, as `govern` takes rows."""

    frame: pl.LazyFrame
    schema: pl.Schema


def _judged(expected: Expected, plan: ReadPlan, rows: _Rows) -> _Outcome:
    import polars as pl

    from governance_server.gateway.scan_errors import PlanOutdated

    try:
        batches = _visible(expected, plan, rows)
        return _of_predicate(expected, batches) if expected.predicate is not None else _of_rule(expected, rows.port, batches)
    except PlanOutdated:
        return _Outcome(_INACTIVE, "the rows its consumer may see cannot be told")
    except ExpressionError:
        return _Outcome(_BROKEN, "it does not fit the columns' types any more")
    except pl.exceptions.PolarsError as error:
        return _Outcome(_INACTIVE, f"it could not be evaluated ({type(error).__name__})")


def _visible(expected: Expected, plan: ReadPlan, rows: _Rows) -> Iterator[pl.DataFrame]:
    """The rows its consumer may see, with the columns it names; of a rule that names none with one that it sees.

    Raises: PlanOutdated.
    """
    from governance_server.gateway.governed_frame import govern
    from governance_server.gateway.predicates import columns_of
    from governance_server.gateway.scan_errors import PlanOutdated

    have = {column.name for column in rows.port.columns}
    wanted = expected.columns or tuple(column.name for column in plan.columns if column.name in have)[:1]
    if not wanted or columns_of(plan.row_filter) - have:
        raise PlanOutdated(plan.port, "it relies on a column that is gone")
    cut = replace(plan, columns=tuple(column for column in plan.columns if column.name in wanted))
    for batch in rows.batches([*wanted, *sorted(columns_of(plan.row_filter) - set(wanted))]):
        yield govern(_Batch(batch.lazy(), batch.schema), cut, wanted, joined=None, salt=b"").frame.collect()


def _of_predicate(expected: Expected, batches: Iterator[pl.DataFrame]) -> _Outcome:
    from mesh_core.expressions.polars import to_polars

    assert expected.predicate is not None
    failing = total = 0
    for batch in batches:
        condition = to_polars(expected.predicate, batch.schema)
        failing += batch.select((~condition).sum()).item() or 0
        total += batch.height
    message = f"{failing} of {total} rows break it" if failing else "every row meets it"
    return _Outcome(_BROKEN if failing else _MET, message, failing, total)


def _of_rule(expected: Expected, port: Port, batches: Iterator[pl.DataFrame]) -> _Outcome:
    from mesh_core.quality import Checker, Outcome

    assert expected.rule is not None
    first = next(batches)
    columns = tuple(_bare(column, expected) for column in port.columns if column.name in first.columns)
    checker = Checker(replace(port, columns=columns, quality=() if expected.column else (expected.rule,)))
    with closing(checker):
        names = [column.name for column in columns]
        for batch in chain([first], batches):
            checker.observe(batch.select(names))
        result = next(it for it in checker.finish().results if "quality[" in it.check)
    if result.outcome is Outcome.RECORDED:
        return _Outcome(_INACTIVE, "it cannot be evaluated on this column")
    is_met = result.outcome is Outcome.PASSED
    words = f"{expected.rule.metric} is {result.failing_rows} of {result.total_rows} rows"
    return _Outcome(_MET if is_met else _BROKEN, words, result.failing_rows, result.total_rows)


def _bare(column: Column, expected: Expected) -> Column:
    """The column with its type and the expected rule, and nothing that the contract promises of it."""
    options = {name: column.options[name] for name in _TYPING if name in column.options}
    quality = (expected.rule,) if column.name == expected.column and expected.rule is not None else ()
    return replace(column, required=False, unique=False, primary_key_position=None, options=options, enum=(), quality=quality)
