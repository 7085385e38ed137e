"""The child process as the publisher sees it: asked for one file at a time, ended and replaced when a file is too much for it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from domain_sdk.extraction.extracted import Extracted, Unreadable

__all__ = ["MEMORY_BYTES", "STILL_SECONDS", "Extractor"]

MEMORY_BYTES = 2 << 30
"""Address space of the child: a file that needs more is refused."""
STILL_SECONDS = 120.0
"""How long the child may work without finishing a page or a file."""
_ENDING_SECONDS = 0.5
"""How long it may take to end by itself."""
_PROGRAM = """
import sys, types
package = types.ModuleType("domain_sdk")
package.__path__ = [sys.argv[1]]
sys.modules["domain_sdk"] = package
from domain_sdk.extraction.child import main
main(int(sys.argv[2]), *sys.argv[3:])
"""
"""The child, without the SDK around it, which would take longer to load than a small file to read."""
_ENV = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TESSDATA_PREFIX", "MESH_OCR_LANGUAGES", "VIRTUAL_ENV", "PYTHONPATH")
_SOURCE = Path(__file__).resolve().parents[2]


class Extractor:
    """Reads files in a child process; use it as a context manager. Not for several threads at once."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, still_seconds: float = STILL_SECONDS) -> None:
        self._memory_bytes = memory_bytes
        self._still_seconds = still_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._folder: str | None = None

    def __enter__(self) -> Extractor:
        """Itself; the process starts with the first file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The process has ended."""
        self._end()

    def read(self, path: Path, on_page: Callable[[int, int], None] = lambda done, total: None) -> Extracted:
        """The file as text. `on_page` is told now and then of pages done and in all, where the format has pages.

        Raises:
            Unreadable: it gives no document, or no parser gets through it within the limits of memory and time.
        """
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"path": str(path.absolute())}).encode() + b"\n")
            process.stdin.flush()
            while "page" in (answer := self._answer(process)):
                on_page(answer["page"], answer["pages"])
        except (OSError, EOFError) as error:
            self._end()
            raise Unreadable(
                f"its parser broke down or needed more than {self._memory_bytes >> 20:,} MiB of memory: get it anew or split it."
            ) from error
        except BaseException:
            self._end()
            raise
        if answer.get("is_over"):
            self._end()
        if "problem" in answer:
            raise Unreadable(answer["problem"])
        return Extracted.from_json(answer["document"])

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The next line. Raises: EOFError if the process is gone, Unreadable if it took too long."""
        assert process.stdout is not None
        until = time.monotonic() + self._still_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            parts = [self._pending]
            while b"\n" not in parts[-1]:  # an answer has as many bytes as its document: they are put together once
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise Unreadable(f"its parser stood still for {self._still_seconds:g} s: get it anew or split it.")
                read = os.read(process.stdout.fileno(), 1 << 20)
                if not read:
                    raise EOFError
                parts.append(read)
        line, _, self._pending = b"".join(parts).partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._pending = b""
            self._folder = tempfile.mkdtemp(prefix="mesh-documents-")
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(_SOURCE / "domain_sdk"), str(self._memory_bytes), self._folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment() | {"TMPDIR": self._folder},
            )
        return self._process

    def _end(self) -> None:
        """The process is gone, and what it unpacked."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            self._close(process)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _close(process: subprocess.Popen[bytes]) -> None:
        """The process has ended: by itself, and what it began with it, unless it is busy."""
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """What a parser needs: this very package, and none of the publisher's tokens."""
    found = {name: os.environ[name] for name in _ENV if name in os.environ}
    return {**found, "PYTHONPATH": os.pathsep.join(filter(None, (str(_SOURCE), found.get("PYTHONPATH"))))}
