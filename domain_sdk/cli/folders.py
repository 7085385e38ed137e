"""`plan`, `apply`, `test`, `export`: the mesh in git, a folder of files against the mesh as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED
from domain_sdk.cli.options import Json, Reason
from domain_sdk.cli.output import answer, cell, errors_console, output_console, print_json, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from domain_sdk.changes import ChangeSet
    from domain_sdk.folder import FolderPlan, Source, SourcePlan, Tree
    from domain_sdk.folder.testing import CaseResult
    from domain_sdk.mesh import Mesh

__all__ = ["COMMANDS"]

CHANGES = 2
"""The exit status of a plan that is not empty."""
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A domain's folder, the centre's, or one that holds several of them.")
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="SOURCE", help="Only this: centre, or a domain's name; repeat for more.")
]


def plan(ctx: typer.Context, folder: Folder = Path(), only: Only = None, as_json: Json = False) -> None:
    """Show what applying a folder would change. Exit status 0 if nothing, 2 if something, 1 if it cannot be applied."""
    tree = _tree(folder, only)
    with connect(ctx) as mesh:
        found = _planned(mesh, tree)
    answer(found, lambda: _view(found, tree), as_json=as_json)
    raise typer.Exit(0 if found.is_empty else CHANGES)


def apply(
    ctx: typer.Context,
    folder: Folder = Path(),
    only: Only = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Make the mesh what a folder says: each source in one change, or none of it. Shows the plan and asks first."""
    tree = _tree(folder, only)
    if as_json and not yes:
        raise typer.BadParameter("With --json nobody can be asked: add --yes.", param_hint="--json")
    with connect(ctx) as mesh:
        done = _Applying(mesh, tree, reason, yes=yes, quiet=as_json).run()
    if as_json:
        print_json({"change_sets": done.change_sets, "registered_contracts": done.contracts})


def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="An empty folder, or one that does not exist yet.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what a folder holds of the format; the rest stays.")] = False,
    as_json: Json = False,
) -> None:
    """Write the mesh, as far as you administer it, as a folder that says exactly that."""
    with connect(ctx) as mesh, waiting("Reading the mesh …"):
        written = mesh.changes.export_folder(folder, force=force)
    answer(
        {"folder": str(folder), "files": written}, lambda: "\n".join([*written, _files(len(written), folder)]), as_json=as_json
    )


def _files(count: int, folder: Path) -> str:
    return f"{count} files are in {folder}: `mesh plan {folder}` finds nothing to change."


def run_tests(
    ctx: typer.Context,
    folder: Folder = Path(),
    only: Only = None,
    with_changes: Annotated[
        bool, typer.Option("--with-changes", help="Of the mesh as it would be with the folder applied, not as it is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a folder's policy tests: who must see what, and must not. Exit status 1 if one fails."""
    tree = _tree(folder, only)
    with connect(ctx) as mesh, waiting(f"Asking {len(tree.cases)} tests …"):
        from domain_sdk.folder.testing import run_cases

        found = run_cases(mesh._transport, tree, with_changes=with_changes)
    answer({"tests": found}, lambda: _results(found), as_json=as_json)
    raise typer.Exit(0 if all(it.is_passed for it in found) else FAILED)


def _results(found: Sequence[CaseResult]) -> Any:  # noqa: ANN401 # Rich renderables
    from domain_sdk.cli.folder_views import results_view

    return results_view(found)


def _tree(folder: Path, only: list[str] | None) -> Tree:
    from domain_sdk.folder import read_folder

    return read_folder(folder).only(only or ())


def _planned(mesh: Mesh, tree: Tree) -> FolderPlan:
    from domain_sdk.folder.planning import plan_tree

    with waiting("Planning …") as status:
        show: Callable[[str], Any] = lambda source: status.update(cell(f"Planning {source} …"))  # noqa: E731
        return plan_tree(mesh._transport, tree, working=show)


def _view(found: FolderPlan, tree: Tree) -> Any:  # noqa: ANN401 # Rich renderables
    from domain_sdk.cli.folder_views import plan_view

    return plan_view(found, tree)


@dataclass(frozen=True, slots=True)
class _Applied:
    """What applying a tree did: change sets, and the products whose contracts were registered."""

    change_sets: list[ChangeSet]
    contracts: list[str]


class _Applying:
    """Applies a tree, source by source, after asking."""

    def __init__(self, mesh: Mesh, tree: Tree, reason: str, *, yes: bool, quiet: bool) -> None:
        self._mesh = mesh
        self._tree = tree
        self._reason = reason
        self._yes = yes
        self._quiet = quiet
        self._done: list[ChangeSet] = []
        self._registered: list[str] = []

    def run(self) -> _Applied:
        """What was done, change sets without changes included."""
        found = _planned(self._mesh, self._tree)
        if found.is_empty:
            self._say("Everything is as the folder says.")
        else:
            self._show(found)
            self._ask()
        sources = {source.name: source for source in self._tree.sources}
        for planned in found.sources:
            self._apply(sources[planned.source], planned)
        return _Applied(self._done, self._registered)

    def _apply(self, source: Source, planned: SourcePlan) -> None:
        from domain_sdk.folder.planning import FolderPlan, apply_source, plan_source

        current = planned
        if current.plan is None:
            if any(it.state == "proposed" for it in self._done):
                self._say(f"{source.name}: not applied, as what comes before it waits for approval. Apply again afterwards.")
                return
            current = plan_source(self._mesh._transport, source)
            if not current.is_empty:
                self._show(FolderPlan((current,)))
                self._ask()
        assert current.plan is not None
        with waiting(f"Applying {source.name} …"):
            done = apply_source(self._mesh._transport, source, reason=self._reason, etag=current.plan.etag)
        self._done.append(done)
        if done.changes:
            self._say(_outcome(done, current.plan.approvers))
        if done.state != "proposed":
            self._register(source)

    def _register(self, source: Source) -> None:
        from domain_sdk.folder.planning import register_contracts

        registered = register_contracts(self._mesh._transport, source)
        self._registered += registered
        for product in registered:
            self._say(f"{source.name}: the contract of {product} is registered.")

    def _show(self, found: FolderPlan) -> None:
        if not self._quiet:
            output_console().print(_view(found, self._tree))

    def _ask(self) -> None:
        if not self._yes and not _is_confirmed():
            self._say("Nothing was applied.")
            raise typer.Exit(1)

    def _say(self, words: str) -> None:
        if not self._quiet:
            errors_console().print(cell(words))


def _is_confirmed() -> bool:
    try:
        return typer.confirm("Apply these changes?", err=True)
    except typer.Abort as error:
        if sys.stdin.isatty():  # Ctrl-C or Ctrl-D
            raise
        raise typer.BadParameter("Nobody can be asked here, and nothing was applied: give --yes.", param_hint="--yes") from error


def _outcome(done: ChangeSet, approvers: tuple[str, ...]) -> str:
    source = done.source
    if done.state == "applied":
        return f"{source}: applied as {done.id}, {len(done.changes)} changes in one."
    who = ", ".join(approvers[:3]) or "another administrator"
    return (
        f"{source}: nothing holds yet. {done.id} needs a second administrator: {who} approves it with `mesh approve {done.id}`."
    )


COMMANDS = (
    Command("plan", plan, ("mesh plan sales/", "mesh plan --only centre")),
    Command("apply", apply, ('mesh apply sales/ --reason "Analysts may read orders"', "mesh apply --yes")),
    Command("test", run_tests, ("mesh test sales/", "mesh test --with-changes")),
    Command("export", export, ("mesh export mesh-in-git/",)),
)
