"""The tutorial keeps its word: every block of it runs, in order, against a real server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import RunningServer
from tests.shared_data import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run_commands(text: str, server: RunningServer) -> None:
    """Every command but `mesh serve`, with this server's address and token file in place of the default ones."""
    for line in text.splitlines():
        if line == "mesh serve":
            continue
        words = [
            {"http://127.0.0.1:50051": server.url, "~/.domain-mesh/admin.token": str(server.home / "admin.token")}.get(word, word)
            for word in shlex.split(line, comments=True)
        ]
        assert words[0] == "mesh", line
        command = [sys.executable, "-c", "import sys; from domain_sdk.cli import main; sys.exit(main())", *words[1:]]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, f"{line}: {result.stdout}{result.stderr}"


@pytest.mark.timeout(180)
def test_every_block_of_the_tutorial_runs_in_order(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MESH_URL", raising=False)
    monkeypatch.delenv("MESH_TOKEN", raising=False)
    names: dict[str, object] = {}
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert {language for language, _, _ in blocks} == {"sh", "python", "yaml", "markdown"}
    for language, title, text in blocks:
        if language == "sh":
            run_commands(text, server)
        elif language == "python":
            exec(compile(text, f"tutorial.md: {text.splitlines()[0]}", "exec"), names)  # the point of the test
        else:
            path = tmp_path / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    assert os.environ.get("MESH_TOKEN") is None
