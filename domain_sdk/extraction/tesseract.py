"""Tesseract, kept loaded in a process of its own: to begin it takes ten times as long as to read a few words.

A picture that takes too long, or breaks it, ends that process alone; the next picture has another one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from domain_sdk.extraction.recogniser import LENGTH_BYTES, READY

__all__ = ["NoLanguage", "Tesseract", "library_of"]

_LIBRARIES = ("libtesseract.so.[45]", "libtesseract.[45].dylib")
_PLACES = ("lib", "lib64", "lib/*")
_COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text"
_MOST_READ = 1 << 20
_ENV = {"OMP_THREAD_LIMIT": "1"}
"""Its threads wait for each other by spinning: with several of them it takes many times as long on few cores."""


class NoLanguage(Exception):
    """The languages that are asked for are not installed."""


def library_of() -> str | None:
    """The path of the library that came with the installed program; None if either is not there."""
    found = shutil.which("tesseract")
    if found is None:
        return None
    prefix = Path(found).resolve().parent.parent
    libraries = (path for place in _PLACES for name in _LIBRARIES for path in sorted(prefix.glob(f"{place}/{name}")))
    return next(map(str, libraries), None)


class Tesseract:
    """Recognises one picture at a time, whoever asks."""

    def __init__(self, library: str, languages: str, *, picture_seconds: float, program: Sequence[str] = ()) -> None:
        """`languages` are joined by `+`. `picture_seconds` may a picture take; `program` is run instead of the recogniser."""
        recogniser = Path(__file__).with_name("recogniser.py")
        self._command = [*(program or (sys.executable, "-I", "-S", str(recogniser))), library, languages, str(picture_seconds)]
        self._picture_seconds = picture_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()
        atexit.register(self.close)

    def table(self, width: int, height: int, greys: bytes) -> str | None:
        """Tesseract's table of a picture's words (TSV with its names of columns); None if it broke down or took too long.

        Args:
            width: In pixels.
            height: In pixels.
            greys: A byte for each pixel, row by row.

        Raises:
            NoLanguage: one of the languages is not installed.
        """
        with self._one_at_a_time:
            until = time.monotonic() + self._picture_seconds
            try:
                process = self._started(until)
                assert process.stdin is not None
                process.stdin.write(b"P5 %d %d 255\n" % (width, height) + greys)
                process.stdin.flush()
                rows = _answer(process, until)
            except (OSError, EOFError, TimeoutError):
                self.close()
                return None
            except BaseException:
                self.close()
                raise
        return f"{_COLUMNS.replace(' ', chr(9))}\n{rows.decode('utf-8', 'replace')}"

    def close(self) -> None:
        """The process has ended; another one begins with the next picture."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _started(self, until: float) -> subprocess.Popen[bytes]:
        """The process, which is ready. Raises: NoLanguage, and what `_answer` does."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | _ENV
            )
            if _answer(self._process, until) != READY:
                raise NoLanguage
        return self._process


def _answer(process: subprocess.Popen[bytes], until: float) -> bytes:
    """What the process says next. Raises: EOFError if it is gone, TimeoutError if it is not there until then."""
    length = int.from_bytes(_read(process, LENGTH_BYTES, until), "big")
    return _read(process, length, until)


def _read(process: subprocess.Popen[bytes], length: int, until: float) -> bytes:
    assert process.stdout is not None
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while length:
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            part = os.read(process.stdout.fileno(), min(length, _MOST_READ))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
    return b"".join(parts)
