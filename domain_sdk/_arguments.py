"""What a caller may pass: one clear error for an argument of the wrong kind, before anything is sent.

Owns the shapes of arguments only. Whether a name exists or a call is allowed is the server's to say.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from domain_sdk.errors import InvalidRequest

__all__ = ["checked_mapping", "checked_names", "checked_number", "checked_predicate", "checked_text"]


def checked_text(value: Any, argument: str, *, example: str = "") -> str:  # noqa: ANN401 # what the caller passed, of any type
    """The text as it is. Raises: InvalidRequest if it is none."""
    if not isinstance(value, str):
        raise _wrong(value, argument, f"a text{f' like {example!r}' if example else ''}")
    if any("\ud800" <= it <= "\udfff" for it in value):  # bytes of a terminal that are no UTF-8, or halves of a pair
        raise InvalidRequest(f"`{argument}` has characters that are no text: write it in UTF-8.")
    return value


def checked_predicate(value: Any, argument: str) -> str:  # noqa: ANN401 # as above
    """The predicate, empty for None: no rows are left out. Raises: InvalidRequest if it is no text or an empty one."""
    if value is None:
        return ""
    if checked_text(value, argument, example="region = 'EU'").strip():
        return str(value)
    raise InvalidRequest(f"{argument} is empty, which would keep all rows: leave it out (None) for all, or write a predicate.")


def checked_number(value: Any, argument: str, *, least: int = 0) -> int | None:  # noqa: ANN401 # as above
    """The whole number, no smaller than `least`; None stays None. Raises: InvalidRequest for anything else."""
    if value is None:
        return None
    wanted = f"a whole number from {least} on, or None"
    if isinstance(value, bool):
        raise _wrong(value, argument, wanted)
    try:
        number = operator.index(value)
    except TypeError as error:
        raise _wrong(value, argument, wanted) from error
    if number < least:
        raise InvalidRequest(f"`{argument}` must be {wanted}, not {number}.")
    return number


def checked_names(value: Any, argument: str) -> list[str]:  # noqa: ANN401 # as above
    """The names in order. Raises: InvalidRequest for one text instead of several, other things, and repetitions."""
    if isinstance(value, str):
        raise InvalidRequest(f"`{argument}` must be a list of names, not one text: write [{value!r}].")
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise _wrong(value, argument, "a list of names")
    names = list(value)
    for name in names:
        if not isinstance(name, str):
            raise _wrong(name, argument, "a list of names; one of them is")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"`{argument}` has {', '.join(twice)} more than once: give every name once.")
    return names


def checked_mapping(value: Any, argument: str, *, example: str) -> dict[str, str]:  # noqa: ANN401 # as above
    """The texts by name; none if it is None. Raises: InvalidRequest if it is no mapping of texts."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(value, argument, f"a mapping like {example}")
    for part in (*value.keys(), *value.values()):
        if not isinstance(part, str):
            raise _wrong(part, argument, f"a mapping of texts like {example}; one part is")
    return dict(value)


def _wrong(value: object, argument: str, wanted: str) -> InvalidRequest:
    shown = f"{value!r:.60}" if isinstance(value, bool | int | float | str | list | tuple | None) else "this"
    link = "" if wanted.endswith("is") else ", not"
    return InvalidRequest(f"`{argument}` must be {wanted}{link} {shown} ({type(value).__name__}).")
