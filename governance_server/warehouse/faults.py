"""Fault points: named places where a test can have the process killed, to prove that a crash there loses nothing."""

from __future__ import annotations

import os
import signal

__all__ = ["FAULT_VARIABLE", "fault_point"]

FAULT_VARIABLE = "MESH_FAULT"
"""Environment variable `<name>` or `<name>:<n>`: die at the n-th pass of that fault point (1 if left out)."""


def fault_point(name: str) -> None:
    """The process is dead by SIGKILL if `MESH_FAULT` asks for it here; otherwise nothing happened.

    The remaining number of passes is kept in the environment variable itself.
    """
    wanted = os.environ.get(FAULT_VARIABLE)
    if not wanted:
        return
    wanted_name, _, count = wanted.partition(":")
    if wanted_name != name:
        return
    remaining = int(count or 1) - 1
    if remaining <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.environ[FAULT_VARIABLE] = f"{name}:{remaining}"
