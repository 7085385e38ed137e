"""Neighbouring words as one: `contract types` is found where it stands, before where both words stand apart.

Pairs are ordinary words to a keyword index: they are added to what is indexed and to what is asked, by the same rule.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from mesh_core.vectors.written_forms import has_no_spaces, other_forms

__all__ = ["with_word_pairs"]

_WORD = re.compile(r"\w+")
_ENDING = re.compile(r"(?:ies|es|s|ing|ed|e|y)$")
_LONGEST = 40
"""Longer words are left out by LanceDB's index."""
_MOST_WORDS = 20_000
_SAYING_NOTHING = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has",
    "have", "how", "i", "if", "in", "into", "is", "it", "its", "many", "may", "much", "my", "of", "on", "or", "our", "should",
    "so", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were", "what",
    "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
})  # fmt: skip


def with_word_pairs(text: str) -> str:
    """The text, and on a line of its own its words in other forms, and pairs of neighbours among those that say something.

    Words stand in pairs without their endings.

    Neighbours stand on one line, which in a table is a row. Two numbers are none: amounts side by side, and the parts of one
    (`1,452.4`), would make a table's passage twice as long and nobody asks for them.
    """
    folded = text.casefold()
    lines = (list(filter(None, map(_in_pairs, _WORD.findall(line)))) for line in folded.splitlines())
    pairs = [
        one + other
        for words in lines
        for (one, is_number), (other, is_another) in pairwise(words)
        if not (is_number and is_another) and len(one) + len(other) <= _LONGEST
    ]
    added = [*pairs, *other_forms(folded)]
    return f"{text}\n{' '.join(added)}" if added else text


@lru_cache(_MOST_WORDS)  # a text says most of its words again and again
def _in_pairs(word: str) -> tuple[str, bool] | None:
    """The word without its ending, as it stands in pairs, and whether it begins with a digit; None if it says nothing."""
    if word in _SAYING_NOTHING or has_no_spaces(word):
        return None
    stem = _ENDING.sub("", word) if len(word) > 3 else word
    return stem, stem[0].isdigit()
