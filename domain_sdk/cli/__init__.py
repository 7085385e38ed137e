"""The `mesh` command line: the SDK from a terminal, for people (Rich) and for scripts (`--json`).

Owns arguments, exit statuses and how answers look. Decides nothing: every command is a thin step to the SDK, and `serve`,
`gateway` and `rebuild` run the server as a child process. Importing this package loads nothing heavy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status after the command ran: 0 done, 1 refused or failed, 2 wrong usage, 130 after Ctrl-C."""
    try:
        from domain_sdk.cli.app import run
    except KeyboardInterrupt:  # before `run` is there to tell it
        print("Interrupted.", file=sys.stderr)
        return 130
    return run(sys.argv[1:] if arguments is None else arguments)
