"""Pages as their readers see them: cells that span, numbers that are raised, lists that count, pages that programs fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain_sdk._document_html import html_text
from domain_sdk.extraction.encodings import characters
from tests.unit.test_document_formats import only, read


def text_of(folder: Path, body: str) -> str:
    (folder / "a.html").write_text(f"<html><body>{body}</body></html>")
    return only(folder).text.strip()


def test_cells_that_span_stand_where_a_browser_shows_them(tmp_path: Path) -> None:
    names = "<thead><tr><th rowspan=2>City<th colspan=2>Rate</tr><tr><th>Day<th>Night</tr></thead>"
    rows = "<tr><td rowspan=2>Rome<td>1<td>2</tr><tr><td>3<td>4</tr><tr><td colspan=2>none<td>5</tr>"
    assert text_of(tmp_path, f"<table><caption>By city</caption>{names}<tbody>{rows}</tbody></table>").split("\n") == [
        "By city",
        "",
        "| City | Rate Day | Rate Night |",
        "| --- | --- | --- |",
        "| Rome | 1 | 2 |",
        "| Rome | 3 | 4 |",
        "| none |  | 5 |",
    ]


def test_a_row_across_the_table_above_its_names_is_its_title(tmp_path: Path) -> None:
    rows = "<tr><td colspan=3>Results</td></tr><tr><td>Q</td><td></td><td>Cost</td></tr><tr><td>1</td><td></td><td>20</td></tr>"
    assert text_of(tmp_path, f"<table>{rows}</table>") == "Results\n\n| Q | Cost |\n| --- | --- |\n| 1 | 20 |"


@pytest.mark.parametrize("span", ["0", "-3", "x", "99999999999999999999", "65534"])
def test_spans_beyond_reason_cost_nothing(tmp_path: Path, span: str) -> None:
    rows = f"<tr><td colspan={span} rowspan={span}>a<td>b</tr>" * 50
    assert "a" in text_of(tmp_path, f"<table>{rows}</table>")


def test_raised_numbers_are_no_digits_of_the_number_before(tmp_path: Path) -> None:
    body = "<p>100<sup>1</sup> million, 10<sup>6</sup> units, the 3<sup>rd</sup> time<sup><a>[4]</a></sup></p>"
    cell = "<table><tr><td>Area</td><td>25 m<sup>2</sup></td></tr><tr><td>Size<td>7</tr></table>"
    said = text_of(tmp_path, body + cell)
    assert said.startswith("100^1^ million, 10^6^ units, the 3rd time[4]")
    assert "| Area | 25 m^2^ |" in said


def test_what_is_raised_and_never_ends_ends_with_its_line(tmp_path: Path) -> None:
    assert text_of(tmp_path, "<p>25 m<sup>2<br>More of it</p>") == "25 m^2^ More of it"


def test_cells_over_many_rows_and_columns_stand_in_each(tmp_path: Path) -> None:
    wide = "".join(f"<td rowspan=300>n{n}" for n in range(300))
    text = text_of(tmp_path, f"<table><tr>{wide}<td>first{'<tr><td>next' * 299}</table>")
    assert text.count(" | n299 | ") == 300


def test_items_keep_their_numbers_and_code_its_lines(tmp_path: Path) -> None:
    body = "<ol start=3><li>third<ul><li>inner</ul><li>fourth<li value=9>ninth</ol><pre>one\n  # two</pre><p>After"
    said = "3. third\n\n- inner\n\n4. fourth\n\n9. ninth\n\n```\none\n  # two\n```\n\nAfter"
    assert text_of(tmp_path, body) == said


def test_choices_of_a_form_are_words_apart(tmp_path: Path) -> None:
    assert text_of(tmp_path, "<select><option>One<option>Two</select><button>Send</button>").split() == ["One", "Two", "Send"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<html><body><div id=root></div><script>fill()</script><noscript>Enable it</noscript></body></html>", "by a program"),
        ("<html><frameset><frame src=a.html></frameset></html>", "frames"),
        ("<html><body></body></html>", "no text"),
    ],
)
def test_a_page_without_text_says_why(tmp_path: Path, page: str, reason: str) -> None:
    (tmp_path / "a.html").write_text(page)
    assert reason in read(tmp_path)[1]["a.html"]


def test_unicode_that_says_it_is_of_one_byte_a_character_is_unicode() -> None:
    page = "<meta charset=iso-8859-1><p>Grüße aus Zürich</p>"
    assert characters(page.encode(), is_html=True) == page
    assert characters(page.encode("latin-1"), is_html=True) == page


@pytest.mark.parametrize(("label", "encoding", "words"), [("gb2312", "gb18030", "镕基"), ("shift_jis", "cp932", "①㈱")])
def test_names_of_encodings_mean_what_browsers_take_them_for(label: str, encoding: str, words: str) -> None:
    assert words in characters(f"<meta charset={label}>{words}".encode(encoding), is_html=True)


def test_items_have_the_letters_and_digits_that_their_list_is_numbered_with() -> None:
    body = "<ol type=a start=26><li>z<li>aa</ol><ol type=I><li>one<ol type=i><li>inner</ol><li>two</ol><ol type=A><li>first</ol>"
    assert html_text(body)[1].split("\n\n") == ["z. z", "aa. aa", "I. one", "i. inner", "II. two", "A. first\n"]


def test_a_word_is_whole_where_it_may_be_parted() -> None:
    assert html_text("<title>Rech&shy;nung</title><h1>Zahlungs&shy;ziel</h1>") == ("Rechnung", "# Zahlungsziel\n")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('<h2>Notice<a class="headerlink" href="#notice" title="Permalink">¶</a></h2>', "## Notice\n"),
        ('<h2><a class="anchor" href="#notice">#</a> Notice</h2>', "## Notice\n"),
        (
            '<table><tr><th>Term<a href="#t">¶</a><th>Days<tr><td>Notice<td>14</table>',
            "| Term | Days |\n| --- | --- |\n| Notice | 14 |\n",
        ),
        ('<p>It ends <a href="#back">\u21a9\ufe0e</a></p>', "It ends\n"),
        ('<p>See <a href="#s4">§ 4</a>, <a href="#n">*</a> and <a href="law.html">§</a></p>', "See § 4, * and §\n"),
        ('<p>See <a href="#s4"><b>part</b> <i>four</i></a>, ¶ 2</p>', "See part four, ¶ 2\n"),
    ],
)
def test_the_sign_by_which_a_heading_links_to_itself_is_no_part_of_it(body: str, text: str) -> None:
    assert html_text(body)[1] == text
