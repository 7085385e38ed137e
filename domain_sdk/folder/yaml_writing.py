"""Writes documents as YAML: the same document, the same bytes, and `parse_yaml` reads back exactly what was written.

Mappings and lists of mappings go block by block, short lists of texts on one line. Texts that could be read as anything else are
quoted. Knows nothing of the mesh.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["write_yaml"]

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_.(][A-Za-z0-9_./,;()'-]*)*\Z")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?\Z")
_RESERVED = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)\Z")

Value = str | bool | int | Mapping[str, "Value"] | Sequence["Value"]
"""What a document is made of; a mapping is written in its own order."""


def write_yaml(document: Mapping[str, Value], *, comment: Sequence[str] = ()) -> bytes:
    """The document as UTF-8, after the comment's lines; ends with a newline."""
    lines = [f"# {line}".rstrip() for line in comment]
    lines.extend(_mapping(document, ""))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _mapping(document: Mapping[str, Value], indent: str) -> Iterator[str]:
    for key, value in document.items():
        head = f"{indent}{_scalar(key)}:"
        if isinstance(value, str | bool | int):
            yield f"{head} {_scalar(value)}"
        elif not value:
            yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}"
        elif isinstance(value, Mapping):
            yield head
            yield from _mapping(value, f"{indent}  ")
        else:
            yield from _list(head, value, indent)


def _list(head: str, items: Sequence[Value], indent: str) -> Iterator[str]:
    if all(isinstance(it, str) for it in items):
        line = f"{head} [{', '.join(_quoted(str(it)) for it in items)}]"
        if len(line) <= _WIDTH:
            yield line
            return
    yield head
    for item in items:
        yield from _item(item, indent)


def _item(item: Value, indent: str) -> Iterator[str]:
    if isinstance(item, str | bool):
        yield f"{indent}  - {_scalar(item)}"
    elif isinstance(item, Mapping) and item:
        first, *others = _mapping(item, f"{indent}    ")
        yield f"{indent}  - {first.lstrip()}"
        yield from others
    else:
        raise TypeError("a list holds texts, truth values and mappings that are not empty")


def _scalar(value: str | bool | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    """The text as it is where nothing else could be meant, else in double quotes."""
    if _TIME.match(text) or (_PLAIN.match(text) and not _RESERVED.match(text) and "," not in text):
        return text
    written = json.dumps(text, ensure_ascii=False)
    return "".join(it if it.isprintable() else _escaped(it) for it in written)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
