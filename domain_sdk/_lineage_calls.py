"""The lineage half of `Mesh`: what something was made of, what was made of it, and what lies between two things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domain_sdk.lineage import Direction, Level, LineageGraph, LineageQuestion, LineageReach

__all__ = ["LineageCalls", "LineageTerms"]


class LineageTerms(TypedDict, total=False):
    """What may be said of a question about lineage besides its name."""

    direction: Direction
    """`both`, `upstream` or `downstream`."""
    depth: int
    """How many steps, at most 100."""
    as_of: int
    """The journal revision to look at; 0 is now."""
    level: Level
    """`dataset` or `column`; by default ports for a port and columns for a column."""
    types: Sequence[str]
    """Only edges of these types (`DIRECT`, `INDIRECT`) or subtypes (`IDENTITY`, `FILTER`, …)."""
    between: str
    """Only what lies on a way from the name to this port, column or dataset."""


class LineageCalls:
    """Questions about lineage."""

    _transport: Transport

    def lineage(self, name: str, *, limit: int = 10_000, after: str = "", **question: Unpack[LineageTerms]) -> LineageGraph:
        """The graph around a port (`finance.ledger.entries`), a column (`….entries.amount`) or a dataset (`namespace|name`).

        Args:
            name: What to begin with.
            limit: At most about so many nodes; the graph then has `more`, and is marked as not complete.
            after: `more` of such a graph, to go on over the very same one.
            **question: `direction` (`both`, `upstream`, `downstream`), `depth` (5), `between` (another port, column or dataset:
                only what lies on a way from `name` to it), `level` (`dataset`, `column`), `types` (`DIRECT`, …) and `as_of`.
        """
        from domain_sdk.lineage import fetch_lineage

        return fetch_lineage(self._transport, _question(name, question), limit=limit, after=after)

    def reach(self, name: str, **question: Unpack[LineageTerms]) -> LineageReach:
        """Everything that was made of a port, column or dataset (or that it was made of: `direction="upstream"`), whole, by name.

        The arguments are those of `lineage`; `depth` is 100, the most.
        """
        from domain_sdk.lineage import fetch_reach

        terms: LineageTerms = {"direction": "downstream", "depth": 100, **question}
        return fetch_reach(self._transport, _question(name, terms))


def _question(name: str, terms: LineageTerms) -> LineageQuestion:
    from domain_sdk.lineage import LineageQuestion

    return LineageQuestion(
        name, direction=terms.get("direction", "both"), depth=terms.get("depth", 5), as_of=terms.get("as_of", 0),
        level=terms.get("level", ""), types=tuple(terms.get("types", ())), between=terms.get("between", ""),
    )  # fmt: skip
