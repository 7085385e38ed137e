"""What differs between two states of a resource, in words, and which source a change set may come from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import change_set_pb2
from governance_server.rules.errors import Invalid
from mesh_core.names import InvalidName, check_domain

__all__ = ["CENTRE", "check_source", "differences", "domain_of_source"]

CENTRE = "centre"
_DOMAIN = "domain:"
_LONGEST_VALUE = 2000


def check_source(source: str) -> str:
    """The source, if it is `domain:sales`, `centre` or empty. Raises: Invalid."""
    if source in ("", CENTRE):
        return source
    try:
        if not source.startswith(_DOMAIN):
            raise InvalidName(f"{source[:100]!r} is no source")
        check_domain(source.removeprefix(_DOMAIN))
    except InvalidName as error:
        raise Invalid(f"{error}: use `domain:` and a domain's name, `centre`, or nothing.") from None
    return source


def domain_of_source(source: str) -> str:
    """The domain whose folder it is; empty for the centre's and for none."""
    return source.removeprefix(_DOMAIN) if source.startswith(_DOMAIN) else ""


def differences(before: Message | None, after: Message | None) -> list[change_set_pb2.FieldDifference]:
    """The fields that differ, in the order of the message; None stands for a resource that is not there."""
    either = before if before is not None else after
    fields = either.DESCRIPTOR.fields if either is not None else ()
    found = []
    for field in fields:
        old, new = _text(before, field), _text(after, field)
        if old != new:
            found.append(change_set_pb2.FieldDifference(field=field.name, before=_cut(old), after=_cut(new)))
    return found


def _text(message: Message | None, field: Any) -> str:  # noqa: ANN401 # a descriptor has a type per protobuf runtime
    if message is None:
        return ""
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return ", ".join(f"{key}={value[key]}" for key in sorted(value))
    if field.is_repeated:
        return ", ".join(_value(item, field) for item in value)
    if field.message_type is not None and not message.HasField(field.name):
        return ""
    return _value(value, field)


def _value(value: object, field: Any) -> str:  # noqa: ANN401 # see _text
    if isinstance(value, Timestamp):
        return datetime.fromtimestamp(value.seconds, UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Message):
        return " ".join(_parts(value))
    if isinstance(value, bool):
        return "true" if value else ""
    if field.enum_type is not None and isinstance(value, int):
        known = field.enum_type.values_by_number.get(value)
        return known.name.rpartition("_")[2].lower() if known is not None and value else ""
    return str(value) if value else ""


def _parts(message: Message) -> Iterator[str]:
    """A nested message in few words: `region: mask`, `role:analyst [user:ana]`."""
    texts: Iterable[tuple[Any, str]] = ((field, _text(message, field)) for field in message.DESCRIPTOR.fields)
    for field, text in texts:
        yield f"[{text}]" if field.is_repeated else text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
