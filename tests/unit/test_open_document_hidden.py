"""What OpenDocument texts hide by styles, in headers and in changes is left out and counted; what stands beside it is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from domain_sdk.documents import Document
from tests.unit.test_document_formats import only

_NAMES = ("office", "text", "style")
_SPACES = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in _NAMES)
_HIDDEN = "".join(
    f"<style:style style:name='Unseen' style:family='{family}'><style:text-properties text:display='none'/></style:style>"
    for family in ("text", "paragraph")
)
_NOTE = "<office:annotation><text:p>SECRET note</text:p></office:annotation>"


def text_of(folder: Path, body: str, *, automatic: str = "", common: str = "", page: str = "") -> Document:
    text = f"<office:automatic-styles>{automatic}</office:automatic-styles>"
    text += f"<office:body><office:text>{body}</office:text></office:body>"
    styles = f"<office:styles>{common}</office:styles><office:master-styles>{page}</office:master-styles>"
    with zipfile.ZipFile(folder / "a.odt", "w") as file:
        file.writestr("content.xml", f"<office:document-content {_SPACES}>{text}</office:document-content>")
        file.writestr("styles.xml", f"<office:document-styles {_SPACES}>{styles}</office:document-styles>")
    return only(folder)


@pytest.mark.parametrize("place", ["automatic", "common"])
@pytest.mark.parametrize("element", ["span", "p"])
def test_text_whose_style_does_not_show_it_is_left_out(tmp_path: Path, place: str, element: str) -> None:
    hidden = f"<text:{element} text:style-name='Unseen'>SECRET</text:{element}>"
    body = f"<text:p>Shown {hidden if element == 'span' else ''}text.</text:p>{hidden if element == 'p' else ''}"
    document = text_of(tmp_path, body, **{place: _HIDDEN})
    assert document.text.strip() == "Shown text."
    assert document.hidden == {"hidden pieces of text": 1}


def test_a_style_inherits_that_its_text_is_not_shown_and_may_show_it(tmp_path: Path) -> None:
    child = "<style:style style:name='{0}' style:family='text' style:parent-style-name='Unseen'>{1}</style:style>"
    shows = "<style:text-properties text:display='true'/>"
    styles = child.format("Child", "") + child.format("Shown", shows)
    spans = "<text:span text:style-name='Child'>SECRET</text:span><text:span text:style-name='Shown'>seen</text:span>"
    assert text_of(tmp_path, f"<text:p>Well {spans}</text:p>", automatic=styles, common=_HIDDEN).text.strip() == "Well seen"


def test_comments_on_what_is_hidden_or_was_deleted_are_not_read(tmp_path: Path) -> None:
    changed = f"<text:tracked-changes><text:changed-region><text:p>{_NOTE}</text:p></text:changed-region></text:tracked-changes>"
    hidden = f"<text:section text:display='none'><text:p>SECRET {_NOTE}</text:p></text:section>"
    document = text_of(tmp_path, f"{changed}{hidden}<text:p>Shown{_NOTE.replace('SECRET', 'Open')}</text:p>")
    assert document.text.strip() == "Shown\n\nComment: Open note"


def test_headers_that_are_off_are_not_read_and_words_of_others_are_apart(tmp_path: Path) -> None:
    said = "<text:p>Draft<text:tab/>of<text:s/>May<text:line-break/>2024</text:p>"
    off = "<style:header style:display='false'><text:p>SECRET</text:p></style:header>"
    page = f"<style:master-page>{off}<style:footer>{said}</style:footer></style:master-page>"
    assert text_of(tmp_path, "<text:p>Shown</text:p>", page=page).text.strip() == "Shown\n\nFooter: Draft of May 2024"


def test_what_headers_hide_is_not_read(tmp_path: Path) -> None:
    said = "<text:p>Draft <text:span text:style-name='Unseen'>SECRET</text:span>of May</text:p>"
    page = f"<style:master-page><style:header>{said}</style:header></style:master-page>"
    document = text_of(tmp_path, "<text:p>Shown</text:p>", common=_HIDDEN, page=page)
    assert document.text.strip() == "Shown\n\nHeader: Draft of May"


def test_a_paragraph_that_says_in_a_span_that_it_is_hidden_is_hidden(tmp_path: Path) -> None:
    mark = "<text:span><text:hidden-paragraph/>SECRET</text:span>"
    assert text_of(tmp_path, f"<text:p>SECRET {mark} SECRET</text:p><text:p>Shown</text:p>").text.strip() == "Shown"


def test_a_paragraph_that_hides_twice_is_read(tmp_path: Path) -> None:
    twice = (
        "<text:hidden-paragraph/><text:hidden-text text:string-value='SECRET'>SECRET</text:hidden-text><text:hidden-paragraph/>"
    )
    document = text_of(tmp_path, f"<text:p>SECRET{twice}</text:p><text:p>Shown</text:p>")
    assert document.text.strip() == "Shown"
