"""A process that was asked to end ends, whatever it waits for."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, signal, sys, threading, time
from governance_server.stop_request import StopRequest
from governance_server.timely_end import TimelyEnd

stop = StopRequest()
stop.set_by(signal.SIGTERM)
end = TimelyEnd(stop, seconds=0.2, on_giving_up=lambda: print("given up", flush=True))
end.watch()
if "starting" not in sys.argv:
    end.has_started()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
if "orderly" in sys.argv:
    stop.wait()
    sys.exit(7)
never = threading.Lock()
never.acquire()
never.acquire()
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _PROGRAM, *words], capture_output=True, text=True, timeout=50, check=False)


def test_what_hangs_while_it_starts_ends_at_once_and_quietly() -> None:
    done = run("starting")
    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")


def test_what_hangs_at_its_end_ends_when_its_time_is_over_and_says_where_it_hung() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (1, "given up\n")
    assert "not ended 0.2 seconds after it was asked to" in done.stderr
    assert 'File "<string>", line' in done.stderr


def test_what_ends_in_good_order_is_left_alone() -> None:
    done = run("orderly")
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
