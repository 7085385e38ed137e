"""What one asker gets to see while its question is answered: passages, figures and the catalog, each read as the asker.

Owns what was found and what it was found in. Whatever asks through it, a model included, gets what the asker gets and no more:
purpose, versions and identity are bound here, not stated by who asks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from domainmesh.v1 import retrieval_service_pb2
from governance_server.asking.found import citation_of, figure_of, shared_place, unsearched, used_of
from governance_server.asking.scope import Looked, Scope
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.policy.passage_tags import BoundTags
from governance_server.rules.errors import AccessDenied, GovernanceError, Invalid, Overloaded, Precondition, TimeOver, Unavailable
from governance_server.services.queries import QueriedRows, RowsAsked, SqlService
from governance_server.services.retrieval import RetrievalService
from mesh_core.answers.answer import Citation, Figure, Recommendation, Sentence, UsedPort
from mesh_core.answers.comparisons import untold
from mesh_core.answers.mismatches import LookedUp
from mesh_core.answers.sources import Sources, source_of
from mesh_core.answers.tables import FigureQuery, filled
from mesh_core.answers.wording import wording_of
from mesh_core.expressions.tree import TRUE, Expression

__all__ = ["Asking", "Evidence", "Readers", "compute_all"]

_LOG = logging.getLogger(__name__)
_PASSAGES = 6
"""So many of each collection."""
_QUERY_SECONDS = 20.0
_PATIENCE_SECONDS = 10.0
_MOST_AGAIN = 100


@dataclass(frozen=True, slots=True)
class Readers:
    """The governed ways to read."""

    backend: Backend
    retrieval: RetrievalService
    sql: SqlService


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks what. `on_start` is given what stops a query that runs."""

    caller: Caller
    question: str
    purpose: str
    on_start: Callable[[Callable[[], None]], None]
    about: str = ""
    """Whom or what the question is about, in words with a key: `customer C-0042`."""


