"""The `mesh` application: every command with its help and example, the global options, and one place where failures end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from domain_sdk.cli import (
    access,
    admin,
    approval_rules,
    asking,
    audit,
    break_glass,
    catalog,
    changes,
    contract_changes,
    conversations,
    erasing,
    expectations,
    failures,
    folders,
    identity,
    inbox,
    journal,
    keys,
    measures,
    open_lineage,
    pipelines,
    policy,
    publishing,
    quality,
    querying,
    questions,
    reading,
    servers,
    story,
    tag_paths,
    tags,
    tokens,
    upkeep,
)
from domain_sdk.cli.command import Command
from domain_sdk.cli.flags import FlagCommand, FlagGroup
from domain_sdk.cli.output import open_streams
from domain_sdk.cli.session import Session
from domain_sdk.errors import MeshError

__all__ = ["GROUPS", "PANELS", "build", "run"]

PANELS: dict[str, tuple[Command, ...]] = {
    "Start": (*story.COMMANDS, *servers.COMMANDS, *identity.COMMANDS),
    "Find and read": (
        *catalog.COMMANDS,
        *reading.COMMANDS,
        *asking.COMMANDS,
        *conversations.COMMANDS,
        *querying.COMMANDS,
        *measures.COMMANDS,
        *quality.COMMANDS,
    ),
    "Access": (*access.COMMANDS, *inbox.COMMANDS, *policy.COMMANDS, *questions.COMMANDS, *break_glass.COMMANDS),
    "The mesh in git": (*folders.COMMANDS, *changes.COMMANDS),
    "Publish and run": (
        *publishing.COMMANDS,
        *pipelines.COMMANDS,
        *contract_changes.COMMANDS,
        *expectations.COMMANDS,
        *upkeep.COMMANDS,
        *erasing.COMMANDS,
        *journal.COMMANDS,
    ),
}
GROUPS: dict[str, tuple[str, tuple[Command, ...]]] = {
    "approval-rules": ("Rules that approve access requests when they are filed.", approval_rules.COMMANDS),
    "audit": (
        "Who changed what, who read what, and the proof of both.",
        (*audit.COMMANDS, *journal.AUDIT_COMMANDS, *break_glass.AUDIT_COMMANDS),
    ),
    "conversations": (
        "What people asked, and what they think of the answers, as a product.",
        conversations.CONVERSATIONS,
    ),
    "openlineage": ("OpenLineage events: send them, and see the runs they tell of.", open_lineage.COMMANDS),
    "tags": ("Tags of columns, and why they are there.", tag_paths.COMMANDS),
    "token": ("Tokens: what proves who calls.", tokens.COMMANDS),
    "keys": ("The server's own keys, where their file lies.", keys.COMMANDS),
    "admin": ("Set the mesh up: domains, principals, purposes, guardrails, tags.", (*admin.COMMANDS, *tags.COMMANDS)),
}


def build() -> typer.Typer:
    """The application with all its commands."""
    app = _typer(help="A data mesh in which governance acts. New here? Run [bold]mesh demo[/bold].")
    app.callback()(_global_options)
    for panel, commands in PANELS.items():
        _register(app, commands, panel=panel)
    for name, (help_text, commands) in GROUPS.items():
        group = _typer(help=help_text)
        _register(group, commands, panel="Commands")
        app.add_typer(group, name=name, rich_help_panel="Publish and run")
    return app


def run(arguments: Sequence[str]) -> int:
    """The exit status after the command ran; every failure has been told."""
    as_json = "--json" in arguments
    open_streams()
    try:
        command = typer.main.get_command(build())
        status = command.main(list(arguments) or ["--help"], prog_name="mesh", standalone_mode=False)
        sys.stdout.flush()
        return _interrupted(as_json) if status == failures.INTERRUPTED else int(status or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(as_json)
    except failures.Interruption as stopped:
        return _interrupted(as_json, next_step=str(stopped))
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:  # the edge: nothing above it would tell the reader
        if os.environ.get("MESH_DEBUG"):
            raise
        return failures.report(_failure(error), as_json=as_json)


def _failure(error: Exception) -> failures.Failure:
    if isinstance(error, MeshError):
        return failures.from_mesh_error(error)
    if isinstance(error, TyperException):
        return failures.from_usage(error)
    if isinstance(error, OSError):
        return failures.from_system(error)
    return failures.from_defect(error)


def _interrupted(as_json: bool, *, next_step: str = "") -> int:
    with contextlib.suppress(OSError):
        if as_json:
            return failures.report(failures.from_interruption(next_step), as_json=True)
        print(f"Interrupted. {next_step}".rstrip(), file=sys.stderr)
    return failures.INTERRUPTED


def _reader_left() -> int:
    """Whoever read standard output (`| head`) has enough; the interpreter must not trip over it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _typer(*, help: str) -> typer.Typer:
    return typer.Typer(
        cls=FlagGroup,
        help=help,
        rich_markup_mode="rich",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )


def _register(app: typer.Typer, commands: Sequence[Command], *, panel: str) -> None:
    for command in commands:
        app.command(command.name, cls=FlagCommand, epilog=command.epilog, rich_help_panel=panel)(command.run)


def _global_options(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The server; else MESH_URL, else the profile's.")
    ] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="File with the token to use; - is standard input.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="The token itself; others may see it in the list of processes.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="A profile that `mesh login` saved; else the latest.")
    ] = None,
) -> None:
    if token is not None and token_file is not None:
        raise typer.BadParameter("Give --token or --token-file, not both.")
    for option, given in (("--url", url), ("--token", token), ("--token-file", token_file), ("--profile", profile)):
        if given is not None and not given.strip():
            raise typer.BadParameter("It is empty: is a variable of your shell not set?", param_hint=option)
    ctx.obj = Session(url=url, token=token, token_file=token_file, profile=profile)
