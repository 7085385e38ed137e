"""Office files of other names and namespaces are read as the usual ones: macros, templates, shows, the strict standard."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest

from tests.unit.test_document_formats import only

_NAMES = re.compile(rb"http://schemas\.openxmlformats\.org/(wordprocessingml|presentationml|drawingml|officeDocument)/2006/")


def write_text(path: Path) -> None:
    made = docx.Document()
    made.add_heading("Fees", 1)
    made.add_paragraph("The fee is five euros.")
    made.save(str(path))


def write_slides(path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Fees", "The fee is five euros."
    made.save(str(path))


def write_sheet(path: Path) -> None:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.append(["Fees", "The fee is five euros."])
    with path.open("wb") as file:
        made.save(file)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        *((suffix, write_text) for suffix in ("docm", "dotx", "dotm", "DOCM")),
        *((suffix, write_slides) for suffix in ("pptm", "ppsx", "ppsm", "potx", "potm")),
        *((suffix, write_sheet) for suffix in ("xlsm", "xltx", "xltm")),
    ],
)
def test_a_file_with_macros_a_template_and_a_show_are_read(tmp_path: Path, suffix: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / f"a.{suffix}")
    assert "The fee is five euros." in only(tmp_path).text


@pytest.mark.parametrize(("suffix", "write"), [("docx", write_text), ("pptx", write_slides)])
def test_a_file_of_the_strict_standard_is_read(tmp_path: Path, suffix: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / "usual")
    with zipfile.ZipFile(tmp_path / "usual") as usual, zipfile.ZipFile(tmp_path / f"a.{suffix}", "w") as strict:
        for entry in usual.infolist():
            strict.writestr(entry, _NAMES.sub(rb"http://purl.oclc.org/ooxml/\1/", usual.read(entry)))
    (tmp_path / "usual").unlink()
    text = only(tmp_path).text
    assert re.search(r"^#+ Fees\n+The fee is five euros\.$", text, re.MULTILINE)
