"""Governed reads: `mesh.scan` as a polars IO source that pushes columns, predicate and limit to the gateway.

The home of polars' IO source API, which is unstable: `tests/unit/test_sdk_polars_canary.py` pins what is relied on. What a read
may show is the gateway's decision. A predicate that the gateway cannot be told whole is applied here again, in full.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, cast

import grpc
import polars as pl
from polars.io.plugins import register_io_source

from domain_sdk._access_calls import to_plan
from domain_sdk._arguments import checked_names
from domain_sdk._arrow_stream import arrow_or, decode_frames, frame_schema
from domain_sdk._transport import Transport
from domain_sdk._where import to_predicate
from domain_sdk.access import ReadPlan
from domain_sdk.errors import InvalidRequest, MeshError, StorageUnavailable
from domainmesh.v1.read_service_pb2 import PlanReadRequest, PrepareFilesRequest, ReadRequest, ReadResponse
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from mesh_core.expressions import tree

__all__ = ["FILES_FROM_ROWS", "GovernedScan", "PlannedScan", "ScanFrame", "Via", "collect", "governed_scans", "scan"]

Via = Literal["auto", "stream", "files"]

FILES_FROM_ROWS = 500_000
"""From this many rows on, an unfiltered read goes by governed files."""

_BATCH_ROWS = 262_144
_LOG = logging.getLogger(__name__)
_RELEASE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """What the gateway said a read would give."""

    schema: pl.Schema
    """The visible columns with the types they are shown in."""
    plan: ReadPlan
    version: int
    """The product's version the scan is pinned to."""
    row_count_hint: int
    """About how many rows; 0 if rows are filtered."""
    warnings: tuple[str, ...] = ()
    """What is older than the contract promises, in words."""

    @property
    def masked_columns(self) -> frozenset[str]:
        """Columns of which no row shows the raw value."""
        return frozenset(column.name for column in self.plan.columns if column.mask)


@dataclass(frozen=True, slots=True)
class ScanFrame:
    """A scan found in a query plan."""

    scan: GovernedScan
    frame: pl.LazyFrame
    """A frame that is exactly this scan, by the identity of its scan function."""


