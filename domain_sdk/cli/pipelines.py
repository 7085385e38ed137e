"""`run`: the transforms of a pipeline file, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.pipelines import TransformRun

__all__ = ["COMMANDS"]


def run(
    ctx: typer.Context,
    pipeline: Annotated[Path, typer.Argument(help="A Python file with transforms, like finance/pipeline.py.", dir_okay=False)],
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this transform. Repeatable.")] = None,
    run_id: Annotated[
        str, typer.Option("--run-id", help="Names this run: repeated, it makes no second release and goes on where it failed.")
    ] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Leave out what was made from the present versions already.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the transforms of a pipeline file, each behind those whose output it reads."""
    from domain_sdk.pipelines import load_transforms, run_transforms

    transforms = load_transforms(pipeline)
    unknown = sorted(set(only or ()) - {transform.function.__name__ for transform in transforms})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not among the transforms of {pipeline}.", param_hint="--only")
    chosen = [transform for transform in transforms if not only or transform.function.__name__ in only]
    with connect(ctx) as mesh, waiting("Running …"):
        done = list(run_transforms(chosen, mesh, run_id=run_id, only_changed=changed))
    answer(done, lambda: _view(done), as_json=as_json)


def _view(done: list[TransformRun]) -> RenderableType:
    rows: list[list[object]] = [
        [cell(it.transform, "bold"), it.product, f"version {it.release.version}" if it.release else "nothing had changed"]
        for it in done
    ]
    return table(["transform", "product", "made"], rows)


COMMANDS = (Command("run", run, ("mesh run sample_domains/finance/revenue/pipeline.py --run-id 2026-11-26",)),)
