"""Characters of RTF files are those of their fonts, and its signs what a reader sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain_sdk.extraction.rtf_text import with_characters_by_number
from tests.unit.test_document_formats import only

_FONTS = r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}{\f3\fcharset238 D;}{\f4 E;}{\f5\fcharset134 F;}}"


def text_of(folder: Path, body: str | bytes, head: str = r"\ansi\ansicpg1252\deff0") -> str:
    said = body.encode("latin-1") if isinstance(body, str) else body
    (folder / "a.rtf").write_bytes(rf"{{\rtf1{head}{_FONTS}\pard ".encode() + said + rb"\par}")
    return only(folder).text.strip()


def escaped(text: str, codec: str) -> str:
    return "".join(f"\\'{it:02x}" for it in text.encode(codec))


@pytest.mark.parametrize(
    ("font", "codec", "text"),
    [
        (1, "cp1251", "Договор аренды"),
        (2, "cp932", "契約書の予定表"),
        (3, "cp1250", "Příliš žluťoučký kůň"),
        (5, "gbk", "合同一般条款"),
    ],
)
def test_the_bytes_of_a_font_are_characters_of_its_script(tmp_path: Path, font: int, codec: str, text: str) -> None:
    assert text_of(tmp_path, f"\\f{font} {escaped(text, codec)}\\f0  caf\\'e9") == f"{text} café"


def test_a_font_that_names_no_script_has_that_of_the_document(tmp_path: Path) -> None:
    assert text_of(tmp_path, rf"\f4 {escaped('Договор', 'cp1251')}", r"\ansi\ansicpg1251\deff4") == "Договор"


def test_the_font_of_a_group_ends_with_it_and_plain_text_has_the_first(tmp_path: Path) -> None:
    russian = escaped("да", "cp1251")
    assert text_of(tmp_path, rf"caf\'e9 {{\f1 {russian}}} caf\'e9 \f1 {russian}\plain  caf\'e9") == "café да café да café"


def test_the_second_byte_of_a_character_may_be_a_letter_or_a_sign(tmp_path: Path) -> None:
    assert text_of(tmp_path, b"\\f2 \\'83]\\'83\\'8b\\'83\\'5c") == "ゾルソ"


def test_bytes_that_are_utf_8_are_read_as_that(tmp_path: Path) -> None:
    assert text_of(tmp_path, "Kündigung – geprüft".encode()) == "Kündigung – geprüft"


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [(204, "cp1251", "Ні"), (204, "cp1251", "Ці"), (222, "cp874", "แบบ"), (161, "cp1253", "Γ΅"), (238, "cp1250", "Ă±")],
)
def test_bytes_of_other_scripts_that_look_like_utf_8_are_characters_of_these(
    tmp_path: Path, charset: int, codec: str, text: str
) -> None:
    assert text.encode(codec).decode() != text
    fonts = rf"{{\fonttbl{{\f0\fcharset0 A;}}{{\f9\fcharset{charset} B;}}}}"
    assert text_of(tmp_path, f"\\f9 {escaped(text, codec)}", rf"\ansi\ansicpg1252\deff0{fonts}") == text
    assert text_of(tmp_path, escaped(text, codec), rf"\ansi\ansicpg{codec[2:]}") == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"A\u8364?B", "A€B"),
        (r"\uc0 A\u8364 B", "A€B"),
        (r"\uc2 A\u24180\'94\'4e B", "A年 B"),
        (r"A\u-10179?\u-8704?B", "A\U0001f600B"),
        (r"A\u128512?B", "A\U0001f600B"),
        (r"A\u-3840?B", "A\uf100B"),
    ],
)
def test_a_character_by_its_number_takes_the_place_of_those_for_older_programs(tmp_path: Path, written: str, shown: str) -> None:
    assert text_of(tmp_path, written) == shown


def test_blanks_and_hyphens_that_hold_a_line_together_are_such(tmp_path: Path) -> None:
    assert text_of(tmp_path, r"clause\~5, non\_binding, agree\-ment") == "clause 5, non-binding, agreement"


def test_text_that_was_deleted_is_not_read(tmp_path: Path) -> None:
    assert text_of(tmp_path, r"The fee is {\deleted ten }\deleted eleven \deleted0 twelve.") == "The fee is twelve."


def test_lines_of_the_file_end_control_words_and_no_text(tmp_path: Path) -> None:
    assert text_of(tmp_path, "one\\par\nTwo\\b\r\nThree\\b0 \\'66our") == "one\n\nTwo**Three**four"


def test_cells_outside_of_tables_and_within_cells_are_apart(tmp_path: Path) -> None:
    assert text_of(tmp_path, r"Fax station\cell Phone\cell ") == "Fax station Phone"
    row = r"\trowd\cellx900\cellx1800\intbl A\cell {\itap2 in\nestcell ner\nestcell}\intbl\cell\row\pard"
    assert "| A | in ner |" in text_of(tmp_path, row)


@pytest.mark.parametrize("word", ["listtext", "pntext"])
def test_what_was_counted_for_a_paragraph_stands_before_it(tmp_path: Path, word: str) -> None:
    clauses = rf"{{\{word}\pard\plain 4.1\tab}}\pard\ls1\ilvl0 Fees\par{{\{word} (a)\tab}}\u1044?a\par None\par"
    bullets = rf"{{\{word}\pard\f0 \'b7\tab}}\pard\ls2\ilvl0 Item\par"
    assert text_of(tmp_path, clauses + bullets).split("\n\n") == ["4.1 Fees", "(a) Дa", "None", "- Item"]


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        (rf"\f1 {escaped('а)', 'cp1251')}", "а)"),
        (r"\u945?)", "α)"),
        (r"\{1\}", "{1}"),
        (r"\f3 " + escaped("č.", "cp1250"), "č."),
        (r"\u12354?\u-3913?.", "あ\uf0b7."),
    ],
)
def test_numbers_of_any_script_keep_their_letters_and_braces(tmp_path: Path, label: str, shown: str) -> None:
    said = rf"{{\b One {{\listtext {label}\tab}}\f0 two}} three\par After"
    assert text_of(tmp_path, said).replace("*", "").split() == ["One", shown, "two", "three", "After"]


@pytest.mark.parametrize("label", [r"\f6\'d8", r"\f6 n", r"\f6\u61656?"])
def test_letters_of_a_font_of_pictures_are_no_numbers(tmp_path: Path, label: str) -> None:
    fonts = r"{\fonttbl{\f6\fcharset2 Wingdings;}}"
    assert text_of(tmp_path, rf"{{\listtext {label}\tab}}\f0\ls1 Item", rf"\ansi\deff0{fonts}").removeprefix("- ") == "Item"


@pytest.mark.parametrize("end", [r"\cell ", r"\cell\row\pard ", r"\sect ", r"\nestcell ", r"\par "])
def test_a_number_of_a_paragraph_that_says_nothing_is_of_no_other(tmp_path: Path, end: str) -> None:
    cells = rf"\trowd\cellx900\cellx1800\pard\intbl {{\listtext 1.\tab}}\ls1{end}Other text\cell\row\pard x"
    assert "1." not in text_of(tmp_path, cells)


def test_binary_data_is_passed_over() -> None:
    assert with_characters_by_number(rb"{\rtf1 a{\pict\bin5 }}}}}}b}") == rb"{\rtf1 a{\pict}b}"


def test_a_picture_of_many_bytes_takes_little_memory(tmp_path: Path) -> None:
    digits = b"0123456789abcdef" * 8 + b"\n"
    picture = rb"{\pict{\*\picprop{\sn shape}}\pngblip " + digits * 100_000 + b"}"
    assert text_of(tmp_path, b"Before " + picture + b" after") == "Before after"
    written = with_characters_by_number(rb"{\rtf1 a" + picture + rb"{\*\objdata " + digits * 100_000 + b"}b}")
    assert len(written) < 100


def test_bytes_of_names_and_styles_stay_bytes() -> None:
    assert with_characters_by_number(b"{\\rtf1{\\info\xe9\\\\ \\{ a}}") == rb"{\rtf1{\info\'e9\'5c \'7b a}}"
