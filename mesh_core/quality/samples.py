"""Shows values at fault, shortened, or masked when they are personal."""

from __future__ import annotations

from mesh_core.quality.report import MASKED

__all__ = ["sample_text"]

_MAX_LENGTH = 80


def sample_text(values: tuple[object, ...], *, is_personal: bool) -> str:
    """A value, or a composite key in parentheses, at most 80 characters long; `•••` when personal."""
    if is_personal:
        return MASKED
    shown = _one(values[0]) if len(values) == 1 else f"({', '.join(_one(value) for value in values)})"
    return shown if len(shown) <= _MAX_LENGTH else f"{shown[: _MAX_LENGTH - 1]}…"


def _one(value: object) -> str:
    if value is None:
        return "null"
    return repr(value[:_MAX_LENGTH]) if isinstance(value, (str, bytes)) else str(value)
