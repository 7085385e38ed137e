"""`maintain`, `compact`, `vacuum`, `reindex`, `retire`: the upkeep of a product's storage, and the end of old versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, Reason
from domain_sdk.cli.output import answer, cell, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.mesh import Mesh
    from domain_sdk.upkeep import Compaction, Maintained, Reindexed, Removal, Upkeep

__all__ = ["COMMANDS"]

ProductName = Annotated[str, typer.Argument(metavar="PRODUCT", help="Two-part name, like finance.ledger.")]


def maintain(ctx: typer.Context, product: ProductName, as_json: Json = False) -> None:
    """Retire versions whose retention is over, compact tables, remove files that no version needs."""
    with connect(ctx) as mesh, waiting(f"Maintaining {product} …"):
        done = upkeep_of(mesh, product).maintain()
    answer(done, lambda: _maintained(done), as_json=as_json)


def compact(
    ctx: typer.Context,
    product: ProductName,
    port: Annotated[str, typer.Option("--port", help="Only this table, by its three-part name.")] = "",
    z_order: Annotated[
        list[str] | None, typer.Option("--z-order", metavar="COLUMN", help="Sort along a Z-curve of columns; repeat for more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put the rows of each table's served version into few files, sorted if asked; every version reads as before."""
    with connect(ctx) as mesh, waiting(f"Compacting {product} …"):
        done = upkeep_of(mesh, product).compact(port=port, z_order=z_order or ())
    answer(done, lambda: _compacted(done), as_json=as_json)


def vacuum(
    ctx: typer.Context,
    product: ProductName,
    grace_hours: Annotated[
        int, typer.Option("--grace-hours", min=0, help="Keep what was in use within so many hours, for reads that run.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Json = False,
) -> None:
    """Remove files and passages that no version needs which may be read."""
    with connect(ctx) as mesh, waiting(f"Looking through {product} …"):
        done = upkeep_of(mesh, product).vacuum(grace_hours=grace_hours, dry_run=dry_run)
    answer(done, lambda: _removed(done, "would be removed" if dry_run else "removed"), as_json=as_json)


def reindex(
    ctx: typer.Context,
    product: ProductName,
    port: Annotated[str, typer.Option("--port", help="Only this collection, by its three-part name.")] = "",
    as_json: Json = False,
) -> None:
    """Build the search indexes of a product's collections anew, as after a restore; searches go on meanwhile."""
    with connect(ctx) as mesh, waiting(f"Indexing {product} …"):
        done = upkeep_of(mesh, product).reindex(port=port)
    answer(done, lambda: _reindexed(done), as_json=as_json)


def retire(
    ctx: typer.Context,
    product: ProductName,
    version: Annotated[int, typer.Argument(min=1, help="The version; not the one served.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """End an old version: it can be read no more, and the next vacuum removes what only it needed."""
    with connect(ctx) as mesh:
        release = upkeep_of(mesh, product).retire(version, reason=reason)
    answer(release, lambda: cell(f"{release.product} version {release.version} is retired.", "green"), as_json=as_json)


def upkeep_of(mesh: Mesh, product: str) -> Upkeep:
    """The upkeep of the product. Raises: typer.BadParameter if the name is not one of a product."""
    domain, _, name = product.partition(".")
    if not name or "." in name:
        raise typer.BadParameter(f"{product!r} is no product: write domain.product, like finance.ledger.", param_hint="PRODUCT")
    return mesh.domain(domain).product(name).upkeep


def _maintained(done: Maintained) -> RenderableType:
    from rich.console import Group

    versions = ", ".join(map(str, done.retired_versions)) or "none"
    return Group(cell(f"retired versions: {versions}", "bold"), _compacted(done.compacted), _removed(done.removed, "removed"))


def _compacted(done: Sequence[Compaction]) -> RenderableType:
    rows = [(cell(it.port, "bold"), str(it.files_before), str(it.files_after)) for it in done]
    columns = ("port", "files before", "files now")
    return table(columns, rows, numbers=columns[1:]) if rows else cell("Nothing was to be compacted.", "green")


def _removed(done: Sequence[Removal], what: str) -> RenderableType:
    rows = [(cell(it.port, "bold"), f"{it.count:,}") for it in done]
    return table(("port", what), rows, numbers=[what])


def _reindexed(done: Sequence[Reindexed]) -> RenderableType:
    rows = [(cell(it.port, "bold"), f"{it.passages:,}") for it in done]
    columns = ("collection", "passages")
    return table(columns, rows, numbers=columns[1:]) if rows else cell("The product has no collections.", "green")


COMMANDS = (
    Command("maintain", maintain, ("mesh maintain finance.ledger",)),
    Command("compact", compact, ("mesh compact finance.ledger", "mesh compact finance.ledger --z-order region --z-order day")),
    Command("vacuum", vacuum, ("mesh vacuum finance.ledger --dry-run",)),
    Command("reindex", reindex, ("mesh reindex finance.memos", "mesh reindex finance.memos --port finance.memos.pages")),
    Command("retire", retire, ('mesh retire finance.ledger 3 --reason "wrong currency"',)),
)
