from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain_sdk._document_sections import plain_text
from domain_sdk.documents import Document, DocumentProblem, embed_passages, passages, read_documents
from mesh_core.embedding import HashingEmbedder
from mesh_core.vectors.passages import InvalidPassage
from mesh_core.vectors.schema import MODEL_KEY, PASSAGE_SCHEMA, passages_in

MEMO = """---
title: "Travel: the rules"
tags: [a]
---
Intro line.

# Advances ##

An advance is paid **before** the [trip](https://example.org/a_(b)?x=1).

## Limits

- At most 300 a day.
- At most 5 days:
  1. with receipts
  2. within a month

```python
# not a heading

x = 1
```

Setext heading
--------------

Last words.
"""


def document(text: str, *, media_type: str = "text/markdown", name: str = "memo.md") -> Document:
    return Document(Path(name), name, "Title", text, media_type)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_markdown_gives_its_front_matter_title_and_its_sections(tmp_path: Path) -> None:
    write(tmp_path, "memo.md", MEMO)
    (memo,) = read_documents(tmp_path)
    assert (memo.name, memo.title, memo.media_type) == ("memo.md", "Travel: the rules", "text/markdown")
    assert memo.text.startswith("Intro line.")
    found = [(p.heading, p.text) for p in passages(memo)]
    assert found == [
        ("", "Intro line."),
        ("Advances", "An advance is paid **before** the [trip](https://example.org/a_(b)?x=1)."),
        (
            "Advances > Limits",
            "- At most 300 a day.\n- At most 5 days:\n  1. with receipts\n  2. within a month\n\n"
            "```python\n# not a heading\n\nx = 1\n```",
        ),
        ("Advances > Setext heading", "Last words."),
    ]


def test_the_indexed_text_reads_title_headings_and_words_without_markup(tmp_path: Path) -> None:
    write(tmp_path, "memo.md", MEMO)
    (memo,) = read_documents(tmp_path)
    assert list(passages(memo))[1].indexed_text == "Travel: the rules\nAdvances\nAn advance is paid before the trip."


@pytest.mark.parametrize(("written", "read"), [
    ("<Name of the client> pays.", "<Name of the client> pays."), ("By <ada@mail.example>.", "By <ada@mail.example>."),
    ("See <https://mail.example/a>.", "See <https://mail.example/a>."), ("a <b>bold</b> word", "a  bold  word"),
    ('<a href="x">link</a><br/>end', "link  end"), ("if a <b and c> d", "if a <b and c> d"),
])  # fmt: skip
def test_tags_are_no_words_and_words_between_angles_are_no_tags(written: str, read: str) -> None:
    assert plain_text(written).split() == read.split()


def test_a_title_comes_from_the_first_heading_else_from_the_file_name(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "# *Leave* policy\n\ntext\n")
    write(tmp_path, "deep/out-of_office.txt", "# no heading in plain text\n")
    write(tmp_path, "z.md", "---\ntitle: [broken\n---\n# Real\n\nx\n")
    assert [(d.name, d.title) for d in read_documents(tmp_path)] == [
        ("a.md", "Leave policy"),
        ("deep/out-of_office.txt", "out of office"),
        ("z.md", "Real"),
    ]


def test_plain_text_has_paragraphs_and_no_headings() -> None:
    found = list(passages(document("# one\n\ntwo **b**\n", media_type="text/plain")))
    assert [(p.heading, p.text, p.indexed_text) for p in found] == [("", "# one\n\ntwo **b**", "Title\n# one\n\ntwo **b**")]


