"""An answer given again: what cannot be reached is an error to be tried again, and not an answer with less in it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from domainmesh.v1 import answer_pb2
from governance_server.asking import again
from governance_server.asking.evidence import Evidence
from governance_server.rules.errors import AccessDenied, GovernanceError, Overloaded, Unavailable


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
