"""Incremental transforms: a run reads what became different of an input since the version that its output was last made from.

For functions of which each output row follows from one row of that input: what they make of the rows that came is merged into the
output, and what only rows that went made is deleted by its primary key. Whatever cannot be told so is made anew as a whole.
Imports polars: loaded on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from domain_sdk.change_feed import CHANGE_TYPE, VERSION
from domain_sdk.errors import InvalidRequest, MeshError

if TYPE_CHECKING:
    from domain_sdk.mesh import Mesh

__all__ = ["DELETED", "Step", "changed_rows", "find_step", "merged"]

DELETED = "_mesh_deleted"
_NET = "_mesh_net"
_COMES = ("insert", "update_postimage")

Function = Callable[[pl.LazyFrame], pl.LazyFrame | pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Step:
    """What a run has to catch up with: the input's version that the output was made from, and the one it has now."""

    port: str
    since: int
    version: int


def find_step(mesh: Mesh, output: str, changing: str, now: dict[str, int]) -> Step | None:
    """The step of the changing input; None if the output was never made from these inputs, or another of them has changed.

    Args:
        mesh: As whom.
        output: The output port.
        changing: The input of which changes are read.
        now: Input port → the version it has now.
    """
    try:
        origins = mesh.lineage(output, direction="upstream", depth=1).origins
    except MeshError:
        return None
    recorded = [dict(it.inputs) for it in origins if it.port == output and not it.basis]
    for inputs in recorded:
        others = {name: version for name, version in inputs.items() if name != changing}
        if changing in inputs and all(now.get(name) == version for name, version in others.items()):
            return Step(changing, inputs[changing], now[changing])
    return None


def changed_rows(mesh: Mesh, step: Step, purpose: str | None) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The rows that came and those that went, in memory: a row that came and went again is in neither.

    None if the feed cannot tell any more, because a version in between was retired or had other columns.
    """
    try:
        feed = mesh.changes(step.port, since=step.since, version=step.version, purpose=purpose).collect(engine="streaming")
    except (MeshError, pl.exceptions.PolarsError):
        return None
    columns = [name for name in feed.columns if name not in (CHANGE_TYPE, VERSION)]
    sign = pl.when(pl.col(CHANGE_TYPE).is_in(_COMES)).then(1).otherwise(-1)
    net = feed.group_by(columns, maintain_order=True).agg(sign.sum().alias(_NET))
    came, went = net.filter(pl.col(_NET) > 0), net.filter(pl.col(_NET) < 0)
    if came.height:  # what came twice is there twice
        came = came[pl.int_range(came.height, eager=True).repeat_by(came[_NET]).explode()]
    return came.drop(_NET), went.drop(_NET)


def merged(function: Function, came: pl.DataFrame, went: pl.DataFrame, key: list[str], output: str) -> pl.DataFrame:
    """What is to be merged into the output: its rows, and with `_mesh_deleted` those whose key is to go.

    Raises: InvalidRequest if the output has no primary key, or the function does not give its columns.
    """
    if not key:
        raise InvalidRequest(f"{output} has no primary key, so nothing can be merged into it: declare one.", resource=output)
    rows, gone = (function(frame.lazy()).lazy().collect() for frame in (came, went))
    missing = [name for name in key if name not in rows.columns]
    if missing:
        raise InvalidRequest(f"What is to become {output} has no column {', '.join(missing)} of its key.", resource=output)
    only_gone = gone.join(rows, on=key, how="anti", nulls_equal=True)
    return pl.concat([rows.with_columns(pl.lit(False).alias(DELETED)), only_gone.with_columns(pl.lit(True).alias(DELETED))])
