"""A document full of personal data, such as a directory: found as in a short one, in time that grows with it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain_sdk._document_record import PersonalSpans
from domain_sdk.documents import Document, passages
from mesh_core.pii.findings import Finding, without_overlaps
from mesh_core.pii.masking import PersonalValues, masked, words_for

_FINDINGS = st.lists(st.builds(lambda tag, at, n, sure: Finding(tag, at, at + n, sure), st.sampled_from("ab"), st.integers(0, 30),
                               st.integers(1, 6), st.booleans()), max_size=12)  # fmt: skip


@settings(deadline=None)
@given(_FINDINGS)
def test_of_findings_that_overlap_the_checked_then_the_longest_is_kept(findings: list[Finding]) -> None:
    expected: list[Finding] = []
    for found in sorted(findings, key=lambda it: (not it.is_checked, it.start - it.end, it.start, it.tag)):
        if all(found.end <= other.start or other.end <= found.start for other in expected):
            expected.append(found)
    assert without_overlaps(findings) == sorted(expected, key=lambda it: it.start)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["Ada", "ada", "Byron", "King", "x", "1"]), min_size=1, max_size=3),
    st.text("AdaByronKig x1_-.,\n", max_size=60),
)
def test_a_value_is_found_again_wherever_its_words_stand_in_a_row(words: list[str], text: str) -> None:
    value = " ".join(words)
    row = r"[\W_]{0,3}".join(map(re.escape, words))
    expected = [match.span() for match in re.finditer(rf"(?<!\w){row}(?!\w)", text, re.IGNORECASE)]
    found = PersonalValues(value, [Finding("pii.email", 0, len(value), is_checked=False)]).again_in(text)
    assert [(it.start, it.end) for it in found] == expected


def test_a_directory_of_thousands_is_looked_through() -> None:
    """9,000 findings: no comparison of each with each, and no pattern to compile for each."""
    text = "\n\n".join(f"Name: Mr. Anna{n} Smith{n}, anna{n}@example.com, tel +49 30 {1000000 + n}" for n in range(3_000))
    document = Document(Path("a.txt"), "a.txt", "Staff", text, "text/plain")
    personal = PersonalSpans.of(document)
    assert len(personal.findings) == 9_000
    tags = {tag for passage in passages(document) for tag in personal.in_passage(passage).tags}
    assert tags == {"pii.name", "pii.email", "pii.phone"}


@pytest.mark.parametrize(
    ("behind", "tag"),
    [
        ("Ada.Byron@example.org", "pii.email"),
        ("DE89370400440532013000", "pii.iban"),
        ("DE89 3704 0044 0532 0130 00", "pii.iban"),
    ],
)
@pytest.mark.parametrize("label", ["Name: ", "Attn: ", "Dear Ms. "])
def test_a_name_is_hidden_that_runs_into_data_of_another_kind(label: str, behind: str, tag: str) -> None:
    text = f"{label}Zerlina Quackenbush {behind} wrote."
    personal = PersonalSpans(text)
    assert masked(text, personal.findings) == f"{label}[names of people] {words_for(tag)} wrote."
    assert not any(found.end > other.start for found, other in pairwise(personal.findings))


def test_data_within_a_name_leaves_no_part_of_the_name() -> None:
    text = "Attn: Ada@example.org"
    assert [found.tag for found in PersonalSpans(text).findings] == ["pii.email"]
    assert masked(text, PersonalSpans(text, people=["Ada"]).findings) == "Attn: [e-mail addresses]"
