"""The periodic task that reminds people of what waits for them.

Approvers are told of requests that wait, grantee and grantor of grants that end soon, owners and the centre of emergency
accesses that nobody has taken note of. Nothing that is decided rests on it. A reminder's notice names what it tells, so it is
written once however often this runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from domainmesh.v1 import access_request_pb2, break_glass_pb2, grant_pb2, notice_pb2
from governance_server.backend import Backend, stamp
from governance_server.caller import Caller
from governance_server.journal.command import Outcome, Transaction
from governance_server.notices import News, notices
from governance_server.policy.names import holders_of
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.approvers import GRANT_HOLDERS
from governance_server.rules.errors import GovernanceError
from governance_server.rules.listings import moment
from governance_server.rules.policy_rows import ANY
from governance_server.rules.reminders import ENDING_DAYS, due_ending, due_unacknowledged, due_waiting
from governance_server.services.break_glass import answerable
from governance_server.services.request_views import RequestView

__all__ = ["REMINDER", "Reminders"]

REMINDER = "service:maintenance"
"""Who the journal says wrote reminders."""

_BATCH = 200
_KEPT = timedelta(days=90)
Told = tuple[News, tuple[str, ...]]


class Reminders:
    """Writes what is due at the moment it is run."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self) -> int:
        """The number of reminders that were due and had not been written; they are now. Notices older than 90 days are gone."""
        now = self._backend.now()
        due = [told for told in (*self._waiting(now), *self._ending(now), *self._unacknowledged(now)) if self._is_new(told)]
        for start in range(0, len(due), _BATCH):
            self._write(due[start : start + _BATCH])
        self._forget(now)
        return len(due)

    def _waiting(self, now: datetime) -> Iterator[Told]:
        view = RequestView(self._backend, self._backend.catalog, Caller(REMINDER))
        for _, body in self._backend.catalog.walk(kinds.ACCESS_REQUEST, ["open"]):
            asked = access_request_pb2.AccessRequest.FromString(body)
            days = due_waiting(asked, now)
            if days is None:
                continue
            try:
                level = view.progress(asked).waiting or view.levels(asked.resource)[-1]
            except GovernanceError:  # no rule of this moment says who decides: nobody can be reminded
                continue
            text = (
                f"{asked.requester} has waited {days} days for an answer on {asked.resource}: decide with "
                f"`mesh approve {asked.id}` or `mesh deny {asked.id}`."
            )
            news = News(notice_pb2.NOTICE_KIND_REQUEST_WAITS, asked.resource, asked.id, text, stage=f"-{days}d-{level.number}")
            yield news, tuple(self._approvers(level.approvers, asked.resource, now))

    def _approvers(self, entries: Sequence[str], resource: str, now: datetime) -> Iterator[str]:
        for entry in entries:
            if entry == GRANT_HOLDERS:
                yield from holders_of(self._backend.policy, "grant", resource, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
            else:
                yield entry

    def _ending(self, now: datetime) -> Iterator[Told]:
        for _, body in self._backend.catalog.walk(kinds.GRANT, ["ends"], after=moment(stamp(now))):
            grant = grant_pb2.Grant.FromString(body)
            if grant.expire_time.ToDatetime(tzinfo=UTC) > now + timedelta(days=max(ENDING_DAYS)):
                return
            days = due_ending(grant, now)
            if days is None:
                continue
            end = grant.expire_time.ToDatetime(tzinfo=UTC)
            text = (
                f"The access of {grant.subject} to {grant.resource} ends at {end:%Y-%m-%d %H:%M} UTC: to go on, "
                f"the grantee asks with `mesh renew {grant.id} --until DATE`."
            )
            news = News(notice_pb2.NOTICE_KIND_GRANT_ENDS, grant.resource, grant.id, text, stage=f"-{days}d")
            yield news, tuple(name for name in (grant.subject, grant.grantor) if name not in ("", ANY))

    def _unacknowledged(self, now: datetime) -> Iterator[Told]:
        for _, body in self._backend.catalog.walk(kinds.BREAK_GLASS, ["open"]):
            use = break_glass_pb2.BreakGlass.FromString(body)
            days = due_unacknowledged(use, now)
            if days is None:
                continue
            text = (
                f"{use.principal} opened {use.resource} for itself {days} or more days ago, and nobody has taken note of it: "
                f"do so with `mesh audit acknowledge {use.id}`."
            )
            yield News(notice_pb2.NOTICE_KIND_BREAK_GLASS, use.resource, use.id, text, stage=f"-{days}d"), tuple(answerable(use))

    def _is_new(self, told: Told) -> bool:
        news, recipients = told
        return any(self._backend.catalog.get(kinds.NOTICE, news.name_for(name)) is None for name in recipients)

    def _write(self, due: Sequence[Told]) -> None:
        def run(tx: Transaction) -> Outcome:
            writes = {write.name: write for news, recipients in due for write in notices(tx, news, recipients)}
            return Outcome("notices.written", REMINDER, tuple(writes.values()), b"")

        self._backend.journal_as(REMINDER, run)

    def _forget(self, now: datetime) -> None:
        """Notices that are old have told what they had to tell; the journal still has them."""
        rows = self._backend.catalog.list(kinds.NOTICE, limit=None)
        old = [name for name, body in rows if _is_old(notice_pb2.Notice.FromString(body), now)]
        for start in range(0, len(old), _BATCH):
            removals = tuple(ResourceWrite(kinds.NOTICE, name, None) for name in old[start : start + _BATCH])
            self._backend.journal_as(REMINDER, lambda tx, gone=removals: Outcome("notices.removed", REMINDER, gone, b""))  # type: ignore[misc]


def _is_old(notice: notice_pb2.Notice, now: datetime) -> bool:
    return now - notice.create_time.ToDatetime(tzinfo=UTC) > _KEPT
