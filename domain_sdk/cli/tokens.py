"""`token create`, `token activate`, `token confirm`, `token list`, `token revoke`: what proves who calls."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, Until, parse_span
from domain_sdk.cli.output import answer, cell, details, errors_console, plain, print_json, table
from domain_sdk.cli.session import connect, saved_connection

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.identity import Token

__all__ = ["COMMANDS", "write_secret"]


def create(
    ctx: typer.Context,
    principal: Annotated[str, typer.Argument(help="Whose token, like service:etl; your own when left out.")] = "",
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    until: Until = None,
    expires: Annotated[str | None, typer.Option("--expires", metavar="SPAN", help="For how long: 12h, 30d, 8w.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="ACTIONS:RESOURCE", help="What it is for, like discover,read:finance.ledger; repeat."),
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option("--purpose", help="Only for reads with this purpose; repeat.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the secret to this new file, readable by you only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token, good for 90 days if not said. Its secret is shown once: on standard output, or in the file.

    It is good for no more, and for no longer, than the token that you use to make it.
    """
    if until is not None and expires is not None:
        raise typer.BadParameter("Give --until or --expires, not both.", param_hint="--expires")
    if output is not None and output.exists():
        raise typer.BadParameter(f"{output} exists already: choose another name.", param_hint="--output")
    with connect(ctx) as mesh:
        made = mesh.admin.create_token(
            principal,
            description=description,
            until=datetime.now(UTC) + parse_span(expires, option="--expires") if expires is not None else until,
            scope=scope or (),
            purposes=purpose or (),
        )
    if output is not None:
        write_secret(output, made.secret)
    if as_json:
        print_json({"token": plain(made.token), **({"output": str(output)} if output else {"secret": made.secret})})
        return
    errors_console().print(_token(made.token))
    if output is None:
        print(made.secret, flush=True)
    else:
        errors_console().print(cell(f"The secret is in {output}, readable by you only."))


def list_tokens(
    ctx: typer.Context,
    principal: Annotated[str, typer.Argument(help="Whose tokens; your own when left out.")] = "",
    as_json: Json = False,
) -> None:
    """List tokens, without their secrets."""
    with connect(ctx) as mesh:
        found = mesh.admin.tokens(principal)
    answer(found, lambda: _tokens(found), as_json=as_json)


def revoke(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, from `mesh token list`.")],
    as_json: Json = False,
) -> None:
    """Revoke a token; it is refused from the next call on."""
    with connect(ctx) as mesh:
        revoked = mesh.admin.revoke_token(id)
    answer(revoked, lambda: _token(revoked), as_json=as_json)


def confirm(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as its holder told you.")],
    as_json: Json = False,
) -> None:
    """Say that the right one has a token, which another administrator made. Until then it is good for reading only."""
    with connect(ctx) as mesh:
        confirmed = mesh.admin.confirm_token(id)
    answer(confirmed, lambda: _token(confirmed), as_json=as_json)


def activate(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the secret to this new file, readable by you only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Exchange your token, which somebody else made, for one that only you have. `mesh login` does it by itself.

    Every token that others made for you is refused from then on. The new one takes the old one's place in your profile; with a
    token from elsewhere its secret is shown once, or is in the file.
    """
    from domain_sdk._profiles import replace_token

    if output is not None and output.exists():
        raise typer.BadParameter(f"{output} exists already: choose another name.", param_hint="--output")
    used = saved_connection(ctx)
    with connect(ctx) as mesh:
        made = mesh.admin.activate_token()
    is_saved = used is not None and replace_token(used, made.secret)
    is_shown = output is None and not is_saved
    if output is not None:
        try:
            write_secret(output, made.secret)
        except OSError:
            print(made.secret, flush=True)  # the old token is dead by now: this one must not be lost
            raise
    if as_json:
        print_json({"token": plain(made.token), "is_saved": is_saved, **({"secret": made.secret} if is_shown else {})})
        return
    errors_console().print(_token(made.token))
    if is_saved and used is not None:
        errors_console().print(cell(f"Profile {used.name!r} has the new token."))
    if is_shown:
        print(made.secret, flush=True)


def write_secret(path: Path, secret: str) -> None:
    """The new file holds the secret and is readable by its owner only. Raises: OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")


def _token(token: Token) -> RenderableType:
    facts = {
        "of": token.principal,
        "for": token.description,
        "scope": ", ".join(token.scope),
        "purposes": ", ".join(token.purposes),
        "made with": token.parent,
        "made by": ", ".join(token.makers),
        "exchanged for": token.exchanged_for,
        "exchanged from": token.exchanged_from,
        "confirmed by": token.confirmer,
        "until": token.expire_time,
        "revoked": token.revoke_time,
    }
    return details(facts, title=f"Token {token.id}")


def _tokens(found: list[Token]) -> RenderableType:
    if not found:
        return "There are no tokens."
    rows = [
        (
            cell(it.id, "bold"), it.principal, it.description, ", ".join(it.scope), it.create_time, it.expire_time,
            it.revoke_time, ", ".join(it.makers),
        )
        for it in found
    ]  # fmt: skip
    return table(("id", "of", "for", "scope", "made", "until", "revoked", "also known to"), rows)


COMMANDS = (
    Command(
        "create",
        create,
        (
            "mesh token create service:etl --until 2027-01-01 --output etl.token",
            "mesh token create --scope discover,read:finance.ledger --purpose forecasting --expires 30d",
        ),
    ),
    Command("activate", activate, ("mesh token activate", "mesh --token-file kim.token token activate --output own.token")),
    Command("confirm", confirm, ("mesh token confirm 0123456789abcdef",)),
    Command("list", list_tokens, ("mesh token list", "mesh token list service:etl --json")),
    Command("revoke", revoke, ("mesh token revoke ID",)),
)
