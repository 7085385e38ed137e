"""The stage: a server of the demo's own in a folder of its own, and everybody who acts, connected to it.

Whatever was started is ended by process id, and a temporary folder removed, however the demo ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from domain_sdk.cli.output import cell, errors_console
from domain_sdk.cli.server_process import ServerProcess
from domain_sdk.demo.signals import ended_by_signals
from domain_sdk.errors import InvalidRequest, WrongState
from domain_sdk.mesh import Mesh

__all__ = ["Stage", "opened"]

_LOG_LINES = 12


@dataclass(slots=True)
class Stage:
    """A running mesh."""

    url: str
    home: Path
    admin: Mesh
    stack: ExitStack
    """Closes every connection."""

    def enter(self, principal: str) -> Mesh:
        """The mesh as the principal sees it, with a token made for this visit."""
        return self.stack.enter_context(Mesh.connect(self.url, self.token(principal)))

    def token(self, principal: str) -> str:
        """A new token of the principal."""
        return self.admin.admin.create_token(principal, description="mesh demo").secret

    @property
    def admin_token_file(self) -> Path:
        """Where the server put the first administrator's token."""
        return self.home / "admin.token"


@contextmanager
def opened(home: Path | None, *, is_kept: bool) -> Iterator[Stage]:
    """A stage while in the block, on free ports of this machine with embedded defaults.

    Raises:
        InvalidRequest: the folder is not empty.
        WrongState: the server did not start; the end of its log is told.
    """
    with ExitStack() as stack:
        ignore_signals = stack.enter_context(ended_by_signals())
        try:
            stage = _set_up(stack, home, is_kept=is_kept)
            try:
                yield stage
            except Exception:
                told = f"The server's log ends with:\n{_log_end(stage.home)}"  # it goes with the folder
                errors_console().print(cell(told, "dim"))
                raise
        finally:
            ignore_signals()


def _set_up(stack: ExitStack, home: Path | None, *, is_kept: bool) -> Stage:
    """The stage, which the stack takes down."""
    folder = _folder(home)
    if home is None and not is_kept:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    log = stack.enter_context((folder / "server.log").open("w", encoding="utf-8"))
    ports = {"MESH_PORT": "0", "MESH_GATEWAY_PORT": "0", "MESH_FILES_PORT": "0"}
    process = ServerProcess("serve", settings={**ports, "MESH_HOME": str(folder)}, log=log, is_isolated=True)
    stack.callback(process.stop)
    url = str(_ready(process, folder)["url"])
    connections = stack.enter_context(ExitStack())
    admin = connections.enter_context(Mesh.connect(url, (folder / "admin.token").read_text(encoding="utf-8").strip()))
    return Stage(url, folder, admin, connections)


def _folder(home: Path | None) -> Path:
    if home is None:
        return Path(tempfile.mkdtemp(prefix="mesh-demo-"))  # mkdtemp makes it 0700
    folder = home.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequest(f"The demo needs a folder of its own and {folder} is not empty: name a new one.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _ready(process: ServerProcess, home: Path) -> dict[str, object]:
    try:
        return process.ready()
    except WrongState as error:
        raise WrongState(f"The demo's server did not start. Its last words:\n{_log_end(home)}") from error


def _log_end(home: Path) -> str:
    return "\n".join((home / "server.log").read_text(encoding="utf-8").splitlines()[-_LOG_LINES:]) or "(nothing)"
