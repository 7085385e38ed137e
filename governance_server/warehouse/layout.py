"""Where things lie in storage: a port's Delta table, what a publication delivered and what was taken in of it (ADR 0001).

Owns names and their safety: every name is checked, nothing leads outside the two roots. Knows nothing of what the files contain,
and not whether they lie on a disk or in a bucket.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from governance_server.warehouse.errors import StorageUnavailable, UnsafeName
from governance_server.warehouse.folder import Folder
from mesh_core.names import InvalidName, check_port_part, parse_port

if TYPE_CHECKING:
    from governance_server.warehouse.open_tables import OpenTables

__all__ = ["CHANGE_FOLDER", "Warehouse", "check_publication_id"]

_INCOMING = ".incoming"
"""Within the warehouse; no domain's name begins with a dot."""
CHANGE_FOLDER = "_mesh_changes"
"""Within a table: rows that merges replaced, for the change feed. A vacuum of the Delta table leaves such a folder alone."""
_PUBLICATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{15,127}\Z")


def check_publication_id(publication_id: str) -> str:
    """The id, if it is safe as a folder name and long enough not to be guessed. Raises: UnsafeName."""
    if not _PUBLICATION.match(publication_id):
        raise UnsafeName(f"{publication_id!r} is not a publication id: use 16 to 128 of A-Z a-z 0-9 _ -, made from random bits.")
    return publication_id


class Warehouse:
    """The folder of all Delta tables (`root`) and the folder publishers write to (`drop`), both in the same storage."""

    def __init__(self, root: Folder, drop: Folder, scratch: Path | None = None) -> None:
        """`scratch` is a folder of this machine for what is needed for a while; the system's own if none is given."""
        self.root = root
        self.drop = drop
        self._scratch = scratch

    @cached_property
    def tables(self) -> OpenTables:
        """The tables that this process has open for writing."""
        from governance_server.warehouse.open_tables import OpenTables

        return OpenTables(self._scratch)

    def port_location(self, port_name: str) -> Folder:
        """The folder of the port's Delta table; it need not exist yet. Raises: InvalidName, UnsafeName, StorageUnavailable."""
        name = parse_port(port_name)
        return _inside(self.root, name.domain, name.product, name.port)

    def drop_folder(self, publication_id: str, port: str) -> Folder:
        """The folder the publication's files of one port (its last name part) go to; exists afterwards.

        The publication id is the secret that keeps others away from it: make it from at least 128 random bits.

        Raises: UnsafeName, StorageUnavailable.
        """
        folder = self.find_drop_folder(publication_id, port)
        self.drop.make_for_publishers(publication_id, port)
        return folder

    def find_drop_folder(self, publication_id: str, port: str) -> Folder:
        """Where `drop_folder` puts it, without creating anything. Raises: UnsafeName, StorageUnavailable."""
        return _inside(self.drop, check_publication_id(publication_id), _checked_port(port))

    def incoming_folder(self, publication_id: str, port: str) -> Folder:
        """Where the port's delivered files lie once they are the server's own and no publisher reaches them; may not exist.

        Raises: UnsafeName, StorageUnavailable.
        """
        return _inside(self.root, _INCOMING, check_publication_id(publication_id), _checked_port(port))

    def discard(self, publication_id: str) -> None:
        """Nothing is left of what the publication delivered and the server took in; repeating it is harmless.

        Raises: UnsafeName, StorageUnavailable.
        """
        self.drop.clear(check_publication_id(publication_id))
        self.discard_incoming(publication_id)

    def discard_incoming(self, publication_id: str) -> None:
        """Nothing is left of what the server took in; what still lies in the drop area stays. Raises: StorageUnavailable."""
        self.root.inside(_INCOMING).clear(check_publication_id(publication_id))

    def publications(self) -> set[str]:
        """Ids of the publications that have files in the drop area or taken in. Raises: StorageUnavailable."""
        areas = (self.drop, self.root.inside(_INCOMING))
        return {name for area in areas for name in area.subfolders() if _PUBLICATION.match(name)}


def _checked_port(port: str) -> str:
    try:
        check_port_part(port)
    except InvalidName as error:
        raise UnsafeName(str(error)) from error
    return port


def _inside(root: Folder, *parts: str) -> Folder:
    if not root.exists():
        raise StorageUnavailable(root.uri, "it is not a folder")
    return root.inside(*parts)