@dataclass(slots=True)
class Evidence:
    """What has been found for one question."""

    readers: Readers
    asking: Asking
    scope: Scope
    sources: Sources = field(default_factory=Sources)
    used: dict[tuple[str, int], UsedPort] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    caveats: list[Sentence] = field(default_factory=list)
    """What must be known before anything else; in this evidence's numbers."""
    said: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """How figures' rows are said, by the figure's number."""
    looked_up: list[LookedUp] = field(default_factory=list)
    """The look-ups that were run, with their rows if there were any, and not too many."""
    crowded: set[str] = field(default_factory=set)
    """The SQL of look-ups that have too many rows to be said."""
    is_of_figures: bool = False
    """The question asks for figures and nothing else."""
    hints: tuple[str, ...] = ()
    """What is said of tables if nothing is found."""
    recommendation: Recommendation | None = None
    """What rules say of the case; in this evidence's numbers."""
    closest: tuple[Sentence, ...] | None = None
    """Sentences of the passages nearest to the question, if nothing in them answers it; None until they were looked at."""
    _digests: dict[tuple[str, str], tuple[str, BoundTags | None]] = field(default_factory=dict)

    def search(self, query: str, collection: str = "", *, limit: int = _PASSAGES) -> list[Citation]:
        """The passages of every collection in scope (or of one), the best of each first.

        Raises:
            AccessDenied: the collection is none that the asker may search.
            Unavailable, Precondition: not one collection could be searched.
        """
        shelves = [it for it in self.scope.collections if collection in ("", it.port.name)]
        if collection and not shelves:
            raise AccessDenied(f"You may not search {collection}, or it does not exist.", resource=collection)
        found: list[list[Citation]] = []
        failures: list[GovernanceError] = []
        for place, shelf in enumerate(shelves, start=1):
            begun = time.monotonic()
            try:
                found.append(self.passages(shelf, query, limit=limit))
            except (Unavailable, Precondition) as error:
                failures.append(error)
                # all are in one store, and are asked with one model: what kept this one waiting would keep the others
                is_late = isinstance(error, Unavailable) and time.monotonic() - begun > _PATIENCE_SECONDS
                if is_late and (left := len(shelves) - place):
                    failures.append(Unavailable(unsearched(left)))
                    break
        if failures and not found:
            raise failures[0]
        self.notices += [it.message for it in failures if it.message not in self.notices]
        return [it for it in chain.from_iterable(zip_longest(*found)) if it is not None]

    def passages(self, shelf: Looked, query: str, *, limit: int, within: Expression = TRUE) -> list[Citation]:
        """The passages of one collection, best first. Raises: GovernanceError."""
        request = retrieval_service_pb2.RetrieveRequest(
            port=shelf.port.name, query=query, limit=limit, purpose=shelf.purpose, version=shelf.version
        )
        response = self.readers.retrieval.find(request, within=within)
        self._note(shelf, UsedPort(shelf.port.name, response.version))
        return [self.sources.add_passage(citation_of(shelf.port.name, response.version, it)) for it in response.passages]

    def compute(self, query: FigureQuery) -> Figure | None:
        """The query's figure, with a sentence for each row; None if it has no rows, or more than can be said.

        Rows that are looked up again, by whatever way, are the figure that they are already.

        A sentence with a number that is neither a value of the figure nor of what it was asked for is not said.

        Raises:
            GovernanceError: as `rows`.
        """
        if already := [figure for it, figure in self.looked_up if it.sql == query.sql]:
            return already[0]
        sql, rows = self.rows(query.sql, most_rows=query.most_rows)
        if query.top and len(rows.rows) > query.top:
            self.notices.append(shared_place(query.top, len(rows.rows), query.basis, is_cut=rows.is_cut))
        if rows.is_cut:
            self.crowded.add(query.sql)
            self.notices += [] if query.look_up or query.top else [_too_many(query)]
        if query.look_up is not None and (rows.is_cut or not rows.rows):
            self.looked_up.append((query, None))
        if rows.is_cut or not rows.rows:
            return None
        figure = figure_of(sql, query.basis, rows)
        if same := self._same_rows(query, figure):
            self.looked_up.append((query, same))
            return same
        known = source_of(figure)
        values = wording_of(f"{known.text}\n{known.context}")
        told = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
        sentences = [filled(template, row) for row in told for template in query.sentences]
        sound = [it for it in sentences if it and wording_of(it).numbers <= values.numbers]
        kept = self.sources.add_figure(figure, "\n".join(sound))
        self.said[kept.number] = tuple(sound)
        self.notices += untold(query.sides, kept) if query.sides else []
        if query.look_up is not None:
            self.looked_up.append((query, kept))
        return kept

    def leave_out(self, dropped: Sequence[LookedUp]) -> None:
        """The look-ups decide nothing any more; of their rows only those that the question names are still said."""
        gone = {query.sql for query, _ in dropped}
        self.looked_up = [it for it in self.looked_up if it[0].sql not in gone]
        kept = {figure.number for _, figure in self.looked_up if figure}
        for query, figure in dropped:
            if figure and query.look_up and not query.look_up.is_own and figure.number not in kept:
                self.said.pop(figure.number, None)

    def _same_rows(self, query: FigureQuery, figure: Figure) -> Figure | None:
        """The figure of the same rows of the same table."""
        port = query.look_up.port if query.look_up else ""
        known = (found for it, found in self.looked_up if found and it.look_up and it.look_up.port == port)
        return next((it for it in known if (it.columns, it.rows) == (figure.columns, figure.rows)), None)

    def look_up(self, sql: str, *, most_rows: int) -> tuple[Figure, bool]:
        """The result of a query that somebody wrote, and whether rows were left out. Raises: GovernanceError."""
        run, rows = self.rows(sql, most_rows=most_rows)
        return self.sources.add_figure(figure_of(run, "a query", rows)), rows.is_cut

    def recompute(self, sql: str, basis: str) -> Figure:
        """A figure of an earlier answer, computed anew. Raises: GovernanceError."""
        run, rows = self.rows(sql, most_rows=_MOST_AGAIN)
        return self.sources.add_figure(figure_of(run, basis, rows))

    def rows(self, sql: str, *, most_rows: int) -> tuple[str, QueriedRows]:
        """The query as it was run, its ports pinned to the versions in scope, and its rows.

        Raises:
            Invalid: it is no query, or reads a table that is not in scope.
            AccessDenied, TimeOver, TooLarge, Unavailable: as governed SQL does.
        """
        from governance_server.gateway.sql_query import InvalidQuery, parse_query, pinned

        versions = self.scope.versions()
        try:
            run = pinned(sql, versions)
            ports = {table.port for table in parse_query(run, prefix="p").tables}
        except InvalidQuery as error:
            raise Invalid(str(error)) from None
        if unknown := sorted(ports - versions.keys()):
            raise AccessDenied(f"You may not read {', '.join(unknown)}, or it does not exist.", resource=unknown[0])
        asked = RowsAsked(
            run, self.asking.purpose, most_rows=most_rows, timeout_seconds=_QUERY_SECONDS, on_start=self.asking.on_start
        )
        rows = self.readers.sql.rows(asked)
        tables = {table.port.name: table for table in self.scope.tables}
        for port in rows.ports:
            self._note(tables[port.plan.port], used_of(port))
        return run, rows

    def check(self) -> None:
        """Returns if the asker may still see everything that was found. Raises: AccessDenied, if anything of it changed."""
        for (port, purpose), digest in self._digests.items():
            if self._digest(port, purpose) != digest:
                raise AccessDenied(f"Your access to {port} changed while you were answered: ask again.", resource=port)

    def _digest(self, port: str, purpose: str) -> tuple[str, BoundTags | None]:
        """The plan, and the tags whose passages are withheld or masked."""
        policy, caller = self.readers.backend.policy, self.asking.caller
        found = policy.find_port(port)
        tags = policy.bound_tags(caller, port, found.passage_tags, purpose) if found else None
        return policy.plan(caller, port, purpose).digest(), tags

    def _note(self, looked: Looked, used: UsedPort) -> None:
        key = (looked.port.name, looked.purpose)
        if key not in self._digests:
            self._digests[key] = self._digest(*key)
        known = self.used.get((used.port, used.version))
        columns = sorted({*(known.columns if known else ()), *used.columns})
        masked = sorted({*(known.masked_columns if known else ()), *used.masked_columns})
        self.used[used.port, used.version] = UsedPort(used.port, used.version, tuple(columns), tuple(masked))


def _too_many(query: FigureQuery) -> str:
    return f"More than {query.most_rows} groups, so none is told: {query.basis}. Ask for the top 10, or with `mesh measure`."


def compute_all(evidence: Evidence, queries: Sequence[FigureQuery]) -> None:
    """The figures of those queries that can be answered; one that cannot is left out, and is in the log."""
    for query in queries:
        try:
            evidence.compute(query)
        except (AccessDenied, Invalid, Precondition) as error:
            _LOG.info("figure left out basis=%s reason=%s", query.basis, type(error).__name__)
        except TimeOver:
            evidence.notices.append("Figures are missing: a query took too long. Ask again.")
            return
        except Overloaded:
            evidence.notices.append("Figures are missing: too many queries ran at once. Ask again.")
            return
