"""Ports as tables of the SQL engine: each scan is a governed read of the pinned version, cut to the columns a query needs.

Policy is applied before a row leaves this module (design §6): whatever the user's SQL does, it does it to what the user may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl
import pyarrow as pa

from governance_server.gateway.governed_frame import Governed, govern
from governance_server.gateway.polars_streaming import stream_batches
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.gateway.sql_engine import GovernedStream
from governance_server.gateway.table_source import open_table
from governance_server.rules.read_plans import ReadPlan

__all__ = ["governed_table"]

_BATCH_ROWS = 131_072
_NATIVE = pl.CompatLevel.newest()  # the engine knows string views, so nothing is copied on the way to it


def governed_table(
    plan: ReadPlan,
    columns: Sequence[str],
    *,
    table: tuple[Path, int],
    salt: bytes,
    is_current: Callable[[], None],
) -> GovernedStream:
    """The plan's rows with these visible columns.

    Args:
        plan: What the reader may see.
        columns: Of the plan's columns.
        table: Where the table lies, and its Delta version.
        salt: For masks that are local to the query.
        is_current: Called before each batch leaves; raises if the plan is not the reader's any more.

    Raises: ScanFailed, PlanOutdated.
    """
    governed = govern(open_table(plan.port, *table), plan, columns, joined=None, salt=salt)
    schema = pl.DataFrame(schema=governed.schema).to_arrow(compat_level=_NATIVE).schema
    return GovernedStream(schema, lambda: _batches(plan.port, governed, schema, is_current))


def _batches(port: str, governed: Governed, schema: pa.Schema, is_current: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    is_current()
    try:
        with closing(stream_batches(governed.frame, batch_rows=_BATCH_ROWS)) as frames:
            for frame in frames:
                is_current()
                for batch in frame.to_arrow(compat_level=_NATIVE).to_batches():
                    yield batch.cast(schema) if batch.schema != schema else batch
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScanFailed(port, type(error).__name__) from None
