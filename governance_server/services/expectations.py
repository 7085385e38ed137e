"""ExpectationService: what consumers rely on. Who registers one needs `read` on what it names, now and whenever it is judged."""

from __future__ import annotations

import grpc

from domainmesh.v1 import expectation_pb2 as messages
from domainmesh.v1 import expectation_service_pb2 as pb
from domainmesh.v1 import expectation_service_pb2_grpc, product_pb2
from governance_server.backend import Backend, Page, stamp, store
from governance_server.caller import Caller, current_caller
from governance_server.editing.committed import Committed
from governance_server.journal.command import Outcome, Transaction
from governance_server.publishing.expectations import name_of, needed_columns
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, Invalid, InvalidFilter, TooLarge
from governance_server.rules.expectations import Expected, read_rule
from governance_server.rules.grants import column_types
from governance_server.rules.refusals import denied
from mesh_core.expressions.errors import ExpressionError
from mesh_core.expressions.sql import parse_filter
from mesh_core.names import parse_port

__all__ = ["ExpectationService"]

_MOST = 100
_LONGEST_REASON = 1000


class ExpectationService(expectation_service_pb2_grpc.ExpectationServiceServicer):
    """Serves expectations."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateExpectation(self, request: pb.CreateExpectationRequest, context: grpc.ServicerContext) -> messages.Expectation:
        """Registers an expectation of the caller."""
        parse_port(request.port)
        if len(request.reason) > _LONGEST_REASON:
            raise Invalid(f"Say why in at most {_LONGEST_REASON} characters.", resource=request.port)
        expectation_id = f"x-{self._backend.new_id()}"

        def run(tx: Transaction, caller: Caller) -> Outcome:
            plan = self._backend.policy.plan(caller, request.port, request.purpose)  # before the rule is looked at
            port = self._backend.policy.find_port(request.port)
            if port is None:
                raise denied("read", request.port)
            if port.kind != product_pb2.PORT_KIND_TABLE:
                raise Invalid(f"{request.port} is a collection: expectations are about tables.", resource=request.port)
            expected = read_rule(request.rule, request.column, request.port)
            hidden = needed_columns(plan, expected.columns)
            if hidden:
                raise AccessDenied(
                    f"You do not see {hidden} of {request.port} as it is, or there is no such column: expect something of what "
                    "you may read.",
                    resource=request.port,
                )
            _check_types(request, expected, port)
            if len([it for it in _every(tx, request.port) if it.principal == caller.name]) >= _MOST:
                raise TooLarge(f"You expect {_MOST} things of {request.port} already: remove one first.", resource=request.port)
            expectation = messages.Expectation(
                id=expectation_id, port=request.port, principal=caller.name, rule=request.rule, column=request.column,
                columns=expected.columns, purpose=request.purpose, reason=request.reason, create_time=stamp(tx.time),
            )  # fmt: skip
            write = store(kinds.EXPECTATION, name_of(request.port, expectation_id), expectation)
            return Outcome("expectation.created", request.port, (write,), expectation.SerializeToString())

        return messages.Expectation.FromString(self._backend.submit(request, request.request_id, run).reply)

    def ListExpectations(self, request: pb.ListExpectationsRequest, context: grpc.ServicerContext) -> pb.ListExpectationsResponse:
        """Lists the caller's own expectations and those on products it may write, by port."""
        page, caller = Page.of(request.page_size, request.page_token), current_caller()
        found = [it for it in _every(Committed.now(self._backend)) if self._may_see(it, caller, only_own=request.only_own)]
        wanted = [it for it in found if not request.resource or f"{it.port}.".startswith(f"{request.resource}.")]
        wanted.sort(key=lambda it: (it.port, it.id))
        start = page.position
        more = Page.token(str(start + page.size)) if len(wanted) > start + page.size else ""
        shown = [self._shown(it, caller) for it in wanted[start : start + page.size]]
        return pb.ListExpectationsResponse(expectations=shown, next_page_token=more)

    def DeleteExpectation(
        self, request: pb.DeleteExpectationRequest, context: grpc.ServicerContext
    ) -> pb.DeleteExpectationResponse:
        """Removes an expectation of the caller."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            found = next((it for it in _every(tx) if it.id == request.id), None)
            if found is None or found.principal != caller.name or not caller.covers("read", found.port):
                raise denied("remove the expectation", request.id)
            writes = (ResourceWrite(kinds.EXPECTATION, name_of(found.port, found.id), None),)
            return Outcome("expectation.deleted", found.port, writes, pb.DeleteExpectationResponse().SerializeToString())

        return pb.DeleteExpectationResponse.FromString(self._backend.submit(request, request.request_id, run).reply)

    def _may_see(self, it: messages.Expectation, caller: Caller, *, only_own: bool) -> bool:
        if it.principal == caller.name:
            return caller.covers("read", it.port)
        return not only_own and self._backend.policy.check(caller, "write", it.port).allowed

    def _shown(self, it: messages.Expectation, caller: Caller) -> messages.Expectation:
        if it.principal != caller.name and not self._backend.policy.check(caller, "grant", it.port).allowed:
            for field in ("principal", "purpose"):
                it.ClearField(field)
            it.last_result.ClearField("principal")
        return it


def _check_types(request: pb.CreateExpectationRequest, expected: Expected, port: product_pb2.Port) -> None:
    """Returns if the predicate compares what can be compared. Raises: InvalidFilter."""
    if expected.predicate is not None:
        try:
            parse_filter(request.rule, column_types(port))
        except ExpressionError as error:
            raise InvalidFilter(f"The expectation does not fit {request.port}: {error}", resource=request.port) from error


def _every(state: Committed | Transaction, port: str = "") -> list[messages.Expectation]:
    """Every expectation, or those on the port."""
    rows = state.list(kinds.EXPECTATION, prefix=f"{port}/" if port else None)
    return [messages.Expectation.FromString(body) for _, body in rows]
