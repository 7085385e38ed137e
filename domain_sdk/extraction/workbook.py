"""Workbooks (`.xlsx`): a section a shown sheet, with its tables and what lies beside its cells. Read in a stream.

Source: ECMA-376, SpreadsheetML and the core properties of Open Packaging.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from domain_sdk.extraction.extracted import Extracted, Unreadable
from domain_sdk.extraction.office_relations import main_part, related, relations
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.plain import TABLE_RULE
from domain_sdk.extraction.sheet_parts import beside_cells, people_of
from domain_sdk.extraction.sheet_rows import Sheet, read_sheet
from domain_sdk.extraction.sheet_values import Values, local_name, shared_texts

__all__ = ["read_workbook"]

_BOOK_PART = "xl/workbook.xml"
_HIDDEN = frozenset({"hidden", "veryHidden"})
_ON = frozenset({"1", "true"})
_FACTS = {"title": "title", "creator": "author", "subject": "subject", "language": "language"}
_DAYS = ("created", "modified")


def read_workbook(path: Path, tell: Callable[[], None] = lambda: None) -> Extracted:
    """The workbook; `tell` is called now and then, so that nobody takes its reader to stand still. Raises: Unreadable."""
    hidden: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    pictures = Pictures(tell)
    try:
        with zipfile.ZipFile(path) as archive:
            text = "\n\n".join(_sections(archive, (hidden, unread), pictures, tell))
            facts = _facts(archive)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OverflowError, EOFError, ElementTree.ParseError) as error:
        raise Unreadable("it is damaged, so that it cannot be read: get it anew.") from error
    return Extracted(
        text, tables=len(TABLE_RULE.findall(text)), facts=facts, parser="spreadsheetml", hidden=dict(hidden),
        unread=dict(unread + Counter(pictures.unread)), recognition=pictures.confidence,
    )  # fmt: skip


def _sections(
    archive: zipfile.ZipFile, counts: tuple[Counter[str], Counter[str]], pictures: Pictures, tell: Callable[[], None]
) -> Iterator[str]:
    part = main_part(archive, _BOOK_PART)
    book = ElementTree.fromstring(archive.read(part))
    values = _values(archive, book, part, tell)
    targets = relations(archive, part)
    people = people_of(archive, part)
    for it in book.iter():
        if local_name(it) != "sheet":
            continue
        if it.get("state") in _HIDDEN:
            counts[0]["hidden sheets"] += 1
            continue
        its_part = targets.get(next((value for name, value in it.items() if name.endswith("}id")), ""), "")
        is_there = its_part in archive.NameToInfo
        sheet = read_sheet(archive, its_part, values, counts, tell) if is_there else Sheet()
        tell()
        if blocks := [*sheet.blocks, *beside_cells(archive, its_part, sheet, people, pictures)]:
            yield "\n\n".join([f"## {' '.join(it.get('name', '').split())}", *blocks])


def _values(archive: zipfile.ZipFile, book: ElementTree.Element, part: str, tell: Callable[[], None]) -> Values:
    is_1904 = any(it.get("date1904") in _ON for it in book if local_name(it) == "workbookPr")
    values = Values(is_1904=is_1904)
    for texts in related(archive, part, "sharedStrings")[:1]:
        values.texts = shared_texts(archive, texts, tell)
    for styles in related(archive, part, "styles")[:1]:
        values.read_styles(ElementTree.fromstring(archive.read(styles)))
    return values


def _facts(archive: zipfile.ZipFile) -> dict[str, str]:
    facts: dict[str, str] = {}
    for part in related(archive, "", "core-properties")[:1]:
        for it in ElementTree.fromstring(archive.read(part)):
            name, said = local_name(it), " ".join((it.text or "").split())
            if said and name in _FACTS:
                facts[_FACTS[name]] = said
            elif said and name in _DAYS:
                facts[name] = said[:10]
    return facts
