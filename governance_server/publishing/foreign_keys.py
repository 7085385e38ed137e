"""Foreign keys at publish: does every value exist in the port referred to, as that is published with it or served now?

The port referred to is read with the server's own rights, so a producer that may not read it still gets the check. It learns how
many of its rows miss, and which of its own rows only where it sees the other column anyway. The keys of both sides are streamed
into the engine of governed SQL, in a process of its own, which spills what does not fit into its memory.
Source: ODCS 3.1 "Relationships"; SQL's MATCH SIMPLE: a key with a null in it refers to nothing and is in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from governance_server.caller import Caller
from governance_server.gateway.key_rows import OWN, ROW, NoKey, common_type, key_columns, key_rows
from governance_server.gateway.scan_errors import ScanError
from governance_server.gateway.sql_errors import EngineError
from governance_server.gateway.sql_jobs import FilesRead, KeysRead, QueryJob
from governance_server.publishing.candidate_files import Candidate, Found, NotRunnable, OtherPorts, WholeTable
from governance_server.publishing.check_queries import CheckQuery, ended
from mesh_core.contract import Port
from mesh_core.contract.relationships import ForeignKey, foreign_key
from mesh_core.quality.check import Check
from mesh_core.quality.report import MAX_SAMPLES
from mesh_core.quality.samples import sample_text
from mesh_core.types import storage_schema

if TYPE_CHECKING:
    from governance_server.gateway.query_processes import QueryProcesses

__all__ = ["ForeignKeys"]

_SECONDS = 600.0
"""For one key."""
_MISSING = """
WITH missing AS MATERIALIZED (
    SELECT {row}, {firsts} FROM source
    WHERE {known} AND NOT EXISTS (SELECT 1 FROM target WHERE {same})
    GROUP BY {row}
)
SELECT (SELECT count(*) FROM missing), * FROM missing ORDER BY {row} LIMIT {limit}
"""


class ForeignKeys:
    """Checks foreign keys, one at a time."""

    def __init__(self, processes: QueryProcesses, others: OtherPorts, *, timeout_seconds: float = _SECONDS) -> None:
        self._processes = processes
        self._others = others
        self._timeout_seconds = timeout_seconds

    def run(self, check: Check, port: Port, candidate: Candidate, caller: Caller) -> Found:
        """How many rows refer to nothing. One that takes too much time or memory has failed. Raises: NotRunnable."""
        entry = check.argument if isinstance(check.argument, dict) else {}
        key = foreign_key(entry, candidate.contract, product=candidate.product, port=port.name, path=check.path)
        if isinstance(key, str):
            raise NotRunnable(key)
        is_elsewhere = "." in key.target
        known = self._others.whole(caller, key.target) if is_elsewhere else _own(candidate, key.target)
        try:
            answer = self._query(key, candidate, known).answer(self._processes)
        except ScanError as error:
            raise NotRunnable(f"{key.target} could not be read ({type(error).__name__})") from error
        except EngineError as error:
            return ended(error, f"looking for its values in {key.target}", self._timeout_seconds)
        rows = [tuple(row.values()) for row in answer.to_pylist()]
        if not rows:
            return Found(True, f"every value is in {key.target}")
        columns = [path[0] for path in key.target_columns]
        is_shown = not check.is_personal and (not is_elsewhere or self._others.shows(caller, key.target, columns))
        samples = tuple(_sample(row[1:], len(key.columns)) for row in rows) if is_shown else ()
        count = int(rows[0][0])
        rows_refer = "1 row refers" if count == 1 else f"{count} rows refer"
        return Found(False, f"{rows_refer} to what is not in {key.target}", count, samples=samples)

    def _query(self, key: ForeignKey, candidate: Candidate, known: WholeTable) -> CheckQuery:
        """Gives the number of rows without a partner with each of the first of them: row number, values, own primary key."""
        source = _own(candidate, key.port)
        beside = tuple(column.name for column in candidate.contract.port(key.port).primary_key)
        types = _types(key, source, known, beside)
        tables = {
            "source": KeysRead(source.read, key.columns, types, beside),
            "target": KeysRead(known.read, key.target_columns, types),
        }
        names = key_columns(key.columns)
        sql = _MISSING.format(
            row=ROW,
            firsts=", ".join(f"first({name}) AS {name}" for name in (*names, *(f"{OWN}{i}" for i in range(len(beside))))),
            known=" AND ".join(f"{name} IS NOT NULL" for name in names),
            same=" AND ".join(f"target.{name} = source.{name}" for name in names),
            limit=MAX_SAMPLES,
        )
        return CheckQuery(QueryJob(sql, tables, b"", self._timeout_seconds), [known.is_current])


def _own(candidate: Candidate, port: str) -> WholeTable:
    """A table of the candidate."""
    schema = storage_schema(candidate.contract.port(port))
    rows = FilesRead(candidate.files[port], schema)
    return WholeTable(rows, pl.DataFrame(schema.empty_table()).schema, lambda: None)


def _types(key: ForeignKey, source: WholeTable, known: WholeTable, beside: tuple[str, ...]) -> tuple[pl.DataType, ...]:
    """What the columns of both sides are compared as. Raises: NotRunnable."""
    names = key_columns(key.columns)
    try:
        left = key_rows(pl.LazyFrame(schema=source.schema), key.columns, beside).collect_schema()
        right = key_rows(pl.LazyFrame(schema=known.schema), key.target_columns).collect_schema()
        return tuple(common_type(left[name], right[name]) for name in names)
    except NoKey as error:
        raise NotRunnable(f"{error} ({key.target})") from error
    except pl.exceptions.PolarsError as error:
        raise NotRunnable(f"{key.target} could not be read ({type(error).__name__})") from error


def _sample(row: tuple[object, ...], width: int) -> str:
    """`row 3: 7`, or with the row's own key `row 3, key 12: 7`."""
    number, values, own = row[0], row[1 : 1 + width], row[1 + width :]
    named = f", key {sample_text(own, is_personal=False)}" if own else ""
    return f"row {number}{named}: {sample_text(values, is_personal=False)}"
