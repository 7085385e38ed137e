"""Values that a question gives for keys and dimensions: `order O-004711`, `customer "ACME Ltd"`, `region EMEA`.

A value counts where the question says what it is (a name of the column or of its port stands before it), where the contract lists
it (`enum`), or where it has the shape that the contract gives the key (`pattern: O-[0-9]{6}`), which also completes bare numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesh_core.answers.terms import Word, best_matches, term_words
from mesh_core.contract.model import Column, Port

__all__ = ["Given", "KeyShape", "given_values", "is_key", "key_noun", "nouns_of", "plain_key", "shape_of", "singular"]

_SHAPE = re.compile(r"\^?(?P<prefix>(?:[A-Za-z0-9 _#-]|\\[-./])*?)(?:\\d|\[0-9\])(?:\{(?P<digits>\d{1,2})\}|(?P<many>\+))\$?\Z")
_KEY_WORDS = frozenset({"id", "ids", "no", "nr", "number", "key", "code"})
_LINKS = frozenset({"no", "nr", "number", "id", "called", "named", "is", "with", "the", "key", "code"})
_QUOTED = re.compile("\"([^\"]{1,200})\"|“([^”]{1,200})”|‘([^’]{1,200})’|«([^»]{1,200})»|'([^']{1,200})'(?!\\w)")
_FORMATS = {
    "email": re.compile(r"[^@\s]+@[^@\s]+"), "uuid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "uri": re.compile(r"[A-Za-z][\w+.-]*:\S+"), "ipv4": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}"),
}  # fmt: skip
"""What values of a format (`logicalTypeOptions.format`) look like at least."""
_AND = frozenset({"and", "or", "und", "vs", "versus"})


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What keys of a column look like: a fixed beginning, then digits (so many; 0 for any number)."""

    prefix: str
    digits: int

    def completed(self, text: str) -> str:
        """The key that the text is, or that its number stands for; empty if it is none."""
        rest = text[len(self.prefix) :] if text.casefold().startswith(self.prefix.casefold()) and self.prefix else text
        if not (rest.isascii() and rest.isdecimal()) or (self.digits and len(rest) > self.digits):
            return ""
        return self.prefix + rest.zfill(self.digits)

    def is_whole(self, text: str) -> bool:
        """True if the text is such a key as it stands, and its beginning has a letter to tell it by."""
        has_letter = any(letter.isalpha() for letter in self.prefix)
        return has_letter and self.completed(text).casefold() == text.casefold()


@dataclass(frozen=True, slots=True)
class Given:
    """Values that the question gives for a column: words from `first` on, `last` excluded, with what names the column.

    If they are excluded, it is said that the column has none of them, and the word that denies it is one of the words.
    """

    column: str
    values: tuple[str, ...]
    first: int
    last: int
    is_excluded: bool = False


def shape_of(column: Column) -> KeyShape | None:
    """The shape that the contract gives the column's values; None if it gives none that is this plain."""
    found = _SHAPE.match(str(column.options.get("pattern") or ""))
    if found is None:
        return None
    return KeyShape(re.sub(r"\\(.)", r"\1", found["prefix"]), int(found["digits"] or 0))


def is_key(port: Port, column: Column) -> bool:
    """True if a value of the column is of one row: it alone is the primary key, or unique."""
    return column.unique or [it.name for it in port.primary_key] == [column.name]


def listed_values(column: Column) -> tuple[Any, ...]:
    """The values that the contract allows the column, by its `enum` or by a rule that no other value passes; empty if any is."""
    if column.enum:
        return column.enum
    rules = (it for it in column.quality if it.metric == "invalidValues" and it.operator == "mustBe" and it.threshold == 0)
    return next((tuple(it.arguments.get("validValues") or ()) for it in rules), ())


def nouns_of(port: Port, column: Column) -> list[str]:
    """What a value of the column may be called: the column's names, also without `id`, and its port's if it is the key."""
    names = [column.name, *column.synonyms]
    short = [" ".join(words[:-1]) for name in names if len(words := term_words(name)) > 1 and words[-1] in _KEY_WORDS]
    own = _row_nouns(port) if is_key(port, column) else []
    return list(dict.fromkeys([*names, *short, *own]))


def _row_nouns(port: Port) -> list[str]:
    return [it for name in (port.name, *port.synonyms) for it in (name, singular(name))]


def key_noun(port: Port, column: Column) -> str:
    """What the thing is called that a value of the column stands for: of `customer_id`, `customer`; of a key `no`, its row."""
    words = term_words(column.name)
    short = words[:-1] if words and words[-1] in _KEY_WORDS else words
    return " ".join(short) or " ".join(term_words(singular(port.name)))


