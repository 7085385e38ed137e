"""A folder of many short documents in four formats, each of which says its own number in words that are in no other."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

from tests.document_files import pdf_file

__all__ = ["CONTRACT", "marker", "mixed_folder", "write_document"]

CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: desk.files
name: Files
version: 1.0.0
status: active
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - name: embedding
        logicalType: vector
        logicalTypeOptions: {dimensions: 256, distanceMetric: cosine}
"""


def marker(number: int, edition: str = "a") -> str:
    """The word that only this document of this edition has."""
    return f"zq{edition}{number:05d}"


def _sentence(number: int, edition: str) -> str:
    return f"Item {number} of the shelf is called {marker(number, edition)} and holds {number % 17 + 1} boxes."


def _markdown(path: Path, number: int, edition: str) -> None:
    path.write_text(f"# Note {number}\n\n{_sentence(number, edition)}\n")


def _html(path: Path, number: int, edition: str) -> None:
    body = f"<h1>Page {number}</h1><p>{_sentence(number, edition)}</p>"
    path.write_text(f"<html><head><title>Page {number}</title></head><body>{body}</body></html>")


def _mail(path: Path, number: int, edition: str) -> None:
    message = EmailMessage()
    message["Subject"] = f"Shelf {number}"
    message["From"], message["To"] = "store@example.org", "desk@example.org"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message.set_content(f"Hello,\n\n{_sentence(number, edition)}\n")
    path.write_bytes(bytes(message))


def _pdf(path: Path, number: int, edition: str) -> None:
    pdf_file(path, [[(f"Sheet {number}", 20), (_sentence(number, edition), 11)]])


_KINDS: tuple[tuple[str, Callable[[Path, int, str], None]], ...] = (
    (".md", _markdown),
    (".html", _html),
    (".eml", _mail),
    (".pdf", _pdf),
)


def write_document(folder: Path, number: int, edition: str = "a") -> Path:
    """The document of this number is in the folder, of the format that its number gives."""
    suffix, write = _KINDS[number % len(_KINDS)]
    path = folder / f"file-{number:05d}{suffix}"
    write(path, number, edition)
    return path


def mixed_folder(folder: Path, count: int, edition: str = "a") -> Path:
    """A folder of so many documents."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_document(folder, number, edition)
    return folder
