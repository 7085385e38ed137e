"""`admin …`: the central team sets the mesh up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.changes import Resource
from domain_sdk.cli.changes import done_or_proposed
from domain_sdk.cli.command import Command
from domain_sdk.cli.identity import principal_details
from domain_sdk.cli.options import Json, Rows, parse_pairs
from domain_sdk.cli.output import answer, cell, details, table
from domain_sdk.cli.policy import guardrails_view
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from domain_sdk.access import Guardrail

__all__ = ["COMMANDS"]

Title = Annotated[str, typer.Option("--title", help="A readable name.")]
Description = Annotated[str, typer.Option("--description", help="What it is, in words.")]
Names = list[str] | None
_PRINCIPAL_FIELDS = ("name", "title", "groups", "roles", "purposes", "attributes", "is_disabled", "is_administrator")


class Listed(StrEnum):
    """What `admin list` can list."""

    DOMAINS = "domains"
    PRINCIPALS = "principals"
    PURPOSES = "purposes"
    GUARDRAILS = "guardrails"


def create_principal(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="user:ana, service:etl or group:analysts.")],
    title: Title = "",
    group: Annotated[Names, typer.Option("--group", help="A group it is in; repeat for more.")] = None,
    role: Annotated[Names, typer.Option("--role", help="A role it has; repeat for more.")] = None,
    purpose: Annotated[Names, typer.Option("--purpose", help="A purpose it holds; repeat for more.")] = None,
    attribute: Annotated[
        Names, typer.Option("--attribute", metavar="NAME=VALUE", help="What row filters know as subject.NAME; repeat for more.")
    ] = None,
    administrator: Annotated[
        bool, typer.Option("--administrator", help="Whoever is in the group may administer the whole mesh.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create a principal; it can call once it has a token (`mesh token create`)."""
    if administrator and not name.startswith("group:"):
        raise typer.BadParameter(
            f"Nobody could make a token for {name} later: create it without, then `mesh token create {name}`, and then "
            f"`mesh admin update-principal {name} --administrator`.", param_hint="--administrator",
        )  # fmt: skip
    given: dict[str, Any] = {
        "title": title, "groups": group or (), "roles": role or (), "purposes": purpose or (),
        "attributes": parse_pairs(attribute, option="--attribute"), "is_administrator": administrator,
    }  # fmt: skip
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.create_principal(name, **given), lambda: Resource("principal", {"name": name, **given}),
            principal_details, as_json=as_json,
        )  # fmt: skip


