"""How answers reach the reader: Rich on a terminal, plain text elsewhere, JSON for scripts.

Owns consoles, tables and the plain form of values. Data is never read as markup, and control characters in it never reach the
terminal.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.status import Status
    from rich.text import Text

__all__ = ["answer", "cell", "details", "errors_console", "json_text", "open_streams", "plain", "print_json", "table", "waiting"]

_PLAIN_WIDTH = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def open_streams() -> None:
    """Standard output and error take any text: what their encoding has not as an escape; nothing is kept where one is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 # it lives as long as the process
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def output_console() -> Console:
    """A console on standard output."""
    return _console(is_error=False)


def errors_console() -> Console:
    """A console on standard error: for errors, questions and progress."""
    return _console(is_error=True)


def _console(*, is_error: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _PLAIN_WIDTH
    return Console(stderr=is_error, highlight=False, width=width)


def answer(value: object, render: Callable[[], RenderableType], *, as_json: bool) -> None:
    """The value is printed: as JSON, or as what `render` makes of it."""
    if as_json:
        print_json(value)
    else:
        output_console().print(render())


def print_json(value: object) -> None:
    """The value's plain form is on standard output, as one JSON document."""
    print(json_text(plain(value), sys.stdout, indent=2), flush=True)


def json_text(value: object, stream: TextIO, *, indent: int | None = None) -> str:
    """The value as JSON that the stream's encoding can write: letters as they are in Unicode, else as JSON's own escapes."""
    is_unicode = (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")
    return json.dumps(value, indent=indent, ensure_ascii=not is_unicode)


def plain(value: Any) -> Any:  # noqa: ANN401 # any value of the SDK, to what JSON has
    """The value in JSON's own types: dataclasses as objects, times in ISO 8601, decimals as text, functions left out."""
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        given = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: plain(it) for name, it in given.items() if not callable(it)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(it) for key, it in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(it) for it in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.hex() if isinstance(value, bytes) else str(value)


def cell(value: object, style: str = "") -> Text:
    """The value as text that is safe to print: no markup, no control characters; times in UTC to the minute."""
    from rich.text import Text

    return Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", _words(value)), style=style)


def _words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%MZ")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={it}" for key, it in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_words(it) for it in value)
    return str(value)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    numbers: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> RenderableType:
    """A table of the rows that fits the terminal; columns in `numbers` are set to the right, those in `whole` never folded."""
    from rich.text import Text

    from domain_sdk.cli.tables import FittedTable

    shown = [[it if isinstance(it, Text) else cell(it) for it in row] for row in rows]
    names = list(enumerate(headings))
    made = FittedTable(
        [cell(heading) for heading in headings],
        shown,
        numbers={index for index, heading in names if heading in numbers},
        whole={index for index, heading in names if heading in whole},
    )
    return _titled(title, made)


def details(pairs: Mapping[str, object], *, title: str = "") -> RenderableType:
    """What is known of one thing, a line each; what is empty is left out."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2))
    made.add_column(style="cyan", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        shown = value if isinstance(value, Text) else cell(value)
        if shown.plain:
            made.add_row(name, shown)
    return _titled(title, made)


def _titled(title: str, body: RenderableType) -> RenderableType:
    """The heading has the whole line, however narrow what is below it."""
    from rich.console import Group

    return Group(cell(title, "bold"), body) if title else body


def waiting(what: str) -> Status:
    """A spinner on standard error while in the block; nothing where there is no terminal."""
    return errors_console().status(cell(what))
