"""Formulas within the lines of a Word document as text of these lines: `(a+b)/c`. Those on lines of their own stay as they are.

The parser puts every formula before the paragraph that it stands in. Source: ECMA-376, Office Math.
"""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["put_formulas_into_text"]

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PRESERVED = {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}
_DEEPEST = 40
_SHAPES = frozenset({"f", "rad", "sSup", "sSub", "sSubSup", "nary", "d"})
_Element = ElementTree.Element


def put_formulas_into_text(root: _Element) -> None:
    """Each formula in a line is a run of the line."""
    for parent in root.iter():
        if parent.tag == f"{_M}oMathPara":
            continue
        for place, child in enumerate(parent):
            if child.tag == f"{_M}oMath":
                run = _Element(f"{_W}r")
                ElementTree.SubElement(run, f"{_W}t", _PRESERVED).text = _written(child, 0)
                parent[place] = run


def _written(element: _Element, depth: int) -> str:
    """The formula on one line."""
    if depth > _DEEPEST:
        return ""
    if element.tag == f"{_M}t":
        return element.text or ""
    kind = element.tag.removeprefix(_M)
    if kind not in _SHAPES:
        return "".join(_written(child, depth + 1) for child in element)
    parts = {child.tag.removeprefix(_M): _written(child, depth + 1) for child in element}
    base = parts.get("e", "")
    match kind:
        case "f":
            return f"{_closed(parts.get('num', ''))}/{_closed(parts.get('den', ''))}"
        case "rad":
            return f"{parts.get('deg', '')}√{_closed(base)}"
        case "sSup" | "sSub" | "sSubSup":
            return f"{_closed(base)}{_raised('_', parts)}{_raised('^', parts)}"
        case "nary":
            sign = element.find(f"{_M}naryPr/{_M}chr")
            return f"{'∫' if sign is None else sign.get(f'{_M}val', '')}{_raised('_', parts)}{_raised('^', parts)} {base}"
        case _:
            return f"({', '.join(_written(it, depth + 1) for it in element.iterfind(f'{_M}e'))})"


def _closed(text: str) -> str:
    return text if text.replace(".", "").isalnum() or (text[:1] == "(" and text[-1:] == ")") else f"({text})"


def _raised(mark: str, parts: dict[str, str]) -> str:
    text = parts.get("sub" if mark == "_" else "sup", "")
    return f"{mark}{_closed(text)}" if text else ""
