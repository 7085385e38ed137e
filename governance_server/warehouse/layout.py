"""Where things lie in local storage: a port's Delta table, what a publication delivered and what was taken in of it (ADR 0001).

Owns paths and their safety: every name is checked, no component may be a symbolic link, nothing leads outside the two roots.
Knows nothing of what the files contain.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

from governance_server.warehouse.errors import StorageUnavailable, UnsafeName
from mesh_core.names import InvalidName, check_port_part, parse_port

__all__ = ["Warehouse", "check_publication_id"]

_INCOMING = ".incoming"
"""Within the warehouse; no domain's name begins with a dot."""
_PUBLICATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{15,127}\Z")


def check_publication_id(publication_id: str) -> str:
    """The id, if it is safe as a folder name and long enough not to be guessed. Raises: UnsafeName."""
    if not _PUBLICATION.match(publication_id):
        raise UnsafeName(f"{publication_id!r} is not a publication id: use 16 to 128 of A-Z a-z 0-9 _ -, made from random bits.")
    return publication_id


class Warehouse:
    """The folder of all Delta tables (`root`) and the folder publishers write to (`drop`).

    Both exist afterwards. `root` is 0700. A `drop` that had to be created is 0700 too; an existing one keeps its mode, and drop
    folders carry that mode, so an administrator decides who may deliver.

    Raises: StorageUnavailable.
    """

    def __init__(self, root: Path, drop: Path) -> None:
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)
            drop.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnavailable(error.filename or root, error.strerror or str(error)) from error
        self.root = root.resolve()
        self.drop = drop.resolve()

    def port_location(self, port_name: str) -> Path:
        """The folder of the port's Delta table; it need not exist yet. Raises: InvalidName, UnsafeName, StorageUnavailable."""
        name = parse_port(port_name)
        return _inside(self.root, name.domain, name.product, name.port)

    def drop_folder(self, publication_id: str, port: str) -> Path:
        """The folder the publication's files of one port (its last name part) go to; exists afterwards.

        The publication id is the secret that keeps others away from it: make it from at least 128 random bits.

        Raises: UnsafeName, StorageUnavailable.
        """
        path = self.find_drop_folder(publication_id, port)
        try:
            mode = stat.S_IMODE(self.drop.stat().st_mode)
            for folder in (path.parent, path):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise StorageUnavailable(error.filename or path, error.strerror or str(error)) from error
        return _inside(self.drop, publication_id, port)

    def find_drop_folder(self, publication_id: str, port: str) -> Path:
        """Where `drop_folder` puts it, without creating anything. Raises: UnsafeName, StorageUnavailable."""
        try:
            check_port_part(port)
        except InvalidName as error:
            raise UnsafeName(str(error)) from error
        return _inside(self.drop, check_publication_id(publication_id), port)

    def incoming_folder(self, publication_id: str, port: str) -> Path:
        """Where the port's delivered files lie once they are the server's own and no publisher reaches them; may not exist.

        Raises: UnsafeName, StorageUnavailable.
        """
        try:
            check_port_part(port)
        except InvalidName as error:
            raise UnsafeName(str(error)) from error
        return _inside(self.root, _INCOMING, check_publication_id(publication_id), port)

    def discard(self, publication_id: str) -> None:
        """Nothing is left of what the publication delivered and the server took in; repeating it is harmless.

        Raises: UnsafeName, StorageUnavailable.
        """
        _remove(self.drop / check_publication_id(publication_id))
        self.discard_incoming(publication_id)

    def discard_incoming(self, publication_id: str) -> None:
        """Nothing is left of what the server took in; what still lies in the drop area stays. Raises: StorageUnavailable."""
        _remove(self.root / _INCOMING / check_publication_id(publication_id))

    def publications(self) -> set[str]:
        """Ids of the publications that have files in the drop area or taken in. Raises: StorageUnavailable."""
        found: set[str] = set()
        for area in (self.drop, self.root / _INCOMING):
            try:
                found.update(entry.name for entry in area.iterdir() if _PUBLICATION.match(entry.name))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageUnavailable(area, error.strerror or str(error)) from error
        return found


def _remove(path: Path) -> None:
    try:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageUnavailable(error.filename or path, error.strerror or str(error)) from error


def _inside(root: Path, *parts: str) -> Path:
    path = root
    if not root.is_dir():
        raise StorageUnavailable(root, "it is not a folder")
    for part in parts:
        if part in {"", ".", ".."} or os.sep in part or "\0" in part:
            raise UnsafeName(f"{part!r} is not a plain name.")
        path = path / part
        if path.is_symlink():
            raise UnsafeName(f"{path} is a symbolic link: the warehouse follows none. Remove it.")
    return path