def given_values(text: str, words: Sequence[Word], port: Port, column: Column) -> Iterator[Given]:
    """What the question says the column is, in order."""
    shape = shape_of(column)
    listed = {str(value).casefold(): str(value) for value in listed_values(column)}
    taken: list[Given] = []
    for match in best_matches(list(words), nouns_of(port, column)):
        found = _after(text, words, match.first, match.last, column, shape, listed)
        if found is not None and not _is_another_key(found, match.name, port, column):
            taken.append(found)
    for place, word in enumerate(words):
        value = listed.get(word.folded) or (word.text if shape and shape.is_whole(word.text) else "")
        if value and not any(it.first <= place < it.last for it in taken):
            taken.append(Given(column.name, (shape.completed(value) if shape and not listed else value,), place, place + 1))
    yield from sorted(taken, key=lambda it: it.first)


def _is_another_key(given: Given, noun: str, port: Port, column: Column) -> bool:
    """True if the values only follow what a row is called and are what the primary key holds: no e-mail of `customer C-7`."""
    key = port.primary_key[0] if len(port.primary_key) == 1 else column
    if key is column or noun not in _row_nouns(port):
        return False
    shape = shape_of(key)
    return all(shape.completed(it) if shape else key.logical_type == "integer" and it.isdecimal() for it in given.values)


def _after(
    text: str, words: Sequence[Word], first: int, last: int, column: Column, shape: KeyShape | None, listed: dict[str, str]
) -> Given | None:
    """The values behind a name of the column, joined by `and` or commas."""
    place, values = last, list[str]()
    while place < len(words) and words[place].folded in _LINKS:
        place += 1
    while place < len(words):
        value, end = _value(text, words, place, column, shape, listed)
        if not value:
            break
        values.append(value)
        place = end
        has_more = place + 1 < len(words) and words[place].folded in _AND
        place += has_more
    if values and words[place - 1].folded in _AND:
        place -= 1
    return Given(column.name, tuple(dict.fromkeys(values)), first, place) if values else None


def _value(
    text: str, words: Sequence[Word], place: int, column: Column, shape: KeyShape | None, listed: dict[str, str]
) -> tuple[str, int]:
    """The value that begins at the word, and the word after it; empty if none does."""
    word = words[place]
    quoted = _QUOTED.match(text, word.begin - 1) if word.begin else None
    if quoted is not None:
        after = next((at for at, it in enumerate(words) if it.begin >= quoted.end()), len(words))
        text_given = next(filter(None, quoted.groups())).strip()
        return (text_given if _fits(text_given, column) else ""), after
    bare = re.sub(r"['’]s\Z", "", word.text)
    if (form := _FORMATS.get(str(column.options.get("format")))) is not None:
        return (bare if form.fullmatch(bare) else ""), place + 1
    if listed:
        return listed.get(bare.casefold(), ""), place + 1
    if shape is not None:
        return shape.completed(bare), place + 1
    if column.logical_type == "integer":
        return (bare if bare.isascii() and bare.isdecimal() else ""), place + 1
    if column.logical_type == "string" and _is_letter(bare, is_last=place + 1 == len(words)):
        return bare, place + 1
    if column.logical_type != "string" or not (any(it.isdigit() for it in bare) or bare[:1].isupper()):
        return "", place
    if any(it.isdigit() for it in bare):
        return bare, place + 1
    end = place + 1
    while end < len(words) and words[end].text[:1].isupper() and text[words[end - 1].finish : words[end].begin] == " ":
        end += 1
    return re.sub(r"['’]s\Z", "", text[word.begin : words[end - 1].finish]), end


def _is_letter(word: str, *, is_last: bool) -> bool:
    """True for one letter as a value: `ward b`; `a` and `i` are words, unless nothing follows."""
    return len(word) == 1 and word.isalpha() and (is_last or word not in ("a", "i"))


def _fits(value: str, column: Column) -> bool:
    """True if the column can hold it."""
    return column.logical_type == "string" or (column.logical_type == "integer" and value.isascii() and value.isdecimal())


def plain_key(value: str) -> str:
    """The value as keys are compared: without regard to case, and a number without leading zeros."""
    return str(int(value)) if value.isascii() and value.isdecimal() else value.casefold()


def singular(name: str) -> str:
    """The name of one of what the name calls many; itself if it calls one."""
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if name.endswith(("sses", "xes", "ches", "shes")):
        return name[:-2]
    return name if name.endswith("ss") else name.removesuffix("s")
