"""Progress of a publication: a hook, or a bar on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Progress", "ProgressHook", "reporting"]

ProgressHook = Callable[[str, int, int | None], None]
"""Called with the port, the rows (of a collection: documents) done so far, and how many there are, None if not known."""

Progress = ProgressHook | bool | None
"""A hook; False for silence; None or True for a bar if standard error is a terminal."""


@contextmanager
def reporting(progress: Progress) -> Iterator[ProgressHook]:
    """The hook to call while in the block; a bar is gone after it."""
    if callable(progress):
        yield progress
    elif progress is False or not sys.stderr.isatty():
        yield _silence
    else:
        with _bar() as hook:
            yield hook


def _silence(port: str, done: int, total: int | None) -> None:
    """Nothing happens."""


@contextmanager
def _bar() -> Iterator[ProgressHook]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def hook(port: str, done: int, total: int | None) -> None:
            if port not in tasks:
                tasks[port] = bar.add_task(port, total=total)
            bar.update(tasks[port], completed=done)

        yield hook
