"""Instructions in a text: which questions ask for them, and the steps and code that only together are the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesh_core.answers.answer import Span
from mesh_core.answers.list_labels import ITEM
from mesh_core.answers.sentences import code_in

__all__ = ["asks_for_steps", "code_behind", "is_item_at", "steps_at"]

_ASKS = re.compile(
    r"\bhow (?:to|do|does|can|could|should|shall|must|may|would|is|are)\b|\b(?:what|which) (?:(?:are|is) the )?(?:\w+ )?steps?\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*[-*+•]\s")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]", re.MULTILINE)
_MOST_STEPS, _MOST_POINTS = 12, 5
"""A list with numbers is said whole up to so many sentences, one with bullets up to fewer: it may be no order of steps."""


def asks_for_steps(question: str) -> bool:
    """True if the question asks how something is done; not how much, how long or how often."""
    return _ASKS.search(question) is not None


def is_item_at(text: str, span: Span) -> bool:
    """True if the sentence stands in an item of a list."""
    return ITEM.match(text, _line_of(text, span)) is not None


def code_behind(text: str, spans: Sequence[Span], place: int) -> list[Span]:
    """The code that the sentence at the place leads to with a colon, in order; empty if it leads to none."""
    if not _leads(text, spans[place]):
        return []
    end = place + 1
    while end < len(spans) and _is_code(text, spans[end]) and not _is_apart(text, spans[end - 1], spans[end]):
        end += 1
    return list(spans[place + 1 : end])


def steps_at(text: str, spans: Sequence[Span], place: int) -> list[Span]:
    """The steps among which the sentence at the place is, or to which it leads, with what leads to them, in order.

    Steps are items of a list and code; what is indented below them belongs to them. Empty if there are none or too many.
    """
    at = place + 1 if _leads(text, spans[place]) and not is_item_at(text, spans[place]) else place
    if at >= len(spans) or not _is_step(text, spans[at]) or (at > place and _is_apart(text, spans[place], spans[at])):
        return []
    first = last = at
    while first and _is_step(text, spans[first - 1]) and not _is_apart(text, spans[first - 1], spans[first]):
        first -= 1
    while last + 1 < len(spans) and _is_step(text, spans[last + 1]) and not _is_apart(text, spans[last], spans[last + 1]):
        last += 1
    found = spans[first : last + 1]
    are_points = all(_BULLET.match(text, _line_of(text, it)) for it in found)
    if len(found) > (_MOST_POINTS if are_points else _MOST_STEPS):
        return []
    is_led = first > 0 and _leads(text, spans[first - 1]) and not _is_apart(text, spans[first - 1], spans[first])
    return list(spans[first - is_led : last + 1])


def _is_step(text: str, span: Span) -> bool:
    return is_item_at(text, span) or _is_code(text, span) or text[_line_of(text, span) : span.start].isspace()


def _is_code(text: str, span: Span) -> bool:
    """True if it stands between fences."""
    return any(it.start <= span.start < it.end for it in code_in(text))


def _leads(text: str, span: Span) -> bool:
    return text[span.start : span.end].rstrip("*_ ").endswith(":")


def _is_apart(text: str, before: Span, behind: Span) -> bool:
    """True if a heading stands between them."""
    return _HEADING.search(text, before.end, behind.start) is not None


def _line_of(text: str, span: Span) -> int:
    return text.rfind("\n", 0, span.start) + 1
