"""How long a soak goes on: rounds of the same, until the time is over, so that it ends whatever the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

__all__ = ["SOAK_SECONDS", "rounds"]

SOAK_SECONDS = float(os.environ.get("MESH_SOAK_SECONDS", "60"))
"""What each test that soaks may take, besides its last round."""


def rounds() -> Iterator[int]:
    """Numbers from 0, at least one, until the time is over."""
    end = time.monotonic() + SOAK_SECONDS
    number = 0
    while number == 0 or time.monotonic() < end:
        yield number
        number += 1
