"""The elements of a JSON array as the bytes they were sent in, so that each event of a batch is kept as received."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from governance_server.rules.errors import Invalid

__all__ = ["Part", "array_parts"]

_MARKS = re.compile(rb'(?>[^"\[\]{},]+|"(?>[^"\\]+|\\.)*+")*+([\[\]{},])', re.DOTALL)
"""The next mark outside of texts, with everything before it."""
_NEXT_EVENT = re.compile(
    rb"\}[ \t\r\n]*(,)[ \t\r\n]*\{[ \t\r\n]*"
    rb'"(?:eventTime|eventType|producer|schemaURL|run|job|inputs|outputs|dataset)"[ \t\r\n]*:'
)
"""Where one event may end and the next begin; the same may stand within an event."""
_WHITE = b" \t\r\n"
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


class Part(NamedTuple):
    """An element as it was sent."""

    text: bytes
    content: Any = None
    """Parsed; None if it was not yet."""


def array_parts(body: bytes) -> list[Part]:
    """The elements, parsed if they are events; whether others are JSON is not looked at. Raises: Invalid, of no array."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip(_WHITE)
    if not text.startswith(b"[") or not text.endswith(b"]"):
        raise _no_array("it does not begin with [ and end with ]")
    events = _events(text)
    return [Part(part) for part in _elements(text)] if events is None else events


def _events(text: bytes) -> list[Part] | None:
    """The elements, where each but the first begins with a key of an event; None if these places do not part them.

    What begins with { and is JSON is one whole object, so a place within an element is noticed.
    """
    import orjson

    found, begin = [], 1
    for end in (*(place.start(1) for place in _NEXT_EVENT.finditer(text)), len(text) - 1):
        part = text[begin:end].strip(_WHITE)
        try:
            found.append(Part(part, orjson.loads(part)))
        except orjson.JSONDecodeError:
            return None
        if not part.startswith(b"{"):
            return None
        begin = end + 1
    return found


def _elements(text: bytes) -> list[bytes]:
    """The text of each element of what begins with [ and ends with ], twenty times slower. Raises: Invalid, of no array."""
    depth, begin = 0, 1
    parts: list[bytes] = []
    position = 0
    while (found := _MARKS.match(text, position)) is not None:
        position = found.end()
        at = position - 1
        mark = text[at]
        if mark in _OPENING:
            depth += 1
        elif mark in _CLOSING:
            depth -= 1
            if depth == 0:
                if position != len(text):
                    raise _no_array("something follows its end")
                break
        elif mark == ord(",") and depth == 1:
            parts.append(text[begin:at].strip(_WHITE))
            begin = position
    if depth != 0:
        raise _no_array("a bracket or a text in it has no end")
    last = text[begin:-1].strip(_WHITE)
    if parts or last:
        parts.append(last)
    if any(not part for part in parts):
        raise _no_array("an element between its commas is missing")
    return parts


def _no_array(reason: str) -> Invalid:
    return Invalid(f"A batch is a JSON array of events, and this is none: {reason}.")
