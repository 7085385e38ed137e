"""From the bytes of a YAML file to a document its schema accepts, or everything that keeps it from being one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain_sdk.folder.schema import Fault, faults
from domain_sdk.folder.tree import FolderProblem, Place
from mesh_core.contract.yaml_lines import YamlPath, lines_of
from mesh_core.contract.yaml_text import UnreadableText, parse_yaml

__all__ = ["Document", "byte_problems", "read_document"]

_CONFLICT = re.compile(rb"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Document:
    """A file's content, and where its parts stand."""

    path: str
    content: Mapping[str, Any]
    text: str
    _lines: dict[YamlPath, int] | None = None

    def place(self, *path: str | int) -> Place:
        """The line of the part at this path, or of the nearest part around it."""
        if self._lines is None:
            self._lines = lines_of(self.text)
        return _place(self.path, self._lines, path)


def read_document(path: str, data: bytes, schema: str) -> Document | list[FolderProblem]:
    """The document in the bytes, or its problems, at least one.

    Args:
        path: What to call the file.
        data: Its bytes.
        schema: The schema it must meet: `domain`, `policies` and so on.
    """
    wrong = list(byte_problems(path, data))
    if wrong:
        return wrong
    text = data.decode("utf-8")
    try:
        content = parse_yaml(text)
    except UnreadableText as error:
        return [FolderProblem(Place(path, error.line), error.problem)]
    found = list(faults(content, schema))
    if found or not isinstance(content, dict):
        lines = lines_of(text)
        return [FolderProblem(_place(path, lines, fault.path), _words(fault)) for fault in found]
    return Document(path, content, text)


def byte_problems(path: str, data: bytes) -> Iterator[FolderProblem]:
    """What is wrong before the text is even read: merge conflicts, a byte order mark, another encoding."""
    if data.startswith(_BOMS):
        yield FolderProblem(Place(path, 1), "the file begins with a byte order mark: save it as UTF-8 without one.")
        return
    markers = [data.count(b"\n", 0, found.start()) + 1 for found in _CONFLICT.finditer(data)]
    if len(markers) > 1:
        yield FolderProblem(Place(path, markers[0]), "a merge conflict is not resolved: decide it and remove its markers.")
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield FolderProblem(Place(path, line), f"byte {error.start} is not UTF-8: save the file as UTF-8.")


def _place(path: str, lines: Mapping[YamlPath, int], at: YamlPath) -> Place:
    found = at
    while found and found not in lines:
        found = found[:-1]
    return Place(path, lines.get(found, 1))


def _words(fault: Fault) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.path).removeprefix(".")
    return f"{where}: {fault.message}" if where else fault.message
