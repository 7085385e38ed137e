"""Financial statements: which of them a question needs, and which one a passage's heading stands over."""

from __future__ import annotations

import re

from mesh_core.retrieval.expansion import implied

__all__ = ["statement_of", "statements_asked"]

_STATEMENTS = {
    "balance sheet": r"balance sheets?|statements? of (?:consolidated )?financial (?:position|condition)",
    "statements of income": r"statements? of (?:consolidated )?(?:net )?(?:income|operations|earnings|profit)"
    r"|(?<!comprehensive )income statements?",
    "cash flows": r"statements? of (?:consolidated )?cash ?flows?|cash ?flows? statements?",
}
"""By the words that the vocabulary of implied words has for it: what companies call it."""
_PATTERNS = {name: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for name, pattern in _STATEMENTS.items()}
_ABOUT_ONE = re.compile(
    r"\b(?:analysis|discussion|index|notes?|parent|review|schedule|selected|summary|supplement\w*)\b", re.IGNORECASE
)
_INNERMOST = 2


def statements_asked(question: str) -> frozenset[str]:
    """The statements that hold the lines which the question names or implies."""
    words = implied(question)
    return frozenset(name for name, pattern in _PATTERNS.items() if any(name in it or pattern.search(it) for it in words))


def statement_of(heading: str) -> str:
    """The statement that a path of headings (outermost first, with " > ") stands over; empty if it is none, or about one."""
    titles = [title for title in heading.split(" > ")[-_INNERMOST:] if not _ABOUT_ONE.search(title)]
    return next((name for title in reversed(titles) for name, pattern in _PATTERNS.items() if pattern.search(title)), "")
