"""The intake of lineage: what cannot be journaled for one sender holds up nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

from governance_server.lineage.intake import LineageIntake
from governance_server.storage.lineage_runs import Due

BROKEN, WHOLE = Due("a", "job", "lake|x", "user:ann"), Due("b", "job", "lake|y", "user:bob")


def test_what_the_journal_refuses_of_one_principal_waits_alone() -> None:
    intake = LineageIntake.__new__(LineageIntake)
    intake._left, intake._done = {BROKEN, WHOLE}, []

    def journal(principal: str, dues: Sequence[Due]) -> None:
        if principal == BROKEN.principal:
            raise RuntimeError("not now")

    with mock.patch.object(intake, "_journal", journal):
        intake._journal_left()
    assert (intake._left, intake._done) == ({BROKEN}, [WHOLE])
