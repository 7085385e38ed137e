"""The process in which files are parsed: what it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import domain_sdk
from domain_sdk.extraction import worker


def test_the_child_loads_parsers_and_nothing_of_the_sdk_around_them() -> None:
    source = str(Path(domain_sdk.__file__).parent)
    command = [sys.executable, "-X", "importtime", "-c", worker._PROGRAM, source, str(worker.MEMORY_BYTES)]
    log = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60).stderr
    loaded = {line.rpartition("|")[2].strip() for line in log.splitlines()}
    ours = {name for name in loaded if name.startswith(("domain_sdk", "mesh_core"))}
    assert "domain_sdk.extraction.child" in ours
    assert {name for name in ours if not name.startswith("domain_sdk.extraction")} == set()


@pytest.mark.parametrize("package", ["pandas", "numpy"])
def test_recognition_is_loaded_without_large_packages_and_leaves_them_to_others(package: str) -> None:
    code = (
        f"import sys; from domain_sdk.extraction import ocr; ocr._pytesseract(); print('{package}' in sys.modules); "
        f"import {package}; print({package}.__name__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == ["False", package]
