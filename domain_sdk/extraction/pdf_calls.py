"""PDFium's functions, called in the cheapest way: pages ask many thousands of things, each for a fraction of a microsecond.

Loaded in the child process only.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from functools import cache
from typing import Any

__all__ = ["Box", "Matrix", "address_of", "area", "asked", "bounds_of", "matrix_of", "on_paper"]

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, upwards."""
Matrix = tuple[float, float, float, float, float, float]
_FLOAT = 4
_PLACES = ctypes.c_void_p


def address_of(thing: Any) -> int:  # noqa: ANN401  (pypdfium2 ships no types)
    """The address of what PDFium made, as a number."""
    return ctypes.cast(thing.raw, ctypes.c_void_p).value or 0


def area(box: Box) -> float:
    """How much of the page it takes, in square points."""
    left, bottom, right, top = box
    return abs((right - left) * (top - bottom))


@cache
def asked(function: str, result: Any, *kinds: Any) -> Any:  # noqa: ANN401  (kinds of ctypes)
    """PDFium's function with what it gives and takes, called with addresses as numbers: at half of the price."""
    import pypdfium2.raw as pdfium

    address = ctypes.cast(getattr(pdfium, function), ctypes.c_void_p).value or 0
    return ctypes.PYFUNCTYPE(result, *kinds)(address)


def bounds_of(objects: Sequence[int]) -> list[Box]:
    """Where each of a page's objects lies, within its form if it is in one."""
    ask = asked("FPDFPageObj_GetBounds", ctypes.c_int, ctypes.c_void_p, _PLACES, _PLACES, _PLACES, _PLACES)
    found = array("f", bytes(4 * _FLOAT * len(objects)))
    first, _ = found.buffer_info()
    sides = (range(first + _FLOAT * side, first + 4 * _FLOAT * len(objects), 4 * _FLOAT) for side in range(4))
    for _ in map(ask, objects, *sides):
        pass
    return list(zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True))


def matrix_of(page_object: int) -> Matrix:
    """How what the object draws is placed where it stands."""
    found = array("f", bytes(6 * _FLOAT))
    asked("FPDFPageObj_GetMatrix", ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(page_object, found.buffer_info()[0])
    a, b, c, d, e, f = found
    return a, b, c, d, e, f


def on_paper(matrix: Matrix, point: tuple[float, float]) -> tuple[float, float]:
    """The point where the matrix places it."""
    a, b, c, d, e, f = matrix
    x, y = point
    return a * x + c * y + e, b * x + d * y + f
