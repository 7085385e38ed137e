"""An answer given again: what cannot be reached is an error to be tried again, and not an answer with less in it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from domainmesh.v1 import answer_pb2
from governance_server.asking import again
from governance_server.asking.evidence import Evidence
from governance_server.asking.found import shared_place
from governance_server.asking.retold import Retold
from governance_server.rules.errors import AccessDenied, GovernanceError, Overloaded, Unavailable
from mesh_core.answers.answer import Figure
from mesh_core.answers.comparisons import untold


class Failing:
    """Evidence whose figures fail."""

    def __init__(self, error: GovernanceError) -> None:
        self.error = error

    def recompute(self, sql: str, basis: str) -> Any:  # never returns
        raise self.error


@pytest.mark.parametrize("error", [Unavailable("down"), Overloaded("busy")])
def test_what_cannot_be_reached_now_is_not_taken_for_gone(error: GovernanceError) -> None:
    with pytest.raises(type(error)):
        again._figure(cast(Evidence, Failing(error)), answer_pb2.AnswerFigure(sql="SELECT 1"))


def test_what_may_not_be_read_any_more_is_gone() -> None:
    assert again._figure(cast(Evidence, Failing(AccessDenied("no"))), answer_pb2.AnswerFigure(sql="SELECT 1")) == 0


BASIS = "revenue of shop.orders.orders, region EMEA compared with region APAC"
COLUMNS = ("first_revenue", "second_revenue", "difference", "change_in_percent")


@pytest.mark.parametrize(
    "notice",
    [
        *untold(("region EMEA", "region APAC"), Figure(1, "", BASIS, COLUMNS, (("-1", "2", "3", ""),), ())),
        *untold(("region EMEA", "region APAC"), Figure(1, "", BASIS, COLUMNS, (("1", "", "", ""),), ())),
        shared_place(1, 2, BASIS, is_cut=False),
    ],
)
def test_what_a_notice_says_of_a_figure_is_told_again_with_the_figure_only(notice: str) -> None:
    kept = answer_pb2.Answer(notices=[notice, "Ask again."], figures=[answer_pb2.AnswerFigure(number=1, basis=BASIS)])
    allowed = Retold(may_read_tables=True, may_know=lambda name: True)
    assert again._notices(kept, {1: 1}, allowed) == (notice, "Ask again.")
    assert again._notices(kept, {}, allowed) == ("Ask again.",)
    assert again._notices(kept, {1: 1}, Retold(may_read_tables=False, may_know=lambda name: False)) == ("Ask again.",)
    uncited = answer_pb2.Answer(notices=kept.notices)
    assert again._notices(uncited, {}, allowed) == ("Ask again.",)
