"""Comments on the cells of a workbook are read under the name of their sheet; not those on what its author hid."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
from openpyxl.comments import Comment

from domain_sdk.documents import passages
from tests.unit.test_document_formats import only

_THREADS = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"


def book_with_comments(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Budget"
    for row in (("Item", "Cost"), ("Desk", 300), ("Chair", 90), ("Lamp", 40)):
        sheet.append(row)
    sheet["B2"].comment = Comment("Ask Bo\nfirst", "Ana")
    sheet["B3"].comment = Comment("Bo:\nQuoted in May", "Bo")
    sheet["B4"].comment = Comment("on a hidden row", "Ana")
    sheet["C2"].comment = Comment("on a hidden column", "Ana")
    sheet["C2"] = 1
    sheet.row_dimensions[4].hidden = True
    sheet.column_dimensions["C"].hidden = True
    secret = book.create_sheet("Secret")
    secret["A1"] = "x"
    secret["A1"].comment = Comment("on a hidden sheet", "Ana")
    secret.sheet_state = "hidden"
    book.save(path)
    return path


def threaded(source: Path, target: Path) -> None:
    """The workbook with a thread of two on B2, as Excel writes it: the old comment stays, for programs that know no threads."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/_rels/sheet1.xml.rels":
                kind = "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment"
                link = f'<Relationship Id="t1" Type="{kind}" Target="../threadedComments/threadedComment1.xml"/></Relationships>'
                data = data.replace(b"</Relationships>", link.encode())
            if name == "xl/_rels/workbook.xml.rels":
                kind = "http://schemas.microsoft.com/office/2017/10/relationships/person"
                link = f'<Relationship Id="p1" Type="{kind}" Target="persons/person.xml"/></Relationships>'
                data = data.replace(b"</Relationships>", link.encode())
            new.writestr(name, data)
        said = "".join(
            f'<threadedComment ref="B2" personId="{{{who}}}" id="{{{who}}}"><text>{text}</text></threadedComment>'
            for who, text in (("1", "Is this right?"), ("2", "Yes, I checked"))
        )
        new.writestr(
            "xl/threadedComments/threadedComment1.xml", f'<ThreadedComments xmlns="{_THREADS}">{said}</ThreadedComments>'
        )
        people = '<person displayName="Ada" id="{1}"/><person displayName="Cleo" id="{2}"/>'
        new.writestr("xl/persons/person.xml", f'<personList xmlns="{_THREADS}">{people}</personList>')


def test_comments_on_cells_say_where_and_by_whom(tmp_path: Path) -> None:
    book_with_comments(tmp_path / "a.xlsx")
    document = only(tmp_path)
    assert "Comment on B2 by Ana: Ask Bo first" in document.text
    assert "Comment on B3 by Bo: Quoted in May" in document.text
    assert {it.heading for it in passages(document) if "Comment on" in it.text} == {"Budget"}
    assert "on a hidden" not in document.text
    assert document.hidden == {"hidden sheets": 1, "hidden rows": 1, "hidden columns": 1}


def test_a_thread_is_read_once_with_its_replies(tmp_path: Path) -> None:
    threaded(book_with_comments(tmp_path / ".old.xlsx"), tmp_path / "a.xlsx")
    text = only(tmp_path).text
    assert "Comment on B2 by Ada: Is this right?\n\nComment on B2 by Cleo: Yes, I checked" in text
    assert "Ask Bo" not in text
    assert "Comment on B3 by Bo: Quoted in May" in text
