"""What can go wrong with files and Delta logs, as a small tree of its own.

    WarehouseError
    ├── StorageUnavailable   a folder or file cannot be read or written
    ├── UnsafeName           a name that could lead out of the warehouse
    ├── DeliveryRejected     delivered files break the contract; `problems` lists all
    └── VersionConflict      the Delta log already holds something else under this version

Knows nothing of status codes: the edge maps these onto the server's errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["DeliveryRejected", "StorageUnavailable", "UnsafeName", "VersionConflict", "WarehouseError"]


class WarehouseError(Exception):
    """Anything that kept the warehouse from doing what was asked."""


class StorageUnavailable(WarehouseError):
    """A location cannot be used; `location` names it."""

    def __init__(self, location: Path | str, cause: str) -> None:
        super().__init__(
            f"The storage location {location} cannot be used: {cause}. "
            "Check that it exists, has room and belongs to the server's user."
        )
        self.location = str(location)


class UnsafeName(WarehouseError):
    """A name or link would lead outside the warehouse, or names something that cannot be told apart safely."""


class DeliveryRejected(WarehouseError):
    """Delivered files are not what was declared or what the contract asks for; `problems` has one sentence for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"The delivery was rejected for {len(problems)} reason(s):\n" + "\n".join(f"- {p}" for p in problems))
        self.problems = tuple(problems)


class VersionConflict(WarehouseError):
    """Another publication, or another writer, holds this version or moved the table meanwhile."""