def update_principal(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="user:ana, service:etl or group:analysts.")],
    disabled: Annotated[bool | None, typer.Option("--disable/--enable", help="Refuse or accept its tokens.")] = None,
    group: Annotated[Names, typer.Option("--group", help="The groups it is in from now on; repeat for more.")] = None,
    purpose: Annotated[Names, typer.Option("--purpose", help="The purposes it holds from now on; repeat for more.")] = None,
    administrator: Annotated[
        bool | None, typer.Option("--administrator/--no-administrator", help="It may administer the mesh, or no more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a principal: what is given replaces what was; the rest stays."""
    given: dict[str, Any] = {
        "is_disabled": disabled, "groups": group, "purposes": purpose, "is_administrator": administrator,
    }  # fmt: skip
    changed = {field: value for field, value in given.items() if value is not None}
    if not changed:
        raise typer.BadParameter("Nothing to change was given.")

    def desired() -> Resource:
        known = next(it for it in mesh.admin.principals() if it.name == name)
        kept = {field: getattr(known, field) for field in _PRINCIPAL_FIELDS}
        return Resource("principal", {**kept, **changed})

    with connect(ctx) as mesh:
        done_or_proposed(
            mesh,
            lambda: mesh.admin.update_principal(name, **given),
            desired,
            principal_details,
            as_json=as_json,
        )


def link_identity(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The principal, like user:kim.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The claim `sub` of its access tokens.")],
    as_json: Json = False,
) -> None:
    """Say which principal somebody at the identity provider is; the principal exists already."""
    with connect(ctx) as mesh:
        mesh.admin.link_identity(name, subject)
    value = {"principal": name, "subject": subject}
    answer(value, lambda: f"Access tokens of {subject} stand for {name} now.", as_json=as_json)


def unlink_identity(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The claim `sub` of its access tokens.")],
    as_json: Json = False,
) -> None:
    """Say that somebody at the identity provider is nobody here any more."""
    with connect(ctx) as mesh:
        mesh.admin.unlink_identity(subject)
    answer({"subject": subject}, lambda: f"Access tokens of {subject} are refused now.", as_json=as_json)


def create_domain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Like finance.")],
    title: Title = "",
    description: Description = "",
    owner: Annotated[Names, typer.Option("--owner", help="Who administers it; repeat for more.")] = None,
    member: Annotated[Names, typer.Option("--member", help="Who works in it; repeat for more.")] = None,
    namespace: Annotated[
        Names,
        typer.Option("--namespace", help="An OpenLineage namespace it owns: s3://bucket, file|/data/risk/; repeat for more."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a domain."""
    given: dict[str, Any] = {"title": title, "description": description, "owners": owner or (), "members": member or ()}
    given["namespaces"] = namespace or ()
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.create_domain(name, **given), lambda: Resource("domain", {"name": name, **given}),
            lambda made: details({field: getattr(made, field) for field in given}, title=made.name), as_json=as_json,
        )  # fmt: skip


def own_namespaces(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The domain, like finance.")],
    namespaces: Annotated[Names, typer.Argument(help="Like s3://bucket, airflow-finance or file|/data/finance/.")] = None,
    as_json: Json = False,
) -> None:
    """Let a domain own these OpenLineage namespaces and no others: its people may send events about jobs and outputs in them."""
    given = {"name": name, "namespaces": namespaces or []}
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh,
            lambda: mesh.admin.update_domain(name, namespaces=namespaces or []),
            lambda: Resource("domain", given),
            lambda made: details({"namespaces": made.namespaces}, title=made.name),
            as_json=as_json,
        )


def create_purpose(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Like forecasting.")],
    parent: Annotated[str, typer.Option("--parent", help="The wider purpose.")] = "",
    description: Description = "",
    as_json: Json = False,
) -> None:
    """Create a purpose; what is granted for its parent is granted for it."""
    given = {"parent": parent, "description": description}
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.create_purpose(name, **given), lambda: Resource("purpose", {"name": name, **given}),
            lambda made: details({field: getattr(made, field) for field in given}, title=made.name), as_json=as_json,
        )  # fmt: skip


def create_guardrail(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="A name for it, like mask-email.")],
    resource: Annotated[str, typer.Argument(help="tag:pii.email, tag:pii.*, mesh, a domain, product or port.")],
    mask: Annotated[str, typer.Option("--mask", help="The mask on what carries the tag, like replace-with-null.")] = "",
    rows: Rows = "",
    deny_read: Annotated[bool, typer.Option("--deny-read", help="Nobody may read it.")] = False,
    exempt: Annotated[
        Names,
        typer.Option("--exempt", help="Whom it does not bind: domain:sales, purpose:invoicing, domain:* (own data); repeat."),
    ] = None,
    description: Description = "",
    as_json: Json = False,
) -> None:
    """Create a guardrail that binds every domain. Give exactly one of --mask, --rows and --deny-read."""
    if sum(map(bool, (mask, rows, deny_read))) != 1:
        raise typer.BadParameter("Give exactly one of --mask, --rows and --deny-read.")
    rule: dict[str, Any] = {"mask": mask} if mask else {"row_filter": rows} if rows else {"deny_read": True}
    fields = {"id": id, "resource": resource, "description": description, "exempt": exempt or (), **rule}

    def create() -> Guardrail:
        return mesh.admin.create_guardrail(
            id, resource, mask=mask, rows=rows, deny_read=deny_read, exempt=exempt or (), description=description
        )

    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, create, lambda: Resource("guardrail", fields), lambda made: guardrails_view([made]), as_json=as_json
        )


def delete_guardrail(
    ctx: typer.Context, id: Annotated[str, typer.Argument(metavar="ID", help="Its name.")], as_json: Json = False
) -> None:
    """Delete a guardrail; it binds no more."""
    with connect(ctx) as mesh:
        done_or_proposed(
            mesh, lambda: mesh.admin.delete_guardrail(id), lambda: Resource("guardrail", {"id": id}, is_absent=True),
            lambda gone: f"Guardrail {gone.id} binds no more.", as_json=as_json,
        )  # fmt: skip


def list_all(ctx: typer.Context, what: Annotated[Listed, typer.Argument(help="What to list.")], as_json: Json = False) -> None:
    """List domains, principals, purposes or guardrails."""
    with connect(ctx) as mesh:
        if what is Listed.GUARDRAILS:
            guardrails = mesh.guardrails()
            answer(guardrails, lambda: guardrails_view(guardrails), as_json=as_json)
            return
        fetch: dict[Listed, Callable[[], Sequence[Any]]] = {
            Listed.DOMAINS: mesh.domains,
            Listed.PRINCIPALS: mesh.admin.principals,
            Listed.PURPOSES: mesh.admin.purposes,
        }
        found = fetch[what]()
    answer(found, lambda: table(_headings(what), _rows(what, found)) if found else f"There are no {what}.", as_json=as_json)


_FIELDS = {
    Listed.DOMAINS: ("name", "title", "description", "owners", "members"),
    Listed.PRINCIPALS: ("name", "title", "groups", "purposes", "attributes", "is_administrator", "is_disabled"),
    Listed.PURPOSES: ("name", "parent", "description"),
}


def _headings(what: Listed) -> list[str]:
    return [name.removeprefix("is_").replace("administrator", "admin") for name in _FIELDS[what]]


def _rows(what: Listed, found: Sequence[Any]) -> list[list[object]]:
    rows = [[getattr(it, name) for name in _FIELDS[what]] for it in found]
    return [[cell(first, "bold"), *("yes" if it is True else "" if it is False else it for it in rest)] for first, *rest in rows]


COMMANDS = (
    Command(
        "create-principal",
        create_principal,
        ("mesh admin create-principal user:ana --group group:analysts --attribute region=EMEA",),
    ),
    Command(
        "update-principal",
        update_principal,
        ("mesh admin update-principal user:ana --disable", "mesh admin update-principal user:kim --administrator"),
    ),
    Command("link-identity", link_identity, ("mesh admin link-identity user:kim 5f7c-11",)),
    Command("unlink-identity", unlink_identity, ("mesh admin unlink-identity 5f7c-11",)),
    Command(
        "create-domain", create_domain, ("mesh admin create-domain finance --owner user:fiona --member service:finance-etl",)
    ),
    Command("own-namespaces", own_namespaces, ("mesh admin own-namespaces finance s3://finance-lake airflow-finance",)),
    Command("create-purpose", create_purpose, ("mesh admin create-purpose forecasting --parent analytics",)),
    Command(
        "create-guardrail",
        create_guardrail,
        ("mesh admin create-guardrail mask-email tag:pii.email --mask replace-with-null --exempt domain:sales",),
    ),
    Command("delete-guardrail", delete_guardrail, ("mesh admin delete-guardrail mask-email",)),
    Command("list", list_all, ("mesh admin list principals", "mesh admin list purposes --json")),
)
