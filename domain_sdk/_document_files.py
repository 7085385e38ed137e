"""Files to documents: which file is called what, which reader it needs, and what a document must reconcile before it counts.

Text, Markdown and HTML are read here; what libraries parse is read in the child process (`domain_sdk.extraction`).
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Protocol

from domain_sdk._document_sections import plain_text, sections
from domain_sdk._document_text_files import read_text
from domain_sdk.extraction.extracted import Anchor, Extracted, Page, Unreadable
from domain_sdk.extraction.file_kinds import AUDIO, KINDS, check_content, unknown_kind
from domain_sdk.extraction.transcripts import Cue, from_cues
from domain_sdk.extraction.worker import Extractor

__all__ = [
    "Document",
    "DocumentProblem",
    "Transcriber",
    "check_file",
    "hears",
    "named_files",
    "problem_of",
    "read_file",
    "sidecar_of",
]

MARKDOWN, TEXT = "text/markdown", "text/plain"
_TEXTS: Mapping[str, str] = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": TEXT,
    ".text": TEXT,
}
_SIDECARS = (".vtt", ".srt", ".json")
_PLAIN = frozenset({"text/vtt", "application/x-subrip", "application/json"})
"""Media types whose text has no Markdown in it."""
_PLAIN_KINDS = frozenset({"audio", "video", "image"})
_MOST_BYTES = 1 << 30
_TITLE_WORD = re.compile(r"[^\W\d_]{3,}")
_PROGRAM_TITLE = re.compile(r"untitled|(?:microsoft )?powerpoint[ -]\w+|\w+ powerpoint", re.IGNORECASE)
"""What a program calls a file of which nobody said what it is: `PowerPoint Presentation`, `Présentation PowerPoint`."""
_NO_TEXT = re.compile("[\ud800-\udfff\0]")
"""Halves of characters, and NUL: what no store and no message can hold."""
_SHORT = 2000


class Transcriber(Protocol):
    """An engine that hears what is said in a recording. Called for recordings without a transcript beside them."""

    @property
    def name(self) -> str:
        """Engine and model: a change of it makes recordings heard again."""

    def transcribe(self, path: Path) -> Sequence[Cue]:
        """What is said, in order. May raise `Unreadable` (domain_sdk.extraction.extracted)."""


@dataclass(frozen=True, slots=True)
class Document:
    """One readable document. `name` is its path below the folder or pattern it was found by; offsets count characters of `text`.

    `text` has line feeds only and no front matter; what is no plain text is Markdown, with tables as Markdown's tables.
    """

    path: Path
    name: str
    title: str
    text: str
    media_type: str
    pages: tuple[Page, ...] = ()
    """Where each page begins; empty where the format has none."""
    empty_pages: tuple[int, ...] = ()
    """Pages that show something and gave no text: what is lost of the document."""
    anchors: tuple[Anchor, ...] = ()
    """Of a transcript: who is heard when, by place in the text."""
    tables: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself: author, created, modified, page_count, duration_seconds, attachments."""
    parser: str = ""
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What its author hid and is left out, in words of the plural, and how many."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """What is in the file and was not read, in words of the plural, and how many."""
    least_recognised: float = -1
    """The least confidence of what was recognised in pictures within its text, 0 to 100; -1 for none."""

    @property
    def is_plain(self) -> bool:
        """True if the text has no Markdown in it."""
        return self.media_type in _PLAIN or self.media_type == TEXT or self.media_type.partition("/")[0] in _PLAIN_KINDS

    @property
    def recognition(self) -> float:
        """The least confidence of a page or picture that was recognised, 0 to 100; -1 if none was."""
        known = (*(page.confidence for page in self.pages), self.least_recognised)
        return min((confidence for confidence in known if confidence >= 0), default=-1)


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """A file that gave no document, and why."""

    path: Path
    reason: str


def named_files(paths: str | Path | Sequence[Path]) -> list[tuple[Path, str]]:
    """Every file with its name, ordered by it: relative to the folder, the fixed part of the pattern, or a common folder."""
    match paths:
        case str() if glob.has_magic(paths):
            fixed = _fixed_part(paths)
            found = [path for path in map(Path, glob.iglob(paths, recursive=True)) if not path.is_dir()]
        case str() | Path() if Path(paths).is_dir():
            fixed = Path(paths)
            found = list(_below(fixed))
        case str() | Path():
            fixed, found = Path(paths).parent, [Path(paths)]
        case _:
            found = [path for path in map(Path, paths) if not path.is_dir()]
            fixed = Path(os.path.commonpath([path.parent.absolute() for path in found])) if found else Path()
            found = [path.absolute() for path in found]
    named = [(path, path.relative_to(fixed).as_posix()) for path in found]
    heard = {path.with_suffix("") for path, _ in named if path.suffix.lower() in AUDIO}
    return sorted((it for it in named if not _is_sidecar(it[0], heard)), key=lambda it: it[1])


def _below(folder: Path) -> Iterator[Path]:
    """Every file below it but hidden ones; a folder that is linked to or cannot be listed stands for what is in it."""
    closed: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in (*files, *linked) if not name.startswith("."))
    yield from closed


def _is_sidecar(path: Path, heard: set[Path]) -> bool:
    """True for the transcript of a recording among the files: the recording stands for both."""
    return path.suffix.lower() in _SIDECARS and path.with_suffix("") in heard


def _fixed_part(pattern: str) -> Path:
    parts = PurePath(pattern).parts
    magic = next(position for position, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])


def sidecar_of(path: Path) -> Path | None:
    """The transcript beside a recording; None if there is none, or it is no recording."""
    if path.suffix.lower() not in AUDIO:
        return None
    return next((side for suffix in _SIDECARS if (side := path.with_suffix(suffix)).is_file()), None)


def hears(path: Path) -> bool:
    """True for a recording that a transcriber has to hear, as no transcript lies beside it."""
    return path.suffix.lower() in AUDIO and sidecar_of(path) is None


def read_file(path: Path, name: str, extractor: Extractor, transcriber: Transcriber | None = None) -> Document | DocumentProblem:
    """The document, or why there is none: never one without text."""
    try:
        check_file(path, name)
        media_type, extracted = _extracted(path, extractor, transcriber)
    except Unreadable as error:
        return problem_of(path, str(error))
    except OSError as error:
        return DocumentProblem(path, f"it cannot be read ({error.strerror}): check that it exists and its permissions.")
    extracted = _clean(extracted)
    if not _says_something(extracted.text):
        return DocumentProblem(path, _why_empty(extracted))
    document = Document(
        path, name, "", extracted.text, media_type, extracted.pages, extracted.empty_pages, extracted.anchors,
        extracted.tables, extracted.facts, extracted.parser, extracted.hidden,
        extracted.unread, extracted.recognition,
    )  # fmt: skip
    return _titled(document)


def check_file(path: Path, name: str) -> None:
    """Returns if the file can be read to an end and its name can be written down. Raises: Unreadable, OSError."""
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind) and path.is_symlink():
        raise Unreadable("it is a link to a folder, which is not followed: put the folder itself there.")
    if stat.S_ISDIR(kind):
        raise Unreadable("it is a folder that cannot be listed, and what is in it is left out: check its permissions.")
    if not stat.S_ISREG(kind):
        raise Unreadable("it is no ordinary file (a pipe, a device or a socket): remove it.")
    if _NO_TEXT.search(name):
        raise Unreadable("its name is not UTF-8: rename it.")


def problem_of(path: Path, reason: str) -> DocumentProblem:
    """The problem, with a path that can be shown: bytes of a name that are no UTF-8 are written in hexadecimal."""
    return DocumentProblem(Path(os.fsencode(path).decode("utf-8", "backslashreplace")), reason)


def _clean(extracted: Extracted) -> Extracted:
    """The same with a replacement character for each that is none, so that every place in the text stays."""
    return replace(
        extracted,
        text=_NO_TEXT.sub("\ufffd", extracted.text),
        anchors=tuple(replace(it, speaker=_NO_TEXT.sub("\ufffd", it.speaker)) for it in extracted.anchors),
        facts={name: _NO_TEXT.sub("\ufffd", value) for name, value in extracted.facts.items()},
    )


def _says_something(text: str) -> bool:
    """False if no letter or digit is read in it: white space, rules, a picture in a Word document."""
    return re.search(r"\w", plain_text(text) if len(text) < _SHORT else text) is not None


def _why_empty(extracted: Extracted) -> str:
    from domain_sdk.extraction import ocr

    if not extracted.empty_pages:
        return "it holds no text, or it is in pictures: fill or remove it, or add its text as a document."
    count = len(extracted.empty_pages)
    what = f"its {count} pages are pictures" if count > 1 else "its only page is a picture"
    if ocr.is_available():
        return f"{what} in which no text was recognised: scan it anew, or add its text as a document."
    return f"{what}: install the extra `ocr` (domain-mesh[ocr]) and the program tesseract to have its text recognised."


def _extracted(path: Path, extractor: Extractor, transcriber: Transcriber | None) -> tuple[str, Extracted]:
    suffix = path.suffix.lower()
    if suffix in AUDIO:
        return _heard(path, extractor, transcriber)
    if suffix in _TEXTS:
        return _TEXTS[suffix], read_text(path, is_markdown=_TEXTS[suffix] == MARKDOWN)
    if suffix not in KINDS:
        known = ", ".join(sorted((*_TEXTS, *KINDS)))
        raise Unreadable(unknown_kind(path, known))
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise Unreadable(f"it has {size >> 20:,} MiB, more than the {_MOST_BYTES >> 20:,} that are read: split it.")
    check_content(path, KINDS[suffix])
    return KINDS[suffix], extractor.read(path)


def _heard(path: Path, extractor: Extractor, transcriber: Transcriber | None) -> tuple[str, Extracted]:
    video = ("mp4", "webm", "mkv", "mov")
    media_type = f"{'video' if path.suffix[1:].lower() in video else 'audio'}/{path.suffix[1:].lower()}"
    sidecar = sidecar_of(path)
    if sidecar is not None:
        return media_type, extractor.read(sidecar)
    if transcriber is None:
        raise Unreadable(
            f"it is a recording without a transcript: put {path.stem}.vtt, .srt or Transcribe's .json beside it, "
            "or publish it as Documents(…, transcriber=…)."
        )
    try:
        cues = transcriber.transcribe(path)
    except Unreadable:
        raise
    except Exception as error:  # an engine of any make: one recording that it breaks at does not stop the others
        raise Unreadable(f"{transcriber.name} could not hear it ({type(error).__name__}): put a transcript beside it.") from error
    return media_type, from_cues(cues, parser=transcriber.name)


def _titled(document: Document) -> Document:
    """The document with the title it states, else its first heading, else its file's name."""
    stated = " ".join(document.facts.get("title", "").split())
    is_paged = document.media_type == KINDS[".pdf"]
    if is_paged and (len(_TITLE_WORD.findall(stated)) < 2 or PurePath(stated).suffix):  # what made the file, not what it is
        stated = ""
    if _PROGRAM_TITLE.fullmatch(stated):
        stated = ""
    is_book = document.media_type == KINDS[".xlsx"]  # its headings are the names of sheets
    if not stated and not document.is_plain and not is_paged and not is_book:
        stated = next((section.path[-1] for section in sections(document.text) if section.path), "")
    fallback = PurePath(document.name).stem.replace("-", " ").replace("_", " ")
    return replace(document, title=stated or fallback)
