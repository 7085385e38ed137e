"""`mesh demo`: a mesh of its own on this machine, the sample domains in it, and the story of what governance does.

Owns the story and its stage. Everything goes through the public SDK against a real server, and every claim the story makes is
checked as it is made. Importing this package loads nothing heavy.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["play"]


def play(*, keep: bool = False, home: Path | None = None, as_json: bool = False) -> int:
    """The exit status, once the story was played: 0 if every claim held.

    Args:
        keep: Leave the server running afterwards, until Ctrl-C.
        home: An empty folder for the server; stays. A temporary one, gone afterwards unless kept, when None.
        as_json: Tell the story as one JSON document instead.
    """
    from domain_sdk.demo.performance import perform

    return perform(keep=keep, home=home, as_json=as_json)
