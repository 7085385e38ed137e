"""An OpenDocument text without what its author hid; its comments, headers and footers, which its parser passes over, apart.

Source: OpenDocument 1.3, part 3 (sections, hidden text, styles, tracked changes, annotations, master pages).
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from domain_sdk.extraction.office_relations import parsed
from domain_sdk.extraction.open_document_body import lay_out
from domain_sdk.extraction.open_document_numbers import write_numbers

__all__ = ["shown_text"]

_CONTENT, _STYLES = "content.xml", "styles.xml"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_ANNOTATION = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}annotation"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_EDGES = {"header": "Header", "header-first": "Header", "header-left": "Header", "footer": "Footer", "footer-first": "Footer",
          "footer-left": "Footer"}  # fmt: skip
_PARAGRAPHS = frozenset({f"{_TEXT}p", f"{_TEXT}h"})
_FAMILIES = {f"{_TEXT}span": "text", f"{_TEXT}p": "paragraph", f"{_TEXT}h": "paragraph"}
_BLANKS = frozenset({f"{_TEXT}tab", f"{_TEXT}s", f"{_TEXT}line-break"})
_MOST_ABOVE = 100
_Unseen = frozenset[tuple[str, str]]
"""Family and name of styles whose text is not shown."""


def shown_text(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str]) -> list[str]:
    """Paragraphs of comments, headers and footers; `changed` holds the content, without what is hidden."""
    root = parsed(archive.read(_CONTENT))
    styles = ElementTree.fromstring(archive.read(_STYLES)) if _STYLES in archive.NameToInfo else None
    taken = _without_hidden(root, _unseen([root] if styles is None else [styles, root]))
    if styles is not None:
        taken += _without_hidden(styles, _unseen([styles]))
    if taken:
        hidden["hidden pieces of text"] += taken
    edges = () if styles is None else _edges(styles)
    beside = list(dict.fromkeys([*edges, *_comments(root)]))
    write_numbers(root, [root] if styles is None else [styles, root])
    lay_out(root)
    changed[_CONTENT] = ElementTree.tostring(root, "utf-8")
    return beside


def _unseen(parts: Iterable[ElementTree.Element]) -> _Unseen:
    """The styles that do not show their text, of their own or as those above them do not."""
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for root in parts:
        for style in root.iter(f"{_STYLE}style"):
            shows = style.find(f"{_STYLE}text-properties")
            display = shows.get(f"{_TEXT}display", "") if shows is not None else ""
            its_name = style.get(f"{_STYLE}family", ""), style.get(f"{_STYLE}name", "")
            said[its_name] = display, style.get(f"{_STYLE}parent-style-name", "")
    return frozenset(style for style in said if _display(style, said) == "none")


def _display(style: tuple[str, str], said: dict[tuple[str, str], tuple[str, str]]) -> str:
    family, name = style
    for _ in range(_MOST_ABOVE):
        display, name = said.get((family, name), ("", ""))
        if display or not name:
            return display
    return ""


def _without_hidden(root: ElementTree.Element, unseen: _Unseen) -> int:
    """How many pieces were taken out of the tree; what follows them stays."""
    everything = list(root.iter())
    hidden = {id(it) for it in everything if _is_hidden(it, unseen)} | _hidden_paragraphs(root)
    if not hidden:
        return 0
    for parent in everything:
        kept: list[ElementTree.Element] = []
        for child in parent:
            if id(child) not in hidden:
                kept.append(child)
            elif kept:
                kept[-1].tail = f"{kept[-1].tail or ''}{child.tail or ''}"
            else:
                parent.text = f"{parent.text or ''}{child.tail or ''}"
        parent[:] = kept
    return len(hidden)


def _hidden_paragraphs(root: ElementTree.Element) -> set[int]:
    """The innermost paragraphs around what says that its paragraph is hidden."""
    within: dict[int, ElementTree.Element] = {}
    for element in root.iter():
        paragraph = element if element.tag in _PARAGRAPHS else within.get(id(element))
        if paragraph is not None:
            within |= {id(child): paragraph for child in element}
    marks = (it for it in root.iter(f"{_TEXT}hidden-paragraph") if it.get(f"{_TEXT}is-hidden") != "false")
    return {id(within[id(it)]) for it in marks if id(it) in within}


def _is_hidden(element: ElementTree.Element, unseen: _Unseen) -> bool:
    if element.tag == f"{_TEXT}section":
        return element.get(f"{_TEXT}display") == "none" or element.get(f"{_TEXT}is-hidden") == "true"
    if element.tag in _FAMILIES:
        return (_FAMILIES[element.tag], element.get(f"{_TEXT}style-name", "")) in unseen
    return element.tag == f"{_TEXT}hidden-text" and element.get(f"{_TEXT}is-hidden") != "false"


def _comments(root: ElementTree.Element) -> Iterator[str]:
    """Not those on what was deleted."""
    deleted = {id(note) for change in root.iter(f"{_TEXT}tracked-changes") for note in change.iter(_ANNOTATION)}
    for note in root.iter(_ANNOTATION):
        author = note.findtext(_CREATOR, "").strip()
        if id(note) not in deleted and (text := _said(note)):
            yield f"Comment by {author}: {text}" if author else f"Comment: {text}"


def _edges(styles: ElementTree.Element) -> Iterator[str]:
    for element in styles.iter():
        word = _EDGES.get(element.tag.removeprefix(_STYLE)) if element.tag.startswith(_STYLE) else None
        if word and element.get(f"{_STYLE}display") != "false" and any(map(str.isalpha, text := _said(element))):
            yield f"{word}: {text}"


def _said(element: ElementTree.Element) -> str:
    for blank in (it for it in element.iter() if it.tag in _BLANKS):
        blank.text = " "
    return " ".join(" ".join("".join(it.itertext()) for it in element.iter(f"{_TEXT}p")).split())
