"""PDFium's functions, called in the cheapest way: pages ask many thousands of things, each for a fraction of a microsecond.

Loaded in the child process only.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import Any

__all__ = ["Address", "Box", "Matrix", "address_of", "area", "asked", "bounds_of", "matrix_of", "on_paper"]

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, upwards."""
Matrix = tuple[float, float, float, float, float, float]
_FLOAT = 4


class Address(ctypes.c_void_p):
    """Where something is that PDFium made; false where there is nothing."""


def address_of(thing: Any) -> Address:  # noqa: ANN401  (pypdfium2 ships no types)
    """The address of what PDFium made for pypdfium2."""
    return Address(ctypes.cast(thing.raw, ctypes.c_void_p).value)


def area(box: Box) -> float:
    """How much of the page it takes, in square points."""
    left, bottom, right, top = box
    return abs((right - left) * (top - bottom))


@cache
def asked(function: str, result: Any) -> Any:  # noqa: ANN401  (a kind of ctypes)
    """PDFium's function, which gives such a result, without checks of what it is given: at half of the price.

    Give it `Address`, `byref`, and int for a C int; whatever else it takes as a value of its own kind of ctypes.
    """
    import pypdfium2.raw as pdfium

    address = ctypes.cast(getattr(pdfium, function), ctypes.c_void_p).value or 0
    return ctypes.PYFUNCTYPE(result)(address)


def bounds_of(objects: Sequence[Address]) -> list[Box]:
    """Where each of a page's objects lies, within its form if it is in one."""
    found = (ctypes.c_float * (4 * len(objects)))()
    sides = (map(ctypes.byref, repeat(found), range(side * _FLOAT, ctypes.sizeof(found), 4 * _FLOAT)) for side in range(4))
    deque(map(asked("FPDFPageObj_GetBounds", ctypes.c_int), objects, *sides), maxlen=0)
    return list(zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True))


def matrix_of(page_object: Address) -> Matrix:
    """How what the object draws is placed where it stands."""
    found = (ctypes.c_float * 6)()
    asked("FPDFPageObj_GetMatrix", ctypes.c_int)(page_object, ctypes.byref(found))
    a, b, c, d, e, f = found
    return a, b, c, d, e, f


def on_paper(matrix: Matrix, point: tuple[float, float]) -> tuple[float, float]:
    """The point where the matrix places it."""
    a, b, c, d, e, f = matrix
    x, y = point
    return a * x + c * y + e, b * x + d * y + f
