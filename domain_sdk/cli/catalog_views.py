"""How catalog entries, lineage and explanations look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from domain_sdk.catalog import ColumnEntry, DomainEntry, Hit, PortEntry, ProductEntry
from domain_sdk.cli.facet_views import facet_facts
from domain_sdk.cli.output import cell, details, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

    from domain_sdk.access import ExplainedColumn, Explanation, ReadPlan, WayOut
    from domain_sdk.lineage import LineageEdge, LineageGraph, LineageReach

__all__ = [
    "explanation_view",
    "hits_view",
    "lineage_view",
    "purpose_words",
    "reach_view",
    "reason_words",
    "row_words",
    "shown_view",
]


_UNPUBLISHED = "registered, not yet published"


def hits_view(hits: Sequence[Hit], query: str, *, tag: str = "", domain: str = "") -> RenderableType:
    """What was found, best first."""
    if not hits:
        asked = (repr(query) if query else "", f"the tag {tag!r}" if tag else "", f"the domain {domain!r}" if domain else "")
        wanted = " and ".join(filter(None, asked))
        if not wanted:
            return cell("There is nothing that you may discover.")
        hint = " This searches the catalog; what documents say is asked with `mesh ask`." if query else ""
        return cell(f"Nothing that you may discover matches {wanted}.{hint}")
    rows = [(cell(hit.name, "bold"), hit.kind, hit.description, hit.tags, _readable(hit)) for hit in hits]
    return table(("name", "kind", "description", "tags", "readable"), rows)


def _readable(hit: Hit) -> RenderableType:
    if hit.is_only_registered:
        return cell(_UNPUBLISHED, "yellow")
    if hit.readable_purposes:
        return cell(f"with --purpose {' or '.join(hit.readable_purposes)}", "green")
    return cell("yes", "green") if hit.is_readable else "ask for it"


def shown_view(
    found: DomainEntry | ProductEntry | PortEntry,
    products: Sequence[ProductEntry] = (),
    releases: Sequence[Mapping[str, object]] = (),
) -> RenderableType:
    """A domain with its products, a product with its ports and releases, or a port with its columns."""
    from rich.console import Group

    if isinstance(found, DomainEntry):
        rows = [(it.name, it.title, it.version or _UNPUBLISHED, len(it.ports)) for it in products]
        listed = table(("product", "title", "version", "ports"), rows)
        facts = {"title": found.title, "description": found.description, "owners": found.owners, "members": found.members}
        return Group(details({**facts, "roles": found.roles}, title=found.name), "", listed)
    if isinstance(found, ProductEntry):
        ports = [part for port in found.ports for part in _port(port)]
        return Group(_product(found), *ports, *([cell(""), _releases(releases)] if releases else []))
    return Group(*_port(found)[1:])


def _product(product: ProductEntry) -> RenderableType:
    served = f"{product.version} (contract {product.contract_version})" if product.version else "none published yet"
    if product.registered_contract_version:
        served += f"; contract {product.registered_contract_version} is registered for the next"
    facts = {"title": product.title, "description": product.description, "status": product.status, "version": served}
    return details({**facts, "tags": product.tags, "updated": product.update_time}, title=product.name)


def _releases(releases: Sequence[Mapping[str, object]]) -> RenderableType:
    headings = {
        "version": "version",
        "contract_version": "contract",
        "publish_time": "published",
        "principal": "by",
        "rows": "rows",
    }
    rows = [[release[name] for name in headings] for release in releases]
    return table(list(headings.values()), rows, title="Releases, newest first", numbers=["version"])


def _port(port: PortEntry) -> list[RenderableType]:
    unit = "rows" if port.kind == "table" else "passages"
    facts: dict[str, object] = {"kind": str(port.kind), "description": port.description, unit: f"{port.row_count:,}"}
    if port.embedding_model:
        facts["embedding"] = f"{port.embedding_model}, {port.dimensions} dimensions"
    if port.facets is not None:
        facts |= facet_facts(port.facets)
    rows = [(_column_name(it), it.physical_type or it.logical_type, it.description, _tags(it)) for it in port.columns]
    return [
        cell(""),
        details({**facts, "tags": port.tags}, title=port.name),
        cell(""),
        table(("column", "type", "description", "tags"), rows),
        *([] if all(it.is_required for it in port.columns) else [cell("?  may be null", "dim")]),
        *_semantics(port),
    ]


def _semantics(port: PortEntry) -> list[RenderableType]:
    """Measures and dimensions, where the contract names any."""
    measures = [
        (cell(it.name, "bold"), it.title or it.description, it.unit, it.expression, it.time_dimension, it.synonyms)
        for it in port.measures
    ]
    dimensions = [
        (cell(it.name, "bold"), it.title or it.description, it.expression or "the column", it.synonyms)
        for it in port.measure_dimensions
    ]
    computed = table(("measure", "tells", "unit", "computed as", "time", "also called"), measures)
    grouped = table(("dimension", "tells", "is", "also called"), dimensions)
    return [*([cell(""), computed] if measures else []), *([cell(""), grouped] if dimensions else [])]


def _column_name(column: ColumnEntry) -> Text:
    marks = (" key" if column.primary_key_position else "") + ("" if column.is_required else " ?")
    return cell(column.name, "bold").append(marks, style="dim")


def _tags(column: ColumnEntry) -> Text:
    """Declared tags, then derived ones, each with the columns it came through, the nearest first, the origin last."""
    lines = [cell(tag, "yellow") for tag in column.tags]
    for derived in column.derived_tags:
        lines.append(cell(derived.tag, "yellow"))
        lines += [cell(f"← {step.replace('#', '.')}", "dim") for step in reversed(derived.path[:-1])]
    return cell("\n").join(lines)


def lineage_view(graph: LineageGraph, name: str = "", between: str = "") -> RenderableType:
    """The graph as a tree both ways; what lies below a thing is drawn once. Without a node it says that no way leads there."""
    from rich.console import Group
    from rich.tree import Tree

    if not graph.nodes:
        words = (
            f"Nothing lies between: no way that you may see leads from {name} to {between}." if between else "Nothing was found."
        )
        return Group(cell(words), *_cut(graph))
    labels = {node.id: _node_label(graph, index) for index, node in enumerate(graph.nodes)}
    tree = Tree(labels[graph.root.id], guide_style="dim")
    for heading, is_upstream in (("comes from", True), ("is used in", False)):
        edges = graph.upstream() if is_upstream else graph.downstream()
        if edges:
            _grow(tree.add(cell(heading, "italic dim")), graph, labels, is_upstream=is_upstream)
    if not graph.edges:
        tree.add(cell("nothing is known of where it comes from or what was made of it", "dim"))
    return Group(tree, *_cut(graph))


def _cut(graph: LineageGraph) -> list[Text]:
    if graph.more:
        return [cell(f"The graph goes on: ask with --after {graph.more}", "yellow")]
    return [] if graph.is_complete else [cell("The graph was cut: ask with a greater --depth.", "yellow")]


def reach_view(found: LineageReach) -> RenderableType:
    """What was reached, nearest first, hidden things only counted."""
    rows: list[list[object]] = [
        [distance, cell(name.replace("#", "."), "bold" if "#" not in name else "")]
        for name, distance in zip(found.names[1:], found.distances[1:], strict=True)
        if name
    ]
    title = f"{len(found.names) - 1:,} made of it" + (
        f", {found.hidden_count:,} of them hidden from you" if found.hidden_count else ""
    )
    return table(["steps", "what"], rows, title=title if found.is_complete else f"{title}; more lies beyond the depth")


def _grow(branch: Tree, graph: LineageGraph, labels: dict[str, Text], *, is_upstream: bool) -> None:
    """Iterative, because a lineage may be deeper than the interpreter's stack."""
    seen = {graph.root.id}
    waiting = [(branch, graph.root.id)]
    while waiting:
        parent, id = waiting.pop()
        edges = graph.upstream(id) if is_upstream else graph.downstream(id)
        for edge in edges:
            other = edge.source if is_upstream else edge.target
            is_repeated = other in seen
            below = parent.add(labels.get(other, cell(other)) + _how(edge) + cell("  (see above)" if is_repeated else "", "dim"))
            if not is_repeated:
                seen.add(other)
                waiting.append((below, other))


