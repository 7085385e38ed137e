"""A request to end is noticed whenever it comes: by a signal in the middle of anything, or by a thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from governance_server.stop_request import StopRequest

_WAITS = """
import os, signal, sys, threading
from governance_server.stop_request import StopRequest

for round in range(100):
    stop = StopRequest()
    stop.set_by(signal.SIGTERM)
    threading.Timer(round % 10 / 10_000, os.kill, (os.getpid(), signal.SIGTERM)).start()
    if round % 2:
        while not stop.is_set():
            pass
    assert stop.wait(30), f"round {round}: the signal was not noticed"
print("noticed")
"""


def test_a_signal_is_noticed_wherever_it_finds_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _WAITS], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "noticed\n", done.stderr


def test_a_thread_sets_it_for_good() -> None:
    stop = StopRequest()
    assert not stop.is_set()
    threading.Timer(0.01, stop.set).start()
    assert stop.wait(30)
    assert stop.is_set()


def test_waiting_ends_when_its_time_is_over() -> None:
    begin = time.monotonic()
    assert not StopRequest().wait(0.01)
    assert time.monotonic() - begin >= 0.01


def test_it_may_be_set_more_often_than_a_pipe_holds() -> None:
    stop = StopRequest()
    for _ in range(70_000):
        stop.set()
    assert stop.is_set()
