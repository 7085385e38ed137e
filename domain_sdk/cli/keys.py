"""`keys list`, `keys rotate`, `keys remove`, `keys init`: the server's own keys, on the machine where their file lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.errors import WrongState

__all__ = ["COMMANDS"]

Home = Annotated[Path | None, typer.Option("--home", help="The server's folder; else MESH_HOME, else ~/.domain-mesh.")]


def list_keys(home: Home = None, as_json: Json = False) -> None:
    """List the server's keys, without their secrets."""
    found = _run("list", home=home)
    rows = [(cell(key["id"], "bold"), key["purpose"], key["state"], key["create_time"]) for key in found]
    answer(found, lambda: table(("id", "for", "state", "made"), rows), as_json=as_json)


def rotate(
    purpose: Annotated[str, typer.Argument(help="tokens, checkpoints or masks.")], home: Home = None, as_json: Json = False
) -> None:
    """Make a new key for a purpose. The old one goes on checking what it made; running servers need no restart."""
    made = _run("rotate", purpose, home=home)
    answer(made, lambda: f"{made['id']} is used for {purpose} from now on. Back the key file up.", as_json=as_json)


def remove(
    id: Annotated[str, typer.Argument(metavar="ID", help="A retired key, from `mesh keys list`.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Remove a retired key for good: what was made with it is refused from now on."""
    removed = _run("remove", id, home=home)
    answer(removed, lambda: f"{id} is gone.", as_json=as_json)


def init(home: Home = None, as_json: Json = False) -> None:
    """Make new keys in the place of a lost key file, and a new token for the first administrator. All other tokens are void."""
    said = _run("init", home=home)
    words = f"New keys are in {said['keys']}, a new administrator's token in {said['administrator_token_file']}."
    answer(said, lambda: words, as_json=as_json)


def _run(*words: str, home: Path | None) -> Any:  # noqa: ANN401  # what the server's command printed
    """Raises: WrongState with the server's own words."""
    environment = {**os.environ, **({"MESH_HOME": str(home)} if home is not None else {})}
    command = [sys.executable, "-m", "governance_server", "keys", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise WrongState(
            ended.stderr.strip().removeprefix("mesh keys: ").splitlines()[-1] if ended.stderr.strip() else "No answer."
        )
    return json.loads(ended.stdout)


COMMANDS = (
    Command("list", list_keys, ("mesh keys list", "mesh keys list --json")),
    Command("rotate", rotate, ("mesh keys rotate tokens",)),
    Command("remove", remove, ("mesh keys remove ID",)),
    Command("init", init, ("mesh keys init --home ./mesh-home",)),
)
