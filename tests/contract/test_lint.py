"""The tree's own rules: style, types, imports and the API description."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared_data import ROOT

BIN = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    parts = [str(part) for part in command]
    result = subprocess.run(parts, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


def test_ruff_finds_nothing() -> None:
    run(BIN / "ruff", "check", ".")


def test_the_code_is_formatted() -> None:
    run(BIN / "ruff", "format", "--check", ".")


@pytest.mark.timeout(600)
def test_mypy_finds_nothing() -> None:
    run(BIN / "mypy")


def test_the_layers_hold() -> None:
    run(BIN / "lint-imports", "--no-cache")


def test_buf_finds_nothing_in_the_api() -> None:
    run(BIN / "buf", "lint")


def test_the_api_description_is_formatted() -> None:
    run(BIN / "buf", "format", "--diff", "--exit-code")


def test_the_api_breaks_nothing_since_the_latest_release() -> None:
    listed = ["git", "tag", "--list", "v*", "--sort=-v:refname"]
    tags = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    if not tags.stdout.strip():
        return  # before the first release there is nothing to break
    run(BIN / "buf", "breaking", "--against", f".git#tag={tags.stdout.split()[0]}")


def test_the_generated_code_is_what_the_api_description_generates(tmp_path: Path) -> None:
    run(ROOT / "scripts" / "generate", tmp_path)
    fresh = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    files = (path for path in (ROOT / "gen").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    kept = {path.relative_to(ROOT / "gen") for path in files}
    assert fresh == kept
    different = [str(name) for name in fresh if not filecmp.cmp(tmp_path / name, ROOT / "gen" / name, shallow=False)]
    assert not different, f"regenerate with `make gen`: {different}"
