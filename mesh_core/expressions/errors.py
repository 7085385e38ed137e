"""Errors of the expression language.

ExpressionError
├── InvalidExpression   the text, tree or message is outside the closed language; the message names the construct
└── Unsupported         a valid expression that one target cannot evaluate without showing too much
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh_core.near_names import near_names

__all__ = ["ExpressionError", "InvalidExpression", "Unsupported", "unknown_column"]


class ExpressionError(ValueError):
    """Any error of the expression language."""


class InvalidExpression(ExpressionError):
    """The expression is outside the closed language or does not fit the columns it names."""


class Unsupported(ExpressionError):
    """A valid expression that this target cannot evaluate safely; evaluate it elsewhere or rewrite it."""


def unknown_column(name: str, known: Iterable[str]) -> InvalidExpression:
    """The error for a column that does not exist, naming the nearest ones that do."""
    names = sorted(known)
    near = near_names(name, names)
    shown = near or names[:10]
    hint = f"did you mean {', '.join(repr(n) for n in shown)}?" if near else f"the columns are {', '.join(map(repr, shown))}."
    return InvalidExpression(f"There is no column {name!r}: {hint if names else 'there are no columns.'}")