def test_html_gives_what_is_read_with_headings_and_lists(tmp_path: Path) -> None:
    write(
        tmp_path,
        "page.html",
        """<!doctype html><html><head><title>Leave &amp; pay</title><style>p {color: red}</style>
        <script>var a = "<p>no</p>"</script></head>
        <body><h1>Leave</h1><p>Ask <b>your</b>
        lead.</p><noscript>no</noscript><h2>Limits</h2><ul><li>5 days<li><p>10 days</p></ul>
        <table><tr><td>a</td><td>b</td></tr></table>
        <p># not a heading</p></body></html>""",
    )
    (page,) = read_documents(tmp_path)
    assert page.title == "Leave & pay"
    assert page.text == "# Leave\n\nAsk your lead.\n\n## Limits\n\n- 5 days\n\n- 10 days\n\na b\n\n\\# not a heading\n"
    assert [p.heading for p in passages(page)] == ["Leave", "Leave > Limits"]


def test_unreadable_files_are_reported_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, "good.md", "text")
    write(tmp_path, "latin.md", b"caf\xe9")
    write(tmp_path, "binary.txt", b"a\0b")
    write(tmp_path, "empty.md", "---\ntitle: x\n---\n\n")
    write(tmp_path, "scan.pdf", b"%PDF-1.7")
    (tmp_path / "dangling.md").symlink_to(tmp_path / "nowhere.md")
    problems: list[DocumentProblem] = []
    assert [d.name for d in read_documents(tmp_path, on_problem=problems.append)] == ["good.md"]
    reasons = {problem.path.name: problem.reason for problem in problems}
    assert reasons.keys() == {"latin.md", "binary.txt", "empty.md", "scan.pdf", "dangling.md"}
    assert "not UTF-8 (byte 3)" in reasons["latin.md"]
    assert "NUL" in reasons["binary.txt"]
    assert "no text" in reasons["empty.md"]
    assert "truncated" in reasons["scan.pdf"]
    assert "No such file" in reasons["dangling.md"]


def test_problems_are_logged_by_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "scan.pdf", b"%PDF")
    with caplog.at_level(logging.WARNING):
        assert list(read_documents(tmp_path)) == []
    assert "document_skipped" in caplog.text


def test_names_are_relative_to_folder_pattern_or_common_folder(tmp_path: Path) -> None:
    one = write(tmp_path, "memos/a/one.md", "1")
    two = write(tmp_path, "memos/b/two.md", "2")
    write(tmp_path, "memos/.hidden/three.md", "3")

    def names(paths: str | Path | list[Path]) -> list[str]:
        return [d.name for d in read_documents(paths)]

    assert names(tmp_path / "memos") == ["a/one.md", "b/two.md"]
    assert names(str(tmp_path / "memos")) == ["a/one.md", "b/two.md"]
    assert names(f"{tmp_path}/memos/**/*.md") == ["a/one.md", "b/two.md"]
    assert names(f"{tmp_path}/memos/a/*.md") == ["one.md"]
    assert names([two, one]) == ["a/one.md", "b/two.md"]
    assert names(one) == ["one.md"]
    assert names([]) == []


def test_line_ends_and_byte_order_marks_are_normal(tmp_path: Path) -> None:
    write(tmp_path, "dos.md", b"\xef\xbb\xbf# A\r\n\r\nb\rc\r\n")
    (dos,) = read_documents(tmp_path)
    assert dos.text == "# A\n\nb\nc\n"


def test_passages_fill_up_to_the_limit_and_never_cross_a_heading() -> None:
    text = "# A\n\n" + "\n\n".join(f"a{n} " * 30 for n in range(6)) + "\n\n# B\n\n" + "b " * 10
    found = list(passages(document(text), max_words=70))
    assert [(p.heading, len(p.text.split())) for p in found] == [("A", 60), ("A", 60), ("A", 60), ("B", 10)]


def test_a_short_last_block_begins_the_next_passage() -> None:
    text = "one " * 50 + "\n\nshort bridge\n\n" + "two " * 50
    first, second = passages(document(text), max_words=60)
    assert first.text.endswith("short bridge")
    assert second.text.startswith("short bridge")
    assert first.end > second.start


