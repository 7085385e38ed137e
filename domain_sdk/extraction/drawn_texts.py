"""What charts and diagrams of Office files say: the values a chart was drawn from, the words of a diagram. Pure.

Source: ECMA-376, DrawingML charts (cached values of series and categories) and diagrams (points of the data model).
"""

from __future__ import annotations

from xml.etree import ElementTree

from domain_sdk.extraction.office_relations import A

__all__ = ["chart_rows", "chart_title", "diagram_lines"]

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_CATEGORIES, _VALUES = ("cat", "xVal"), ("val", "yVal")


def chart_title(chart: ElementTree.Element) -> str:
    """What stands above the chart; "" if nothing does."""
    title = chart.find(f"{_C}chart/{_C}title")
    return "" if title is None else " ".join("".join(it.text or "" for it in title.iter(f"{A}t")).split())


def chart_rows(chart: ElementTree.Element) -> list[list[str]]:
    """A row of the names of the series, then one a category with their values; empty without values."""
    series = list(chart.iter(f"{_C}ser"))
    names = [" ".join(" ".join(_points(it, ("tx",)).values()).split()) for it in series]
    labels: dict[int, str] = {}
    for it in series:
        labels = {**_points(it, _CATEGORIES), **labels}
    columns = [_points(it, _VALUES) for it in series]
    numbers = sorted({number for column in columns for number in column})
    rows = [[labels.get(number, ""), *(column.get(number, "") for column in columns)] for number in numbers]
    return [["", *names], *rows] if rows else []


def _points(series: ElementTree.Element, kinds: tuple[str, ...]) -> dict[int, str]:
    """Number of the point → what was kept of its cells; levels of a category are parted by a blank."""
    found: dict[int, str] = {}
    for kind in kinds:
        for place in series.findall(f"{_C}{kind}"):
            points = [(int(it.get("idx", "0")), it.findtext(f"{_C}v", "").strip()) for it in place.iter(f"{_C}pt")]
            for number, text in points or [(0, place.findtext(f"{_C}v", ""))]:
                found[number] = f"{text} {found[number]}" if number in found else text
    return {number: text for number, text in found.items() if text}


def diagram_lines(data: ElementTree.Element) -> list[str]:
    """The words of a diagram (SmartArt), a line a point."""
    lines = [
        "".join(it.text or "" for it in paragraph.iter(f"{A}t")).strip()
        for point in data.iter(f"{_D}pt")
        if point.get("type", "node") in ("node", "asst")
        for paragraph in point.iter(f"{A}p")
    ]
    return [line for line in lines if line]
