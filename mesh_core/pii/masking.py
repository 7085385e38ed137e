"""Personal data taken out of texts: words that say what stood there, for each finding and wherever its value stands again.

A detector that needs a label finds `Dear Ms. Byron` and misses `Byron` a line below: whoever is not to see the one must not see
the other. So the values found in a passage are looked for again in all that is shown or indexed with it. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

from mesh_core.pii.findings import WORDS, Finding, is_personal_tag
from mesh_core.pii.number_ends import Digits, end_places
from mesh_core.pii.readable import readable
from mesh_core.pii.text import find_personal_data
from mesh_core.pii.word_rows import WordRow, folded_text

__all__ = ["MalformedSpans", "PersonalValues", "masked", "spans_in", "spans_text", "tags_around", "words_for"]

_NAME = "pii.name"
_WORD = re.compile(r"\w+")
_FEWEST_LETTERS = 3
_NUMBERED = frozenset({"pii.card", "pii.iban", "pii.phone"})
_WRITTEN_OUT = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe", "ß": "ss",
})  # fmt: skip
_SPAN = re.compile(r"(\d{1,9})-(\d{1,9}):([A-Za-z0-9_.-]{1,200})")
_AROUND = re.compile(r"around:([A-Za-z0-9_.-]{1,200})")


class MalformedSpans(ValueError):
    """A text that does not say where personal data is."""


def masked(text: str, findings: Iterable[Finding], tags: Collection[str] | None = None) -> str:
    """The text with words for its findings; only for those under `tags`, if given. Overlapping findings become one."""
    parts: list[str] = []
    place = 0
    for found in sorted(findings, key=lambda it: (it.start, -it.end)):
        if tags is not None and found.tag not in tags:
            continue
        if found.start >= place:
            parts += [text[place : found.start], words_for(found.tag)]
        place = max(place, found.end)
    return "".join([*parts, text[place:]]) if parts else text


def words_for(tag: str) -> str:
    """`[e-mail addresses]`: what stands for data of this kind."""
    return f"[{WORDS.get(tag, 'personal data' if is_personal_tag(tag) else 'data')}]"


def spans_text(findings: Iterable[Finding], around: Iterable[str] = ()) -> str:
    """`start-end:tag`, blank between, each once and in order; `around:tag` first for data in the title, headings or name."""
    inside = sorted({(it.start, it.end, it.tag) for it in findings})
    return " ".join([*(f"around:{tag}" for tag in sorted(set(around))), *(f"{start}-{end}:{tag}" for start, end, tag in inside)])


def tags_around(text: str) -> frozenset[str]:
    """The tags of data that stands around the passage, as `spans_text` wrote them."""
    return frozenset(match.group(1) for match in map(_AROUND.fullmatch, text.split()) if match)


def spans_in(text: str, *, length: int) -> list[Finding]:
    """The findings that `spans_text` wrote, all within a text of this length. Raises: MalformedSpans."""
    found: list[Finding] = []
    for part in text.split():
        if _AROUND.fullmatch(part):
            continue
        match = _SPAN.fullmatch(part)
        if match is None or not 0 <= int(match.group(1)) < int(match.group(2)) <= length:
            raise MalformedSpans("where its personal data is must be said like 3-17:pii.email, within the text.")
        found.append(Finding(match.group(3), int(match.group(1)), int(match.group(2)), is_checked=False))
    return found


class PersonalValues:
    """The values that findings have in a text, to be found again there and in what is shown with it."""

    def __init__(self, text: str, findings: Sequence[Finding]) -> None:
        values = dict.fromkeys((it.tag, text[it.start : it.end]) for it in findings)
        self._values = [(tag, words) for tag, value in values for words in _word_rows(tag, value)]
        self._numbers = [(tag, readable(value).text) for tag, value in values if tag in _NUMBERED]

    @classmethod
    def of_people(cls, names: Sequence[str]) -> PersonalValues:
        """Names of people, each whole and word by word."""
        text = "\n".join(names)
        ends = [len(name) for name in accumulate(names, lambda all_before, name: f"{all_before}\n{name}")]
        places = [Finding(_NAME, end - len(name), end, is_checked=False) for name, end in zip(names, ends, strict=True)]
        return cls(text, places)

    def again_in(self, text: str) -> list[Finding]:
        """Where they stand in a text, as a reader sees it, in order of their start; places may overlap."""
        if not self._values:
            return []
        shown = readable(text)
        folded = folded_text(shown.text)
        places = [
            shown.original(Finding(tag, start, end, is_checked=False))
            for tag, row in self._values
            for start, end in row.places(shown.text, folded)
        ]
        if self._numbers:
            said = Digits.of(shown.text)
            places += [
                shown.original(Finding(tag, start, end, is_checked=False))
                for tag, number in self._numbers
                for start, end in end_places(number, shown.text, said)
            ]
        return sorted(set(places), key=lambda it: (it.start, it.end, it.tag))

    def again_out_of(self, text: str) -> str:
        """The text without these values."""
        return masked(text, self.again_in(text)) if self._values else text

    def out_of(self, text: str) -> str:
        """The text without these values, and without what has a form of its own (not names: they need a label)."""
        return masked(text, [*find_personal_data(text), *self.again_in(text)]) if text else text


def _word_rows(tag: str, value: str) -> Iterator[WordRow]:
    """The value's words in a row, in any case; of a name each word that is written like one as well."""
    words = _WORD.findall(readable(value).text)
    if not words:
        return
    yield WordRow.of(words)
    if tag == _NAME:
        names = [word for word in words if len(word) >= _FEWEST_LETTERS and word[0].isupper()]
        yield from (WordRow((form,), is_exact=True) for word in names for form in _forms(word))


def _forms(word: str) -> Iterator[str]:
    """A word of a name as it is also written: in capitals, with an s, `ue` for `ü`, without accents.

    Never in small letters: `will` and `may` are words.
    """
    spelt = unicodedata.normalize("NFC", word)
    plain = "".join(it for it in unicodedata.normalize("NFKD", word) if not unicodedata.combining(it))
    for form in dict.fromkeys((word, spelt, plain, spelt.translate(_WRITTEN_OUT))):
        yield from dict.fromkeys((form, f"{form}s", form.upper(), f"{form.upper()}S"))
