"""What is found for a question: rows that are looked up twice are one source."""

from __future__ import annotations

from datetime import date
from typing import cast

from governance_server.asking.evidence import Asking, Evidence, Readers, compute_all
from governance_server.asking.scope import Scope
from governance_server.rules.errors import TimeOver
from governance_server.services.queries import QueriedRows
from mesh_core.answers.tables import FigureQuery, LookUp
from mesh_core.contract import Port

ROW = ("B-007", date(2026, 3, 1))


class Fixed(Evidence):
    """Every query has the same rows."""

    def rows(self, sql: str, *, most_rows: int) -> tuple[str, QueriedRows]:
        return sql, QueriedRows(("berth_id", "built_on"), (ROW,), False, (), 1)


def query(sql: str, port: str) -> FigureQuery:
    return FigureQuery(sql, ("Berth {berth_id}.",), sql, 5, LookUp(port, cast(Port, None)))


def test_the_same_rows_of_a_table_are_one_figure_however_they_were_looked_up():
    evidence = Fixed(cast(Readers, None), cast(Asking, None), Scope((), (), 1))
    by_key, by_reference, other = (
        query("a", "fleet.harbour.berths"),
        query("b", "fleet.harbour.berths"),
        query("c", "desk.a.views"),
    )
    compute_all(evidence, [by_key, by_reference, by_key, other])
    assert [it.basis for it in evidence.sources.figures] == ["a", "c"]
    assert [(it.sql, figure and figure.basis) for it, figure in evidence.looked_up] == [("a", "a"), ("b", "a"), ("c", "c")]


class Slow(Evidence):
    """No query ends in time."""

    def rows(self, sql: str, *, most_rows: int) -> tuple[str, QueriedRows]:
        raise TimeOver(f"{sql} took too long")


def test_a_query_that_takes_too_long_leaves_the_answer_without_its_figures_and_says_so():
    evidence = Slow(cast(Readers, None), cast(Asking, None), Scope((), (), 1))
    compute_all(evidence, [query("a", "fleet.harbour.berths"), query("b", "desk.a.views")])
    assert evidence.notices == ["Figures are missing: a query took too long. Ask again."]
    assert evidence.looked_up == []
