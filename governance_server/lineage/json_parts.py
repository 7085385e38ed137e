"""The elements of a JSON array as the bytes they were sent in, so that each event of a batch is kept as received."""

from __future__ import annotations

import re

from governance_server.rules.errors import Invalid

__all__ = ["array_parts"]

_MARKS = re.compile(rb'(?>[^"\[\]{},]+|"(?>[^"\\]+|\\.)*+")*+([\[\]{},])', re.DOTALL)
"""The next mark outside of texts, with everything before it."""
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


def array_parts(body: bytes) -> list[bytes]:
    """The text of each element; whether it is JSON is not looked at. Raises: Invalid if the body is no array."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if not text.startswith(b"[") or not text.endswith(b"]"):
        raise _no_array("it does not begin with [ and end with ]")
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
            parts.append(text[begin:at].strip(b" \t\r\n"))
            begin = position
    if depth != 0:
        raise _no_array("a bracket or a text in it has no end")
    last = text[begin:-1].strip(b" \t\r\n")
    if parts or last:
        parts.append(last)
    if any(not part for part in parts):
        raise _no_array("an element between its commas is missing")
    return parts


def _no_array(reason: str) -> Invalid:
    return Invalid(f"A batch is a JSON array of events, and this is none: {reason}.")
