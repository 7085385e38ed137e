"""One port of a publication: what was given is checked and written as files in one pass.

Owns the choice of how each kind of input is streamed. Knows nothing of the server: it gets a folder (or none, for checks
only) and says what it wrote and found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from domain_sdk._deleted_keys import DeletedKeys
from domain_sdk._document_files import DocumentProblem
from domain_sdk._document_pipeline import DocumentPipeline
from domain_sdk._document_record import PersonalSpans
from domain_sdk._given_rows import GivenRows, given_rows, nullable, typed_if_empty
from domain_sdk._modes import Mode
from domain_sdk._quarantine import Quarantine
from domain_sdk._table_files import open_table_files
from domain_sdk._text_values import opened_from
from domain_sdk._unchanged import held_still, source_files
from domain_sdk._unread_values import bad_values_named
from domain_sdk._write import DeliveredFile, write_port
from domain_sdk.catalog import CollectionFacets
from domain_sdk.collections import Documents, embedded_passages, embedder_for_publishing, is_document_paths
from domain_sdk.errors import ContractViolated, InvalidRequest, Violation
from domain_sdk.pii import ColumnFinding, RowSample, find_personal_columns
from domain_sdk.release import QualityResult, QualityStatus
from mesh_core.contract import Port, PortKind
from mesh_core.contract.quarantine import is_quarantining
from mesh_core.quality import LIBRARY, Check, Checker, Kind, Report
from mesh_core.quality.compile import compile_checks, is_personal
from mesh_core.quality.engines import run_custom
from mesh_core.types import UnknownType, plan_types, storage_schema

__all__ = ["Delivered", "Writing", "deliver", "not_yet_run", "whole_port_checks"]

_SHOWN_PROBLEMS = 10
_OF_SERVER = frozenset({Kind.SQL, Kind.FOREIGN_KEY})

RowHook = Callable[[int, int | None], None]
"""Called with the rows done so far, and how many there are, None if that is not known."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one port."""

    port: str
    """Three-part name."""
    files: tuple[DeliveredFile, ...]
    """Empty if nothing was written, or there were no rows."""
    quality: tuple[QualityResult, ...]
    embedding_model: str = ""
    dimensions: int = 0
    facets: CollectionFacets | None = None
    """Of a collection published from documents."""
    personal: tuple[ColumnFinding, ...] = ()
    """Columns with personal data that the contract does not tag."""
    deleted_keys: tuple[DeliveredFile, ...] = ()
    """Files with the keys of rows that a merge deletes."""
    quarantine: Quarantine | None = None
    """The rows that were set aside, to be written to their own port and closed then."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How a port is written."""

    mode: Mode = "overwrite"
    delete_flag: str | None = None
    """In a merge, the boolean column that marks rows to delete."""


def deliver(
    port: Port,
    name: str,
    given: Any,  # noqa: ANN401 # see given_rows
    *,
    folder: Path | None,
    hook: RowHook,
    writing: Writing = Writing(),  # frozen
) -> Delivered:
    """The port's rows were checked and, unless there is no folder or they cannot be stored, lie in it as files.

    Args:
        port: The contract's port.
        name: Its three-part name.
        given: A polars frame, an Arrow stream, or paths: of table files, for a collection of documents.
        folder: Where files go; None to check only.
        hook: Told of progress.
        writing: How it will be put into what the port holds; rules about a whole table are then the server's to judge.

    Raises:
        InvalidRequest: what was given is of no kind that this port can be made from, or cannot be read.
        Conflict: what was given changed while it was read.
        ContractViolated: documents cannot be read, or an embedding is of the wrong size.
        StorageUnavailable: the folder cannot be written.
    """
    if port.kind is PortKind.COLLECTION:
        return _deliver_passages(port, name, given, folder=folder, hook=hook)
    rows = open_table_files(given, port, name=name) if is_document_paths(given) else given
    text = opened_from(rows)
    with held_still(name, {*source_files(rows), *(text.files if text else ())}):
        if text:
            text.refuse_broken()
        still = rows.clone() if isinstance(rows, pl.DataFrame) else rows  # what its owner does to it meanwhile is not seen
        with bad_values_named(port, name, text, is_whole=writing.mode == "overwrite"):
            made = _deliver_table(port, name, still, folder=folder, hook=hook, writing=writing)
    return made if writing.mode == "overwrite" else replace(made, quality=_open_where_whole(port, made.quality))


