from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy  # noqa: F401  (BLAS comes with it)
import pytest
from threadpoolctl import ThreadpoolController

from mesh_core.core_threads import CoreThreads, core_count


def _blas_threads() -> list[int]:
    return [it["num_threads"] for it in ThreadpoolController().select(user_api="blas").info()]


def test_every_piece_is_worked_on_once_by_as_many_threads_as_asked_for() -> None:
    together = threading.Barrier(3, timeout=30)
    done: list[int] = []

    def work(piece: int) -> None:
        together.wait()
        done.append(piece)

    CoreThreads(3).each(work, range(9))
    assert sorted(done) == list(range(9))


def test_blas_has_one_thread_meanwhile_and_its_own_afterwards() -> None:
    before = _blas_threads()
    seen: list[int] = []
    CoreThreads(2).each(lambda _: seen.extend(_blas_threads()), [1, 2, 3])
    assert set(seen) == {1}
    assert _blas_threads() == before


def test_threads_beside_them_give_way_soon_meanwhile_and_as_they_did_afterwards() -> None:
    before, meanwhile = sys.getswitchinterval(), []
    CoreThreads(2).each(lambda piece: meanwhile.append(sys.getswitchinterval()), [1, 2, 3])
    assert max(meanwhile) < before
    assert sys.getswitchinterval() == before


def test_a_failure_of_one_piece_is_raised_and_blas_is_as_it_was() -> None:
    before = _blas_threads()
    with pytest.raises(ZeroDivisionError):
        CoreThreads(2).each(lambda piece: 1 // piece, [1, 0, 1])
    assert _blas_threads() == before


@pytest.mark.parametrize("count", ["1", "2"])
def test_what_limits_blas_limits_the_threads(count: str) -> None:
    code = "import numpy; from mesh_core.core_threads import CoreThreads; print(CoreThreads().count)"
    limited = {**os.environ, "OPENBLAS_NUM_THREADS": count}
    found = subprocess.run([sys.executable, "-c", code], env=limited, capture_output=True, text=True, check=True)
    assert int(found.stdout) == min(int(count), os.cpu_count() or 1)


def test_cores_are_counted_where_the_system_does_not_say_which_a_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert core_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert core_count() == 1


def test_two_at_once_leave_everything_as_they_found_it() -> None:
    """They have threads of their own, and the settings are the process's."""
    before = _blas_threads(), sys.getswitchinterval()
    is_first_in, is_second_begun = threading.Event(), threading.Event()

    def first_work(_: int) -> None:
        is_first_in.set()
        assert is_second_begun.wait(timeout=30)

    first = threading.Thread(target=CoreThreads(2).each, args=(first_work, [1, 2]))
    first.start()
    assert is_first_in.wait(timeout=30)
    second = threading.Thread(target=CoreThreads(2).each, args=(lambda _: first.join(timeout=0.5), [1, 2]))
    second.start()
    is_second_begun.set()
    first.join(timeout=30)
    second.join(timeout=30)
    assert (_blas_threads(), sys.getswitchinterval()) == before
