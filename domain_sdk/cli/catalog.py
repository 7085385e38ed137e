"""`discover`, `show`, `lineage`, `explain`: what there is, where it comes from, and what of it you may see."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.catalog import DomainEntry, PortEntry, ProductEntry
from domain_sdk.cli.catalog_views import explanation_view, hits_view, lineage_view, reach_view, shown_view
from domain_sdk.cli.command import Command
from domain_sdk.cli.contract_views import contract_view, not_enforced_view, port_extras_view
from domain_sdk.cli.options import Json, PortName, PurposeOption
from domain_sdk.cli.output import answer, plain, print_json, waiting
from domain_sdk.cli.session import connect
from domain_sdk.errors import AccessDenied, InvalidRequest, NotFound

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.mesh import Mesh

__all__ = ["COMMANDS"]

_RELEASES = 20


def discover(
    ctx: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="What to look for; everything when left out.")] = None,
    tag: Annotated[str, typer.Option("--tag", help="Only what carries this tag, like pii.email.")] = "",
    domain: Annotated[str, typer.Option("--domain", help="Only of this domain.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Find products and ports by name, description, column or tag; an exact name comes first."""
    query = " ".join(words or ())
    with connect(ctx) as mesh, waiting("Searching …"):
        hits = mesh.discover(query, tag=tag, domain=domain, limit=limit)
    answer(hits, lambda: hits_view(hits, query, tag=tag, domain=domain), as_json=as_json)


def show(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A domain, product or port, like finance, finance.ledger or finance.ledger.entries.")
    ],
    contract: Annotated[bool, typer.Option("--contract", help="Print the product's contract as published.")] = False,
    as_json: Json = False,
) -> None:
    """Show a domain, product or port: releases, columns, tags, and the path by which a tag came along lineage."""
    with connect(ctx) as mesh:
        if contract:
            domain, _, product = name.partition(".")
            if not product or "." in product:
                raise typer.BadParameter(f"{name} is no product: contracts belong to products, like finance.ledger.")
            text = mesh.domain(domain).product(product).contract()
            if as_json:
                print_json({"product": name, "contract": text})
            else:
                print(text, end="" if text.endswith("\n") else "\n")
            return
        found = mesh.show(name)
        products = mesh.products(name) if "." not in name else []
        releases = _releases(mesh, found)
        document = _document(mesh, found)
    more: dict[str, object] = {"products": products} if "." not in name else {}
    more |= {"releases": releases} if isinstance(found, ProductEntry) else {}
    more |= {"contract": document, "not_enforced": _not_enforced(found, document)} if document else {}
    answer({**plain(found), **more}, lambda: _shown(found, products, releases, document), as_json=as_json)


def _shown(
    found: DomainEntry | ProductEntry | PortEntry,
    products: list[ProductEntry],
    releases: list[dict[str, object]],
    document: dict[str, Any],
) -> RenderableType:
    from rich.console import Group

    extras: list[RenderableType] = []
    if document and isinstance(found, ProductEntry):
        extras = contract_view(document, _not_enforced(found, document))
    elif document:
        extras = [*port_extras_view(document), *not_enforced_view(_not_enforced(found, document))]
    return Group(shown_view(found, products, releases), *extras)


def _not_enforced(found: DomainEntry | ProductEntry | PortEntry, document: dict[str, Any]) -> list[str]:
    from mesh_core.contract.coverage import Part, not_enforced

    return not_enforced(document, Part.CONTRACT if isinstance(found, ProductEntry) else Part.OBJECT)


def _document(mesh: Mesh, found: DomainEntry | ProductEntry | PortEntry) -> dict[str, Any]:
    """The parsed contract of a product, of a port its part of it; empty where it is not to be seen or there is none."""
    from mesh_core.contract.yaml_text import parse_yaml

    if isinstance(found, DomainEntry):
        return {}
    domain, product, *port = found.name.split(".")
    with suppress(AccessDenied, NotFound, InvalidRequest):
        document = parse_yaml(mesh.domain(domain).product(product).contract())
        if isinstance(document, dict):
            return next((it for it in document.get("schema") or () if it["name"] == port[0]), {}) if port else document
    return {}


