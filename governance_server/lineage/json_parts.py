"""The elements of a JSON array as the bytes they were sent in, so that each event of a batch is kept as received."""

from __future__ import annotations

import json
import re

from governance_server.rules.errors import Invalid

__all__ = ["array_parts"]

_SPACE = re.compile(r"[ \t\r\n]*")


def array_parts(body: bytes) -> list[bytes]:
    """The text of each element; whether it is an event is not looked at. Raises: Invalid if the body is no array."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_array("it is not UTF-8") from None
    position = _skip(text, 0)
    if text[position : position + 1] != "[":
        raise _no_array("it does not begin with [")
    position = _skip(text, position + 1)
    parts: list[bytes] = []
    if text[position : position + 1] == "]":
        return _ended(text, position, parts)
    decoder = json.JSONDecoder()
    while True:
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            raise _no_array(f"element {len(parts)} is not JSON") from None
        parts.append(text[position:end].encode("utf-8", "surrogatepass"))
        position = _skip(text, end)
        mark = text[position : position + 1]
        if mark == "]":
            return _ended(text, position, parts)
        if mark != ",":
            raise _no_array(f"after element {len(parts) - 1} comes neither , nor ]")
        position = _skip(text, position + 1)


def _ended(text: str, position: int, parts: list[bytes]) -> list[bytes]:
    if _skip(text, position + 1) != len(text):
        raise _no_array("something follows its end")
    return parts


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found is not None else position


def _no_array(reason: str) -> Invalid:
    return Invalid(f"A batch is a JSON array of events, and this is none: {reason}.")
