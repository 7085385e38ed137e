"""Every command explains itself, and its examples are commands that exist."""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from domain_sdk.cli import main
from domain_sdk.cli.app import GROUPS, PANELS, build
from domain_sdk.cli.command import Command

TOP = [("", command) for commands in PANELS.values() for command in commands]
GROUPED = [(group, command) for group, (_, commands) in GROUPS.items() for command in commands]
ALL = [*TOP, *GROUPED]
IDS = [f"{group} {command.name}".strip() for group, command in ALL]
DESIGNED = {
    *(
        "serve",
        "demo",
        "login",
        "status",
        "discover",
        "show",
        "request",
        "requests",
        "approve",
        "deny",
        "revoke",
        "read",
        "publish",
    ),
    *("retrieve", "lineage", "explain", "audit", "repair", "rebuild", "token"),
}
HEAVY = ("polars", "pyarrow", "grpc", "google.protobuf", "deltalake", "lancedb", "sqlglot", "tokenizers", "numpy", "yaml")


def help_of(group: str, command: Command, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*group.split(), command.name, "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("group", "command"), ALL, ids=IDS)
def test_the_help_of_a_command_says_what_it_does_and_shows_an_example(
    group: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(group, command, capsys)
    assert "Example" in shown
    assert "--json" in shown
    assert (command.run.__doc__ or "").split("\n")[0].rstrip(".").split(".")[0].replace("[", "").split("`")[0][:40] in shown
    for line in command.examples:
        assert " ".join(line.split())[:40] in shown


@pytest.mark.parametrize(("group", "command"), ALL, ids=IDS)
def test_the_examples_of_a_command_are_understood(
    group: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("contract.odcs.yaml").touch()
    for line in command.examples:
        words = shlex.split(line)
        assert words[0] == "mesh"
        assert parsed_name(words[1:]) == f"{group} {command.name}".strip()


def parsed_name(arguments: list[str]) -> str:
    """The command that the arguments are parsed as, all of them understood."""
    current: Any = typer.main.get_command(build())
    names, left, parent = [], arguments, None
    while True:
        context = current.make_context(current.name, left, parent=parent)
        if not hasattr(current, "commands"):
            return " ".join(names)
        name, current, left = current.resolve_command(context, [*context._protected_args, *context.args])
        names.append(str(name))
        parent = context


def test_the_commands_of_the_design_exist() -> None:
    assert {command.name for _, command in TOP} | set(GROUPS) >= DESIGNED


def test_a_flag_is_shown_without_a_type(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["publish", "--help"], ["audit", "--help"]):
        assert main(arguments) == 0
        assert "<bool>" not in capsys.readouterr().out


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "mesh demo" in capsys.readouterr().out


def test_the_help_loads_nothing_heavy_and_takes_less_than_a_second_of_work() -> None:
    program = (
        "import sys; from domain_sdk.cli import main; status = main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "[]"
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 1.0
