"""Office documents and their like, through kreuzberg: Markdown with headings, lists and tables. The one home of kreuzberg."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain_sdk.extraction.extracted import Extracted, Page, Unreadable

__all__ = ["read_office"]

_TABLE = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+\s*$", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def read_office(path: Path, media_type: str) -> Extracted:
    """The document. Raises: Unreadable."""
    import kreuzberg

    mark = f"slide{secrets.token_hex(8)}"  # nothing in the file can look like it
    config = kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # its types lag behind it
        output_format="markdown",
        use_cache=False,
        disable_ocr=True,
        pages=kreuzberg.PageConfig(insert_page_markers=True, marker_format=f"\n\n{mark}n{{page_num}}end\n\n"),
    )
    try:
        result = kreuzberg.extract_file_sync(str(path), mime_type=media_type, config=config)
    except kreuzberg.KreuzbergError as error:
        raise Unreadable("it is damaged or encrypted, so that it cannot be read: get it anew.") from error
    text = _CONTROL.sub("", str(result.content)).replace("\r\n", "\n")
    text, pages = _unmarked(text, re.compile(rf"\n*{mark}n(\d+)end\n*"))
    return Extracted(
        text,
        pages,
        tables=len(_TABLE.findall(text)),
        facts=_facts(dict(result.metadata)),
        parser=f"kreuzberg {kreuzberg.__version__}",
    )


def _unmarked(marked: str, mark: re.Pattern[str]) -> tuple[str, tuple[Page, ...]]:
    """The text without the marks, and where each stood: slides. Pages of text documents have none, they depend on the printer."""
    parts: list[str] = []
    pages: list[Page] = []
    length = place = 0
    for found in mark.finditer(marked):
        before = marked[place : found.start()]
        glue = "\n\n" if length + len(before) else ""
        parts += [before, glue]
        length += len(before) + len(glue)
        pages.append(Page(int(found.group(1)), length))
        place = found.end()
    return "".join([*parts, marked[place:]]), tuple(pages)


def _facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    authors = metadata.get("authors") or []
    found = {
        "title": metadata.get("title"),
        "author": ", ".join(str(it) for it in authors) if isinstance(authors, list) else authors,
        "created": str(metadata.get("created_at") or "")[:10],
        "modified": str(metadata.get("modified_at") or "")[:10],
        "subject": metadata.get("subject"),
        "language": metadata.get("language"),
    }
    return {name: " ".join(str(value).split()) for name, value in found.items() if value and str(value) != "None"}
