"""Signals for the server that `mesh serve` runs are forwarded whenever they come."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, signal, subprocess, sys, threading
from domain_sdk.cli.server_process import forwarded_signals

class Child:
    def __init__(self):
        self.process = subprocess.Popen(["sleep", "100"])
    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

for round in range(100):
    child = Child()
    with forwarded_signals(child) as received:
        threading.Timer(round % 10 / 10_000, os.kill, (os.getpid(), signal.SIGTERM)).start()
        while round % 2 and not received:
            pass
        assert child.process.wait() == -signal.SIGTERM
    assert received == [signal.SIGTERM]
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
print("forwarded")
"""


def test_a_signal_is_forwarded_wherever_it_finds_the_command() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "forwarded\n", done.stderr
