"""From a setting to a warehouse: a local folder, or a bucket of an S3-compatible store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.local_folder import LocalFolder

__all__ = ["open_warehouse"]

_DROP, _PROBE = ".drop", ".probe"
"""Within a bucket's warehouse; no domain's name begins with a dot."""


def open_warehouse(location: str, drop: Path, scratch: Path | None = None) -> Warehouse:
    """The warehouse at a local path or at `s3://bucket/prefix`; it can be reached.

    A local one is private to its owner and has its drop area at `drop`: a drop area that had to be created is private too, an
    existing one keeps its mode. One in a bucket has its drop area within. What is needed for a while only lies in `scratch`.

    Raises: StorageUnavailable.
    """
    if location.startswith("s3://"):
        return _in_bucket(location, scratch)
    root = Path(location)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)
        drop.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnavailable(error.filename or root, error.strerror or str(error)) from error
    return Warehouse(LocalFolder(root.resolve()), LocalFolder(drop.resolve()), scratch)


def _in_bucket(url: str, scratch: Path | None) -> Warehouse:
    try:
        from governance_server.warehouse.object_folder import Bucket, ObjectFolder
    except ModuleNotFoundError as error:
        raise StorageUnavailable(url, f"it needs {error.name}: install domain-mesh[server,s3]") from error
    parts = urlsplit(url)
    bucket = Bucket(parts.netloc)
    root = ObjectFolder(bucket, parts.path.strip("/"))
    bucket.check_conditional_put(root.inside(_PROBE).prefix)
    return Warehouse(root, root.inside(_DROP), scratch)
