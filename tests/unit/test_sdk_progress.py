"""Progress: a hook is called, a terminal gets a bar, everything else silence."""

from __future__ import annotations

import io

import pytest

from domain_sdk._progress import reporting


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_hook_is_handed_on() -> None:
    seen: list[object] = []
    with reporting(lambda *step: seen.append(step)) as hook:
        hook("a.b.c", 1, None)
    assert seen == [("a.b.c", 1, None)]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with reporting(None) as hook:
        hook("finance.ledger.entries", 5, 10)
        hook("finance.ledger.accounts", 5, None)
        hook("finance.ledger.entries", 10, 10)
    assert "finance.ledger.entries" in terminal.getvalue()


@pytest.mark.parametrize(("progress", "stream"), [(False, _Terminal()), (None, io.StringIO())])
def test_otherwise_nothing_is_written(monkeypatch: pytest.MonkeyPatch, progress: bool | None, stream: io.StringIO) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    with reporting(progress) as hook:
        hook("finance.ledger.entries", 5, 10)
    assert stream.getvalue() == ""
