"""Text files with values that are not of the contract's types: told with what else is wrong in the columns that can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import polars as pl
import pyarrow as pa

from domain_sdk._given_rows import given_rows
from domain_sdk._text_values import TextFiles
from domain_sdk.errors import InvalidRequest, Violation
from mesh_core.contract import Port
from mesh_core.contract.quarantine import is_quarantining
from mesh_core.quality import Checker, CheckResult, Kind, Outcome
from mesh_core.quality.compile import compile_checks

__all__ = ["bad_values_named", "broken_check"]


@contextmanager
def bad_values_named(port: Port, name: str, source: TextFiles | None, *, is_whole: bool) -> Iterator[None]:
    """Within the block, values of the source that cannot be read are told with column, row and value.

    Args:
        port: The contract's port.
        name: Its three-part name.
        source: The text files; None if the rows come from elsewhere.
        is_whole: True if the rows become the port; else what else they break depends on those that are there.

    Raises:
        InvalidRequest: some cannot; each column of each file is told with its first such rows, counted from 1 without the header,
            then every promise about other columns that is broken.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pa.ArrowException):
        found = [violation for file in source.files for violation in source.problems(file)] if source else []
        if source is None or not found:
            raise
        others = _of_other_columns(port, name, source, found) if is_whole else []
        files = sorted({str(violation.path).rsplit(": ", 1)[0] for violation in found})
        raise InvalidRequest(
            f"{', '.join(files[:3])}: values are not of the types that the contract promises.",
            resource=name,
            violations=[*found, *others],
        ) from None


def broken_check(port: str, check: str, message: str, samples: Sequence[str]) -> Violation:
    """How a broken promise of a port is told, with the first of its rows."""
    shown = f" ({', '.join(samples[:3])}; the first row is row 0)" if samples else ""
    return Violation(f"{port}: {check}", f"{message}{shown}")


def _of_other_columns(port: Port, name: str, source: TextFiles, found: Sequence[Violation]) -> list[Violation]:
    """What is broken in the other columns; nothing of a port whose bad rows are set aside, so that they break nothing."""
    if source.rest is None or is_quarantining(port):
        return []
    rows, unread = source.rest(found)
    judged = {check.name for check in compile_checks(port) if check.kind is not Kind.SCHEMA and not unread & {*check.columns}}
    return [
        broken_check(name, it.check, it.message, [sample.to_text() for sample in it.samples])
        for it in _results(port, name, rows)
        if it.check in judged and it.is_blocking and it.outcome is Outcome.FAILED
    ]


def _results(port: Port, name: str, rows: pl.LazyFrame) -> Sequence[CheckResult]:
    raw = given_rows(name, rows)
    checker = Checker(port)
    with closing(checker):
        checker.observe(pl.DataFrame(schema=raw.schema))
        for batch in raw.batches():
            checker.observe(batch)
        return checker.finish().results
