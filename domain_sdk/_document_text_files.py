"""Text and Markdown files: their characters, and what their front matter says of them (YAML or TOML)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

from domain_sdk.extraction.extracted import Extracted
from domain_sdk.extraction.file_kinds import check_text
from domain_sdk.extraction.plain import TABLE_RULE, decoded

__all__ = ["read_text", "text_document"]

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML_MATTER = re.compile(r"\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<tick>`+)[^`\n]+(?P=tick)|<!--.*?(?:-->|\Z)",
    re.DOTALL | re.MULTILINE,
)
"""Code, and comments, which its readers do not see (CommonMark 0.31 §4.6)."""


def read_text(path: Path, *, is_markdown: bool) -> Extracted:
    """The text without front matter and comments, which its readers do not see. Raises: Unreadable, OSError."""
    with path.open("rb") as file:
        check_text(path.suffix, file.read(1024))
    return text_document(decoded(path), is_markdown=is_markdown)


def text_document(content: str, *, is_markdown: bool) -> Extracted:
    """The text, whose lines end with line feeds alone, without front matter and comments."""
    facts: dict[str, str] = {}
    text = content
    if is_markdown and (front := _FRONT_MATTER.match(text)):
        facts, text = _front_matter(front.group(1)), text[front.end() :]
    elif is_markdown and (front := _TOML_MATTER.match(text)):
        facts, text = _stated(_toml(front.group(1))), text[front.end() :]
    hidden: Counter[str] = Counter()
    if is_markdown:
        text = _COMMENT.sub(lambda found: _code_alone(found.group(), hidden), text)
    tables = len(TABLE_RULE.findall(text)) if is_markdown else 0
    stated = {key: value for key, value in facts.items() if value}
    return Extracted(text, tables=tables, facts=stated, parser="text", hidden=dict(hidden))


def _code_alone(found: str, hidden: Counter[str]) -> str:
    if not found.startswith("<!--"):
        return found
    hidden["comments in Markdown"] += 1
    return ""


def _toml(front: str) -> object:
    try:
        return tomllib.loads(front)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _front_matter(front: str) -> dict[str, str]:
    import yaml

    try:
        return _stated(yaml.safe_load(front))
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}


def _stated(fields: object) -> dict[str, str]:
    """What front matter says of the document."""
    if not isinstance(fields, dict):
        return {}
    named = {"title": "title", "author": "author", "date": "created", "lang": "language", "language": "language"}
    return {named[key]: " ".join(_scalar(value).split()) for key, value in fields.items() if key in named}


def _scalar(value: object) -> str:
    """A text, number or day as text, texts of a list with commas; "" for others: what aliases multiply is not written out."""
    if isinstance(value, list):
        return ", ".join(it for it in value[:20] if isinstance(it, str))
    if isinstance(value, int) and abs(value) > 10**18:
        return ""
    return str(value) if isinstance(value, str | int | float | date) else ""
