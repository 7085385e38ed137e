"""Where in its text each node of a YAML document stands.

Read only once something is wrong: a good file costs nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

__all__ = ["YamlPath", "lines_of"]

YamlPath = tuple[str | int, ...]
"""Keys and positions from the root to a node."""


@dataclass(slots=True)
class _Open:
    path: YamlPath
    is_mapping: bool
    count: int = 0
    key: str | None = None
    key_line: int = 0

    def place(self, line: int) -> tuple[YamlPath, int]:
        """Path and line of the node that comes next; in a mapping its line is that of its key."""
        if self.is_mapping:
            return (*self.path, self.key or ""), self.key_line
        return (*self.path, self.count), line


def lines_of(text: str) -> dict[YamlPath, int]:
    """Path of each node → the line it begins on, from 1.

    The text must be one that `parse_yaml` reads. What an alias repeats is found where the alias stands, without its inside.
    """
    found: dict[YamlPath, int] = {}
    stack: list[_Open] = []
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            stack.pop()
            _passed(stack)
        elif isinstance(event, yaml.NodeEvent):
            parent = stack[-1] if stack else None
            if parent is not None and parent.is_mapping and parent.key is None:
                parent.key, parent.key_line = getattr(event, "value", ""), line
                continue
            path, at = parent.place(line) if parent else ((), line)
            found.setdefault(path, at)
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(_Open(path, isinstance(event, yaml.MappingStartEvent)))
            else:
                _passed(stack)
    return found


def _passed(stack: list[_Open]) -> None:
    """The innermost collection waits for its next node."""
    if stack:
        stack[-1].count += 1
        stack[-1].key = None