def test_a_long_paragraph_is_cut_behind_sentences() -> None:
    text = "First sentence has five words. " * 10
    found = list(passages(document(text.strip()), max_words=12, overlap_words=0))
    assert [p.text for p in found] == ["First sentence has five words. First sentence has five words."] * 5


WORDS = st.sampled_from(
    ["word", "x.", "# h", "## h2", "- item", "1. one", "```", "", " ", "\n", "***", "é旅🧳", "[a](b)", "a | b", "\t"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60), st.sampled_from([" ", "\n", "\n\n"]), st.integers(1, 30), st.integers(0, 10))
def test_every_passage_is_an_exact_slice_and_no_word_is_lost(parts: list[str], glue: str, max_words: int, overlap: int) -> None:
    given_document = document(glue.join(parts))
    found = list(passages(given_document, max_words=max_words, overlap_words=overlap))
    covered = set()
    for p in found:
        assert given_document.text[p.start : p.end] == p.text
        assert p.text == p.text.strip() != ""
        assert len(p.text.split()) <= max_words
        covered.update(range(p.start, p.end))
    assert [p.start for p in found] == sorted(p.start for p in found)
    assert len({p.id for p in found}) == len(found)
    left = "".join(c if position not in covered else " " for position, c in enumerate(given_document.text))
    for line in left.splitlines():
        assert not line.strip() or line.lstrip()[0] in "#-*`", f"lost: {line!r}"


def test_ids_depend_on_document_place_and_text_alone() -> None:
    (one,) = passages(document("same text"))
    (again,) = passages(Document(Path("/elsewhere"), "memo.md", "Other title", "same text", "text/markdown"))
    (moved,) = passages(document("\nsame text"))
    (renamed,) = passages(document("same text", name="other.md"))
    assert one.id == again.id
    assert len({one.id, moved.id, renamed.id}) == 3


def test_embedded_batches_follow_the_schema_and_come_back_as_passages() -> None:
    texts = [p for n in range(300) for p in passages(document(f"# H{n}\n\nbody {n}", name=f"{n}.md"))]
    embedder = HashingEmbedder(16)
    batches = list(
        embed_passages(
            iter(texts),
            embedder,
            tags=lambda p: ["pii.name"],
            attributes=lambda p: {"document": p.document, "length": p.end - p.start},
        )
    )
    assert [batch.num_rows for batch in batches] == [256, 44]
    assert all(batch.schema.equals(PASSAGE_SCHEMA) for batch in batches)
    assert batches[0].schema.metadata[MODEL_KEY] == b"hashing-16"
    back = [p for batch in batches for p in passages_in(batch)]
    assert [(p.id, p.text, p.heading, p.start, p.end, p.indexed_text) for p in back] == [
        (t.id, t.text, t.heading, t.start, t.end, t.indexed_text) for t in texts
    ]
    assert (back[0].tags, back[0].attributes, back[0].page) == (("pii.name",), {"document": "0.md", "length": 6}, None)
    assert list(back[5].vector) == list(embedder.embed([texts[5].indexed_text])[0])


def test_batches_that_break_the_schema_are_refused() -> None:
    (batch,) = embed_passages(passages(document("text")), HashingEmbedder(4))
    with pytest.raises(InvalidPassage, match="'vector' of the passages is absent"):
        list(passages_in(batch.drop_columns(["vector"])))
    with pytest.raises(InvalidPassage, match="'start' of the passages is string"):
        list(passages_in(batch.set_column(6, "start", batch.column("id"))))
    for text in ("[]", "{", '{"a": null}', '{"a": [1]}'):
        replaced = batch.set_column(10, "attributes", pa.array([text]))
        with pytest.raises(InvalidPassage, match="attributes of passage"):
            list(passages_in(replaced))


def test_documents_are_read_one_at_a_time(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, f"{number}.md", "text")
    found = read_documents(tmp_path)
    assert next(found).name == "0.md"
    (tmp_path / "1.md").write_text("written later")
    assert next(found).text == "written later"