def _releases(mesh: Mesh, found: DomainEntry | ProductEntry | PortEntry) -> list[dict[str, object]]:
    """The product's newest releases; none of what is no product, or where they are not to be seen."""
    if not isinstance(found, ProductEntry) or not found.version:
        return []
    domain, _, product = found.name.partition(".")
    with suppress(AccessDenied, NotFound):
        return [
            {
                "version": it.version,
                "contract_version": it.contract_version,
                "publish_time": it.publish_time,
                "principal": it.principal,
                "rows": {port.port.rpartition(".")[2]: port.row_count for port in it.ports},
            }
            for it in mesh.domain(domain).product(product).releases(_RELEASES)
        ]
    return []


def lineage(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A port, a column like finance.ledger.entries.amount, or a dataset: namespace|name.")
    ],
    depth: Annotated[int, typer.Option("--depth", min=1, max=100, help="How many steps each way.")] = 5,
    upstream: Annotated[bool, typer.Option("--upstream", help="Only where it comes from.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="Only what was made of it.")] = False,
    between: Annotated[str, typer.Option("--between", metavar="OTHER", help="Only what lies on a way from here to OTHER.")] = "",
    level: Annotated[str, typer.Option("--level", help="dataset or column.")] = "",
    type: Annotated[
        list[str] | None, typer.Option("--type", help="Only such edges: DIRECT, INDIRECT, FILTER, … (repeatable).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many nodes at most.")] = 10_000,
    after: Annotated[str, typer.Option("--after", help="Go on where a graph was cut by --limit.")] = "",
    as_of: Annotated[int, typer.Option("--as-of", metavar="REVISION", min=0, help="As of this revision; 0 is now.")] = 0,
    listed: Annotated[bool, typer.Option("--list", help="Only names and steps, but always all of it within the depth.")] = False,
    format: Annotated[str, typer.Option("--format", help="tree, mermaid, dot or json.")] = "tree",
    as_json: Json = False,
) -> None:
    """Draw where a port, column or dataset comes from, what was made of it, or what lies between two of them."""
    if format not in ("tree", "mermaid", "dot", "json"):
        raise typer.BadParameter(f"{format!r} is no format; use tree, mermaid, dot or json.", param_hint="--format")
    direction = "upstream" if upstream and not downstream else "downstream" if downstream and not upstream else "both"
    terms: Any = {"depth": depth, "types": type or (), "as_of": as_of, "direction": direction, "level": level}
    with connect(ctx) as mesh, waiting("Walking the lineage …"):
        if listed:
            found = mesh.reach(name, **{**terms, "direction": "upstream" if direction == "upstream" else "downstream"})
            answer(found, lambda: reach_view(found), as_json=as_json or format == "json")
            return
        graph = mesh.lineage(name, limit=limit, after=after, between=between, **terms)
    if format in ("mermaid", "dot") and not as_json:
        typer.echo(graph.to_mermaid() if format == "mermaid" else graph.to_dot())
    else:
        answer(graph, lambda: lineage_view(graph, name, between), as_json=as_json or format == "json")


def explain(
    ctx: typer.Context,
    port: PortName,
    principal: Annotated[str, typer.Option("--principal", help="Somebody else, like user:ana, if you may ask.")] = "",
    purpose: PurposeOption = "",
    action: Annotated[str, typer.Option("--action", help="Another action than read, like write.")] = "read",
    as_of: Annotated[int, typer.Option("--as-of", metavar="REVISION", min=0, help="As of this revision; 0 is now.")] = 0,
    as_json: Json = False,
) -> None:
    """Explain what you (or somebody else) see of a port, column by column, which rules decide it, and what would change it."""
    with connect(ctx) as mesh:
        explanation = mesh.explain(
            port,
            principal=principal,
            purpose=purpose,
            action=action,  # type: ignore[arg-type] # the server names those there are
            as_of=as_of,
        )
    answer(explanation, lambda: explanation_view(port, explanation, action), as_json=as_json)


COMMANDS = (
    Command("discover", discover, ("mesh discover monthly revenue", "mesh discover --tag pii.email --json")),
    Command("show", show, ("mesh show finance.revenue.revenue", "mesh show finance.revenue --contract")),
    Command(
        "lineage",
        lineage,
        (
            "mesh lineage finance.revenue.revenue.contact --upstream",
            "mesh lineage finance.revenue.revenue --format mermaid",
            "mesh lineage sales.customers.customers --between finance.revenue.revenue --level column",
            "mesh lineage sales.customers.customers.email --list --depth 100",
        ),
    ),
    Command("explain", explain, ("mesh explain finance.revenue.revenue --purpose forecasting --principal user:ana",)),
)
