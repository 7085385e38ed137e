"""`sql` rules: one read-only query each, over the files to be published and over other ports as far as the publisher reads them.

The query is parsed, checked and written anew like every governed query (ADR 0016).
Source: ODCS 3.2 quality, "SQL".
"""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING

from governance_server.caller import Caller
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable, OtherPorts
from governance_server.publishing.check_queries import CheckQuery, ended
from governance_server.rules.errors import GovernanceError
from mesh_core.contract import Port
from mesh_core.quality.check import Check
from mesh_core.quality.judge import holds
from mesh_core.quality.sql_text import dialect_of, filled

if TYPE_CHECKING:
    from governance_server.gateway.query_processes import QueryProcesses
    from governance_server.gateway.sql_jobs import Read
    from governance_server.gateway.sql_query import ParsedQuery

__all__ = ["SqlRules"]

_SECONDS = 60.0
"""For one rule."""


class SqlRules:
    """Runs `sql` rules, one at a time."""

    def __init__(self, processes: QueryProcesses, others: OtherPorts, *, timeout_seconds: float = _SECONDS) -> None:
        self._processes = processes
        self._others = others
        self._timeout_seconds = timeout_seconds

    def run(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> Found:
        """What the query gave and whether the rule's operator accepts it.

        A query that cannot be understood was not run; one that breaks as it runs (on a value, its time, its memory, with its
        process) has failed.

        Raises: NotRunnable; AccessDenied, if what the caller may see changed meanwhile.
        """
        from governance_server.gateway.scan_errors import ScanError
        from governance_server.gateway.sql_errors import EngineError, QueryRefused

        assert check.rule is not None
        parsed = self._parsed(check, port, candidate)
        asked = self._asked(parsed, candidate, caller)
        try:
            self._refuse_columns(asked, parsed)
            value = self._value(asked)
        except ScanError as error:
            raise NotRunnable(str(error)) from error
        except EngineError as error:
            told = QueryRefused(_named(str(error), parsed)) if isinstance(error, QueryRefused) else error
            return ended(told, "the query", self._timeout_seconds)
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

    def _asked(self, parsed: ParsedQuery, candidate: Candidate, caller: Caller) -> CheckQuery:
        from governance_server.gateway.sql_jobs import FilesRead, QueryJob
        from mesh_core.types import storage_schema

        tables: dict[str, Read] = {}
        checks = []
        for table in parsed.tables:
            product, _, port = table.port.rpartition(".")
            if product == candidate.product and not table.version:
                schema = storage_schema(candidate.contract.port(port))
                tables[table.engine_name] = FilesRead(candidate.files[port], schema)
                continue
            try:
                other = self._others.table(caller, table.port, table.version, parsed.needed)
            except GovernanceError as error:
                raise NotRunnable(str(error)) from None
            tables[table.engine_name] = other.read
            checks.append(other.is_current)
        return CheckQuery(QueryJob(parsed.sql, tables, secrets.token_bytes(32), self._timeout_seconds, limit=2), checks)

    def _refuse_columns(self, asked: CheckQuery, parsed: ParsedQuery) -> None:
        """Returns if the query can be run and gives one column. Raises: NotRunnable, ScanError."""
        from governance_server.gateway.sql_errors import EngineError, QueryRefused

        try:
            schema, _ = self._processes.workers().plan(asked.job)
        except QueryRefused as error:
            raise NotRunnable(f"the query does not fit the columns: {_named(str(error), parsed)}") from None
        except EngineError as error:
            raise NotRunnable(f"the engine failed ({type(error).__name__})") from error
        if len(schema) != 1:
            raise NotRunnable(f"the query gives {len(schema)} columns; it must give one value")

    def _value(self, asked: CheckQuery) -> object:
        rows = asked.answer(self._processes).column(0).to_pylist()
        if len(rows) > 1:
            raise NotRunnable("the query gives more than one row; it must give one value")
        return rows[0] if rows else None


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
