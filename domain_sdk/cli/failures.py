"""Failures as the reader sees them: a readable block, or JSON, and an exit status; a traceback only if MESH_DEBUG is set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain_sdk.cli.output import json_text

if TYPE_CHECKING:
    from typer.exceptions import TyperException

    from domain_sdk.errors import MeshError

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WRONG_USAGE",
    "Failure",
    "Interruption",
    "from_defect",
    "from_interruption",
    "from_mesh_error",
    "from_system",
    "from_usage",
    "report",
]

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
_MOST_VIOLATIONS = 100
"""As many as somebody reads; a folder of thousands of files may have one each."""
_GLOBAL_OPTIONS = ("--url", "--token", "--token-file", "--profile")


class Interruption(Exception):
    """Ctrl-C in a command that can say what to do about what it left behind: its text."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, on which thing, and what to do next."""

    title: str
    reason: str
    message: str
    status: int
    resource: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    """Path and message of each."""
    next_step: str = ""
    request_id: str = ""


def from_mesh_error(error: MeshError) -> Failure:
    """The failure that the SDK raised."""
    name = type(error).__name__
    return Failure(
        title="".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip().capitalize(),
        reason=error.reason,
        message=error.message or (type(error).__doc__ or name),
        status=FAILED,
        resource=error.resource,
        violations=tuple((it.path, it.message) for it in error.violations),
        next_step=error.next_step,
        request_id=error.request_id,
    )


def from_usage(error: TyperException) -> Failure:
    """The failure of arguments that make no command."""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mesh"
    option = str(getattr(error, "option_name", ""))
    advice = ""
    if option in _GLOBAL_OPTIONS and command != "mesh":
        advice = f"global options come first, like `mesh {option} … {command.removeprefix('mesh ')}`; "
    elif option == "--json" and command == "mesh":
        advice = "--json comes behind the command, like `mesh status --json`; "
    return Failure("Wrong usage", "USAGE", error.format_message(), WRONG_USAGE, next_step=f"{advice}see `{command} --help`.")


def from_system(error: OSError) -> Failure:
    """The failure of a file or program of this machine."""
    thing = str(error.filename or "")
    return Failure("Failed on this machine", "SYSTEM", error.strerror or str(error), FAILED, resource=thing)


def from_defect(error: BaseException) -> Failure:
    """The failure nobody foresaw."""
    return Failure(
        "Unexpected error",
        "DEFECT",
        f"{type(error).__name__}: {error}",
        FAILED,
        next_step="this is a defect of mesh: run it again with MESH_DEBUG=1 and report what it prints.",
    )


def from_interruption(next_step: str = "") -> Failure:
    """The end by Ctrl-C, and what to do about what it left behind."""
    return Failure("Interrupted", "INTERRUPTED", "Interrupted.", INTERRUPTED, next_step=next_step)


def report(failure: Failure, *, as_json: bool) -> int:
    """The exit status, after the failure was told on standard error."""
    if as_json:
        print(json_text({"error": _document(failure)}, sys.stderr), file=sys.stderr, flush=True)
    else:
        _print_block(failure)
    return failure.status


def _document(failure: Failure) -> dict[str, object]:
    return {
        "reason": failure.reason,
        "title": failure.title,
        "message": failure.message,
        "resource": failure.resource,
        "violations": [{"path": path, "message": message} for path, message in failure.violations],
        "next_step": failure.next_step,
        "request_id": failure.request_id,
        "exit_status": failure.status,
    }


def _print_block(failure: Failure) -> None:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    from domain_sdk.cli.output import cell, details, errors_console

    parts: list[Any] = [cell(failure.message)]
    if failure.violations:
        parts.append(Text())
        parts += [_violation(path, message) for path, message in failure.violations[:_MOST_VIOLATIONS]]
        if len(failure.violations) > _MOST_VIOLATIONS:
            parts.append(cell(f"and {len(failure.violations) - _MOST_VIOLATIONS:,} more: --json gives all of them"))
    resource = "" if failure.resource in failure.message else failure.resource
    facts = {"on": resource, "next": failure.next_step, "request id": failure.request_id}
    if any(facts.values()):
        parts += [Text(), details(facts)]
    title = Text(failure.title, style="bold red")
    errors_console().print(Panel(Group(*parts), title=title, title_align="left", border_style="red", padding=(0, 1)))


def _violation(path: str, message: str) -> Any:  # noqa: ANN401 # a Rich grid
    from rich.table import Table
    from rich.text import Text

    from domain_sdk.cli.output import cell

    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text("•", style="red"), Text.assemble(cell(path, "bold"), ": " if path else "", cell(message)))
    return grid
