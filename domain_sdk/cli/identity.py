"""`login`, `logout`, `whoami`, `status`: who calls, and what answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.browser_login import log_in_with_browser
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, details, plain, waiting
from domain_sdk.cli.quality import warning_lines
from domain_sdk.cli.session import connect, profile_words, read_token, session_of
from domain_sdk.cli.token_exchange import Exchanged, exchange_token

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.identity import Principal, ServerStatus
    from domain_sdk.quality import QualityWarning

__all__ = ["COMMANDS"]

_HERE = "http://127.0.0.1:50051"


def login(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="The server; asked for if not given.")] = None,
    token_file: Annotated[
        str | None,
        typer.Option("--token-file", metavar="FILE", help="File with the token; - is standard input. Else asked, unseen."),
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Name to save it under.")] = None,
    oidc: Annotated[bool, typer.Option("--oidc", help="Log in at the mesh's identity provider, with a browser.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Without: open the address elsewhere and paste where it ends.")
    ] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Keep a token that somebody else made, and may have kept, too.")] = False,
    as_json: Json = False,
) -> None:
    """Save a server and a token, once the server has accepted it. Later commands and Mesh.connect() use them.

    The token comes from a file, standard input or a hidden prompt, or with --oidc from the identity provider, which then also
    renews it. The administrator's token file is never looked for. A user's token that somebody else made is exchanged for one
    that only you have; what you were given is refused from then on, and so is any other token that somebody made for you.
    """
    from domain_sdk._profiles import DEFAULT_NAME, Profile, load_profiles, save_profile
    from domain_sdk.mesh import Mesh

    session = session_of(ctx)
    chosen_url = url or session.url or os.environ.get("MESH_URL") or _asked_url()
    given_file = token_file or session.token_file
    if oidc and (given_file or session.token):
        raise typer.BadParameter("The identity provider gives the token: leave it out.", param_hint="--oidc")
    name = profile or session.profile or DEFAULT_NAME
    if oidc:
        saved = Profile(chosen_url, *log_in_with_browser(chosen_url, opens_browser=browser))
    else:
        saved = Profile(chosen_url, session.token if session.token and not given_file else read_token(given_file))
    with Mesh.connect(chosen_url, saved.token) as mesh:
        principal = mesh.whoami()
        path = save_profile(saved, name=name)
        exchanged = Exchanged() if keep or oidc else exchange_token(mesh, principal)
    if exchanged.token:
        save_profile(Profile(chosen_url, exchanged.token), name=name)
    value = {
        "url": chosen_url, "profile": name, "principal": principal, "saved_in": str(path), "is_exchanged": bool(exchanged.token),
    }  # fmt: skip
    others = sorted(set(load_profiles().by_name) - {name})
    facts = {
        "as": principal.name,
        "server": chosen_url,
        "profile": f"{name}: what commands without --profile use from now on",
        "others": f"{', '.join(others)}: choose with mesh --profile NAME …" if others else "",
        "saved in": f"{path} (readable by you only)",
        "token": exchanged.words,
    }
    answer(value, lambda: details(facts, title="Logged in"), as_json=as_json)


def logout(
    ctx: typer.Context,
    profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The profile to forget.")] = None,
    as_json: Json = False,
) -> None:
    """Forget a saved profile. The token itself stays valid: `mesh token revoke` ends it."""
    from domain_sdk._profiles import load_profiles, remove_profile

    name = profile or session_of(ctx).profile or load_profiles().current
    is_removed = remove_profile(name)
    words = f"Profile {name!r} is forgotten." if is_removed else f"There is no profile {name!r}."
    answer({"profile": name, "is_removed": is_removed}, lambda: words, as_json=as_json)


def whoami(ctx: typer.Context, as_json: Json = False) -> None:
    """Who the token says you are, and which purposes are assigned to you; those of grants are shown by `mesh sees`."""
    with connect(ctx) as mesh:
        principal = mesh.whoami()
    answer(principal, lambda: _caller_details(principal, profile_words(ctx)), as_json=as_json)


def status(ctx: typer.Context, as_json: Json = False) -> None:
    """What the server is, who you are there, and what waits for your decision."""
    with connect(ctx) as mesh, waiting("Asking the server …"):
        found = mesh.status()
        warnings = mesh.quality_warnings()
    shown = {**plain(found), "warnings": warnings}
    answer(shown, lambda: _status_and_warnings(found, warnings, profile_words(ctx)), as_json=as_json)


def _registered(count: int) -> str:
    return f", {count} more registered, not yet published" if count else ""


def _status_and_warnings(found: ServerStatus, warnings: Sequence[QualityWarning], profile: str) -> RenderableType:
    from rich.console import Group

    return Group(_status(found, profile), *warning_lines(warnings))


def _caller_details(principal: Principal, profile: str) -> RenderableType:
    """The caller, and where the purposes are shown that it holds by grants only, which differ from port to port."""
    from rich.console import Group

    hint = "Purposes are those assigned to you. Grants may give more, for their ports: `mesh sees` shows all, port by port."
    return Group(principal_details(principal, profile=profile), cell(hint, "dim"))


def principal_details(principal: Principal, *, profile: str = "") -> RenderableType:
    """The principal, a line for each thing known of it."""
    return details(
        {
            "name": principal.name,
            "title": principal.title,
            "groups": principal.groups,
            "roles": principal.roles,
            "purposes": principal.purposes,
            "attributes": principal.attributes,
            "administrator": "yes" if principal.is_administrator else "",
            "disabled": "yes" if principal.is_disabled else "",
            "profile": profile,
        }
    )


def _status(found: ServerStatus, profile: str) -> RenderableType:
    waiting_count = found.pending_request_count
    return details(
        {
            "server": f"{found.url} (version {found.version})",
            "gateway": found.gateway or "none: nothing can be read",
            "you are": found.principal,
            "profile": profile,
            "token": f"made by {', '.join(found.token_makers)}, who may act as you: mesh token activate"
            if found.token_makers
            else "",
            "products": f"{found.product_count} that you may discover{_registered(found.registered_product_count)}",
            "requests": f"{waiting_count} wait for your decision: mesh requests"
            if waiting_count
            else "none wait for your decision",
            "revision": found.revision,
            "shadow check": _shadow(found),
        }
    )


def _shadow(found: ServerStatus) -> str:
    if not found.shadow_check_count:
        return ""
    differing = f"{found.shadow_mismatch_count} DIFFER: see the server's log" if found.shadow_mismatch_count else "none differs"
    return f"{found.shadow_check_count} decisions held against stock casbin, {differing}"


def _asked_url() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("Which server? Nobody can be asked here: give --url.", param_hint="--url")
    return str(typer.prompt("Server", default=_HERE, err=True))


COMMANDS = (
    Command(
        "login",
        login,
        (
            f"mesh login --url {_HERE}",
            f"mesh login --url {_HERE} --token-file ~/.domain-mesh/admin.token",
            f"mesh login --url {_HERE} --token-file kim.token --keep",
            "mesh login --url https://mesh.example.com:50051 --oidc",
        ),
    ),
    Command("logout", logout, ("mesh logout", "mesh logout --profile work")),
    Command("whoami", whoami, ("mesh whoami",)),
    Command("status", status, ("mesh status", "mesh --profile work status --json")),
)
