"""The stored bytes of a change: its resource writes, in protobuf wire format.

Owns the encoding that the digest covers. The bytes are those of `domainmesh.v1.ChangeBody` (writes = 1; kind = 1, name = 2,
resource = 3, removed = 4), written here by hand so that the journal depends on no generated code and two releases of a protobuf
runtime cannot disagree about them. Bytes are written once and never re-serialised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from governance_server.rules.apply import ResourceWrite

__all__ = ["BodyUnreadable", "decode_body", "encode_body"]

_WRITES, _KIND, _NAME, _RESOURCE, _REMOVED = 0x0A, 0x0A, 0x12, 0x1A, 0x20
_VARINT_MAX_BITS = 63


class BodyUnreadable(ValueError):
    """Stored bytes that are no change body of a release known here."""


def encode_body(writes: Iterable[ResourceWrite]) -> bytes:
    """The bytes to store for `writes`, in their order."""
    parts: list[bytes] = []
    for write in writes:
        removed = bytes((_REMOVED, 1)) if write.body is None else b""
        encoded = _field(_KIND, write.kind.encode()) + _field(_NAME, write.name.encode()) + _field(_RESOURCE, write.body or b"")
        parts.append(bytes((_WRITES,)) + _varint(len(encoded + removed)) + encoded + removed)
    return b"".join(parts)


def decode_body(body: bytes) -> tuple[ResourceWrite, ...]:
    """The resource writes that `body` stores.

    Raises:
        BodyUnreadable: The bytes break off, or hold a field this release does not know; then a newer release wrote them.
    """
    writes = []
    for tag, value in _fields(body):
        if tag != _WRITES or not isinstance(value, bytes):
            raise BodyUnreadable(
                f"a change body holds the unknown field tag {tag:#x}: it was written by a newer release, upgrade this one"
            )
        writes.append(_decode_write(value))
    return tuple(writes)


def _decode_write(data: bytes) -> ResourceWrite:
    values: dict[int, bytes | int] = {_KIND: b"", _NAME: b"", _RESOURCE: b"", _REMOVED: 0}
    for tag, value in _fields(data):
        if tag not in values or (tag == _REMOVED) != isinstance(value, int):
            raise BodyUnreadable(
                f"a resource write holds the unknown field tag {tag:#x}: it was written by a newer release, upgrade this one"
            )
        values[tag] = value
    try:
        kind, name = str(values[_KIND], "utf-8"), str(values[_NAME], "utf-8")  # type: ignore[arg-type]  # LEN fields hold bytes
    except UnicodeDecodeError as error:
        raise BodyUnreadable("a resource write's kind or name is not UTF-8: the payload is damaged") from error
    body = values[_RESOURCE]
    return ResourceWrite(kind=kind, name=name, body=None if values[_REMOVED] or not isinstance(body, bytes) else body)


def _field(tag: int, data: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(data)) + data if data else b""


def _varint(value: int) -> bytes:
    encoded = bytearray()
    rest = value
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        value, position = _read_varint(data, position)
        if tag & 7 == 0:
            yield tag, value
        elif tag & 7 == 2 and position + value <= len(data):
            yield tag, data[position : position + value]
            position += value
        else:
            raise BodyUnreadable(f"a change body breaks off at byte {position}: the payload is damaged")


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(start, len(data)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
        if shift > _VARINT_MAX_BITS:
            break
    raise BodyUnreadable(f"a change body holds no number at byte {start}: the payload is damaged")
