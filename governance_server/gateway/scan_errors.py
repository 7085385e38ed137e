"""What can go wrong with a governed scan.

    ScanError
    ├── HiddenColumn     a column that does not exist or may not be seen; the two are not told apart
    ├── PlanOutdated     the table no longer has what the plan or its policy relies on: nothing is shown
    └── ScanFailed       the table could not be read; the message holds no data values

Knows nothing of status codes: the edge maps these onto the server's errors.
"""

from __future__ import annotations

__all__ = ["HiddenColumn", "PlanOutdated", "ScanError", "ScanFailed"]


class ScanError(Exception):
    """Anything that kept a governed scan from giving rows: on which port, and the detail that its message is made of."""

    def __init__(self, message: str, port: str, detail: str) -> None:
        super().__init__(message)
        self.port = port
        self.detail = detail


class HiddenColumn(ScanError):
    """A requested column is not among the visible ones."""

    def __init__(self, port: str, column: str) -> None:
        super().__init__(f"{port} has no column {column!r} that you may read: ask for the columns of its plan.", port, column)


class PlanOutdated(ScanError):
    """Plan and table do not fit; reading anyway could show too much."""

    def __init__(self, port: str, cause: str) -> None:
        told = f"{port} cannot be read under its policy: {cause}. Correct the policy or publish the product again."
        super().__init__(told, port, cause)


class ScanFailed(ScanError):
    """The engine could not read the table."""

    def __init__(self, port: str, kind: str) -> None:
        super().__init__(f"Reading {port} failed ({kind}). Try again; if it persists, publish the product again.", port, kind)
