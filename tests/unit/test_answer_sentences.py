"""A text in sentences, and these as they are said."""

from __future__ import annotations

from mesh_core.answers.sentences import said, sentences_of


def sentences(text: str) -> list[str]:
    return [said(text[it.start : it.end]) for it in sentences_of(text)]


def test_code_is_said_line_by_line_without_its_fences_and_language() -> None:
    assert sentences("```sh\n# lights first\nscope park\n\nscope log | tee log\n```\nThe mount is off. It may be covered.") == [
        "# lights first", "scope park", "scope log | tee log", "The mount is off.", "It may be covered.",
    ]  # fmt: skip


def test_a_fence_without_another_makes_nothing_code() -> None:
    assert sentences("scope off\n```\nThe mount is off. It may be covered.") == [
        "scope off", "The mount is off.", "It may be covered.",
    ]  # fmt: skip


def test_a_row_is_said_without_its_bars() -> None:
    assert sentences("| Mount | East |\n") == ["Mount; East"]
