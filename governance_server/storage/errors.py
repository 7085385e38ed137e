"""What storage can fail with.

StorageError
├── InvalidDatabaseUrl      the configured URL names no supported database
├── SchemaTooNew            a newer release has migrated this database
└── StorageUnavailable      the database cannot be reached, is full or was locked too long; nothing was written
"""

from __future__ import annotations

__all__ = ["InvalidDatabaseUrl", "SchemaTooNew", "StorageError", "StorageUnavailable"]


class StorageError(Exception):
    """Base of what storage raises."""


class InvalidDatabaseUrl(StorageError):
    """The configured database URL cannot be used; the message says which forms can."""


class SchemaTooNew(StorageError):
    """The database carries a schema this release does not know."""


class StorageUnavailable(StorageError):
    """The database did not take the write; nothing of it is stored."""
