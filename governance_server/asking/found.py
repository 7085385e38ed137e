"""What governed reads return, as the values that answers cite. Knows nothing of questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from domainmesh.v1 import retrieval_service_pb2
from governance_server.services.queries import QueriedRows
from mesh_core.answers.answer import Citation, Figure, Span, UsedPort
from mesh_core.answers.values import written

if TYPE_CHECKING:
    from domainmesh.v1.sql_service_pb2 import QueriedPort

__all__ = ["citation_of", "figure_of", "shared_place", "unsearched", "used_of"]


def citation_of(port: str, version: int, passage: retrieval_service_pb2.Passage) -> Citation:
    """The passage as an answer cites it, without a number yet."""
    return Citation(
        number=0, port=port, version=version, passage=passage.id, document=passage.document, title=passage.title,
        section=passage.heading, page=passage.page or None, span=Span(passage.start, passage.end), text=passage.text,
        tags=tuple(passage.tags),
    )  # fmt: skip


def figure_of(sql: str, basis: str, rows: QueriedRows) -> Figure:
    """The rows of a query as an answer cites them, without a number yet."""
    said = tuple(tuple(map(written, row)) for row in rows.rows)
    return Figure(0, sql, basis, rows.columns, said, tuple(map(used_of, rows.ports)))


def used_of(port: QueriedPort) -> UsedPort:
    """What a query read of a port."""
    masks: Mapping[str, bool] = {column.name: bool(column.mask) for column in port.plan.columns}
    return UsedPort(port.plan.port, port.version, tuple(port.columns), tuple(it for it in port.columns if masks.get(it)))


def shared_place(top: int, rows: int, basis: str, *, is_cut: bool) -> str:
    """That more rows share the last place of a ranking than were asked for, in a sentence with what the ranking is of."""
    which = "first place" if top == 1 else f"last of the {top} places"
    if is_cut:
        return f"The {which} is shared by more than can be told: {basis}. Ask for figures by fewer groups, or of some of them."
    return f"The {which} is shared: {rows} are told, as the last of them are equal ({basis})."


def unsearched(left: int) -> str:
    """That so many collections were not looked at, as the store keeps everybody waiting, in a sentence."""
    which = "One more collection was" if left == 1 else f"{left} more collections were"
    return f"{which} not searched for the same reason: ask later."
