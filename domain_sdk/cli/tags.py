"""`admin … tag`: tags that belong to the central team."""

from __future__ import annotations

from typing import Annotated

import typer

from domain_sdk.changes import Resource
from domain_sdk.cli.changes import done_or_proposed
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, Reason
from domain_sdk.cli.output import answer, cell, details, table
from domain_sdk.cli.session import connect

__all__ = ["COMMANDS"]

Tag = Annotated[str, typer.Argument(help="Like pii.email; `pii.*` is pii and everything below it.")]
Object = Annotated[str, typer.Argument(metavar="OBJECT", help="A product, port or column, like finance.ledger.entries#iban.")]


def govern_tag(
    ctx: typer.Context,
    tag: Tag,
    description: Annotated[str, typer.Option("--description", help="What it means, in words.")] = "",
    as_json: Json = False,
) -> None:
    """Govern a tag: what was ever released with it keeps it until the central team lets it go."""
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.govern_tag(tag, description=description),
            lambda: Resource("governed_tag", {"tag": tag, "description": description}),
            lambda made: details({"description": made.description, "by": made.creator}, title=made.tag), as_json=as_json,
        )  # fmt: skip


def ungovern_tag(ctx: typer.Context, tag: Tag, as_json: Json = False) -> None:
    """Give a governed tag back to the domains."""
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.ungovern_tag(tag), lambda: Resource("governed_tag", {"tag": tag}, is_absent=True),
            lambda gone: f"The tag {gone.tag} belongs to the domains again.", as_json=as_json,
        )  # fmt: skip


def release_tag(ctx: typer.Context, object: Object, tag: Tag, reason: Reason = "", as_json: Json = False) -> None:
    """Let one product, port or column be released without a governed tag it has carried."""
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.release_tag(object, tag, reason=reason),
            lambda: Resource("tag_release", {"object": object, "tag": tag, "reason": reason}),
            lambda made: details({"tag": made.tag, "reason": made.reason, "by": made.creator}, title=made.object),
            as_json=as_json,
        )  # fmt: skip


def withdraw_tag_release(ctx: typer.Context, object: Object, tag: Tag, as_json: Json = False) -> None:
    """Take such a consent back; releases made with it stay."""
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.withdraw_tag_release(object, tag),
            lambda: Resource("tag_release", {"object": object, "tag": tag}, is_absent=True),
            lambda gone: f"{gone.object} may not lose {gone.tag} any more.", as_json=as_json,
        )  # fmt: skip


def tags(ctx: typer.Context, as_json: Json = False) -> None:
    """List the governed tags, and what may lose one."""
    with connect(ctx) as mesh:
        governed, released = mesh.admin.governed_tags(), mesh.admin.tag_releases()
    rows: list[list[object]] = [[cell(it.tag, "bold"), "governed", it.description, it.creator] for it in governed]
    rows += [[cell(it.object, "bold"), f"may lose {it.tag}", it.reason, it.creator] for it in released]
    found = {"governed_tags": governed, "tag_releases": released}
    answer(found, lambda: table(["what", "is", "why", "by"], rows) if rows else "No tag is governed by name.", as_json=as_json)


COMMANDS = (
    Command("govern-tag", govern_tag, ("mesh admin govern-tag 'pii.*' --description \"Personal data\"",)),
    Command("ungovern-tag", ungovern_tag, ("mesh admin ungovern-tag 'pii.*'",)),
    Command(
        "release-tag",
        release_tag,
        ('mesh admin release-tag finance.ledger.entries#iban pii.iban --reason "Test accounts only"',),
    ),
    Command(
        "withdraw-tag-release", withdraw_tag_release, ("mesh admin withdraw-tag-release finance.ledger.entries#iban pii.iban",)
    ),
    Command("tags", tags, ("mesh admin tags",)),
)
