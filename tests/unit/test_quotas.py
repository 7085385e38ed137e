"""What one principal may take of a server: a rate of calls and a share of streams, and nobody pays for another."""

from __future__ import annotations

import pytest

from governance_server.quotas import Quotas
from governance_server.rules.errors import Overloaded


def test_calls_beyond_the_rate_are_refused_until_time_has_passed_and_nobody_else_is() -> None:
    clock = [0.0]
    quotas = Quotas(calls_per_second=10, streams=1, monotonic=lambda: clock[0])
    for _ in range(20):
        quotas.take_call("user:ana")
    for _ in range(3):
        with pytest.raises(Overloaded, match="10 calls a second"):
            quotas.take_call("user:ana")
    quotas.take_call("user:bo")
    clock[0] = 0.1
    quotas.take_call("user:ana")
    with pytest.raises(Overloaded):
        quotas.take_call("user:ana")


def test_streams_beyond_the_share_are_refused_until_one_is_closed() -> None:
    quotas = Quotas(calls_per_second=10, streams=2, monotonic=lambda: 0.0)
    quotas.enter_stream("user:ana")
    quotas.enter_stream("user:ana")
    with pytest.raises(Overloaded, match="2 streams"):
        quotas.enter_stream("user:ana")
    quotas.enter_stream("user:bo")
    quotas.leave_stream("user:ana")
    quotas.enter_stream("user:ana")
