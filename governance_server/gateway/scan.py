"""Governed scans: the rows of one port as one principal may see them, in the order of design §6.

Delta version pinned → projection and policy filter in the scan → masks → barrier → the consumer's predicate and limit. The
barrier is a hard one: behind it every batch is a frame of its own, so no optimiser can carry the consumer's predicate to a raw
value. Of that predicate, only conjuncts over columns shown clear join the scan. Knows nothing of gRPC or of how plans are made.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import pyarrow as pa

from governance_server.gateway.encode import to_record_batches
from governance_server.gateway.governed_frame import Governed, govern
from governance_server.gateway.polars_streaming import stream_batches
from governance_server.gateway.predicates import columns_of, conjunction, conjuncts
from governance_server.gateway.scan_errors import HiddenColumn, ScanFailed
from governance_server.gateway.table_source import open_table
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.tree import Expression

__all__ = ["BATCH_ROWS", "PolarsScanner", "Scanner", "shown_schema"]

BATCH_ROWS = 65_536
"""Rows of a batch."""

_SMALL_ROWS = 32_768
"""Frames with fewer rows wait for the next ones, and chunks with fewer become one: each message costs its receiver the same."""


class Scanner(Protocol):
    """An engine that reads a port under a plan."""

    def scan(
        self,
        plan: ReadPlan,
        *,
        table_root: Folder,
        delta_version: int,
        columns: Sequence[str] | None,
        predicate: Expression | None,
        limit: int | None,
    ) -> Iterator[pa.RecordBatch]:
        """The visible rows as record batches of one schema; at least one batch, which is empty if no row is visible.

        `columns` in the order wanted, None = all visible ones. `predicate` sees what the consumer would see: masked values where
        a column is masked. Closing the iterator stops the work.

        Raises: HiddenColumn, PlanOutdated, ScanFailed, InvalidExpression for a predicate that does not fit the columns.
        """
        ...


@dataclass(frozen=True, slots=True)
class PolarsScanner:
    """The scanner on polars. `new_salt` gives the salt of one query's `sha-256-query-local` masks."""

    new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(32)

    def scan(
        self,
        plan: ReadPlan,
        *,
        table_root: Folder,
        delta_version: int,
        columns: Sequence[str] | None,
        predicate: Expression | None,
        limit: int | None,
    ) -> Iterator[pa.RecordBatch]:
        """As `Scanner.scan`; the arguments are checked before the first batch is asked for."""
        wanted = _wanted_columns(plan, columns)
        joined, behind = _split_predicate(plan, predicate)
        read = [*wanted, *sorted((columns_of(behind) if behind is not None else frozenset()) - set(wanted))]
        source = open_table(plan.port, table_root, delta_version)
        governed = govern(source, plan, read, joined=joined, salt=self.new_salt())
        return _batches(plan.port, governed, _Behind(behind, tuple(wanted), limit))


def shown_schema(plan: ReadPlan, *, table_root: Folder, delta_version: int) -> pa.Schema:
    """The schema of what a scan of all visible columns gives, without a scan. Raises: HiddenColumn, PlanOutdated, ScanFailed."""
    source = open_table(plan.port, table_root, delta_version)
    governed = govern(source, plan, _wanted_columns(plan, None), joined=None, salt=bytes(32))
    return next(to_record_batches(pl.DataFrame(schema=governed.schema))).schema


@dataclass(frozen=True, slots=True)
class _Behind:
    """What is left to do behind the barrier."""

    predicate: Expression | None
    columns: tuple[str, ...]
    limit: int | None


def _wanted_columns(plan: ReadPlan, columns: Sequence[str] | None) -> list[str]:
    visible = [column.name for column in plan.columns]
    wanted = visible if columns is None else list(dict.fromkeys(columns))
    for name in wanted:
        if name not in visible:
            raise HiddenColumn(plan.port, name)
    if not wanted:
        raise HiddenColumn(plan.port, "")
    return wanted


def _split_predicate(plan: ReadPlan, predicate: Expression | None) -> tuple[Expression | None, Expression | None]:
    """The part that may join the scan, and the part that must wait behind the barrier."""
    if predicate is None:
        return None, None
    shown_clear = {column.name: column.is_clear for column in plan.columns}
    joined: list[Expression] = []
    behind: list[Expression] = []
    for part in conjuncts(predicate):
        used = columns_of(part)
        for name in sorted(used):
            if name not in shown_clear:
                raise HiddenColumn(plan.port, name)
        (joined if all(shown_clear[name] for name in used) else behind).append(part)
    return conjunction(joined), conjunction(behind)


def _batches(port: str, governed: Governed, behind: _Behind) -> Iterator[pa.RecordBatch]:
    condition = to_polars(behind.predicate, governed.schema) if behind.predicate is not None else None
    frame = governed.frame
    if condition is None and behind.limit is not None:
        frame = frame.head(behind.limit)
    batches = stream_batches(frame, batch_rows=BATCH_ROWS)
    schema = {name: governed.schema[name] for name in behind.columns}
    return _record_batches(_joined_frames(port, batches, behind, condition), schema)


def _record_batches(frames: Generator[pl.DataFrame, None, None], schema: dict[str, pl.DataType]) -> Iterator[pa.RecordBatch]:
    has_rows = False
    with closing(frames):
        for frame in frames:
            if frame.height:
                has_rows = True
                yield from to_record_batches(frame)
    if not has_rows:
        yield from to_record_batches(pl.DataFrame(schema=schema))


def _behind_barrier(batches: Iterator[pl.DataFrame], condition: pl.Expr | None, behind: _Behind) -> Iterator[pl.DataFrame]:
    remaining = behind.limit
    if remaining == 0:
        return
    for batch in batches:
        kept = (batch if condition is None else batch.filter(condition)).select(behind.columns)
        if remaining is not None:
            kept = kept.head(remaining)
            remaining -= kept.height
        yield kept
        if remaining == 0:
            return


def _joined_frames(
    port: str, batches: Generator[pl.DataFrame, None, None], behind: _Behind, condition: pl.Expr | None
) -> Generator[pl.DataFrame, None, None]:
    """The frames that have rows, small ones joined; the query stops when this generator is closed. Raises: ScanFailed."""
    waiting: list[pl.DataFrame] = []
    try:
        with closing(batches):
            for frame in _behind_barrier(batches, condition, behind):
                waiting.append(frame)
                if sum(part.height for part in waiting) >= _SMALL_ROWS:
                    yield _joined(waiting)
                    waiting.clear()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from None
    if waiting:
        yield _joined(waiting)


def _joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The frames as one, without small chunks."""
    frame = pl.concat(frames, rechunk=False)
    return frame.rechunk() if frame.n_chunks() * _SMALL_ROWS > frame.height else frame
