"""What a publisher declares about a file it delivered, and what the server found in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DeliveredFile", "VerifiedFile"]


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One Parquet file in a folder: plain name, size in bytes, number of rows."""

    name: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class VerifiedFile(DeliveredFile):
    """A delivered file whose footer was read.

    `stats_json` are its statistics and `partition` its values of the partition columns, as the Delta protocol writes them.
    """

    stats_json: str
    partition: tuple[tuple[str, str | None], ...] = ()
