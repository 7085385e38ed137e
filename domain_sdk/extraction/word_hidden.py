"""What the author of a Word document hid, of itself or by its style, and what was moved away under change tracking.

Source: ECMA-376, WordprocessingML: `vanish`, inheritance of styles, moved text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from xml.etree import ElementTree

from domain_sdk.extraction.word_levels import value_of

__all__ = ["FALLBACK", "is_hidden", "take_out"]

FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""What older programs show in place of what today's do."""
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOT_READ = frozenset({FALLBACK, f"{_W}moveFrom", f"{_W}rt"})
"""What was moved away, what stands for something else, and how to pronounce what it stands above."""
_OFF = frozenset({"0", "false", "off"})
_Element = ElementTree.Element


def take_out(root: _Element, hidden: Counter[str], styles: _Element) -> None:
    """What is hidden, also by one of these styles, and what was moved, is not in the tree; `hidden` counts the former."""
    hiding = _hiding(styles)
    paragraphs = (it for it in root.iter(f"{_W}p") if value_of(it.find(f"{_W}pPr"), "pStyle") in hiding)
    below = {id(run) for paragraph in paragraphs for run in paragraph.iter(f"{_W}r")}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _NOT_READ:
                parent.remove(child)
            elif child.tag == f"{_W}r" and is_hidden(child, hiding, is_below=id(child) in below):
                hidden["hidden pieces of text"] += any((it.text or "").strip() for it in child.iter(f"{_W}t"))
                parent.remove(child)
    for name in [name for name, count in hidden.items() if not count]:
        del hidden[name]


def is_hidden(run: _Element, hiding: frozenset[str] = frozenset(), *, is_below: bool = False) -> bool:
    """True by the run's own word, else by that of its style; `is_below` one of a paragraph that hides."""
    mark = run.find(f"{_W}rPr/{_W}vanish")
    if mark is not None:
        return mark.get(f"{_W}val", "1") not in _OFF
    return is_below or value_of(run.find(f"{_W}rPr"), "rStyle") in hiding


def _hiding(styles: _Element) -> frozenset[str]:
    """The styles that do not show their text, of their own or as those they are based on."""
    found = {it.get(f"{_W}styleId", ""): it for it in styles.iterfind(f"{_W}style")}
    return frozenset(name for name in found if _is_hiding(name, found))


def _is_hiding(name: str, styles: Mapping[str, _Element]) -> bool:
    seen: set[str] = set()
    its_name = name
    while its_name in styles and its_name not in seen:
        seen.add(its_name)
        mark = styles[its_name].find(f"{_W}rPr/{_W}vanish")
        if mark is not None:
            return mark.get(f"{_W}val", "1") not in _OFF
        its_name = value_of(styles[its_name], "basedOn")
    return False
