"""Judging a delivery before it is visible, where that takes whole files or other ports than the one a check stands in.

`sql` rules, foreign keys and rescans for personal data are run by the server over the files that are going to be published; what
a publisher says of them is not asked. Owns the order of things and what becomes of a check that cannot be run; how one is run is
in modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from governance_server.caller import Caller
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable
from governance_server.publishing.rescans import rescan
from governance_server.publishing.sql_rules import SqlRules
from mesh_core.contract import Port, PortKind
from mesh_core.quality.check import Check, Kind
from mesh_core.quality.compile import compile_checks, dotted
from mesh_core.quality.judge import must_run

if TYPE_CHECKING:
    from governance_server.publishing.foreign_keys import ForeignKeys

__all__ = ["CandidateChecks"]

_STATUS = {True: product_pb2.QUALITY_STATUS_PASSED, False: product_pb2.QUALITY_STATUS_FAILED}


class CandidateChecks:
    """Runs what only the server can."""

    def __init__(self, rules: SqlRules, keys: Callable[[], ForeignKeys]) -> None:
        """`keys` makes what checks foreign keys, when the first is met: the engine is heavy to load."""
        self._rules = rules
        self._keys = keys

    def judge(
        self, candidate: Candidate, claimed: Sequence[product_pb2.QualityResult], caller: Caller
    ) -> list[product_pb2.QualityResult]:
        """The publisher's results, with our own in place of those that are ours to give."""
        own = {(it.port, it.check): it for it in self._results(candidate, caller)}
        placed: list[product_pb2.QualityResult] = []
        for it in claimed:
            mine = (it.port, it.check)
            if mine not in own:
                placed.append(it)
            elif own[mine] not in placed:  # claimed twice, it is there once
                placed.append(own[mine])
        return [*placed, *(it for it in own.values() if it not in placed)]

    def _results(self, candidate: Candidate, caller: Caller) -> Iterator[product_pb2.QualityResult]:
        yield from rescan(candidate)
        for port in candidate.contract.ports:
            for check in compile_checks(port) if port.kind is PortKind.TABLE else ():
                if check.kind in (Kind.SQL, Kind.FOREIGN_KEY):
                    yield self._result(check, port, candidate, caller)

    def _result(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> product_pb2.QualityResult:
        result = product_pb2.QualityResult(
            port=f"{candidate.product}.{port.name}", column=dotted(check.path), check=check.name, is_blocking=check.is_blocking,
            total_rows=candidate.rows[port.name],
        )  # fmt: skip
        try:
            found = self._found(check, port, candidate, caller)
        except NotRunnable as error:
            result.status, result.is_blocking = product_pb2.QUALITY_STATUS_NOT_RUN, must_run(check.rule)
            result.message = f"{check.description}; not run: {error}"
            return result
        result.status, result.failing_rows, result.measured = _STATUS[found.holds], found.failing_rows, found.measured
        result.message = f"{check.description}: {found.message}"
        result.samples.extend(found.samples)
        return result

    def _found(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> Found:
        if check.kind is Kind.SQL:
            return self._rules.run(check, port, candidate, caller)
        return self._keys().run(check, port, candidate, caller)
