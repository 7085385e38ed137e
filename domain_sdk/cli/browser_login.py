"""The browser's part of `mesh login --oidc`: opening it, or saying what to open elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from domain_sdk._oidc_session import OidcSession

__all__ = ["log_in_with_browser"]

_NO_TOKEN = "none"
"""Sent to ask how to log in, which needs no token."""


def log_in_with_browser(url: str, *, opens_browser: bool) -> tuple[str, OidcSession | None]:
    """An access token for the mesh at the URL, and what renews it. Raises: MeshError, typer.BadParameter."""
    from domain_sdk._identity_calls import get_login_info
    from domain_sdk._oidc_browser import catch_by_paste, catch_by_port
    from domain_sdk._oidc_login import log_in
    from domain_sdk._transport import Transport

    transport = Transport(url, _NO_TOKEN, ca_file=os.environ.get("MESH_CA") or None)
    try:
        info = get_login_info(transport)
    finally:
        transport.close()
    _say(f"Log in at {info.issuer}.")

    def catch(begin: Callable[[str], str]) -> str:
        return catch_by_port(begin, _open) if opens_browser else catch_by_paste(begin, _ask)

    return log_in(info, catch)


def _open(address: str) -> None:
    import webbrowser

    _say(f"If no browser opens, open this address on this machine:\n{address}")
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some wait until their window is closed


def _ask(address: str) -> str:
    _say(f"Open this address in a browser on any machine:\n{address}")
    _say("It ends at an address that cannot be shown. Paste that one here:")
    answer = sys.stdin.readline()
    if not answer.strip():
        raise typer.BadParameter("No address was pasted.", param_hint="--no-browser")
    return answer


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
