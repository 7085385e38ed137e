"""Who the command calls as: the global options, and the mesh they lead to.

Owns how a token gets in: from a file, standard input or a hidden prompt. Tokens are never echoed.
"""

from __future__ import annotations

import getpass
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from domain_sdk._profiles import Profile
    from domain_sdk.mesh import Mesh

__all__ = ["Session", "connect", "profile_words", "read_token", "saved_connection", "session_of"]


@dataclass(frozen=True, slots=True)
class Session:
    """The global options."""

    url: str | None = None
    """Default MESH_URL, then the profile's."""
    token: str | None = None
    """Default MESH_TOKEN, then the profile's."""
    token_file: str | None = None
    profile: str | None = None
    """A saved profile; default the one saved last."""

    def __repr__(self) -> str:
        """The address, without the token."""
        return f"Session(url={self.url!r}, profile={self.profile!r})"


def session_of(ctx: typer.Context) -> Session:
    """The session of the command; an empty one if no global option was read."""
    return ctx.obj if isinstance(ctx.obj, Session) else Session()


def connect(ctx: typer.Context) -> Mesh:
    """The mesh the global options lead to; use it in a `with` block. Raises: NotConfigured."""
    from domain_sdk.mesh import Mesh

    session = session_of(ctx)
    if session.token_file is not None:
        session = replace(session, token=read_token(session.token_file))
    return Mesh.connect(session.url, session.token, profile=session.profile)


def saved_connection(ctx: typer.Context) -> Profile | None:
    """The saved profile whose token `connect` uses; None if the token comes from elsewhere. Raises: NotConfigured."""
    from domain_sdk._profiles import find_connection

    session = session_of(ctx)
    if session.token is not None or session.token_file is not None:
        return None
    used = find_connection(session.url, profile=session.profile)
    return used if used.name else None


def profile_words(ctx: typer.Context) -> str:
    """Which profile the command calls with, and which others could be named; empty if it is none."""
    from domain_sdk._profiles import find_connection, load_profiles

    session, saved = session_of(ctx), load_profiles()
    if session.token is not None or session.token_file is not None:
        return ""
    used = find_connection(session.url, profile=session.profile)
    names = [session.profile, saved.current, *saved.by_name]
    name = next((it for it in names if it is not None and saved.by_name.get(it) == used), None)
    if name is None:
        return ""
    others = sorted(set(saved.by_name) - {name})
    return f"{name} (also saved: {', '.join(others)}; choose with mesh --profile NAME …)" if others else name


def read_token(token_file: str | None) -> str:
    """The token in the file (`-` is standard input); without a file it is asked for, unseen.

    Raises:
        typer.BadParameter: the file cannot be read, or there is no token.
    """
    if token_file is None and sys.stdin.isatty():
        token = getpass.getpass("Token (not shown): ", stream=sys.stderr)
    elif token_file in (None, "-"):
        token = sys.stdin.readline()
    else:
        try:
            token = Path(str(token_file)).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise typer.BadParameter(f"{token_file} cannot be read: {reason}.", param_hint="--token-file") from error
    if not token.strip() and token_file is None:
        raise typer.BadParameter("There is no token: standard input is empty and no terminal is here; give --token-file FILE.")
    if not token.strip() or len(token.split()) > 1:
        raise typer.BadParameter("There is no token: give a file that holds nothing else.", param_hint="--token-file")
    return token.strip()
