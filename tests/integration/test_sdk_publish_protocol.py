"""The client's half of the publication protocol against a scripted server: whatever fails, the publication is given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest

from domain_sdk import Mesh, Product, errors
from domainmesh.v1 import product_pb2, publication_pb2, publication_service_pb2, publication_service_pb2_grpc
from domainmesh.v1.error_reason_pb2 import ErrorDetail, ErrorReason
from tests.integration.sdk_fakes import Context, fail, serving

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: ledger
version: 1.0.0
status: active
schema:
  - {name: entries, physicalType: table, properties: [{name: id, logicalType: integer, required: true}]}
  - {name: accounts, physicalType: table, properties: [{name: id, logicalType: integer}]}
"""
FRAME = pl.DataFrame({"id": [1, 2]})


class Publications(publication_service_pb2_grpc.PublicationServiceServicer):
    """Hands out folders below `drop` and keeps what it is told."""

    def __init__(self, drop: Path) -> None:
        self.drop = drop
        self.calls: list[Any] = []
        self.begin_failure: ErrorDetail | None = None
        self.commit_failure: ErrorDetail | None = None
        self.abort_failure: ErrorDetail | None = None

    def BeginPublication(self, request: Any, context: Context) -> Any:
        self.calls.append(request)
        if self.begin_failure is not None:
            fail(context, grpc.StatusCode.FAILED_PRECONDITION, self.begin_failure)
        ports = [f"{request.product}.{name}" for name in ("entries", "accounts")]
        locations = [publication_pb2.WriteLocation(port=port, path=str(self.drop / port)) for port in ports]
        return publication_pb2.Publication(id="p-1", product=request.product, version=3, locations=locations)

    def CommitPublication(self, request: Any, context: Context) -> Any:
        self.calls.append(request)
        if self.commit_failure is not None:
            fail(context, grpc.StatusCode.FAILED_PRECONDITION, self.commit_failure)
        return product_pb2.Release(product="finance.ledger", version=3)

    def AbortPublication(self, request: Any, context: Context) -> Any:
        self.calls.append(request)
        if self.abort_failure is not None:
            fail(context, grpc.StatusCode.FAILED_PRECONDITION, self.abort_failure)
        return publication_pb2.Publication(id=request.id)

    @property
    def steps(self) -> list[str]:
        """The calls' names in order."""
        return [type(call).__name__.removesuffix("PublicationRequest") for call in self.calls]


@contextmanager
def publishing(server: Publications) -> Iterator[Product]:
    def register(grpc_server: grpc.Server) -> None:
        publication_service_pb2_grpc.add_PublicationServiceServicer_to_server(server, grpc_server)

    with serving(register) as address, Mesh.connect(address, "t") as mesh:
        yield mesh.domain("finance").product("ledger", CONTRACT)


@pytest.fixture
def server(tmp_path: Path) -> Publications:
    for name in ("entries", "accounts"):
        (tmp_path / f"finance.ledger.{name}").mkdir()
    return Publications(tmp_path)


def test_files_quality_and_lineage_of_every_port_are_committed(server: Publications) -> None:
    with publishing(server) as ledger:
        assert ledger.publish(entries=FRAME, accounts=FRAME.lazy(), inputs=["a.b.c"]).version == 3
    assert server.steps == ["Begin", "Commit"]
    begin, commit = server.calls
    assert (begin.contract_text, begin.validate_only) == (CONTRACT, False)
    assert commit.id == "p-1"
    for port in commit.ports:
        assert [(server.drop / port.port / file.name).stat().st_size for file in port.files] == [f.size_bytes for f in port.files]
        assert sum(file.row_count for file in port.files) == 2
    assert {result.port for result in commit.quality} == {"finance.ledger.entries", "finance.ledger.accounts"}
    assert [list(it.unknown_inputs) for it in commit.lineage] == [["a.b.c"], ["a.b.c"]]
    assert {it.job for it in commit.lineage} == {"finance.ledger"}
    assert len({it.run_id for it in commit.lineage}) == 1


