"""Few jobs compute at a time; one that waits makes room; every job runs once, in order, or is told that it will not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager

import pytest

from governance_server.sparing_pool import SparingPool, arrival, standing_aside

_PATIENCE = 30.0


@contextmanager
def _pool(busy: int = 2, most: int = 6) -> Iterator[SparingPool]:
    pool = SparingPool(busy=busy, most=most, name="test")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Gate:
    """A job that tells that it runs and waits to be let through, standing aside or not."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def wait(self) -> bool:
        self.entered.set()
        return self.opened.wait(_PATIENCE)

    def wait_aside(self) -> bool:
        with standing_aside():
            return self.wait()


def test_jobs_answer_and_fail_as_they_do() -> None:
    with _pool() as pool:
        assert [pool.submit(pow, number, 2).result(_PATIENCE) for number in range(50)] == [n * n for n in range(50)]
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result(_PATIENCE)
        assert pool.submit(int, "11", base=2).result(_PATIENCE) == 3


def test_no_more_than_the_busy_ones_compute_at_once() -> None:
    running, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with guard:
            running -= 1

    with _pool(busy=2) as pool:
        for future in [pool.submit(work) for _ in range(100)]:
            future.result(_PATIENCE)
    assert most == 2


def test_jobs_run_in_the_order_they_came() -> None:
    seen: list[int] = []
    with _pool(busy=1) as pool:
        for future in [pool.submit(seen.append, number) for number in range(200)]:
            future.result(_PATIENCE)
    assert seen == list(range(200))


def test_a_job_that_does_not_stand_aside_keeps_its_place() -> None:
    gates = [_Gate(), _Gate()]
    with _pool(busy=2) as pool:
        held = [pool.submit(gate.wait) for gate in gates]
        assert all(gate.entered.wait(_PATIENCE) for gate in gates)
        third = pool.submit(lambda: "done")
        with pytest.raises(TimeoutError):
            third.result(0.05)
        gates[0].opened.set()
        assert third.result(_PATIENCE) == "done"
        gates[1].opened.set()
        assert all(future.result(_PATIENCE) for future in held)


def test_jobs_that_stand_aside_hold_nobody_up_also_those_that_came_before() -> None:
    gates = [_Gate() for _ in range(4)]
    with _pool(busy=1) as pool:
        waiting = [pool.submit(gate.wait_aside) for gate in gates]
        assert pool.submit(lambda: "done").result(_PATIENCE) == "done"
        assert all(gate.entered.wait(_PATIENCE) for gate in gates)
        for gate in gates:
            gate.opened.set()
        assert all(future.result(_PATIENCE) for future in waiting)
        assert [pool.submit(abs, -n).result(_PATIENCE) for n in range(20)] == list(range(20))


def test_when_all_threads_stand_aside_jobs_wait_for_one_of_them() -> None:
    gates = [_Gate() for _ in range(3)]
    with _pool(busy=1, most=3) as pool:
        waiting = [pool.submit(gate.wait_aside) for gate in gates]
        assert all(gate.entered.wait(_PATIENCE) for gate in gates)
        last = pool.submit(lambda: "done")
        gates[1].opened.set()
        assert last.result(_PATIENCE) == "done"
        for gate in gates:
            gate.opened.set()
        assert all(future.result(_PATIENCE) for future in waiting)


def test_after_standing_aside_the_bound_holds_again() -> None:
    computing, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal computing, most
        with standing_aside():
            time.sleep(0.002)
        with guard:
            computing += 1
        time.sleep(0.0005)
        with guard:
            computing -= 1

    def alone() -> None:
        nonlocal most
        with guard:
            most = max(most, computing)

    with _pool(busy=1, most=4) as pool:
        for future in [pool.submit(work) for _ in range(60)]:
            future.result(_PATIENCE)
        for future in [pool.submit(alone) for _ in range(20)]:
            future.result(_PATIENCE)
    assert most == 0


def test_an_error_within_the_block_gives_the_place_back() -> None:
    def fail() -> None:
        with standing_aside():
            raise KeyError("x")

    with _pool(busy=1) as pool:
        for _ in range(20):
            with pytest.raises(KeyError):
                pool.submit(fail).result(_PATIENCE)
        assert pool.submit(lambda: "done").result(_PATIENCE) == "done"


def test_elsewhere_standing_aside_is_nothing() -> None:
    with standing_aside():
        assert threading.current_thread() is threading.main_thread()


def test_a_pool_that_is_shut_down_cancels_what_waits_and_takes_no_more() -> None:
    gate = _Gate()
    pool = SparingPool(busy=1, most=2, name="test")
    running: Future[bool] = pool.submit(gate.wait)
    assert gate.entered.wait(_PATIENCE)
    waiting = pool.submit(lambda: "done")
    pool.shutdown(wait=False, cancel_futures=True)
    gate.opened.set()
    assert running.result(_PATIENCE)
    with pytest.raises(CancelledError):
        waiting.result(_PATIENCE)
    pool.shutdown(wait=True)
    with pytest.raises(RuntimeError):
        pool.submit(lambda: "never")


def test_a_job_knows_when_it_came_however_long_it_waited() -> None:
    gate = _Gate()
    with _pool(busy=1) as pool:
        pool.submit(gate.wait)
        assert gate.entered.wait(_PATIENCE)
        before = time.monotonic()
        waiting = pool.submit(arrival)
        after = time.monotonic()
        gate.opened.set()
        assert before <= waiting.result(_PATIENCE) <= after
        assert arrival() >= after, "here is no job"
