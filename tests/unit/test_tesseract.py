"""Tesseract in a process of its own: the same words as its program, one process for many pictures, none that is left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from domain_sdk.extraction import ocr
from domain_sdk.extraction.extracted import Unrecognised
from domain_sdk.extraction.tesseract import NoLanguage, Tesseract, library_of
from tests.unit.test_document_formats import needs_tesseract

_READY = "import sys, time; say = sys.stdout.buffer; say.write((5).to_bytes(4, 'big') + b'ready'); say.flush(); "


def _picture(text: str, *, width: int = 900) -> Image.Image:
    picture = Image.new("L", (width, 120), 255)
    ImageDraw.Draw(picture).text((20, 30), text, fill=0, font=ImageFont.load_default(size=40))
    return picture


def _faked(code: str, *, seconds: float = 30) -> Tesseract:
    return Tesseract("", "eng", picture_seconds=seconds, program=(sys.executable, "-c", _READY + code))


@pytest.fixture
def tesseract() -> Iterator[Tesseract]:
    needs_tesseract()
    it = Tesseract(library_of() or "", "eng", picture_seconds=60)
    yield it
    it.close()


def test_its_words_are_those_of_the_program(tesseract: Tesseract, tmp_path: Path) -> None:
    """Whatever it read before: nothing is learnt from one picture for the next."""
    pictures = [_picture("Net revenue 2,481 million"), _picture("Termination within 14 days", width=1400), _picture("")]
    for picture in (*pictures, *reversed(pictures)):
        picture.save(tmp_path / "a.pgm", "PPM")
        command = ["tesseract", str(tmp_path / "a.pgm"), "stdout", "-l", "eng", "--psm", "3", "tsv"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_THREAD_LIMIT": "1"})
        assert tesseract.table(*picture.size, picture.tobytes()) == said.stdout


def test_many_pictures_have_one_process(tesseract: Tesseract) -> None:
    picture = _picture("Notice")
    used = set()
    for _ in range(3):
        assert "Notice" in (tesseract.table(*picture.size, picture.tobytes()) or "")
        assert tesseract._process is not None
        used.add(tesseract._process.pid)
    assert len(used) == 1


def test_a_picture_that_takes_too_long_has_no_words_and_the_next_one_another_process() -> None:
    tesseract = _faked("sys.stdin.buffer.readline(); time.sleep(60)", seconds=1)
    began = time.monotonic()
    assert tesseract.table(2, 2, bytes(4)) is None
    assert time.monotonic() - began < 30
    assert tesseract._process is None
    assert tesseract.table(2, 2, bytes(4)) is None


@pytest.mark.parametrize("code", ["sys.exit(1)", "sys.stdin.buffer.readline(); say.write(b'\\0\\0\\1\\0half'); say.flush()"])
def test_a_picture_that_breaks_it_has_no_words(code: str) -> None:
    tesseract = _faked(code)
    assert tesseract.table(900, 900, bytes(810_000)) is None
    assert tesseract._process is None


def test_a_library_that_cannot_be_loaded_gives_no_words() -> None:
    assert Tesseract("/nowhere/libtesseract.so.5", "eng", picture_seconds=30).table(2, 2, bytes(4)) is None


def test_languages_that_are_not_installed_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_tesseract()
    absent = Tesseract(library_of() or "", "xyz", picture_seconds=30)
    with pytest.raises(NoLanguage):
        absent.table(2, 2, bytes(4))
    monkeypatch.setattr(ocr, "_tesseract", lambda: absent)
    monkeypatch.setattr(ocr, "_languages", lambda: "xyz")
    with pytest.raises(Unrecognised, match="xyz"):
        ocr.recognise(Image.new("L", (2, 2)))


def test_nothing_is_left_of_it_when_its_user_is_killed(tmp_path: Path) -> None:
    needs_tesseract()
    code = (
        "import time; from PIL import Image; from domain_sdk.extraction import ocr; ocr.recognise(Image.new('L', (64, 64))); "
        "print(ocr._tesseract()._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        recogniser = int(user.stdout.readline())
        assert _is_there(recogniser)
        user.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while _is_there(recogniser) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _is_there(recogniser)


def _is_there(process: int) -> bool:
    try:
        return "recogniser" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("program", "link", "library"),
    [
        ("usr/bin/tesseract", "", "usr/lib/x86_64-linux-gnu/libtesseract.so.5"),
        ("usr/bin/tesseract", "", "usr/lib64/libtesseract.so.4"),
        ("Cellar/tesseract/5.5/bin/tesseract", "bin/tesseract", "Cellar/tesseract/5.5/lib/libtesseract.5.dylib"),
    ],
)
def test_the_library_is_found_beside_the_program(
    program: str, link: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (program, library):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / library).with_name("libtesseract.a").touch()
    if link:
        (tmp_path / link).parent.mkdir(parents=True)
        (tmp_path / link).symlink_to(tmp_path / program)
    monkeypatch.setenv("PATH", str((tmp_path / (link or program)).parent))
    assert library_of() == str(tmp_path / library)
    (tmp_path / library).unlink()
    assert library_of() is None
    shutil.rmtree(tmp_path / Path(program).parts[0])
    assert library_of() is None