def _node_label(graph: LineageGraph, index: int) -> Text:
    node = graph.nodes[index]
    if node.is_hidden:
        return cell("(hidden from you)", "dim")
    port, _, column = node.id.partition("#")
    label = cell(port, "" if column else "bold") + cell(f".{column}" if column else "", "bold")
    return label + cell(f"  {', '.join(node.tags)}" if node.tags else "", "yellow")


def _how(edge: LineageEdge) -> Text:
    words = [word.lower() for word in (edge.subtype or edge.type, "masked" if edge.is_masking else "") if word]
    return cell(f"  ({', '.join(words)})" if words else "", "dim")


def explanation_view(port: str, explanation: Explanation, action: str = "read") -> RenderableType:
    """Column → clear, masked or hidden, by which rule; the rows; what would change it."""
    from rich.console import Group

    plan = explanation.plan
    can, cannot = ("may be read", "may not be read") if action == "read" else (f"{action} is allowed", f"{action} is denied")
    verdict = cell(can, "bold green") if explanation.is_allowed else cell(cannot, "bold red")
    parts: list[RenderableType] = [cell(port, "bold") + cell(" ") + verdict]
    if plan is not None:
        parts.append(details({"by": plan.principal, "for": purpose_words(plan), "rows": row_words(plan)}))
    if explanation.columns:
        parts += ["", table(("column", "shown", "why"), [_explained(it) for it in explanation.columns]), ""]
    parts.append(details({"because": reason_words(explanation.reasons)}))
    levels = [(" and " if level.needs_all else " or ").join(level.approvers) for level in explanation.approvers]
    asks = bool(explanation.request_command) or not explanation.is_allowed
    facts = {
        "to see more": cell("\n").join([_way(it) for it in explanation.ways]),
        "approved by": ", then ".join(levels) if asks else "",
        "next": "" if explanation.ways else explanation.next_step,
        "revision": explanation.revision,
    }
    return Group(*parts, details(facts))


def _explained(column: ExplainedColumn) -> tuple[str, Text, str]:
    styles = {"clear": "green", "hidden": "red"}
    words = {"masked": f"masked: {column.mask}", "partly": "on some rows only"}.get(str(column.shown), str(column.shown))
    return column.name, cell(words, styles.get(str(column.shown), "yellow")), "; ".join(column.reasons)


def _way(way: WayOut) -> Text:
    return cell(way.words) + cell(f" Set by {way.actor}." if way.actor else "", "dim")


def reason_words(reasons: Sequence[str]) -> Text:
    """The rules that decided, a line each."""
    return cell("\n").join([cell(reason.removeprefix(": ")) for reason in reasons])


def purpose_words(plan: ReadPlan) -> str:
    """What the plan is for."""
    return "no stated purpose" if plan.purpose in ("", "unspecified") else plan.purpose


def row_words(plan: ReadPlan) -> str:
    """Which rows the plan keeps."""
    return "some (the rule is not yours to see)" if plan.row_filter == "restricted" else plan.row_filter or "all"
