"""A request to end the demo is heard, also if the first one was lost; on the way out none disturbs."""

from __future__ import annotations

import os
import signal

import pytest

from domain_sdk.demo.signals import ended_by_signals


def way_out(steps: list[str]) -> None:
    with ended_by_signals() as ignore:
        with pytest.raises(KeyboardInterrupt):  # as in a callback of a library, which tells nobody
            os.kill(os.getpid(), signal.SIGTERM)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("not heard")
        finally:
            ignore()
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("taken down")


def test_a_lost_request_can_be_repeated_and_the_way_out_is_not_disturbed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        way_out(steps)
    assert steps == ["taken down"]
    assert signal.getsignal(signal.SIGTERM) == before
