"""Words as others would write them: parts of texts that have no spaces between words, and words without their marks.

Keyword indexes cut text where no letter is. So a sentence of Chinese is one word to them, which no question says, and a vowel
sign of Arabic or Hebrew, which most leave out, cuts a word in two. What is added here is added to what is indexed and is asked.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

__all__ = ["has_no_spaces", "other_forms"]

_WORD = re.compile(r"[^\W_]+")
_TATWEEL = "\u0640"
"""Makes an Arabic word longer to the eye."""
_FIRST_MARK = 10
"""Combining classes from here on are accents and points; those below belong to the letter in Indic and Japanese writing."""
_FIRST_COMBINING = "\u0300"
_UNSPACED = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese; and Korean, whose words carry what others say with words of their own."""


def has_no_spaces(word: str) -> bool:
    """True if a word of a keyword index may be several words of a language that puts nothing between them."""
    return _UNSPACED.search(word) is not None


def other_forms(text: str) -> list[str]:
    """What a casefolded text says in other forms, as often as it says it: words without marks, and neighbouring letters in pairs.

    Source: Lucene's CJKBigramFilter; NFKD of Unicode for the marks.
    """
    if text.isascii():
        return []
    plain = _without_marks(text)
    forms: list[str] = []
    if plain != text:
        written = set(_WORD.findall(text))
        forms += [word for word in _WORD.findall(plain) if word not in written]
    for run in _UNSPACED.findall(plain):
        letters = [it for it in run if it.isalnum()]
        forms += [one + other for one, other in pairwise(letters)]
    return forms


def _without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    kept = [it for it in decomposed if it < _FIRST_COMBINING or (unicodedata.combining(it) < _FIRST_MARK and it != _TATWEEL)]
    return unicodedata.normalize("NFC", "".join(kept)).casefold()
