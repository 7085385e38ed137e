"""The words of a diagram on a sheet are read, as those on slides and in Word are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
from openpyxl.chart import BarChart

from tests.unit.test_document_formats import only

_OFFICE = "http://schemas.openxmlformats.org"
_POINT = "<d:pt><d:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></d:t></d:pt>"
_RELATION = (
    f'<Relationship Id="rId9" Type="{_OFFICE}/officeDocument/2006/relationships/diagramData" '
    'Target="/xl/diagrams/data1.xml"/></Relationships>'
)


def test_the_words_of_a_diagram_stand_behind_the_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "Steps"
    book.active.add_chart(BarChart())  # a drawing, for the diagram to be on
    book.save(tmp_path / "plain")
    names = f'xmlns:d="{_OFFICE}/drawingml/2006/diagram" xmlns:a="{_OFFICE}/drawingml/2006/main"'
    points = "".join(map(_POINT.format, ("Order", "Ship")))
    with zipfile.ZipFile(tmp_path / "plain") as old, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            is_drawings = entry.filename == "xl/drawings/_rels/drawing1.xml.rels"
            new.writestr(entry, data.replace(b"</Relationships>", _RELATION.encode()) if is_drawings else data)
        new.writestr("xl/diagrams/data1.xml", f"<d:dataModel {names}><d:ptLst>{points}</d:ptLst></d:dataModel>")
    (tmp_path / "plain").unlink()
    assert only(tmp_path).text.strip().endswith("Steps\n\nDiagram: Order, Ship")
