"""What an Office file hides, taken out of it before it is read, and what its parser would not see of it, put where it does.

Slides that their author hid, and text with the attribute `hidden`, are content that somebody took out of sight: it is not
published, and counted. Source: ECMA-376; slides and Word's text have modules of their own.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domain_sdk.extraction.file_kinds import KINDS
from domain_sdk.extraction.office_relations import main_part
from domain_sdk.extraction.open_document_parts import shown_text
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.rtf_pictures import other_pictures, read_pictures
from domain_sdk.extraction.rtf_text import with_characters_by_number
from domain_sdk.extraction.slide_parts import shown_slides
from domain_sdk.extraction.word_parts import WORD_PART, whole_text

__all__ = ["PICTURES", "OfficeParts", "office_parts"]

PICTURES = "# Pictures"
"""Stands above what pictures say that are not known to stand anywhere."""
_PICTURE = re.compile(r"(?!Thumbnails/).+\.(?:png|jpe?g|gif|bmp|tiff?|webp|emf|wmf)\Z", re.IGNORECASE)

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
"""ISO/IEC 29500 strict: Word saves it as “Strict Open XML Document”."""


@dataclass(frozen=True, slots=True)
class OfficeParts:
    """`data` is the file as it is to be read, None for as it is; `notes` are paragraphs that go with a slide, by its number."""

    data: bytes | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What was taken out, in words of the plural, and how many."""
    notes: Mapping[int, str] = field(default_factory=dict)
    end: str = ""
    """Markdown that goes behind all of it."""


def office_parts(path: Path, media_type: str, pictures: Pictures) -> OfficeParts:
    """What there is to know of the file before it is read. Raises: what zipfile and ElementTree do for damaged files."""
    if media_type == KINDS[".rtf"]:
        data = path.read_bytes()
        pictures.leave(other_pictures(data))
        return OfficeParts(with_characters_by_number(data), end=_pictured(read_pictures(data), pictures))
    with zipfile.ZipFile(path) as file, _as_usual(file, media_type) as archive:
        changed: dict[str, bytes] = {}
        hidden: Counter[str] = Counter()
        notes: dict[int, str] = {}
        end = ""
        if media_type == KINDS[".pptx"]:
            notes = shown_slides(archive, changed, hidden, pictures)
        elif media_type == KINDS[".docx"]:
            whole_text(archive, changed, hidden, pictures)
        else:
            beside = shown_text(archive, changed, hidden) if media_type == KINDS[".odt"] else []
            pictured = _pictured((archive.read(name) for name in archive.namelist() if _PICTURE.match(name)), pictures)
            end = "\n\n".join(filter(None, (pictured, *beside)))
        is_as_it_was = archive is file and not changed
        return OfficeParts(None if is_as_it_was else _rewritten(archive, changed), dict(hidden), notes, end)


def _as_usual(archive: zipfile.ZipFile, media_type: str) -> zipfile.ZipFile:
    """The archive; one whose names are those of the strict standard with the names that all programs write, and readers know."""
    parts = {KINDS[".docx"]: WORD_PART, KINDS[".pptx"]: "ppt/presentation.xml"}
    main = main_part(archive, parts[media_type]) if media_type in parts else ""
    if main not in archive.NameToInfo or _STRICT.search(archive.read(main)) is None:
        return archive
    parts_of_xml = (name for name in archive.namelist() if name.endswith((".xml", ".rels")))
    return zipfile.ZipFile(
        io.BytesIO(_rewritten(archive, {name: _STRICT.sub(_usual, archive.read(name)) for name in parts_of_xml}))
    )


def _usual(found: re.Match[bytes]) -> bytes:
    return b"http://schemas.openxmlformats.org/%s/2006/" % found.group(1)


def _pictured(files: Iterable[bytes], pictures: Pictures) -> str:
    texts = [text for file in files if (text := pictures.text_in(file))]
    return "\n\n".join([PICTURES, *texts]) if texts else ""


def _rewritten(archive: zipfile.ZipFile, changed: Mapping[str, bytes]) -> bytes:
    """The archive with other contents for some of its parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        for entry in archive.infolist():
            written.writestr(entry.filename, changed.get(entry.filename) or archive.read(entry))
        for name in changed.keys() - archive.NameToInfo.keys():
            written.writestr(name, changed[name])
    return target.getvalue()
