"""The process in which files are parsed: one JSON request a line in, progress and one JSON answer a line out.

Started by `worker`, with a ceiling on its memory. What a hostile file does here, it does to this process alone; nothing but JSON
leaves it. Never imported by the publisher.
"""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from domain_sdk.extraction.extracted import Extracted, Unreadable
from domain_sdk.extraction.file_kinds import KINDS, check_content

__all__ = ["main"]

_LOOK_SECONDS = 1.0
_BEAT_SECONDS = 0.2
_LONGEST_SECONDS = 3600
"""Longer than any publisher waits for a page or a file; a parser that never lets go of the interpreter ends by this alone."""
_TELLING = threading.Lock()


def main(memory_bytes: int, folder: str = "") -> None:
    """Answers until its input ends. `folder` is where files are unpacked: it goes with the publisher."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(os.getppid(), folder), name="publisher", daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")  # what parsers print must not mix with it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
        request = json.loads(line)
        _tell(answers, _answer(Path(request["path"]), answers))
        faulthandler.cancel_dump_traceback_later()


def _end_with(publisher: int, folder: str) -> None:
    """Ends the process when the publisher's is gone, in the middle of a file, too, and removes what it unpacked."""
    while os.getppid() == publisher:
        time.sleep(_LOOK_SECONDS)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _answer(path: Path, answers: IO[str]) -> dict[str, Any]:
    try:
        return {"document": _checked(path, _Beats(answers)).to_json()}
    except Unreadable as error:
        return {"problem": str(error)}
    except ModuleNotFoundError as error:
        return {"problem": f"reading it needs the extra `documents`: install domain-mesh[documents] (no module {error.name})."}
    except OSError as error:
        return {"problem": f"it cannot be read ({error.strerror}): check that it exists and its permissions."}
    except MemoryError:
        return {"problem": "it needs more memory than a document may have: split it.", "is_over": True}
    except RecursionError:
        return {"problem": "its parts lie within each other more deeply than is read: convert it."}
    except Exception:  # noqa: BLE001  (the edge of the process: a parser's defect is a problem of the file)
        return {"problem": "it breaks the rules of its kind, so that no parser can read it: get it anew or convert it."}


class _Beats:
    """Tells, when called, that a page or another part of a file is done; not more often than matters to who waits for it."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._last = time.monotonic()

    def __call__(self, done: int = 0, total: int = 0) -> None:
        now = time.monotonic()
        if now - self._last >= _BEAT_SECONDS or 0 < done == total:
            self._last = now
            _tell(self._answers, {"page": done, "pages": total})


def _checked(path: Path, beat: _Beats) -> Extracted:
    media_type = KINDS[path.suffix.lower()]
    check_content(path, media_type)
    return _extracted(path, media_type, beat)


def _extracted(path: Path, media_type: str, beat: _Beats) -> Extracted:
    if media_type == "application/pdf":
        from domain_sdk.extraction.pdf import read_pdf

        return read_pdf(path, beat)
    if media_type.startswith("image/"):
        from domain_sdk.extraction.ocr import read_image

        return read_image(path, beat)
    if media_type == "message/rfc822":
        from domain_sdk.extraction.mail import read_mail

        return read_mail(path, lambda it: _checked(it, beat), beat)
    if media_type in ("text/vtt", "application/x-subrip", "application/json"):
        from domain_sdk.extraction.transcripts import read_transcript

        return read_transcript(path)
    if media_type == "text/html":
        from domain_sdk.extraction.plain import read_html

        return read_html(path)
    if media_type == KINDS[".xlsx"]:
        from domain_sdk.extraction.workbook import read_workbook

        return read_workbook(path, beat)
    from domain_sdk.extraction.office import read_office

    return read_office(path, media_type, beat)


def _tell(answers: IO[str], value: dict[str, Any]) -> None:
    with _TELLING:  # pictures are recognised in a thread of their own
        faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
        answers.write(json.dumps(value) + "\n")
        answers.flush()
