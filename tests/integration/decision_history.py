"""What concurrent clients of several servers did and were told, and whether one order of the journal explains all of it.

Owns recording (a client that carries the newest revision it saw from server to server) and the offline check, which shares no
code with the server: it knows only when each grant began and ended by the journal.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from domain_sdk.audit import Change
from domainmesh.v1 import grant_pb2
from domainmesh.v1.decision_service_pb2 import CheckRequest
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, RevokeGrantRequest
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub
from tests.integration.mesh_setup import RawMesh, raw_mesh
from tests.integration.replicas import ORDERS, Replicas

__all__ = ["Client", "Entry", "problems_of"]


@dataclass(frozen=True)
class Entry:
    """One answered call. Times are monotonic seconds of one machine."""

    client: int
    operation: str
    """`grant`, `revoke` or `check`."""
    subject: str
    began: float
    ended: float
    token: int
    """The newest revision the client had seen before."""
    grant: str = ""
    revision: int = 0
    """At which a check was decided."""
    is_allowed: bool = False


class Client:
    """Grants, revokes and checks at random, at either server, as an owner; every call demands what the client has seen."""

    def __init__(self, number: int, replicas: Replicas, subjects: Sequence[str], *, operations: int) -> None:
        self._number = number
        self._replicas = replicas
        self._subjects = subjects
        self._operations = operations
        self._chance = random.Random(number)
        self._seen = 0
        self._own: list[tuple[str, str]] = []

    def run(self) -> list[Entry]:
        """What it did, in its order."""
        with ExitStack() as stack:
            token = self._replicas.token("user:olga")
            raws = [stack.enter_context(raw_mesh(server, token)) for server in self._replicas.servers]
            return [self._step(self._chance.choice(raws)) for _ in range(self._operations)]

    def _step(self, raw: RawMesh) -> Entry:
        dice = self._chance.random()
        subject = self._chance.choice(self._subjects)
        if dice < 0.2:
            return self._grant(raw, subject)
        if dice < 0.4 and self._own:
            return self._revoke(raw)
        return self._check(raw, subject)

    def _grant(self, raw: RawMesh, subject: str) -> Entry:
        wanted = grant_pb2.Grant(subject=subject, resource="shop.orders", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
        began, token = time.monotonic(), self._seen
        given = self._call(raw, raw.control(GrantServiceStub).CreateGrant, CreateGrantRequest(grant=wanted))
        self._own.append((given.id, subject))
        return Entry(self._number, "grant", subject, began, time.monotonic(), token, given.id)

    def _revoke(self, raw: RawMesh) -> Entry:
        grant, subject = self._own.pop(self._chance.randrange(len(self._own)))
        began, token = time.monotonic(), self._seen
        self._call(raw, raw.control(GrantServiceStub).RevokeGrant, RevokeGrantRequest(id=grant))
        return Entry(self._number, "revoke", subject, began, time.monotonic(), token, grant)

    def _check(self, raw: RawMesh, subject: str) -> Entry:
        began, token = time.monotonic(), self._seen
        question = CheckRequest(principal=subject, action="read", resource=ORDERS)
        said = self._call(raw, raw.control(DecisionServiceStub).Check, question)
        ended = time.monotonic()
        return Entry(
            self._number, "check", subject, began, ended, token, revision=said.revision, is_allowed=said.is_allowed
        )  # fmt: skip

    def _call(self, raw: RawMesh, method: Any, request: Any) -> Any:
        metadata = (*raw.metadata, ("mesh-min-revision", str(self._seen)))
        response, call = method.with_call(request, metadata=metadata, timeout=30)
        self._seen = max(self._seen, *(int(value) for key, value in call.trailing_metadata() if key == "mesh-revision"))
        return response


def problems_of(history: Iterable[Entry], changes: Iterable[Change]) -> list[str]:
    """Every answer that the journal does not explain, in words; none if all of it is linearizable at the revisions told."""
    entries = list(history)
    spans = _spans(entries, changes)
    found = []
    for check in (entry for entry in entries if entry.operation == "check"):
        holds = any(s == check.subject and begin <= check.revision < end for s, begin, end in spans.values())
        if holds != check.is_allowed:
            found.append(f"{check}: the journal says {holds}")
        if check.revision < check.token:
            found.append(f"{check}: decided before what the client had seen")
        for entry in entries:
            told = _revision_of(entry, spans)
            if entry.ended <= check.began and told > check.revision:
                found.append(f"{check}: {entry} had been answered, at {told}")
            if entry.began >= check.ended and 0 < told < check.revision and entry.operation != "check":
                found.append(f"{check}: {entry} began later, and counts as earlier, at {told}")
    return found


def _spans(entries: Sequence[Entry], changes: Iterable[Change]) -> dict[str, tuple[str, int, float]]:
    """Grant → its subject, the revision it began at and the one it ended at, exclusive."""
    subjects = {entry.grant: entry.subject for entry in entries if entry.operation == "grant"}
    begun, ended = {}, {}
    for change in changes:
        if change.subject in subjects:
            (begun if change.kind == "grant.created" else ended)[change.subject] = change.revision
    return {grant: (subject, begun[grant], ended.get(grant, float("inf"))) for grant, subject in subjects.items()}


def _revision_of(entry: Entry, spans: dict[str, tuple[str, int, float]]) -> float:
    if entry.operation == "check":
        return entry.revision
    _, begin, end = spans[entry.grant]
    return begin if entry.operation == "grant" else end