def test_a_preview_writes_nothing_and_asks_without_opening(server: Publications) -> None:
    with publishing(server) as ledger:
        assert ledger.preview(entries=FRAME, accounts=FRAME).is_ok
    assert server.steps == ["Begin"]
    assert server.calls[0].validate_only
    assert [path for path in server.drop.rglob("*") if path.is_file()] == []


def test_ports_that_do_not_match_are_all_named_before_anything_is_asked(server: Publications) -> None:
    with publishing(server) as ledger, pytest.raises(errors.InvalidRequest) as caught:
        ledger.publish({"entrees": FRAME}, acounts=FRAME)
    assert [violation.path for violation in caught.value.violations] == ["entries", "accounts", "acounts", "entrees"]
    assert server.calls == []


def test_an_invalid_contract_is_refused_here_with_every_violation(server: Publications) -> None:
    with publishing(server) as ledger, pytest.raises(errors.InvalidContract) as caught:
        ledger.mesh.domain("finance").product("ledger", CONTRACT.replace("status: active", "staus: active")).publish(
            entries=FRAME
        )
    assert caught.value.violations
    assert server.calls == []


def test_violations_give_the_publication_up_without_telling_values(server: Publications) -> None:
    with publishing(server) as ledger, pytest.raises(errors.ContractViolated, match=r"in 2 ways"):
        ledger.publish(entries=pl.DataFrame({"id": [None, 4711]}), accounts=pl.DataFrame({"id": ["secret"]}))
    assert server.steps == ["Begin", "Abort"]
    assert server.calls[-1].reason == "CONTRACT_VIOLATED"


def test_a_defect_of_the_users_frame_comes_through_as_itself(server: Publications) -> None:
    def explode(batch: pl.DataFrame) -> pl.DataFrame:
        raise ZeroDivisionError("mine")

    with publishing(server) as ledger, pytest.raises((ZeroDivisionError, pl.exceptions.ComputeError), match="mine"):
        ledger.publish(entries=FRAME, accounts=FRAME.lazy().map_batches(explode, schema=FRAME.schema))
    assert server.steps == ["Begin", "Abort"]


def test_a_refused_begin_leaves_nothing_to_give_up(server: Publications) -> None:
    server.begin_failure = ErrorDetail(reason=ErrorReason.ERROR_REASON_INCOMPATIBLE_CONTRACT, message="no")
    with publishing(server) as ledger, pytest.raises(errors.IncompatibleContract):
        ledger.publish(entries=FRAME, accounts=FRAME)
    assert server.steps == ["Begin"]


def test_a_failed_commit_is_what_is_raised_even_if_giving_up_fails_too(
    server: Publications, caplog: pytest.LogCaptureFixture
) -> None:
    server.commit_failure = ErrorDetail(reason=ErrorReason.ERROR_REASON_CONFLICT, message="somebody was faster")
    server.abort_failure = ErrorDetail(reason=ErrorReason.ERROR_REASON_WRONG_STATE, message="committing")
    with publishing(server) as ledger, pytest.raises(errors.Conflict, match="somebody was faster"):
        ledger.publish(entries=FRAME, accounts=FRAME)
    assert server.steps == ["Begin", "Commit", "Abort"]
    assert "abort_not_delivered publication=p-1" in caplog.text


def test_a_write_is_made_once_however_often_it_is_sent(server: Publications) -> None:
    sent: list[str] = []
    commit = server.CommitPublication

    def flaky(request: publication_service_pb2.CommitPublicationRequest, context: Context) -> Any:
        sent.append(request.request_id)
        if len(sent) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return commit(request, context)

    server.CommitPublication = flaky  # type: ignore[method-assign]
    with publishing(server) as ledger:
        ledger.publish(entries=FRAME, accounts=FRAME)
    assert len(sent) == 3
    assert len(set(sent)) == 1