def _open_where_whole(port: Port, quality: tuple[QualityResult, ...]) -> tuple[QualityResult, ...]:
    """The results; what is about a whole table is left open, with what was counted in the rows given."""
    whole = {check.name for check in compile_checks(port) if check.kind in LIBRARY}
    text = "judged with the rows that are there already"
    return tuple(
        replace(it, status=QualityStatus.RECORDED, message=text)
        if it.check in whole and it.status is not QualityStatus.RECORDED
        else it
        for it in quality
    )


def _deliver_table(
    port: Port,
    name: str,
    given: Any,  # noqa: ANN401 # see given_rows
    *,
    folder: Path | None,
    hook: RowHook,
    writing: Writing,
) -> Delivered:
    rows = typed_if_empty(given, port)
    raw = given_rows(name, rows)
    deleted = None
    if writing.delete_flag is not None and writing.mode == "merge":
        deleted = DeletedKeys(port, name, flag=writing.delete_flag, folder=folder)
        raw = GivenRows(deleted.rest(raw.schema), _without(deleted, raw.batches), raw.total)
        rows = None
    quarantine = Quarantine(port, name) if is_quarantining(port) and not plan_types(raw.schema, port).problems else None
    if quarantine:
        raw, rows = GivenRows(raw.schema, quarantine.without_bad(raw.batches), None), None
    partition_by = [column.name for column in port.partition_key]
    plan = plan_types(raw.schema, port)
    is_lossy = any(column.conversion.loss is not None for column in plan.columns)
    checker = _SamplingChecker(port)
    with closing(checker):
        if folder is None or plan.problems:
            _observe_all(checker, raw, hook)
            told = _with_quarantined(_quality(name, checker.finish()), quarantine)
            return Delivered(name, (), told, personal=checker.personal(name), quarantine=quarantine)
        schema = _storage(port, name, raw.schema)
        files: list[DeliveredFile]
        progress = _row_progress(hook, raw.total)
        if isinstance(rows, pl.LazyFrame | pl.DataFrame) and not is_lossy:
            checker.observe(pl.DataFrame(schema=plan.schema()))
            stored = rows.select(plan.select())
            watching = _Watching(checker)
            files = write_port(stored, folder, schema, checker=watching, progress=progress, partition_by=partition_by)
            quality = _as_given(_quality(name, _finished(checker, port, folder, schema)), port, raw.schema)
        else:
            stream = _checked_stream(raw, checker, schema)
            files = write_port(stream, folder, schema, progress=progress, partition_by=partition_by)
            quality = _quality(name, _finished(checker, port, folder, schema))
        gone = deleted.files if deleted else ()
        quality = _with_quarantined(quality, quarantine)
        personal = checker.personal(name)
        return Delivered(name, tuple(files), quality, personal=personal, deleted_keys=gone, quarantine=quarantine)


def _with_quarantined(quality: tuple[QualityResult, ...], quarantine: Quarantine | None) -> tuple[QualityResult, ...]:
    return (*quality, quarantine.result()) if quarantine else quality


def _without(deleted: DeletedKeys, batches: Callable[[], Iterator[pl.DataFrame]]) -> Callable[[], Iterator[pl.DataFrame]]:
    return lambda: deleted.taken_out(batches())