class GovernedScan:
    """One port, read as one purpose: what polars calls to get frames. Planned once, on first use, and pinned to that version."""

    def __init__(
        self, transport: Transport, request: PlanReadRequest, *, via: Via = "auto", timeout_seconds: float | None = None
    ) -> None:
        if via not in ("auto", "stream", "files"):
            raise InvalidRequest(f"{via!r} is no way to read: use auto, stream or files.", resource=request.port)
        self.port = request.port
        self._transport = transport
        self._request = request
        self._via = via
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._planned: PlannedScan | None = None
        self._reads = 0

    def __repr__(self) -> str:
        """The port and what it is read for."""
        return f"GovernedScan({self.port!r}, purpose={self._request.purpose!r})"

    @property
    def was_read(self) -> bool:
        """True once polars has asked for rows."""
        return self._reads > 0

    def planned(self) -> PlannedScan:
        """What a read gives; asked for once.

        Raises:
            MeshError: the caller may not read the port for this purpose, or the gateway cannot be reached.
        """
        with self._lock:
            if self._planned is None:
                response = self._transport.call(self._transport.gateway(ReadServiceStub).PlanRead, self._request)
                self._planned = PlannedScan(
                    schema=frame_schema(response.arrow_schema),
                    plan=to_plan(response.plan),
                    version=response.version,
                    row_count_hint=response.row_count_hint,
                    warnings=tuple(response.warnings),
                )
                for warning in response.warnings:
                    _LOG.warning("stale port=%s: %s", self.port, warning)
            return self._planned

    def schema(self) -> pl.Schema:
        """The visible columns with the types they are shown in. Raises: MeshError."""
        return self.planned().schema

    def __call__(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        """The frames polars asked for: exactly these columns, only rows the predicate keeps, at most `n_rows`."""
        self._reads += 1
        planned = self.planned()
        columns = with_columns if with_columns is not None else list(planned.schema)
        if self._goes_by_files(planned, is_selective=predicate is not None or n_rows is not None):
            frames = self._from_files(columns, predicate)
        else:
            frames = self._from_stream(columns, predicate, n_rows)
        return _released(_cut(frames, n_rows, {name: planned.schema[name] for name in columns}))

    def _goes_by_files(self, planned: PlannedScan, *, is_selective: bool) -> bool:
        if self._via == "auto":
            is_large = planned.row_count_hint >= FILES_FROM_ROWS
            return not is_selective and is_large and self._transport.is_local
        return self._via == "files"

    def _from_stream(self, columns: Sequence[str], predicate: pl.Expr | None, n_rows: int | None) -> Iterator[pl.DataFrame]:
        planned = self.planned()
        request = ReadRequest(port=self.port, purpose=self._request.purpose, version=planned.version)
        left, said = _push(request, predicate, planned.schema)
        request.columns.extend(_needed([name for name in columns if name not in said], left, planned.schema))
        if n_rows is not None and left is None:
            request.limit = max(n_rows, 1)  # 0 would mean all
        method = self._transport.gateway(_ArrowStub).Read
        responses = self._transport.stream(method, request, timeout_seconds=self._timeout_seconds)
        with closing(responses):
            for frame in decode_frames(_arrow_parts(responses)):
                kept = frame if left is None else frame.filter(left)
                yield kept.with_columns(pl.lit(value).alias(name) for name, value in said.items()).select(columns)

    def _from_files(self, columns: Sequence[str], predicate: pl.Expr | None) -> Iterator[pl.DataFrame]:
        request = PrepareFilesRequest(port=self.port, purpose=self._request.purpose, version=self.planned().version)
        method = self._transport.gateway(ReadServiceStub).PrepareFiles
        prepared = self._transport.call(method, request, timeout_seconds=self._timeout_seconds or 600.0)
        urls = [file.url for file in prepared.files]
        if not urls:
            return
        frame = pl.scan_parquet(urls)
        kept = frame if predicate is None else frame.filter(predicate)
        try:
            yield from kept.select(columns).collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise self._file_failure() from error

    def _file_failure(self) -> MeshError:
        """Why a governed file was refused: the gateway is asked, because the file's answer has no reason in it."""
        request = PlanReadRequest()
        request.CopyFrom(self._request)
        request.version = self.planned().version
        try:
            self._transport.call(self._transport.gateway(ReadServiceStub).PlanRead, request)
        except MeshError as denied:
            return denied
        return StorageUnavailable(
            f"The governed files of {self.port} could not be read, or what they may show has changed meanwhile.",
            resource=self.port,
        )


def scan(source: GovernedScan) -> pl.LazyFrame:
    """A lazy frame of the source; nothing is asked before its schema or rows are needed."""
    return register_io_source(
        source, schema=source.schema, validate_schema=True, is_pure=True, explain_name="mesh", explain_detail=source.port
    )


def collect(
    source: GovernedScan, *, columns: Sequence[str] | None = None, where: pl.Expr | str | None = None, limit: int | None = None
) -> pl.DataFrame:
    """The rows, read now: these columns in this order, where the predicate is true, at most `limit`.

    Raises:
        MeshError: the read failed.
    """
    schema = source.schema()
    wanted = list(schema) if columns is None else checked_names(columns, "columns")
    unknown = [name for name in wanted if name not in schema]
    if unknown:
        raise InvalidRequest(f"Not visible: {', '.join(unknown)}. Visible: {', '.join(schema)}.", resource=source.port)
    frames = list(source(wanted, to_predicate(where, schema, port=source.port), limit, None))
    return pl.concat(frames).select(wanted)


def governed_scans(frame: pl.LazyFrame) -> list[ScanFrame]:
    """The distinct scans of this SDK that the frame's plan reads."""
    from domain_sdk._polars_plan.traversal import scan_functions

    found: dict[int, Any] = {id(function): function for function in scan_functions(frame)}
    return [
        ScanFrame(function.io_source, _same_scan(function))
        for function in found.values()
        if isinstance(getattr(function, "io_source", None), GovernedScan)
    ]


def _same_scan(function: Any) -> pl.LazyFrame:  # noqa: ANN401 # polars' own wrapper around our source
    return pl.LazyFrame._scan_python_function(
        schema=function.io_source.schema, scan_fn=function, pyarrow=False, validate_schema=True, is_pure=True
    )


class _ArrowStub:
    """The stub of `Read` alone, whose Arrow messages are not copied into responses."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.Read: grpc.UnaryStreamMultiCallable[ReadRequest, ReadResponse | memoryview] = channel.unary_stream(
            "/domainmesh.v1.ReadService/Read",
            request_serializer=ReadRequest.SerializeToString,
            response_deserializer=arrow_or(ReadResponse.FromString),
        )


def _arrow_parts(responses: Iterator[ReadResponse | memoryview]) -> Iterator[memoryview]:
    return (response for response in responses if isinstance(response, memoryview))


def _needed(columns: Sequence[str], predicate: pl.Expr | None, schema: pl.Schema) -> list[str]:
    """What must be sent: the columns and those the predicate looks at, in the port's order; never none, to count rows."""
    wanted = set(columns) | (set(predicate.meta.root_names()) if predicate is not None else set())
    return [name for name in schema if name in wanted] or list(schema)[:1]


def _push(request: ReadRequest, predicate: pl.Expr | None, schema: pl.Schema) -> tuple[pl.Expr | None, dict[str, str]]:
    """The request carries what can be told of the predicate.

    Returned is what must be applied here, and text columns of which every row that comes has the value that the predicate says.
    """
    if predicate is None:
        return None, {}
    from domain_sdk._polars_plan.predicates import to_expression
    from mesh_core.expressions.wire import to_wire

    expression, is_complete = to_expression(predicate, schema)
    if expression is not None:
        request.predicate.CopyFrom(to_wire(expression))
    if expression is None or not is_complete:
        return predicate, {}
    return None, _said(expression, schema)


def _said(expression: tree.Expression, schema: pl.Schema) -> dict[str, str]:
    found = {}
    for part in expression.operands if isinstance(expression, tree.And) else (expression,):
        match part:
            case tree.Compare("=", tree.Column(name), tree.Literal(str(value))) if schema[name] == pl.String:
                found[name] = value
    return found


def _released(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames; the call behind them ends soon after polars wants no more.

    Polars lets go of a source on a thread without the interpreter lock, which takes effect only when Python next enters polars.
    Until then the gateway would hold the stream; so a thread enters it now and then.
    """
    is_done = threading.Event()
    threading.Thread(target=_enter_polars_until, args=(is_done,), name="mesh-scan-release", daemon=True).start()
    try:
        with closing(cast("Any", frames)):
            yield from frames
    finally:
        is_done.set()


def _enter_polars_until(is_done: threading.Event) -> None:
    while not is_done.wait(_RELEASE_SECONDS):
        pl.Series([0]).len()


def _cut(frames: Iterator[pl.DataFrame], n_rows: int | None, schema: dict[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    """At most `n_rows` rows; one empty frame if there are none. Closing it closes `frames`."""
    left = n_rows
    has_frame = False
    with closing(cast("Any", frames)):
        for frame in frames:
            taken = frame if left is None else frame.head(left)
            has_frame = True
            yield taken
            if left is not None:
                left -= taken.height
                if left <= 0:
                    return
    if not has_frame:
        yield pl.DataFrame(schema=schema)
