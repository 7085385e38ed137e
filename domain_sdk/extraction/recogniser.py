"""The process in which Tesseract's library recognises pictures: greys in, tables of words out.

Run as a program of its own by `tesseract`, with the library's path and the languages; it loads neither the SDK nor site packages.
What it is given is what Tesseract's program is: pages of text in automatic layout (--psm 3), answered in columns (tsv).
Source: Tesseract's capi.h (the same in 4 and 5).
"""

from __future__ import annotations

import ctypes
import faulthandler
import sys
from typing import IO, Any

__all__ = ["LENGTH_BYTES", "NO_LANGUAGE", "READY", "main"]

LENGTH_BYTES = 4
"""Before each answer stands how many bytes it has, the highest first."""
READY, NO_LANGUAGE = b"ready", b"no language"
"""The first answer, before any picture."""
_AUTOMATIC_LAYOUT = 3


def main(library: str, languages: str, seconds: str) -> None:
    """Answers until its input ends: for each picture (PGM, 8 bits of grey) the words that Tesseract sees in it.

    It ends by itself when one takes longer than so many seconds: nobody may be there any more to end it.
    """
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    tesseract = _loaded(library)
    handle = ctypes.c_void_p(tesseract.TessBaseAPICreate())
    if tesseract.TessBaseAPIInit3(handle, None, languages.encode()):
        _tell(answers, NO_LANGUAGE)
        return
    tesseract.TessBaseAPISetPageSegMode(handle, _AUTOMATIC_LAYOUT)
    _tell(answers, READY)
    while head := given.readline():
        width, height = map(int, head.split()[1:3])
        greys = given.read(width * height)
        faulthandler.dump_traceback_later(float(seconds), exit=True)
        _tell(answers, _words(tesseract, handle, greys, width, height))
        faulthandler.cancel_dump_traceback_later()


def _loaded(library: str) -> Any:  # noqa: ANN401
    tesseract = ctypes.CDLL(library)
    for function in ("TessBaseAPICreate", "TessBaseAPIGetTsvText"):
        getattr(tesseract, function).restype = ctypes.c_void_p
    return tesseract


def _words(tesseract: Any, handle: ctypes.c_void_p, greys: bytes, width: int, height: int) -> bytes:  # noqa: ANN401
    tesseract.TessBaseAPISetImage(handle, greys, width, height, 1, width)
    written = ctypes.c_void_p(tesseract.TessBaseAPIGetTsvText(handle, 0))
    table = ctypes.string_at(written) if written else b""
    tesseract.TessDeleteText(written)
    tesseract.TessBaseAPIClear(handle)
    tesseract.TessBaseAPIClearAdaptiveClassifier(handle)  # no picture is read in the light of those before it
    return table


def _tell(answers: IO[bytes], answer: bytes) -> None:
    answers.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