class _SamplingChecker(Checker):
    """A checker that keeps a sample of the rows it sees, to look for personal data in."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._tagged = [column.name for column in port.columns if is_personal(column)]
        self._sample = RowSample()

    def observe(self, batch: pl.DataFrame) -> pl.DataFrame:
        """As a checker does; the sample has grown by some of the rows."""
        self._sample.observe(batch)
        return super().observe(batch)

    def personal(self, name: str) -> tuple[ColumnFinding, ...]:
        """The untagged columns that hold personal data."""
        return find_personal_columns(self._sample.rows(), within=name.split("."), skipped=self._tagged)


def _as_given(quality: tuple[QualityResult, ...], port: Port, schema: pl.Schema) -> tuple[QualityResult, ...]:
    """The results with what they say of the columns as they were given: the checker saw them already in storage types."""
    checker = Checker(port)
    with closing(checker):
        checker.observe(pl.DataFrame(schema=schema))
        said = {it.check: it for it in checker.finish().results if it.kind is Kind.SCHEMA}
    found = ((it, said.get(it.check)) for it in quality)
    return tuple(replace(it, message=own.message, filled_columns=own.filled) if own else it for it, own in found)


class _Watching:
    """Shows a checker rows that are in storage types already, so that what it gives back is the same."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def observe(self, batch: pl.DataFrame) -> None:
        """The batch is counted in."""
        self._checker.observe(batch)


def _checked_stream(raw: GivenRows, checker: Checker, schema: pa.Schema) -> pa.RecordBatchReader:
    """The rows in storage types; values that do not fit are null in it and counted by the checker."""
    target = pa.schema([nullable(field) for field in schema])
    checker.observe(pl.DataFrame(schema=raw.schema))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in raw.batches():
            stored = checker.observe(batch).to_arrow(compat_level=pl.CompatLevel.oldest())
            yield from stored.cast(target).to_batches()

    return pa.RecordBatchReader.from_batches(target, batches())


def _observe_all(checker: Checker, raw: GivenRows, hook: RowHook) -> None:
    checker.observe(pl.DataFrame(schema=raw.schema))
    done = 0
    for batch in raw.batches():
        checker.observe(batch)
        done += batch.height
        hook(done, raw.total)


def _storage(port: Port, name: str, frame_schema: pl.Schema) -> pa.Schema:
    try:
        return storage_schema(port, frame_schema)
    except UnknownType as error:
        raise ContractViolated(str(error), resource=name) from error


def _deliver_passages(port: Port, name: str, given: Any, *, folder: Path | None, hook: RowHook) -> Delivered:  # noqa: ANN401 # see given_rows
    from mesh_core.vectors.schema import PASSAGE_SCHEMA

    if not is_document_paths(given.paths if isinstance(given, Documents) else given):
        raise InvalidRequest(
            f"A collection cannot be made from {type(given).__name__}: give a pattern, folder, paths or Documents.", resource=name
        )
    embedder = embedder_for_publishing()
    _check_embedding(port, name, embedder.dimensions, embedder.model)
    documents = embedded_passages(given, embedder, port=name, hook=hook)
    pipeline = documents.pipeline
    files: list[DeliveredFile] = []
    if folder is None:
        rows = sum(batch.num_rows for batch in documents.passages)
    else:
        files = write_port(documents.passages, folder, PASSAGE_SCHEMA)
        rows = sum(file.rows for file in files)
    quality = _document_quality(name, pipeline, rows)
    return Delivered(name, tuple(files), quality, embedder.model, embedder.dimensions, facets=pipeline.facets)


def _document_quality(name: str, pipeline: DocumentPipeline, passage_count: int) -> tuple[QualityResult, ...]:
    """Whether every file became passages, whole; what did not is told of and does not stop the others."""
    problems, facets = pipeline.problems, pipeline.facets
    said = _left_out(problems, facets.documents + len(problems)) if problems else []
    pages = "page shows something and gave" if facets.empty_pages == 1 else "pages show something and gave"
    said += [f"{facets.empty_pages} {pages} no text"] if facets.empty_pages else []
    hidden = _counts(record.hidden for record in pipeline.records)
    unread = _counts(record.unread for record in pipeline.records)
    left = [f"left out, as their authors hid them: {hidden}"] if hidden else []
    left += [f"not read: {unread}"] if unread else []
    again = f"{pipeline.reused} of {facets.documents} documents are as they were read before" if pipeline.reused else ""
    result = QualityResult(
        port=name,
        column="",
        check="documents",
        status=QualityStatus.FAILED if said else QualityStatus.PASSED,
        is_blocking=False,
        failing_rows=len(problems),
        total_rows=passage_count,
        message=("\n" if said else "; ").join(
            filter(None, (*said, *([] if said else ["every file became passages"]), *left, again))
        ),
        samples=(),
    )
    return (result,)


