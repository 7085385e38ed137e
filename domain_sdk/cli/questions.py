"""`sees`, `who`, `simulate`, `prove`: who sees what, what a rule would change, and whether a claim holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED
from domain_sdk.cli.options import Columns, Json, Masks, Rows, Until, parse_columns, parse_pairs
from domain_sdk.cli.output import answer, waiting
from domain_sdk.cli.question_views import impact_view, proof_view, readers_view, visible_view
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from domain_sdk.changes import Kind, Resource

__all__ = ["COMMANDS"]

AsOf = Annotated[int, typer.Option("--as-of", metavar="REVISION", min=0, help="Answer as of this revision; 0 is now.")]
OnlyPurpose = Annotated[str, typer.Option("--purpose", help="Only for this purpose; for every one held when left out.")]
_KINDS = ("domain", "principal", "purpose", "governed_tag", "tag_release", "guardrail", "grant", "approval_rule")


def sees(
    ctx: typer.Context,
    principal: Annotated[str, typer.Argument(help="user:ana, service:etl, group:analysts or '*'; you when left out.")] = "",
    purpose: OnlyPurpose = "",
    domain: Annotated[str, typer.Option("--domain", help="Only ports of this domain.")] = "",
    as_of: AsOf = 0,
    as_json: Json = False,
) -> None:
    """List what somebody sees: every port with its columns, masks and rows. About others, if you may grant there."""
    with connect(ctx) as mesh, waiting("Looking at every port …"):
        found = mesh.policy.sees(principal, purpose=purpose, domain=domain, as_of=as_of)
    answer(found, lambda: visible_view(found), as_json=as_json)


def who(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(help="A port, or a column like finance.ledger.entries.amount.")],
    purpose: OnlyPurpose = "",
    as_of: AsOf = 0,
    as_json: Json = False,
) -> None:
    """List everybody who sees a port or column, how, and by which grant. Needs the right to grant on it."""
    with connect(ctx) as mesh, waiting("Asking about everybody …"):
        found = mesh.policy.who(resource, purpose=purpose, as_of=as_of)
    answer(found, lambda: readers_view(resource, found), as_json=as_json)


def simulate(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="YAML or JSON: a list of resources, like `- grant: {subject: …}`.", show_default=False)
    ] = None,
    grant: Annotated[str, typer.Option("--grant", metavar="WHO=WHAT", help="A grant, like user:ana=sales.orders.orders.")] = "",
    actions: Annotated[str, typer.Option("--actions", metavar="A,B", help="What the grant is for.")] = "discover,read",
    purpose: Annotated[str, typer.Option("--purpose", help="The grant's purpose; any when left out.")] = "",
    rows: Rows = "",
    mask: Masks = None,
    columns: Columns = "",
    until: Until = None,
    deny: Annotated[bool, typer.Option("--deny", help="The grant takes instead of gives.")] = False,
    revoke: Annotated[list[str] | None, typer.Option("--revoke", metavar="ID", help="A grant ends; repeat for more.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="ID", help="A guardrail ends; repeat for more.")] = None,
    days: Annotated[int, typer.Option("--days", min=0, max=366, help="Judge the reads of so many past days again.")] = 0,
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=60, help="When to stop comparing.")] = 10,
    as_of: AsOf = 0,
    as_json: Json = False,
) -> None:
    """Say who would gain and who would lose what by changes, without making them."""
    changes = _read(file) if file is not None else []
    if grant:
        masks = parse_pairs(mask, option="--mask", form="COLUMN=MASK")
        effect = "deny" if deny else "allow"
        given = {"actions": parse_columns(actions), "columns": parse_columns(columns), "expire_time": until}
        changes.append(_granted(grant, masks, effect=effect, purpose=purpose, row_filter=rows, **given))
    changes += [*_ended("grant", revoke), *_ended("guardrail", drop)]
    if not changes:
        raise typer.BadParameter("There is nothing to suppose: give a file, --grant, --revoke or --drop.")
    with connect(ctx) as mesh, waiting("Comparing …"):
        impact = mesh.policy.simulate(changes, recorded_days=days, limit_seconds=seconds, as_of=as_of)
    answer(impact, lambda: impact_view(impact), as_json=as_json)


def _granted(text: str, masks: Mapping[str, str], **fields: object) -> Resource:
    """The grant that `WHO=WHAT` and the options say."""
    from domain_sdk.changes import Resource

    subject, separator, resource = text.partition("=")
    if not subject or not separator or not resource:
        raise typer.BadParameter(f"{text!r} is no grant: write user:ana=sales.orders.orders.", param_hint="--grant")
    given = {name: value for name, value in fields.items() if value}
    shown = [{"column": column, "mask": it} for column, it in masks.items()]
    return Resource("grant", {"subject": subject, "resource": resource, "masks": shown, **given})


def _ended(kind: Kind, ids: Sequence[str] | None) -> Iterator[Resource]:
    from domain_sdk.changes import Resource

    yield from (Resource(kind, {"id": id}, is_absent=True) for id in ids or ())


def prove(
    ctx: typer.Context,
    claim: Annotated[str, typer.Argument(help="tag:pii.* (nobody sees it as it is), or the id of a guardrail.")],
    purpose: Annotated[str, typer.Option("--purpose", help="Only for this purpose; for all when left out.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Only this principal, or who has this group or role.")] = "",
    action: Annotated[str, typer.Option("--action", help="Another action than read, of what carries the tag.")] = "read",
    hidden: Annotated[bool, typer.Option("--hidden", help="Claim that it is not seen at all, not even masked.")] = False,
    as_of: AsOf = 0,
    as_json: Json = False,
) -> None:
    """Prove that nobody sees what a tag or guardrail protects, or name who does and why. Exit status 0 if it holds, 1 if not."""
    is_tag = claim.startswith("tag:")
    with connect(ctx) as mesh, waiting("Enumerating …"):
        proof = mesh.policy.prove(
            tag=claim if is_tag else "",
            guardrail="" if is_tag else claim,
            purpose=purpose,
            subject=subject,
            action=action,  # type: ignore[arg-type] # the server names those there are
            hidden=hidden,
            as_of=as_of,
        )
    answer(proof, lambda: proof_view(proof), as_json=as_json)
    raise typer.Exit(0 if proof else FAILED)


def _read(file: Path) -> list[Resource]:
    """The resources in the file, as the API names their fields."""
    from domain_sdk.changes import Resource
    from mesh_core.contract.yaml_text import UnreadableText, parse_yaml

    try:
        content = parse_yaml(file.read_text("utf-8"))
    except (UnreadableText, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}", param_hint="FILE") from error
    found = []
    for number, item in enumerate(content if isinstance(content, list) else [content], start=1):
        kind = next((key for key in item if key in _KINDS), "") if isinstance(item, dict) else ""
        if not isinstance(item, dict) or not kind or not isinstance(item[kind], dict) or item.keys() - {kind, "absent"}:
            hint = f"write `- grant: {{…}}`, with `absent: true` beside it for one that ends; kinds are {', '.join(_KINDS)}"
            raise typer.BadParameter(f"Entry {number} of {file} is no resource: {hint}.", param_hint="FILE")
        found.append(Resource(kind, item[kind], is_absent=item.get("absent") is True))  # type: ignore[arg-type] # one of the kinds
    return found


COMMANDS = (
    Command("sees", sees, ("mesh sees user:ana --domain finance", "mesh sees --purpose forecasting")),
    Command("who", who, ("mesh who finance.revenue.revenue.contact",)),
    Command(
        "simulate",
        simulate,
        (
            "mesh simulate --grant group:analysts=finance.revenue.revenue --mask contact=show-last-4",
            "mesh simulate --revoke GRANT --days 30",
            "mesh simulate changes.yaml --json",
        ),
    ),
    Command("prove", prove, ('mesh prove "tag:pii.*" --purpose marketing', "mesh prove mask-email")),
)
