"""What a parser makes of a file, as values that travel as JSON: text, where pages and speakers begin, and what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Anchor", "Extracted", "Page", "Unreadable", "Unrecognised"]


class Unreadable(Exception):
    """The file gives no document; the message says why and what would help, in words that follow its name."""


class Unrecognised(Unreadable):
    """It is a picture in which no text was recognised, or could be."""


@dataclass(frozen=True, slots=True)
class Page:
    """Page `number` (from 1) begins at character `start`. `confidence` of its recognition: 0 to 100, -1 for none."""

    number: int
    start: int
    confidence: float = -1


@dataclass(frozen=True, slots=True)
class Anchor:
    """From character `start` on, `speaker` ("" if unknown) is heard from second `begin` to `end` of a recording."""

    start: int
    begin: float
    end: float
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file as text. `facts` are what the file says of itself: title, author, created, modified, language, attachments."""

    text: str
    pages: tuple[Page, ...] = ()
    empty_pages: tuple[int, ...] = ()
    """Pages that show something and gave no text."""
    tables: int = 0
    anchors: tuple[Anchor, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    parser: str = ""
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What its author hid and is left out, in words of the plural, and how many."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """What is in the file and was not read, in words of the plural, and how many."""
    recognition: float = -1
    """The least confidence of what was recognised in pictures within the text: 0 to 100, -1 for none."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Extracted:
        """The value again."""
        return cls(
            text=str(value["text"]),
            pages=tuple(Page(**page) for page in value["pages"]),
            empty_pages=tuple(value["empty_pages"]),
            tables=int(value["tables"]),
            anchors=tuple(Anchor(**anchor) for anchor in value["anchors"]),
            facts={str(key): str(text) for key, text in value["facts"].items()},
            parser=str(value["parser"]),
            hidden={str(name): int(count) for name, count in value["hidden"].items()},
            unread={str(name): int(count) for name, count in value["unread"].items()},
            recognition=float(value["recognition"]),
        )