def _counts(counted: Iterable[Mapping[str, int]]) -> str:
    """`2 hidden rows, 1 hidden sheets`: all of them together, in words."""
    together = sum((Counter(dict(it)) for it in counted), Counter[str]())
    return ", ".join(f"{count} {what}" for what, count in sorted(together.items()))


def _left_out(problems: Sequence[DocumentProblem], count: int) -> list[str]:
    """How many of so many files were left out, then a line for each of the first; in the catalog, so without personal data."""
    files = f"{len(problems)} of {count} {'file' if count == 1 else 'files'} {'was' if len(problems) == 1 else 'were'} left out"
    without = PersonalSpans("").out_of
    lines = [without(f"{problem.path.name}: {problem.reason.rstrip('.')}") for problem in problems[:_SHOWN_PROBLEMS]]
    more = len(problems) - _SHOWN_PROBLEMS
    return [files, *lines, *([f"and {more} more"] if more > 0 else [])]


def _check_embedding(port: Port, name: str, dimensions: int, model: str) -> None:
    """Returns if vectors of the model are what the contract promises. Raises: ContractViolated."""
    from mesh_core.model_names import broken_embeddings

    wrong = [Violation(column, why) for column, why in broken_embeddings(port, model=model, dimensions=dimensions)]
    if wrong:
        raise ContractViolated("The embedding does not fit the contract.", resource=name, violations=wrong)


def _row_progress(hook: RowHook, total: int | None) -> Callable[[int], None]:
    return lambda done: hook(done, total)


def _finished(checker: Checker, port: Port, folder: Path, schema: pa.Schema) -> Report:
    """The checker's report, with the verdicts of the engines that `custom` rules name, over the files in the folder."""
    report = checker.finish()
    customs = {check.name: check for check in compile_checks(port) if check.kind is Kind.CUSTOM}
    if not customs:
        return report
    paths = sorted(folder.glob("part-*.parquet"))
    frame = pl.scan_parquet(paths) if paths else pl.LazyFrame(pl.DataFrame(schema.empty_table()))
    results = (run_custom(customs[it.check], it, frame) if it.check in customs else it for it in report.results)
    return replace(report, results=tuple(results))


def whole_port_checks(port: Port) -> list[Check]:
    """The checks of a port that are run over its files, once all of them are there."""
    is_table = port.kind is PortKind.TABLE
    return [check for check in compile_checks(port) if check.kind in {*_OF_SERVER, Kind.CUSTOM}] if is_table else []


def not_yet_run(name: str, check: Check) -> QualityResult:
    """The result of a check that waits for rows which keep the other promises."""
    message = f"{check.description}; not run: first mend what else is broken."
    return QualityResult(name, ".".join(check.path), check.name, QualityStatus.NOT_RUN, False, 0, 0, message, ())


def _quality(name: str, report: Report) -> tuple[QualityResult, ...]:
    """The results, without those of checks that the server runs."""
    return tuple(
        QualityResult(
            port=name,
            column=it.column,
            check=it.check,
            status=QualityStatus(it.outcome.value),
            is_blocking=it.is_blocking,
            failing_rows=it.failing_rows,
            total_rows=it.total_rows,
            message=it.message,
            samples=tuple(sample.to_text() for sample in it.samples),
            measured=it.measured,
            filled_columns=it.filled,
        )
        for it in report.results
        if it.kind not in _OF_SERVER
    )
