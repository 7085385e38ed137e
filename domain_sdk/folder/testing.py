"""Policy tests: what a folder says somebody must see, and must not, asked of the mesh as it is or as the folder would make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain_sdk import _change_calls
from domain_sdk._times import to_timestamp
from domain_sdk.errors import AccessDenied, InvalidExpression, NotConfigured, NotFound
from domain_sdk.folder.planning import desired, label_of, plan_tree
from domainmesh.v1 import change_set_pb2, question_pb2
from domainmesh.v1 import question_service_pb2 as pb
from domainmesh.v1.decision_service_pb2 import CheckRequest
from domainmesh.v1.question_service_pb2_grpc import QuestionServiceStub

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.folder.tree import Case, Tree

__all__ = ["CaseResult", "Mismatch", "run_cases"]

_MOST = 500
_CENTRAL_FIELDS = ("title", "owners", "members", "namespaces")
_RULES = ("grant", "approval_rule", "guardrail")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that did not hold."""

    what: str
    """`resource`, `columns`, `hidden`, `masks`, `filter`, `rows`, `allowed` or `denied`."""
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one policy test came out."""

    name: str
    place: str
    """File and line."""
    principal: str
    resource: str
    purpose: str
    mismatches: tuple[Mismatch, ...]
    """Empty if it passed."""
    reasons: tuple[str, ...]
    """Of a failure: the rules that decided, or why nothing is seen."""

    @property
    def is_passed(self) -> bool:
        """True if every expectation held."""
        return not self.mismatches


def run_cases(transport: Transport, tree: Tree, *, with_changes: bool = False) -> list[CaseResult]:
    """The outcome of every test of the tree, in its order.

    Args:
        transport: The way to the mesh.
        tree: The folder.
        with_changes: Of the mesh as it would be with the folder applied, instead of as it is.

    Raises:
        AccessDenied: the caller may not ask one of the questions about others.
    """
    changes = _changes(transport, tree) if with_changes else []
    moments: dict[str, list[int]] = {}
    for position, case in enumerate(tree.cases):
        moments.setdefault(case.document.get("at", ""), []).append(position)
    found: dict[int, CaseResult] = {}
    for at, positions in moments.items():
        for start in range(0, len(positions), _MOST):
            part = positions[start : start + _MOST]
            run = _Run(transport, [tree.cases[it] for it in part], changes, at)
            found.update(zip(part, run.results(), strict=True))
    return [found[position] for position in sorted(found)]


def _changes(transport: Transport, tree: Tree) -> list[change_set_pb2.DesiredResource]:
    """What the folder would change, as whole resources."""
    live = {_label(it): it for it in _change_calls.exported(transport)}
    wanted: dict[str, change_set_pb2.DesiredResource] = {}
    for source, planned in zip(tree.sources, plan_tree(transport, tree).sources, strict=True):
        actions = {f"{it.kind} {it.name}": it.action for it in planned.plan.changes} if planned.plan else {}
        for entry, resource in zip(source.entries, desired(source), strict=True):
            label = label_of(entry)
            if actions.get(label, "create") != "unchanged":
                wanted[label] = _whole(resource, wanted.get(label, live.get(label)), is_centre=source.name == "centre")
        for label, action in actions.items():
            if action == "delete":
                wanted[label] = _absent(label, live.get(label))
    return list(wanted.values())


def _whole(
    resource: change_set_pb2.DesiredResource, before: change_set_pb2.DesiredResource | None, *, is_centre: bool
) -> change_set_pb2.DesiredResource:
    """A domain with the fields that are not this source's as they are; everything else is whole already."""
    if before is None or resource.WhichOneof("resource") != "domain":
        return resource
    whole = change_set_pb2.DesiredResource()
    whole.CopyFrom(before)
    for field in _CENTRAL_FIELDS if is_centre else ("description", "roles"):
        whole.domain.ClearField(field)  # type: ignore[arg-type] # fields of Domain
    whole.domain.MergeFrom(resource.domain)
    return whole


def _absent(label: str, live: change_set_pb2.DesiredResource | None) -> change_set_pb2.DesiredResource:
    absent = change_set_pb2.DesiredResource()
    if live is not None:
        absent.CopyFrom(live)
    else:
        kind, _, name = label.partition(" ")
        setattr(getattr(absent, kind), "id" if kind in _RULES else "name", name)
    absent.is_absent = True
    return absent


def _label(resource: change_set_pb2.DesiredResource) -> str:
    from domain_sdk.folder.tree import Entry, Place

    return label_of(Entry(getattr(resource, str(resource.WhichOneof("resource"))), Place("")))


