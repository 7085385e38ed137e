"""An OpenDocument text without what its author hid; its comments, headers and footers, which its parser passes over, apart.

Source: OpenDocument 1.3, part 3 (sections, hidden text, annotations, master pages).
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from domain_sdk.extraction.office_relations import parsed

__all__ = ["shown_text"]

_CONTENT, _STYLES = "content.xml", "styles.xml"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_ANNOTATION = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}annotation"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_EDGES = {"header": "Header", "header-first": "Header", "header-left": "Header", "footer": "Footer", "footer-first": "Footer",
          "footer-left": "Footer"}  # fmt: skip


def shown_text(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str]) -> list[str]:
    """Paragraphs of comments, headers and footers; `changed` holds the content without what is hidden, if something is."""
    root = parsed(archive.read(_CONTENT))
    beside = list(dict.fromkeys([*_edges(archive), *_comments(root)]))
    taken = 0
    for parent in list(root.iter()):
        for child in [child for child in parent if _is_hidden(child)]:
            _take_out(parent, child)
            taken += 1
    if taken:
        hidden["hidden pieces of text"] += taken
        changed[_CONTENT] = ElementTree.tostring(root, "utf-8")
    return beside


def _is_hidden(element: ElementTree.Element) -> bool:
    if element.tag == f"{_TEXT}section":
        return element.get(f"{_TEXT}display") == "none" or element.get(f"{_TEXT}is-hidden") == "true"
    return element.tag in (f"{_TEXT}hidden-text", f"{_TEXT}hidden-paragraph") and element.get(f"{_TEXT}is-hidden") != "false"


def _take_out(parent: ElementTree.Element, child: ElementTree.Element) -> None:
    """The child is gone, what follows it stays; a hidden paragraph says so in itself, and is empty then."""
    place = list(parent).index(child)
    if child.tag == f"{_TEXT}hidden-paragraph":
        parent[:], parent.text = [], ""
        return
    before = parent[place - 1] if place else None
    if before is None:
        parent.text = f"{parent.text or ''}{child.tail or ''}"
    else:
        before.tail = f"{before.tail or ''}{child.tail or ''}"
    parent.remove(child)


def _comments(root: ElementTree.Element) -> Iterator[str]:
    for note in root.iter(_ANNOTATION):
        author = note.findtext(_CREATOR, "").strip()
        if text := _said(note):
            yield f"Comment by {author}: {text}" if author else f"Comment: {text}"


def _edges(archive: zipfile.ZipFile) -> Iterator[str]:
    if _STYLES not in archive.NameToInfo:
        return
    for element in ElementTree.fromstring(archive.read(_STYLES)).iter():
        word = _EDGES.get(element.tag.removeprefix(_STYLE)) if element.tag.startswith(_STYLE) else None
        if word and any(map(str.isalpha, text := _said(element))):
            yield f"{word}: {text}"


def _said(element: ElementTree.Element) -> str:
    return " ".join(" ".join("".join(it.itertext()) for it in element.iter(f"{_TEXT}p")).split())
