"""What the parts of an Office file refer to, and their XML with its own prefixes. Source: ECMA-376, Open Packaging."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from xml.etree import ElementTree

__all__ = ["A", "R", "main_part", "parsed", "related", "relations", "relations_of"]

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MADE_PREFIX = re.compile(r"ns\d+")


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """What a part refers to: id → part."""
    return {relation: target for relation, _, target in _related(archive, part)}


def related(archive: zipfile.ZipFile, part: str, kind: str) -> list[str]:
    """The parts there are that a part refers to as this kind: the last word of the relation's type."""
    return [target for _, its_kind, target in _related(archive, part) if its_kind == kind and target in archive.NameToInfo]


def main_part(archive: zipfile.ZipFile, default: str) -> str:
    """The part that is the document: some programs call it otherwise."""
    return next(iter(related(archive, "", "officeDocument")), default)


def relations_of(part: str) -> str:
    """The part that says what a part refers to."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _related(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, str]]:
    path = relations_of(part)
    if path not in archive.NameToInfo:
        return []
    folder = posixpath.dirname(part)
    return [
        (
            it.get("Id", ""),
            it.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, it.get("Target", ""))).lstrip("/"),
        )
        for it in ElementTree.fromstring(archive.read(path))
    ]


def parsed(part: bytes) -> ElementTree.Element:
    """The part's tree; written again, it has the prefixes that it had, as readers go by them."""
    for _, (prefix, uri) in ElementTree.iterparse(io.BytesIO(part), events=("start-ns",)):
        if not _MADE_PREFIX.fullmatch(prefix):
            ElementTree.register_namespace(prefix, uri)
    return ElementTree.fromstring(part)