class _Run:
    """Asks about some cases at once and compares."""

    def __init__(
        self, transport: Transport, cases: Sequence[Case], changes: Sequence[change_set_pb2.DesiredResource], at: str = ""
    ) -> None:
        self._transport = transport
        self._cases = cases
        self._changes = changes
        self._moment = to_timestamp(at or None)
        self._strange: dict[str, str] = {}
        self._types: dict[str, dict[str, str]] = {}

    def results(self) -> Iterator[CaseResult]:
        """The outcome of each case."""
        sights, allowed = self._sights(), self._allowed()
        for position, case in enumerate(self._cases):
            it = case.document
            sight = sights.get(position, question_pb2.Sight())
            mismatches = (*self._of_resource(it["resource"]), *self._of_sight(case, sight), *_of_actions(case, allowed, position))
            reasons = tuple(sight.reasons) or tuple(f"{path.rule} by {' > '.join(path.via)}" for path in sight.paths)
            yield CaseResult(
                it["name"], str(case.place), it["principal"], it["resource"], it.get("purpose", ""),
                mismatches, reasons if mismatches else (),
            )  # fmt: skip

    def _sights(self) -> dict[int, question_pb2.Sight]:
        asked = [at for at, case in enumerate(self._cases) if case.document["resource"].count(".") == 2]
        request = pb.ExplainManyRequest(changes=self._changes, decide_time=self._moment)
        for at in asked:
            it = self._cases[at].document
            request.questions.add(principal=it["principal"], port=it["resource"], purpose=it.get("purpose", ""))
        if not asked:
            return {}
        response = self._transport.call(self._transport.control(QuestionServiceStub).ExplainMany, request)
        return dict(zip(asked, response.sights, strict=True))

    def _allowed(self) -> dict[tuple[int, str], bool]:
        asked = [(at, action) for at, case in enumerate(self._cases) for action in _actions(case)]
        found: dict[tuple[int, str], bool] = {}
        for start in range(0, len(asked), _MOST):
            part = asked[start : start + _MOST]
            request = pb.CheckSupposedRequest(changes=self._changes, decide_time=self._moment)
            for at, action in part:
                it = self._cases[at].document
                request.checks.append(
                    CheckRequest(principal=it["principal"], action=action, resource=it["resource"], purpose=it.get("purpose", ""))
                )
            response = self._transport.call(self._transport.control(QuestionServiceStub).CheckSupposed, request)
            found.update(zip(part, (it.is_allowed for it in response.results), strict=True))
        return found

    def _of_resource(self, name: str) -> Iterator[Mismatch]:
        """A test about a product or port that does not exist tests nothing, whatever it expects."""
        from domain_sdk import _catalog_calls

        if name not in self._strange:
            self._strange[name] = ""
            if "." in name:
                try:
                    _catalog_calls.show(self._transport, name.partition("#")[0])
                except (NotFound, AccessDenied):
                    self._strange[name] = f"there is no {name} that you may see: correct its name, or publish it first"
        if self._strange[name]:
            yield Mismatch("resource", name, self._strange[name])

    def _of_sight(self, case: Case, sight: question_pb2.Sight) -> Iterator[Mismatch]:
        expect, visible = case.document["expect"], [it.name for it in sight.columns]
        if "columns" in expect and set(expect["columns"]) != set(visible):
            yield Mismatch("columns", expect["columns"], visible)
        shown = sorted(set(expect.get("hidden", ())) & set(visible))
        if shown:
            yield Mismatch("hidden", expect["hidden"], f"{', '.join(shown)} is visible")
        masks = {it.name: it.mask for it in sight.columns if it.mask}
        if "masks" in expect and dict(expect["masks"]) != masks:
            yield Mismatch("masks", dict(expect["masks"]), masks)
        if "filter" in expect and _normal(expect["filter"]) != sight.row_filter:
            yield Mismatch("filter", expect["filter"], sight.row_filter)
        if "rows" in expect:
            yield from self._of_rows(case, sight)

    def _of_rows(self, case: Case, sight: question_pb2.Sight) -> Iterator[Mismatch]:
        from domain_sdk.folder.case_rows import UnusableRows, seen_rows

        expected = [dict(row) for row in case.document["expect"]["rows"]]
        try:
            types = self._types_of(case.document["resource"])
            got: object = _parsing(lambda: seen_rows(case.document.get("rows", ()), types, sight)) if sight.columns else []
        except UnusableRows as error:
            got = str(error)
        if got != expected:
            yield Mismatch("rows", expected, got)

    def _types_of(self, port: str) -> dict[str, str]:
        from domain_sdk import _catalog_calls
        from domain_sdk.catalog import PortEntry

        if port not in self._types:
            entry = _catalog_calls.show(self._transport, port)
            assert isinstance(entry, PortEntry)
            self._types[port] = {column.name: column.logical_type for column in entry.columns}
        return self._types[port]


def _actions(case: Case) -> list[str]:
    return [*case.document["expect"].get("allowed", ()), *case.document["expect"].get("denied", ())]


def _of_actions(case: Case, allowed: dict[tuple[int, str], bool], position: int) -> Iterator[Mismatch]:
    for what, wanted in (("allowed", True), ("denied", False)):
        listed = case.document["expect"].get(what, ())
        wrong = [action for action in listed if allowed[position, action] is not wanted]
        if wrong:
            yield Mismatch(what, list(listed), f"{', '.join(wrong)} is {'denied' if wanted else 'allowed'}")


def _normal(sql: str) -> str:
    """The filter as the mesh writes it."""
    from mesh_core.expressions.sql import parse_filter, to_sql

    return _parsing(lambda: to_sql(parse_filter(sql))) if sql else ""


def _parsing(work: Callable[[], Any]) -> Any:  # noqa: ANN401 # what the work gives
    from mesh_core.expressions import errors

    try:
        return work()
    except ModuleNotFoundError as error:
        raise NotConfigured(
            f"The parser of row filters ({error.name}) is not installed: pip install 'domain-mesh[server]' to run policy tests."
        ) from error
    except errors.InvalidExpression as error:
        raise InvalidExpression(f"A row filter in a policy test cannot be understood: {error}") from error
