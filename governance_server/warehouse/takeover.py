"""Delivered files become the server's own: moved into the table's folder, where no log entry names them yet.

Verify the files *after* taking them over: from then on no publisher can change them. `give_up` removes them if that fails.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from governance_server.warehouse.delivered import DeliveredFile
from governance_server.warehouse.errors import DeliveryRejected
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import check_publication_id

__all__ = ["give_up", "take_over", "taken_name"]

_MAX_NAME_BYTES = 255
_File = TypeVar("_File", bound=DeliveredFile)


def taken_name(publication_id: str, name: str) -> str:
    """The name a delivered file gets in the table's folder: unique, made of safe characters, the same on every repeat."""
    return f"{check_publication_id(publication_id)}-{hashlib.sha256(name.encode()).hexdigest()[:24]}.parquet"


def take_over(folder: Folder, files: Sequence[_File], table_root: Folder, publication_id: str) -> tuple[_File, ...]:
    """The files lie in `table_root` under new names, on the disk; returned are the same values with those names.

    May be repeated after a crash at any point: what was moved stays, the rest follows.

    Raises: DeliveryRejected if a file is missing, is no regular file or has another size; StorageUnavailable.
    """
    taken = tuple(replace(file, name=taken_name(publication_id, file.name)) for file in files)
    table_root.make()
    problems = [p for file, new in zip(files, taken, strict=True) if (p := _problem(folder, file, table_root, new.name))]
    if problems:
        raise DeliveryRejected(problems)
    for file, new in zip(files, taken, strict=True):
        table_root.take(new.name, folder, file.name)
        fault_point("take_over.file")
    table_root.settle()
    fault_point("take_over.done")
    return taken


def give_up(table_root: Folder, files: Sequence[DeliveredFile], publication_id: str) -> None:
    """Files of a failed publication that `take_over` brought are gone; repeating it is harmless.

    Only for a publication that has no entry in the Delta log. `files` carry their taken names.

    Raises: StorageUnavailable.
    """
    prefix = check_publication_id(publication_id) + "-"
    for file in files:
        if file.name.startswith(prefix) and os.sep not in file.name:
            table_root.remove(file.name)


def _problem(folder: Folder, file: DeliveredFile, table_root: Folder, taken: str) -> str | None:
    if not file.name or file.name in {".", ".."} or os.sep in file.name or "\0" in file.name:
        return f"{file.name!r} is not a plain file name."
    if len(os.fsencode(file.name)) > _MAX_NAME_BYTES:
        return f"{file.name[:40]}…: the name is longer than {_MAX_NAME_BYTES} bytes."
    found = table_root.find(taken) or folder.find(file.name)
    if found is None:
        return f"{file.name}: the file is missing."
    if not found.is_regular:
        return f"{file.name}: it is not a regular file."
    if found.size != file.size:
        return f"{file.name}: {found.size} bytes, declared were {file.size}."
    return None
