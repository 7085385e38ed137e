"""The process in which files are parsed: what it loads."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

import domain_sdk
from domain_sdk.extraction import child, ocr, worker


def test_the_child_loads_parsers_and_nothing_of_the_sdk_around_them() -> None:
    source = str(Path(domain_sdk.__file__).parent)
    command = [sys.executable, "-X", "importtime", "-c", worker._PROGRAM, source, str(worker.MEMORY_BYTES)]
    log = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60).stderr
    loaded = {line.rpartition("|")[2].strip() for line in log.splitlines()}
    ours = {name for name in loaded if name.startswith(("domain_sdk", "mesh_core"))}
    assert "domain_sdk.extraction.child" in ours
    assert {name for name in ours if not name.startswith("domain_sdk.extraction")} == set()


@pytest.mark.parametrize("package", ["pandas", "numpy"])
def test_recognition_is_loaded_without_large_packages(package: str) -> None:
    code = (
        "import sys; from PIL import Image; from domain_sdk.extraction import ocr; ocr.recognise(Image.new('L', (64, 64))); "
        f"print('{package}' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == ["False"]


def test_the_words_of_a_picture_are_those_that_tesseract_is_sure_of_by_paragraph() -> None:
    names = "level page_num block_num par_num line_num word_num left top width height conf text"
    words = ("4 1 1 1 1 0 0 0 9 9 -1 ", "5 1 1 1 1 1 0 0 9 9 90.5 Total", "5 1 1 1 1 2 0 0 9 9 29.9 noise",
             '5 1 1 1 2 1 0 0 9 9 80.5 "due', "5 1 1 2 1 1 0 0 9 9 30 2024", "")  # fmt: skip
    table = "\n".join(line.replace(" ", "\t") for line in (names, *words))
    assert ocr._recognition(table) == ocr.Recognition('Total "due\n\n2024', (90.5 + 80.5 + 30) / 3)


@pytest.mark.parametrize(("error", "said"), [(RecursionError, "deeply"), (TypeError, "no parser"), (ValueError, "no parser")])
def test_a_parser_that_fails_is_told_of_the_file_in_words(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception], said: str
) -> None:
    def failing(path: Path, answers: object) -> None:
        raise error("inner words")

    monkeypatch.setattr(child, "_checked", failing)
    problem = child._answer(Path("a.pdf"), io.StringIO())["problem"]
    assert said in problem
    assert error.__name__ not in problem
    assert "inner words" not in problem
