"""`sql` rules: one read-only query each, over the files to be published and over other ports as far as the publisher reads them.

The query is parsed, checked and written anew like every governed query (ADR 0016), and runs in the same engine, with a deadline.
Source: ODCS 3.2 quality, "SQL".
"""

from __future__ import annotations

import secrets
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance_server.caller import Caller
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable, OtherPorts
from governance_server.rules.errors import GovernanceError
from mesh_core.contract import Port
from mesh_core.quality.check import Check
from mesh_core.quality.judge import holds
from mesh_core.quality.sql_text import dialect_of, filled

if TYPE_CHECKING:
    from governance_server.gateway.sql_engine import SqlEngine
    from governance_server.gateway.sql_query import ParsedQuery

__all__ = ["SqlRules"]

_SECONDS = 60.0
"""For one rule."""


class SqlRules:
    """Runs `sql` rules, one at a time."""

    def __init__(self, spill_folder: Path, memory_bytes: int, others: OtherPorts, *, timeout_seconds: float = _SECONDS) -> None:
        self._spill_folder = spill_folder
        self._memory_bytes = memory_bytes
        self._others = others
        self._timeout_seconds = timeout_seconds

    def run(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> Found:
        """What the query gave and whether the rule's operator accepts it.

        A query that cannot be understood was not run; one that breaks as it runs (on a value, its time, its memory) has failed.

        Raises: NotRunnable.
        """
        from governance_server.gateway import sql_errors as errors
        from governance_server.gateway.sql_engine import SqlEngine

        assert check.rule is not None
        parsed = self._parsed(check, port, candidate)
        tables = self._tables(parsed, candidate, caller)
        runner = SqlEngine(self._spill_folder, self._memory_bytes)
        try:
            runner.describe(parsed.sql, tables)
        except errors.QueryRefused as error:
            raise NotRunnable(f"the query does not fit the columns: {_named(str(error), parsed)}") from None
        except (errors.EngineFailed, errors.EngineOutOfMemory, errors.EngineTimeout) as error:
            raise NotRunnable(f"the engine failed ({type(error).__name__})") from error
        try:
            value = self._value(runner, parsed, tables)
        except errors.EngineTimeout:
            return Found(False, f"the query was stopped after {self._timeout_seconds:g} seconds")
        except (errors.QueryRefused, errors.EngineOutOfMemory, errors.EngineFailed) as error:
            return Found(False, f"the query ended with an error: {_named(str(error) or type(error).__name__, parsed)}")
        return _judged(check, value)

    def _parsed(self, check: Check, port: Port, candidate: Candidate) -> ParsedQuery:
        from governance_server.gateway.sql_query import InvalidQuery, parse_query, translated

        assert check.rule is not None
        entry = check.rule.document
        query = filled(str(entry["query"]), port=port.name, path=tuple(step for step in check.path if step != "[]"))
        own = {it.name.lower(): f"{candidate.product}.{it.name}" for it in candidate.contract.ports}
        for it in candidate.contract.document["schema"]:
            own.setdefault(str(it.get("physicalName", "")).rpartition(".")[2].lower(), f"{candidate.product}.{it['name']}")
        dialects = dict.fromkeys([dialect_of(entry, candidate.contract.document), "duckdb"])
        problems = []
        for dialect in dialects:
            try:
                return parse_query(translated(query, dialect), prefix=f"rule_{secrets.token_hex(6)}_", own=own)
            except InvalidQuery as error:
                problems.append(str(error))
        raise NotRunnable(problems[0])

    def _tables(self, parsed: ParsedQuery, candidate: Candidate, caller: Caller) -> dict[str, Any]:
        tables: dict[str, Any] = {}
        for table in parsed.tables:
            product, _, port = table.port.rpartition(".")
            if product == candidate.product and not table.version:
                tables[table.engine_name] = _candidate_table(candidate, candidate.contract.port(port))
                continue
            try:
                tables[table.engine_name] = self._others.table(caller, table.port, table.version, parsed.needed)
            except GovernanceError as error:
                raise NotRunnable(str(error)) from None
        return tables

    def _value(self, runner: SqlEngine, parsed: ParsedQuery, tables: dict[str, Any]) -> object:
        rows: list[tuple[object, ...]] = []
        with closing(runner.run(parsed.sql, tables, timeout_seconds=self._timeout_seconds)) as batches:
            for batch in batches:
                if batch.num_columns != 1:
                    raise NotRunnable(f"the query gives {batch.num_columns} columns; it must give one value")
                rows += [(value,) for value in batch.column(0).to_pylist()]
                if len(rows) > 1:
                    raise NotRunnable("the query gives more than one row; it must give one value")
        return rows[0][0] if rows else None


def _candidate_table(candidate: Candidate, port: Port) -> object:
    from governance_server.gateway.sql_engine import ClearFiles, GovernedStream
    from mesh_core.types import storage_schema

    schema = storage_schema(port)
    paths = candidate.paths(port)
    if paths:
        return ClearFiles(paths, tuple(schema.names))
    return GovernedStream(schema, lambda: (batch.cast(schema) for batch in candidate.batches(port)))


def _judged(check: Check, value: object) -> Found:
    assert check.rule is not None
    rule = check.rule
    wanted = f"{rule.operator} {rule.threshold}"
    if value is None:
        return Found(False, f"the query gave no value, {wanted}", measured="null")
    plain = float(value) if isinstance(value, Decimal) else value
    verdict = holds(rule, plain)
    if verdict is None:
        raise NotRunnable(f"{wanted} cannot be compared with what the query gives ({type(value).__name__})")
    shown = f"{plain:g}" if isinstance(plain, float) else str(plain)
    if isinstance(plain, str):
        shown = "a text"
    return Found(verdict, f"the query gives {shown}, {wanted}", measured=shown)


def _named(text: str, parsed: ParsedQuery) -> str:
    for table in parsed.tables:
        text = text.replace(table.engine_name, table.port)
    return text
