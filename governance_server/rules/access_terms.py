"""What an access request asks for and what its approvals give: joined to the strictest, and compared.

Pure. Terms are what one grant would give of one port: columns, rows, masks, and its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import access_request_pb2 as pb
from domainmesh.v1 import grant_pb2
from governance_server.rules.errors import Invalid
from mesh_core.masks import Mask, join

__all__ = ["asked_terms", "check_within", "given_terms", "is_less", "strictest", "terms_of_grant"]


def asked_terms(asked: pb.AccessRequest) -> pb.AccessTerms:
    """What the request asks for."""
    terms = pb.AccessTerms(columns=asked.columns, row_filter=asked.row_filter, masks=asked.masks)
    if asked.HasField("expire_time"):
        terms.expire_time.CopyFrom(asked.expire_time)
    return terms


def terms_of_grant(grant: grant_pb2.Grant) -> pb.AccessTerms:
    """What the grant gives, without its time."""
    return pb.AccessTerms(columns=grant.columns, row_filter=grant.row_filter, masks=grant.masks)


def given_terms(grant: grant_pb2.Grant) -> pb.AccessTerms:
    """What the grant gives, with its time."""
    terms = terms_of_grant(grant)
    for field in ("start_time", "expire_time"):
        if grant.HasField(field):
            getattr(terms, field).CopyFrom(getattr(grant, field))
    return terms


def check_within(asked: pb.AccessRequest, terms: pb.AccessTerms) -> None:
    """Returns if the terms give at most what was asked. Raises: Invalid."""
    if asked.columns and set(terms.columns) - set(asked.columns):
        raise Invalid("The approval names columns that were not asked for.", resource=asked.id)
    _check_begins_before_it_ends(asked, terms)
    if not (asked.HasField("expire_time") and terms.HasField("expire_time")):
        return
    if terms.expire_time.ToDatetime(tzinfo=UTC) > asked.expire_time.ToDatetime(tzinfo=UTC):
        raise Invalid("The approval lasts longer than was asked for.", resource=asked.id)


def _check_begins_before_it_ends(asked: pb.AccessRequest, terms: pb.AccessTerms) -> None:
    if not (terms.HasField("start_time") and terms.HasField("expire_time")):
        return
    begin = terms.start_time.ToDatetime(tzinfo=UTC)
    if terms.expire_time.ToDatetime(tzinfo=UTC) <= begin:
        why = ", when the access that it renews ends" if asked.renews else ""
        raise Invalid(
            f"What is asked for begins at {begin:%Y-%m-%d %H:%M} UTC{why}: approve it until later, or deny it.", resource=asked.id
        )


def strictest(several: Sequence[pb.AccessTerms]) -> pb.AccessTerms:
    """The terms that give no more than any of these: rows AND, columns in all of them, masks joined, the earliest end.

    Raises: Invalid if they have no column in common.
    """
    columns = _common(terms.columns for terms in several if terms.columns)
    joined = pb.AccessTerms(columns=columns or (), row_filter=_and(terms.row_filter for terms in several))
    masks: dict[str, Mask | None] = {}
    for mask in (mask for terms in several for mask in terms.masks):
        masks[mask.column] = join(masks.get(mask.column), Mask(mask.mask))
    joined.masks.extend(
        grant_pb2.ColumnMask(column=column, mask=mask or "")
        for column, mask in sorted(masks.items())
        if columns is None or column in columns
    )
    _put(joined.expire_time, min, [terms.expire_time for terms in several if terms.HasField("expire_time")])
    _put(joined.start_time, max, [terms.start_time for terms in several if terms.HasField("start_time")])
    return joined


def is_less(asked: pb.AccessRequest, given: pb.AccessTerms) -> bool:
    """True if what was given differs from what was asked: it can only be less."""
    wanted = asked_terms(asked)
    if wanted.row_filter != given.row_filter or set(wanted.columns) != set(given.columns):
        return True
    if {(m.column, m.mask) for m in wanted.masks} != {(m.column, m.mask) for m in given.masks}:
        return True
    return wanted.HasField("expire_time") != given.HasField("expire_time") or wanted.expire_time != given.expire_time


def _common(lists: Iterable[Sequence[str]]) -> list[str] | None:
    """The columns in all of the lists, in the first one's order; None without a list."""
    found: list[str] | None = None
    for columns in lists:
        found = list(columns) if found is None else [column for column in found if column in columns]
    if found == []:
        raise Invalid("What the approvals give has no column in common: deny the request, or approve other columns.")
    return found


def _and(filters: Iterable[str]) -> str:
    parts = list(dict.fromkeys(part for text in filters if (part := text.strip())))
    return parts[0] if len(parts) == 1 else " AND ".join(f"({part})" for part in parts)


def _put(target: Timestamp, choose: Callable[..., Timestamp], times: list[Timestamp]) -> None:
    if times:
        target.CopyFrom(choose(times, key=lambda time: (time.seconds, time.nanos)))
