"""What Office files show beside their text is read, once, and says what it is: notes, comments, headers, charts, diagrams."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_BREAK
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from domain_sdk.documents import Document, read_documents

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def read(path: Path) -> Document:
    (document,) = read_documents(path)
    return document


def rewritten(path: Path, parts: Mapping[str, str], *, replace: tuple[str, str, str] = ("", "", "")) -> Path:
    """The archive with these parts beside its own, and one replacement in one of its own."""
    target = path.with_name(f"new-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == replace[0]:
                assert replace[1].encode() in content
                content = content.replace(replace[1].encode(), replace[2].encode())
            new.writestr(entry.filename, content)
        for name, text in parts.items():
            new.writestr(name, text)
    return target


def test_words_between_tabs_stay_apart(tmp_path: Path) -> None:
    made = docx.Document()
    run = made.add_paragraph().add_run("Section 1\tIntroduction\t2")
    run.add_break(WD_BREAK.LINE)
    run.add_text("Page two")
    made.save(str(tmp_path / "a.docx"))
    assert read(tmp_path / "a.docx").text.split() == ["Section", "1", "Introduction", "2", "Page", "two"]


def test_comments_and_headers_of_word_are_read_once_and_marked(tmp_path: Path) -> None:
    made = docx.Document()
    section = made.sections[0]
    section.header.paragraphs[0].text = "Contract 4711\tInternal"
    section.footer.paragraphs[0].text = "Harbour Street 5, Bergen"
    first = made.add_paragraph("The price is fixed.")
    made.add_paragraph("It ends in May.")
    made.add_comment(first.runs, text="Really until May?", author="Ana Pérez")
    made.add_section()
    made.save(str(tmp_path / "a.docx"))
    lines = [line for line in read(tmp_path / "a.docx").text.split("\n") if line.strip()]
    assert lines == [
        "Header: Contract 4711 Internal",
        "The price is fixed.",
        "Comment by Ana Pérez: Really until May?",
        "It ends in May.",
        "Footer: Harbour Street 5, Bergen",
    ]


def test_footnotes_and_endnotes_stand_behind_their_paragraph(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("Rates rose.FOOT")
    made.add_paragraph("Costs fell.END")
    made.save(str(tmp_path / "a.docx"))
    path = tmp_path / "a.docx"
    for mark, kind, words in (("FOOT", "footnote", "By a tenth."), ("END", "endnote", "In all regions.")):
        reference = f'</w:t></w:r><w:r><w:{kind}Reference w:id="2"/></w:r><w:r><w:t>'
        path = rewritten(path, {}, replace=("word/document.xml", mark, reference))
        relation = f'<Relationship Id="rId9{kind}" Type="{R}/{kind}s" Target="{kind}s.xml"/></Relationships>'
        part = (
            f'<w:{kind}s {W}><w:{kind} w:type="separator" w:id="0"><w:p><w:r><w:t>line</w:t></w:r></w:p></w:{kind}>'
            f'<w:{kind} w:id="2"><w:p><w:hyperlink><w:r><w:t>{words}</w:t></w:r></w:hyperlink></w:p></w:{kind}></w:{kind}s>'
        )
        path = rewritten(
            path, {f"word/{kind}s.xml": part}, replace=("word/_rels/document.xml.rels", "</Relationships>", relation)
        )
    assert [line for line in read(path).text.split("\n") if line.strip()] == [
        "Rates rose.",
        "Footnote: By a tenth.",
        "Costs fell.",
        "Endnote: In all regions.",
    ]


SIGNS = "AT&T pays if a < b and c > d (R&D), <Name of Client> too, 5 * 3 ~ 15"


def test_signs_that_xml_or_markdown_write_otherwise_are_read_as_they_are_shown(tmp_path: Path) -> None:
    word = docx.Document()
    word.add_heading("Q&A 1. <draft>", 1)
    word.add_paragraph(SIGNS)
    word.add_paragraph("# no heading")
    word.save(str(tmp_path / "a.docx"))
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Q&A 1. <draft>"
    slide.placeholders[1].text = SIGNS
    deck.save(str(tmp_path / "a.pptx"))
    (tmp_path / "a.rtf").write_text(rf"{{\rtf1\ansi {SIGNS}\par}}")
    assert read(tmp_path / "a.docx").text == f"# Q&A 1. <draft>\n\n{SIGNS}\n\n\\# no heading\n"
    assert f"Q&A 1. <draft>\n\n{SIGNS}" in read(tmp_path / "a.pptx").text
    assert read(tmp_path / "a.rtf").text.strip() == SIGNS


def test_a_text_box_takes_nothing_from_the_paragraph_it_is_fixed_to(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("Before HERE after.")
    made.add_paragraph("The end.")
    made.save(str(tmp_path / "a.docx"))
    inner = "<w:p><w:r><w:t>Boxed words.</w:t></w:r></w:p>"
    box = (
        '<w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox><w:txbxContent>'
        f"{inner}</w:txbxContent></v:textbox></v:shape></w:pict></w:r>"
    )
    path = rewritten(
        tmp_path / "a.docx", {}, replace=("word/document.xml", "HERE", f"</w:t></w:r>{box}<w:r><w:t xml:space='preserve'>")
    )
    lines = [" ".join(line.split()) for line in read(path).text.split("\n") if line.strip()]
    assert lines == ["Before after.", "Boxed words.", "The end."]


def test_boxes_that_are_ticked_with_a_sign_are_told_from_empty_ones(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("ONE Yes TWO No")
    made.save(str(tmp_path / "a.docx"))
    path = tmp_path / "a.docx"
    for mark, sign in (("ONE", "F0FE"), ("TWO", "F0A8")):
        symbol = f'</w:t></w:r><w:r><w:sym w:font="Wingdings" w:char="{sign}"/></w:r><w:r><w:t xml:space="preserve">'
        path = rewritten(path, {}, replace=("word/document.xml", mark, symbol))
    assert read(path).text.strip() == "☑ Yes ☐ No"


def test_text_that_a_style_hides_is_left_out_and_counted(tmp_path: Path) -> None:
    made = docx.Document()
    for name, below in (("Ghost", ""), ("Gone", ""), ("Low", "Gone")):
        style = made.styles.add_style(name, WD_STYLE_TYPE.CHARACTER if name == "Ghost" else WD_STYLE_TYPE.PARAGRAPH)
        if below:
            style.base_style = made.styles[below]
        else:
            style.font.hidden = True
    line = made.add_paragraph("Seen words.")
    line.add_run(" Secret one.", style="Ghost")
    made.add_paragraph("Secret two.", style="Gone")
    made.add_paragraph("Secret three.", style="Low").add_run(" Shown again.").font.hidden = False
    made.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert [line.strip() for line in document.text.split("\n") if line.strip()] == ["Seen words.", "Shown again."]
    assert document.hidden == {"hidden pieces of text": 3}


def test_how_characters_are_pronounced_does_not_part_them(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("HERE様")
    made.save(str(tmp_path / "a.docx"))
    ruby = "".join(
        f"<w:r><w:ruby><w:rt><w:r><w:t>{above}</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>{base}</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        for above, base in (("やまだ", "山田"), ("たろう", "太郎"))
    )
    path = rewritten(tmp_path / "a.docx", {}, replace=("word/document.xml", "HERE", f"</w:t></w:r>{ruby}<w:r><w:t>"))
    assert read(path).text.strip() == "山田太郎様"


def test_formulas_stand_where_they_do_in_their_line(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("The rate is HERE per year.")
    made.save(str(tmp_path / "a.docx"))

    def text(words: str) -> str:
        return f"<m:r><m:t>{words}</m:t></m:r>"

    power = f"<m:sSup><m:e>{text('t')}</m:e><m:sup>{text('2')}</m:sup></m:sSup>"
    root = f"<m:rad><m:radPr/><m:deg/><m:e>{text('x+1')}</m:e></m:rad>"
    fraction = f"<m:f><m:fPr/><m:num>{text('a+b')}</m:num><m:den>{power}</m:den></m:f>"
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    formula = f'</w:t></w:r><m:oMath {math}>{fraction}{text("−")}{root}</m:oMath><w:r><w:t xml:space="preserve">'
    path = rewritten(tmp_path / "a.docx", {}, replace=("word/document.xml", "HERE", formula))
    path = rewritten(path, {}, replace=("word/document.xml", "<w:t>The rate is ", '<w:t xml:space="preserve">The rate is '))
    assert read(path).text.strip() == "The rate is (a+b)/(t^2)−√(x+1) per year."


def _t(words: str) -> str:
    return f"<m:r><m:t>{words}</m:t></m:r>"


def _over(over: str, under: str, kind: str = "") -> str:
    return f"<m:f><m:fPr>{kind}</m:fPr><m:num>{over}</m:num><m:den>{under}</m:den></m:f>"


def _in(inner: str, begin: str = "(", end: str = ")") -> str:
    return f'<m:d><m:dPr><m:begChr m:val="{begin}"/><m:endChr m:val="{end}"/></m:dPr><m:e>{inner}</m:e></m:d>'


@pytest.mark.parametrize(("formula", "written"), [
    (_over(_in(_t("1+r")) + _t("−") + _in(_t("1+s")), _t("n")), "((1+r)−(1+s))/n"),
    (_in(_t("x"), "|", "|") + _t("−2"), "|x|−2"),
    (_in(_t("0;1"), "[", ")"), "[0;1)"),
    (_t("5") + f"<m:rad><m:radPr/><m:deg>{_t('3')}</m:deg><m:e>{_t('x')}</m:e></m:rad>", "5x^(1/3)"),
    (_over(_in(_t("a+b")), _t("c")), "(a+b)/c"),
])  # fmt: skip
def test_brackets_of_formulas_stay_those_that_they_are(tmp_path: Path, formula: str, written: str) -> None:
    assert _line_with(tmp_path, formula) == f"The rate is {written} per year."


@pytest.mark.parametrize("formula", [
    _over(_t("n"), _t("k"), '<m:type m:val="noBar"/>'),
    f"<m:m><m:mr><m:e>{_t('1')}</m:e><m:e>{_t('2')}</m:e></m:mr><m:mr><m:e>{_t('3')}</m:e><m:e>{_t('4')}</m:e></m:mr></m:m>",
])  # fmt: skip
def test_what_no_line_can_hold_is_not_written_as_something_else(tmp_path: Path, formula: str) -> None:
    text = _line_with(tmp_path, formula)
    assert "n/k" not in text
    assert "1234" not in text


def _line_with(folder: Path, formula: str) -> str:
    made = docx.Document()
    made.add_paragraph("The rate is HERE per year.")
    made.save(str(folder / "a.docx"))
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    inner = f'</w:t></w:r><m:oMath {math}>{formula}</m:oMath><w:r><w:t xml:space="preserve">'
    path = rewritten(folder / "a.docx", {}, replace=("word/document.xml", "HERE", inner))
    path = rewritten(path, {}, replace=("word/document.xml", "<w:t>The rate is ", '<w:t xml:space="preserve">The rate is '))
    return read(path).text.strip()


def test_a_document_whose_lists_are_damaged_is_read_without_numbers(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("Ten days.", style="List Number")
    made.save(str(tmp_path / "a.docx"))
    path = rewritten(tmp_path / "a.docx", {}, replace=("word/numbering.xml", "</w:numbering>", ""))
    assert "Ten days." in read(path).text


def test_text_that_was_moved_away_is_not_read_twice(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("HERE")
    made.save(str(tmp_path / "a.docx"))
    moved = "</w:t></w:r>" + "".join(
        f'<w:{kind} w:id="{number}" w:author="A"><w:r><w:t>{words}</w:t></w:r></w:{kind}>'
        for number, (kind, words) in enumerate((("moveFrom", "old place "), ("ins", "new place "), ("moveTo", "kept")))
    ) + "<w:r><w:t>"  # fmt: skip
    path = rewritten(tmp_path / "a.docx", {}, replace=("word/document.xml", "HERE", moved))
    assert read(path).text.strip() == "new place kept"


def test_the_document_may_be_called_otherwise(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("Written in a browser.")
    made.save(str(tmp_path / "a.docx"))
    path = rewritten(tmp_path / "a.docx", {}, replace=("_rels/.rels", "word/document.xml", "word/document2.xml"))
    target = tmp_path / "b.docx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            name = entry.filename.replace("document.xml", "document2.xml")
            new.writestr(name, old.read(entry).replace(b"/word/document.xml", b"/word/document2.xml"))
    assert read(target).text.strip() == "Written in a browser."


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Sales"
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("2024", (7, 8.5))
    data.add_series("2025", (9, 11))
    slide.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, Inches(1), Inches(2), Inches(4), Inches(3), data)
    made.save(str(tmp_path / "deck.pptx"))
    return tmp_path / "deck.pptx"


def test_a_chart_is_read_as_the_table_it_was_drawn_from(deck: Path) -> None:
    document = read(deck)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in document.text.split("\n") if line.startswith("|")]
    assert [rows[0], *rows[2:]] == [["Chart:", "2024", "2025"], ["North", "7", "9"], ["South", "8.5", "11"]]
    assert document.tables == 1


def test_comments_on_slides_are_read_with_their_slide(deck: Path) -> None:
    parts = {
        "ppt/comments/comment1.xml": '<p:cmLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">'
        '<p:cm authorId="0" idx="1"><p:pos x="1" y="1"/><p:text>Check the south.</p:text></p:cm></p:cmLst>',
        "ppt/commentAuthors.xml": '<p:cmAuthorLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">'
        '<p:cmAuthor id="0" name="Bo Li" initials="B"/></p:cmAuthorLst>',
    }
    closing = "</Relationships>"
    comment = f'<Relationship Id="rId77" Type="{R}/comments" Target="../comments/comment1.xml"/>{closing}'
    author = f'<Relationship Id="rId78" Type="{R}/commentAuthors" Target="commentAuthors.xml"/>{closing}'
    path = rewritten(deck, parts, replace=("ppt/slides/_rels/slide1.xml.rels", closing, comment))
    path = rewritten(path, {}, replace=("ppt/_rels/presentation.xml.rels", closing, author))
    assert "Comment by Bo Li: Check the south." in read(path).text


def test_words_are_whole_whatever_pieces_a_slide_has_them_in(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    paragraph = slide.shapes.title.text_frame.paragraphs[0]
    for piece in ("High", "light", "ed te", "xt"):
        paragraph.add_run().text = piece
    paragraph.add_line_break()
    paragraph.add_run().text = "below"
    made.save(str(tmp_path / "deck.pptx"))
    assert read(tmp_path / "deck.pptx").title == "Highlighted text below"


def test_a_diagram_is_read_as_its_words(deck: Path) -> None:
    dgm = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    words = "".join(
        f'<dgm:pt modelId="{n}"{kind}><dgm:t><a:p><a:r><a:t>{word}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for n, (word, kind) in enumerate((("Plan", ""), ("Build", ' type="asst"'), ("ghost", ' type="pres"')))
    )
    part = (
        f'<dgm:dataModel xmlns:dgm="{dgm}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        f"<dgm:ptLst>{words}</dgm:ptLst></dgm:dataModel>"
    )
    with zipfile.ZipFile(deck) as archive:
        slide = archive.read("ppt/slides/slide1.xml").decode()
    start = slide.index("<c:chart ")
    chart = slide[start : slide.index("/>", start) + 2]
    diagram = f'<dgm:relIds xmlns:dgm="{dgm}" xmlns:r="{R}" r:dm="rId88"/>'
    path = rewritten(deck, {"ppt/diagrams/data1.xml": part}, replace=("ppt/slides/slide1.xml", chart, diagram))
    relation = f'<Relationship Id="rId88" Type="{R}/diagramData" Target="../diagrams/data1.xml"/></Relationships>'
    path = rewritten(path, {}, replace=("ppt/slides/_rels/slide1.xml.rels", "</Relationships>", relation))
    text = read(path).text
    assert "Plan" in text
    assert "Build" in text
    assert "ghost" not in text


@pytest.mark.parametrize("stated", ["PowerPoint Presentation", "PowerPoint-Präsentation", "Présentation PowerPoint", "Untitled"])
def test_what_a_program_calls_every_file_is_no_title(tmp_path: Path, stated: str) -> None:
    made = pptx.Presentation()
    made.core_properties.title = stated
    made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = "Harbour dues"
    made.save(str(tmp_path / "deck.pptx"))
    assert read(tmp_path / "deck.pptx").title == "Harbour dues"


def test_a_workbook_is_not_called_as_its_first_sheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(("Port", "Dues"))
    book.active.append(("Bergen", 12))
    book.save(tmp_path / "harbour-dues.xlsx")
    assert read(tmp_path / "harbour-dues.xlsx").title == "harbour dues"


def test_cells_of_slides_over_several_rows_stand_in_each_and_keep_their_marks(tmp_path: Path) -> None:
    made = pptx.Presentation()
    table = made.slides.add_slide(made.slide_layouts[6]).shapes.add_table(3, 2, 0, 0, Inches(6), Inches(2)).table
    for row, values in enumerate((("Region", "Value"), ("North", "1 | 2"), ("", "3"))):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    table.cell(1, 0).merge(table.cell(2, 0))
    made.save(str(tmp_path / "a.pptx"))
    assert read(tmp_path / "a.pptx").text.split("\n\n")[0].split("\n") == [
        "| Region | Value |", "| --- | --- |", "| North | 1 ¦ 2 |", "| North | 3 |",
    ]  # fmt: skip


def test_hidden_shapes_of_slides_are_left_out_and_counted(tmp_path: Path) -> None:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    for place, text in enumerate(("Shown words.", "Secret words.")):
        slide.shapes.add_textbox(0, Inches(place), Inches(3), Inches(1)).text_frame.text = text
    slide.shapes[1]._element.nvSpPr.cNvPr.set("hidden", "1")
    made.save(str(tmp_path / "a.pptx"))
    document = read(tmp_path / "a.pptx")
    assert "Shown words." in document.text
    assert "Secret" not in document.text
    assert document.hidden == {"hidden shapes on slides": 1}
