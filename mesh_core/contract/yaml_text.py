"""Reads YAML that nobody vouches for.

Builds plain values from parser events with a stack of its own, so that nesting cannot exhaust the interpreter's; bounds
size, depth and what aliases expand to; refuses duplicate keys. Scalars follow the YAML 1.2 core schema, as the standard's own
tooling does: `NO` and `on` are strings, and so is a date, which ODCS wants as a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["UnreadableText", "parse_yaml"]

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 500_000
MAX_DEPTH = 64
_MAX_DIGITS = 400

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_STRING_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_PLAIN_TAGS = frozenset({f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "map", "seq")})


class UnreadableText(ValueError):
    """A text that is not one acceptable YAML document; the message says where and why.

    Attributes:
        line: The line it is about, from 1; 0 if it is about the whole text.
        problem: What is wrong, without the line.
    """

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem = problem
        self.line = line


@dataclass(slots=True)
class _Open:
    """A collection being built; `size` counts its nodes with aliases expanded."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: str | None = None
    size: int = 1
    merged: list[object] = field(default_factory=list)


_MERGE = "\0<<"
"""The key of a plain `<<`, which no text can have: what stands under it is merged into the mapping. Source: YAML 1.1 "merge"."""


@dataclass(slots=True)
class _Builder:
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    root: Any = None

    def add(self, value: object, size: int, event: yaml.Event) -> None:
        """The value is in the innermost open collection, or is the document."""
        if not self.stack:
            self.root = value
            return
        parent = self.stack[-1]
        parent.size += size
        if parent.size > MAX_NODES:
            raise UnreadableText(f"the document has more than {MAX_NODES} nodes once aliases are expanded.", _line(event))
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            parent.key = self._key(parent.value, value, event)
        elif parent.key == _MERGE:
            parent.merged += value if isinstance(value, list) else [value]
            parent.key = None
        else:
            parent.value[parent.key] = value
            parent.key = None

    def open(self, value: dict[str, Any] | list[Any], anchor: str | None, event: yaml.Event) -> None:
        """A collection has begun. Raises: UnreadableText when it lies too deep or stands as a key."""
        if len(self.stack) >= MAX_DEPTH:
            raise UnreadableText(f"nesting is deeper than {MAX_DEPTH} levels.", _line(event))
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise UnreadableText("a key must be a scalar, not a list or mapping.", _line(event))
        self.stack.append(_Open(value, anchor))

    def close(self, event: yaml.Event) -> None:
        """The innermost collection is complete and in its parent."""
        done = self.stack.pop()
        if done.merged and isinstance(done.value, dict):
            _merge(done.value, done.merged, event)
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.size)
        self.add(done.value, done.size, event)

    def alias(self, anchor: str, event: yaml.Event) -> None:
        """What the anchor names stands here too. Raises: UnreadableText for an unknown or still open anchor."""
        if anchor not in self.anchors:
            raise UnreadableText(f"alias *{anchor} names nothing complete before it.", _line(event))
        self.add(*self.anchors[anchor], event)

    @staticmethod
    def _key(mapping: dict[str, Any], value: object, event: yaml.Event) -> str:
        if value == "<<" and not getattr(event, "style", _MERGE):
            return _MERGE
        key = value if isinstance(value, str) else getattr(event, "value", None)
        if key is None:
            raise UnreadableText("a key must be a plain scalar.", _line(event))
        if key in mapping:
            raise UnreadableText(f"the key {key!r} stands twice in one mapping; keep one.", _line(event))
        return str(key)


def _merge(mapping: dict[str, Any], sources: list[object], event: yaml.Event) -> None:
    """The mapping has what it lacks of the sources; of two the first counts."""
    for source in sources:
        if not isinstance(source, dict):
            raise UnreadableText("under << stands something else than mappings: name them by alias.", _line(event))
        for key, value in source.items():
            mapping.setdefault(key, value)


def parse_yaml(text: str) -> object:
    """The one document of the text as dicts with string keys, lists, strings, ints, floats, booleans and None.

    Raises:
        UnreadableText: not YAML, no or several documents, a duplicate key, an unknown tag, or more than 4 MiB, 64 levels or
            500,000 nodes (aliases counted as often as they are used).
    """
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UnreadableText("the text holds half a surrogate pair; save it as UTF-8.") from error
    if size > MAX_BYTES:
        raise UnreadableText(f"the text is {size} bytes; at most {MAX_BYTES} are read.")
    try:
        return _build(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableText(f"this is not YAML: the character U+{error.character:04X} is not allowed.", line) from error
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from error


def _not_yaml(error: yaml.YAMLError, text: str) -> UnreadableText:
    mark, problem = getattr(error, "problem_mark", None), str(getattr(error, "problem", None) or error)
    if mark is None:
        return UnreadableText(f"this is not YAML: {' '.join(problem.split())}")
    if "tab" in problem or text[mark.index : mark.index + 1] == "\t":
        return UnreadableText("this is not YAML: a tab stands where only spaces may indent.", mark.line + 1)
    context = f"{error.context}: " if getattr(error, "context", None) else ""  # type: ignore[attr-defined] # MarkedYAMLError
    return UnreadableText(f"this is not YAML: {context}{problem} (column {mark.column + 1}).", mark.line + 1)


def _build(events: Iterator[yaml.Event]) -> object:
    builder = _Builder()
    documents = 0
    for event in events:
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise UnreadableText("a second document begins; a file is one document.", _line(event))
            case yaml.ScalarEvent():
                value = _scalar(event)
                if event.anchor:
                    builder.anchors[event.anchor] = (value, 1)
                builder.add(value, 1, event)
            case yaml.SequenceStartEvent():
                _check_tag(event.tag, event)
                builder.open([], event.anchor, event)
            case yaml.MappingStartEvent():
                _check_tag(event.tag, event)
                builder.open({}, event.anchor, event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                builder.close(event)
            case yaml.AliasEvent():
                builder.alias(str(event.anchor), event)
    if not documents:
        raise UnreadableText("the text is empty.")
    return builder.root


def _check_tag(tag: str | None, event: yaml.Event) -> None:
    if tag is not None and tag not in _PLAIN_TAGS:
        raise UnreadableText(f"the tag {tag} is not read; remove it.", _line(event))


def _scalar(event: yaml.ScalarEvent) -> object:
    text: str = event.value
    if event.tag in _STRING_TAGS or (event.tag is None and event.style):
        return text
    _check_tag(event.tag, event)
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if len(text) <= _MAX_DIGITS:
        if _INT.match(text):
            return int(text)
        if _OCTAL.match(text) or _HEX.match(text):
            return int(text, 0)
        if _FLOAT.match(text):
            return float(text)
    return text


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
