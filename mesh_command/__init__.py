"""The console script `mesh`, before any of the SDK is there: Ctrl-C ends it in one line from its first moment on.

A package of its own, as `domain_sdk` and all its imports are loaded before any module in it. Only the script imports it.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

_AS_JSON = (
    b'{"error": {"reason": "INTERRUPTED", "title": "Interrupted", "message": "Interrupted.", "resource": "", "violations": [], '
    b'"next_step": "", "request_id": "", "exit_status": 130}}\n'
)
"""As `domain_sdk.cli.failures` writes it, which may not be there yet."""


def main() -> int:
    """The exit status after the command ran, as `domain_sdk.cli.main`."""
    # A KeyboardInterrupt among imports may be raised in a place that cannot pass it on; nothing is to be cleaned up yet.
    is_heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heeded:
        signal.signal(signal.SIGINT, _end)
    from domain_sdk import cli
    from domain_sdk.cli import app  # noqa: F401 # loaded while a signal still ends the process at once

    try:
        if is_heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = cli.main()
        if is_heeded:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done; what is left is the interpreter's end
        return status
    except KeyboardInterrupt:
        _end()
        raise


def _end(*_: object) -> None:
    os.write(sys.stderr.fileno() if sys.stderr else 2, _AS_JSON if "--json" in sys.argv else b"Interrupted.\n")
    os._exit(130)
