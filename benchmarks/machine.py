"""What a measurement ran on, and the memory of processes, read from /proc."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

__all__ = ["children", "code", "describe", "memory_bytes", "peak_memory_bytes", "processor_seconds"]


def describe() -> str:
    """Cores, memory, Python, system and the load average just now."""
    found = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    gib = int(found.group(1)) / (1 << 20) if found else 0
    return (
        f"{os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )


def code(root: Path) -> str:
    """The commit that is checked out at `root`, with a `+` if files that are no figures differ from it; empty without git."""
    measured = (".", ":!benchmarks/results.json", ":!docs/benchmarks.md")
    try:
        commit = _git(root, "rev-parse", "--short", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--", *measured) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def memory_bytes(pid: int) -> int:
    """Resident memory of the process now."""
    return _status(pid, "VmRSS")


def peak_memory_bytes(pid: int | str = "self") -> int:
    """The most memory that was resident since the process began its program."""
    return _status(pid, "VmHWM")


def children(pid: int) -> list[int]:
    """The processes that the process started and that still run."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def processor_seconds(pid: int) -> float:
    """The processor time that the process has taken so far, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _status(pid: int | str, field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise ProcessLookupError(f"process {pid} has no {field}: it has ended.")
    return int(found.group(1)) * 1024
