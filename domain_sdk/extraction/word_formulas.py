"""Formulas within the lines of a Word document as text of these lines: `(a+b)/c`. Those on lines of their own stay as they are.

The parser puts every formula before the paragraph that it stands in. Formulas that no line can hold (matrices, signs above
others) are left to it. Source: ECMA-376, Office Math.
"""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["put_formulas_into_text"]

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PRESERVED = {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}
_DEEPEST = 40
_SHAPES = frozenset({"f", "rad", "sSup", "sSub", "sSubSup", "nary", "d"})
_OF_SEVERAL_LINES = frozenset({
    "acc", "bar", "borderBox", "box", "eqArr", "groupChr", "limLow", "limUpp", "m", "phant", "sPre",
})  # fmt: skip
_OPENING, _CLOSING = "([{⟨⌊⌈", ")]}⟩⌋⌉"
_Element = ElementTree.Element


def put_formulas_into_text(root: _Element) -> None:
    """Each formula in a line is a run of the line."""
    for parent in root.iter():
        if parent.tag == f"{_M}oMathPara":
            continue
        for place, child in enumerate(parent):
            if child.tag == f"{_M}oMath" and _is_of_one_line(child):
                run = _Element(f"{_W}r")
                ElementTree.SubElement(run, f"{_W}t", _PRESERVED).text = _written(child, 0)
                parent[place] = run


def _is_of_one_line(formula: _Element) -> bool:
    kinds = {it.tag.removeprefix(_M) for it in formula.iter()}
    bars = {it.get(f"{_M}val") for it in formula.iter(f"{_M}type")}
    return not kinds & _OF_SEVERAL_LINES and "noBar" not in bars


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
            degree = parts.get("deg", "")
            return f"{_closed(base)}^(1/{_closed(degree)})" if degree else f"√{_closed(base)}"
        case "sSup" | "sSub" | "sSubSup":
            return f"{_closed(base)}{_raised('_', parts)}{_raised('^', parts)}"
        case "nary":
            sign = element.find(f"{_M}naryPr/{_M}chr")
            return f"{'∫' if sign is None else sign.get(f'{_M}val', '')}{_raised('_', parts)}{_raised('^', parts)} {base}"
        case _:
            begin, between, end = (
                _sign(element, name, default) for name, default in (("begChr", "("), ("sepChr", ", "), ("endChr", ")"))
            )
            return f"{begin}{between.join(_written(it, depth + 1) for it in element.iterfind(f'{_M}e'))}{end}"


def _sign(brackets: _Element, name: str, default: str) -> str:
    found = brackets.find(f"{_M}dPr/{_M}{name}")
    return default if found is None else found.get(f"{_M}val", "")


def _closed(text: str) -> str:
    return text if text.replace(".", "").isalnum() or _is_in_brackets(text) else f"({text})"


def _is_in_brackets(text: str) -> bool:
    """True if the first bracket is closed by the last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth <= 0:
            return place > 0 and place == len(text) - 1
    return False


def _raised(mark: str, parts: dict[str, str]) -> str:
    text = parts.get("sub" if mark == "_" else "sup", "")
    return f"{mark}{_closed(text)}" if text else ""
