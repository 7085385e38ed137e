"""An OpenLineage event as it was received: judged, with its kind, its time and the digest that tells repetitions.

Owns turning bytes into an event or into every reason why they are none. Knows nothing of who sent it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from governance_server.lineage.schemas import event_violations, without_nulls
from governance_server.rules.errors import Invalid, Problem
from mesh_core.dataset_names import DatasetName

__all__ = ["EventKind", "ReceivedEvent", "parse_event"]

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,30}))?\s*([Zz]|[+-]\d{2}:?\d{2})?(?:\[[^\]]{1,60}\])?\Z",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NAME = 8192
_MOST_NS = 2**63 - 1


class EventKind(StrEnum):
    """What the event is about."""

    RUN = "run"
    JOB = "job"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One valid event.

    Attributes:
        body: The bytes as received.
        digest: Of the bytes: an event that is sent again has the same.
        time_ns: The event's own time, nanoseconds since 1970-01-01 UTC, of 64 bits.
        has_zone: False if the time named no zone; it is then taken for UTC.
        content: The parsed JSON; not to be changed.
        job: The job's namespace and name; None for an event about a dataset.
        notes: In what `content` is read otherwise than it was written.
    """

    body: bytes
    digest: str
    kind: EventKind
    time_ns: int
    has_zone: bool
    content: dict[str, Any]
    job: DatasetName | None
    notes: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The run's id; empty unless the event is about a run."""
        return str(self.content["run"]["runId"]) if self.kind is EventKind.RUN else ""

    @property
    def state(self) -> str:
        """START, RUNNING, COMPLETE, ABORT, FAIL or OTHER; empty if the event does not say."""
        return str(self.content.get("eventType", ""))

    def datasets(self, side: str) -> list[dict[str, Any]]:
        """Its `inputs` or `outputs`."""
        found: list[dict[str, Any]] = self.content.get(side, [])
        return found


def parse_event(body: bytes, parsed: Any = None) -> ReceivedEvent:  # noqa: ANN401  # any JSON
    """The event in the bytes, which may have been parsed already. Raises: Invalid with every violation of the schema, by path."""
    content = _json(body) if parsed is None else parsed
    problems = event_violations(content)
    notes: list[str] = []
    if problems:
        content = without_nulls(content)
        problems = event_violations(content)
        notes.append("Members of facets that are null were read as if they were not there.")
    if not problems and "run" in content and "dataset" in content:  # the schema allows it, and knows nothing of what it holds
        content = {key: value for key, value in content.items() if key != "dataset"}
        notes.append("$.dataset was not read: an event about a run has inputs and outputs.")
    moment = None if problems else _time(content["eventTime"])
    if moment is None or not _is_usable(content):
        problems = problems or _unusable(content)
        raise Invalid(f"This is no OpenLineage event: {problems[0].path}: {problems[0].message}.", problems=problems)
    time_ns, has_zone = moment
    if not -_MOST_NS <= time_ns <= _MOST_NS:
        time_ns = max(-_MOST_NS, min(_MOST_NS, time_ns))
        notes.append("$.eventTime counts as the nearest time between 1678 and 2262: nanoseconds reach no further.")
    kind = EventKind.RUN if "run" in content else EventKind.JOB if "job" in content else EventKind.DATASET
    job = content.get("job")
    named = None if job is None else DatasetName(job["namespace"], job["name"])
    return ReceivedEvent(body, hashlib.sha256(body).hexdigest(), kind, time_ns, has_zone, content, named, tuple(notes))


def _json(body: bytes) -> Any:  # noqa: ANN401  # any JSON
    import orjson

    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        reason = f"it is not JSON at character {error.pos}"
    raise Invalid(f"This is no OpenLineage event: {reason}.", problems=[Problem("$", reason)])


def _is_usable(content: dict[str, Any]) -> bool:
    """True if `_unusable` finds nothing in the names: looked at quickly, as nearly every event is."""
    named = (content.get("job"), content.get("dataset"), *content.get("inputs", ()), *content.get("outputs", ()))
    texts = [text for it in named if it is not None for text in (it["namespace"], it["name"])]
    texts.append(content["run"]["runId"] if "run" in content else "-")
    return all(texts) and max(map(len, texts)) <= _LONGEST_NAME and "\0" not in "".join(texts)


def _unusable(content: dict[str, Any]) -> list[Problem]:
    """What the schema leaves open and nobody could work with: a time that is none, names without end."""
    found = []
    if _time(content["eventTime"]) is None:
        found.append(Problem("$.eventTime", "it is not a date and time as in 2026-01-31T08:00:00Z"))
    named = [("$.job", content.get("job")), ("$.dataset", content.get("dataset"))]
    named += [(f"$.{side}[{i}]", it) for side in ("inputs", "outputs") for i, it in enumerate(content.get(side, []))]
    texts = [(f"{path}.{key}", it[key]) for path, it in named if it is not None for key in ("namespace", "name")]
    texts.append(("$.run.runId", content.get("run", {}).get("runId", "-")))
    for path, text in texts:
        if not text or len(text) > _LONGEST_NAME:
            found.append(Problem(path, f"it has {len(text)} characters: use 1 to {_LONGEST_NAME}"))
        elif "\0" in text:
            found.append(Problem(path, "it contains the character zero"))
    return found


def _time(text: str) -> tuple[int, bool] | None:
    """Nanoseconds since 1970, and whether a zone was named; None if it is no time. Digits beyond nanoseconds are dropped."""
    found = _TIME.match(text.strip())
    if found is None:
        return None
    day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:00").replace(tzinfo=_zone(zone)) + timedelta(seconds=int(second))
        if int(second) > 60:  # a leap second is the next minute's first
            return None
        whole = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return whole * 1_000_000_000 + int((fraction or "0").ljust(9, "0")[:9]), zone is not None


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
