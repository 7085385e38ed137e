"""`serve`, `gateway` and `rebuild`: the server's own programs, run as a child process that ends with the command."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED, INTERRUPTED, from_mesh_error, report
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, details, errors_console, output_console, waiting
from domain_sdk.cli.server_process import Role, ServerProcess, forwarded_signals
from domain_sdk.errors import WrongState

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["COMMANDS"]

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder for database, warehouse and vectors; else MESH_HOME, else ~/.domain-mesh.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; other than loopback needs TLS. Else MESH_HOST.")]
GatewayPort = Annotated[
    int | None, typer.Option("--gateway-port", min=0, max=65535, help="The gateway's port; 0 takes a free one.")
]
FilesPort = Annotated[int | None, typer.Option("--files-port", min=0, max=65535, help="For governed files; 0 takes a free one.")]

HttpPort = Annotated[int | None, typer.Option("--http-port", min=0, max=65535, help="For OpenLineage; 0 takes a free one.")]


def serve(
    home: Home = None,
    host: Host = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="The server's port; 0 takes a free one.")] = None,
    gateway_port: GatewayPort = None,
    files_port: FilesPort = None,
    http_port: HttpPort = None,
    as_json: Json = False,
) -> None:
    """Run a governance server with its gateway until Ctrl-C.

    Everything else the server can be told is in MESH_* variables, see docs/operations.md. The exit status is 0 when it was asked
    to end (SIGTERM) and 130 after Ctrl-C.
    """
    ports = {
        "MESH_PORT": port,
        "MESH_GATEWAY_PORT": gateway_port,
        "MESH_FILES_PORT": files_port,
        "MESH_HTTP_PORT": http_port,
    }
    _run("serve", _settings(home, host, ports), _serving, as_json=as_json)


def gateway(
    home: Home = None, host: Host = None, gateway_port: GatewayPort = None, files_port: FilesPort = None, as_json: Json = False
) -> None:
    """Run a gateway alone, near the data, until Ctrl-C.

    It reads the same database and warehouse as the server, which is to name it to clients.
    """
    ports = {"MESH_GATEWAY_PORT": gateway_port, "MESH_FILES_PORT": files_port}
    _run("gateway", _settings(home, host, ports), _gateway_serving, as_json=as_json)


def rebuild(home: Home = None, as_json: Json = False) -> None:
    """Replay the journal into fresh tables and put them in place of the live ones. Stop the server first."""
    process = ServerProcess("rebuild", settings=_settings(home, None, {}), is_heard=as_json)
    try:
        with waiting("Replaying the journal …"):
            said = _ready(process, as_json=as_json)
        status = process.wait()
    finally:
        process.stop()
    if as_json:
        print(json.dumps(said), flush=True)
    else:
        output_console().print(_rebuilt(said))
    raise typer.Exit(status)


def recover_administrator(home: Home = None, as_json: Json = False) -> None:
    """Give the first administrator its seat and a new token, on the server's machine. The journal and the log show it."""
    process = ServerProcess("recover-administrator", settings=_settings(home, None, {}), is_heard=as_json)
    try:
        said = _ready(process, as_json=as_json)
        status = process.wait()
    finally:
        process.stop()
    answer(said, lambda: f"{said['principal']} may log in with the token in {said['token_file']}.", as_json=as_json)
    raise typer.Exit(status)


def _settings(home: Path | None, host: str | None, ports: Mapping[str, int | None]) -> dict[str, str]:
    given = {name: str(port) for name, port in ports.items() if port is not None}
    if home is not None:
        if home.exists() and not home.is_dir():
            raise typer.BadParameter(f"{home} is not a folder.", param_hint="--home")
        given["MESH_HOME"] = str(home)
    if host is not None:
        given["MESH_HOST"] = host
    return given


def _run(role: Role, settings: Mapping[str, str], render: Callable[[dict[str, Any]], RenderableType], *, as_json: bool) -> None:
    """The server ran until a signal or its own end, of which the exit status tells."""
    process = ServerProcess(role, settings=settings, is_heard=as_json)
    with forwarded_signals(process) as received:
        try:
            with waiting("Starting …"):
                said = _ready(process, as_json=as_json, received=received)
            if as_json:
                print(json.dumps(said), flush=True)
            else:
                output_console().print(render(said))
                _print_login(said)
            status = process.wait()
        except _EndedWhileStarting:
            status = 0
        finally:
            process.stop()
    if received and received[0] == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)
    if not received:
        errors_console().print(f"The server ended by itself with status {status}; its log is above.")
    raise typer.Exit(status)


class _EndedWhileStarting(Exception):
    """A signal came before the server was ready, and it has ended."""


def _ready(process: ServerProcess, *, as_json: bool, received: Sequence[int] = ()) -> dict[str, Any]:
    """What the process says once it is ready; ends the command with its status if it never is: its own message is told."""
    try:
        return process.ready()
    except WrongState as error:
        status = process.wait()
        if received:
            raise _EndedWhileStarting from None
        if status < 0:  # a killed process has said nothing
            raise
        if as_json:
            report(replace(from_mesh_error(error), status=status or FAILED), as_json=True)
        raise typer.Exit(status or FAILED) from None


def _print_login(said: Mapping[str, Any]) -> None:
    """The line to log in with stands outside the box and is never broken, so that it can be copied."""
    if "administrator_token_file" in said:
        line = f"mesh login --url {said['url']} --token-file {said['administrator_token_file']}"
        output_console().print("Log in from another terminal:")
        output_console().print(cell(line, "cyan"), soft_wrap=True)


def _serving(said: dict[str, Any]) -> RenderableType:
    url, token_file = str(said["url"]), str(said["administrator_token_file"])
    facts = {"url": url, "gateway": said["gateway"], "home": said["home"], "administrator": token_file}
    note = "first start: the administrator's token is in that file, readable by you only" if said["is_first_start"] else ""
    return _block("The mesh is serving", {**facts, "": note})


def _gateway_serving(said: dict[str, Any]) -> RenderableType:
    return _block("The gateway is serving", {"gateway": said["gateway"], "files port": said["files"]})


def _block(title: str, facts: Mapping[str, object]) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = [details(facts), Text("\nCtrl-C ends it.", style="dim")]
    heading = Text(title, style="bold green")
    return Panel(Group(*parts), title=heading, title_align="left", border_style="green", padding=(1, 2))


def _rebuilt(said: dict[str, Any]) -> RenderableType:
    differences = said["differences"]
    shown = details(
        {
            "changes replayed": said["changes"],
            "rows": said["rows"],
            "differences": differences or "none",
            "tables replaced": said["swapped"],
        },
        title="The tables were rebuilt from the journal",
    )
    return shown


COMMANDS = (
    Command("serve", serve, ("mesh serve", "mesh serve --home ./mesh-home --port 0 --gateway-port 0 --files-port 0 --json")),
    Command("gateway", gateway, ("mesh gateway --home ./mesh-home --gateway-port 50062 --files-port 50063",)),
    Command("rebuild", rebuild, ("mesh rebuild --home ./mesh-home",)),
    Command("recover-administrator", recover_administrator, ("mesh recover-administrator --home ./mesh-home",)),
)
