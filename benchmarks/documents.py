"""Documents on their way into a collection: what is left of the embedder's pace, the second time, pages of PDF."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, NotRun
from benchmarks.figures import Bar, Figure
from benchmarks.retrieval import handbook_of

__all__ = ["documents"]

_PAGES = 120


def documents(bench: Bench) -> Iterator[Figure]:
    """Pages of the handbook through the whole pipeline, and the same passages through the embedder alone; then filings read.

    The handbook is Markdown: next to nothing to parse, so the ratio is what publishing itself adds. PDF has figures of its own.
    """
    from domain_sdk._document_cache import DocumentCache
    from domain_sdk._document_pipeline import DocumentPipeline
    from mesh_core.embedding import MiniLm

    folder = handbook_of(bench.folder / "handbook", most_pages=bench.scaled(_PAGES, least=10)).folder
    embedder = MiniLm(threads=len(os.sched_getaffinity(0)))
    embedder.embed(["warm up"])
    cache = DocumentCache(bench.folder / "cache")
    list(DocumentPipeline(next(folder.rglob("*.md")), embedder, cache=DocumentCache(None)).batches())  # loads what is loaded once
    texts: list[str] = []
    begin = time.perf_counter()
    for batch in DocumentPipeline(folder, embedder, cache=cache).batches():
        texts.extend(batch.column("indexed_text").to_pylist())
    whole = time.perf_counter() - begin
    begin = time.perf_counter()
    for start in range(0, len(texts), 256):
        embedder.embed(texts[start : start + 256])
    alone = time.perf_counter() - begin
    bar = Bar("≥", 0.9, of="ratio")
    yield Figure(
        "documents.embedded", len(texts) / whole, "passages/s", "the same embedder alone, on all cores", len(texts) / alone, bar
    )
    begin = time.perf_counter()
    again = sum(batch.num_rows for batch in DocumentPipeline(folder, embedder, cache=cache).batches())
    yield Figure("documents.unchanged", again / (time.perf_counter() - begin), "passages/s")
    yield from _filings(bench)


def _filings(bench: Bench) -> Iterator[Figure]:
    from domain_sdk.extraction.worker import Extractor

    folder = _filings_folder()
    files = sorted(folder.glob("*.pdf"), key=lambda path: path.stat().st_size)[: bench.scaled(16, least=2)]
    pages = tables = 0
    with Extractor() as extractor:
        extractor.read(files[0])
        begin = time.perf_counter()
        for file in files:
            found = extractor.read(file)
            pages, tables = pages + len(found.pages), tables + found.tables
        seconds = time.perf_counter() - begin
        assert extractor._process is not None
        status = Path(f"/proc/{extractor._process.pid}/status").read_text()
    yield Figure("documents.pdf_pages", pages / seconds, "pages/s")
    yield Figure("documents.pdf_memory", int(status.split("VmHWM:")[1].split()[0]) / 1024, "MiB")


def _filings_folder() -> Path:
    root = Path(os.environ.get("MESH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (root / "filings").is_dir():
        raise NotRun("the filings are not beside the checkout (../shared/data): put them there or set MESH_SHARED_DATA.")
    return root / "filings"
