"""`demo`: a mesh of its own, with the sample domains, and the story it plays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json

__all__ = ["COMMANDS"]


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running and print how to log in, until Ctrl-C.")] = False,
    home: Annotated[
        Path | None, typer.Option("--home", help="An empty folder to use and keep; a temporary one when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a mesh on this machine, let the sample domains publish, and play what governance does. Under a minute."""
    from domain_sdk.demo import play

    raise typer.Exit(play(keep=keep, home=home, as_json=as_json))


COMMANDS = (Command("demo", demo, ("mesh demo", "mesh demo --keep")),)
