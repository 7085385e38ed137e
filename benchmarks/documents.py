"""Documents on their way into a collection: what is left of the embedder's pace, the second time, pages of PDF."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import Bench, NotRun
from benchmarks.figures import Bar, Figure
from benchmarks.retrieval import handbook_of
from domain_sdk._document_cache import DocumentCache
from domain_sdk._document_pipeline import DocumentPipeline

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["documents"]

_PAGES = 120
_FILINGS = 8
_TURNS = 3


class _Recorder:
    """An embedder that keeps what it was asked to embed, so that the same can be asked of it alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.model, self.dimensions = embedder.model, embedder.dimensions
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""
        self.asked.append(list(texts))
        return self._embedder.embed(texts)


def documents(bench: Bench) -> Iterator[Figure]:
    """Documents through the whole pipeline, and the same passages through the embedder alone, in turns.

    Alone it is given as many at once as the pipeline ever gave it, whatever the size of the pipeline's groups.

    Pages of the handbook are Markdown: next to nothing to parse, so the ratio is what publishing itself adds. Filings are PDF,
    read by processes beside the embedder's: on few cores they share. To start these costs the same for a few pages as for
    thousands: the folder is as large as minutes allow, and in turns, as the machine's pace drifts meanwhile.
    """
    from mesh_core.embedding import MiniLm

    pages = handbook_of(bench.folder / "handbook", most_pages=bench.scaled(_PAGES, least=10)).folder
    embedder = MiniLm(threads=len(os.sched_getaffinity(0)))
    embedder.embed(["warm up"])
    _whole(next(pages.rglob("*.md")), embedder, DocumentCache(None))  # loads what is loaded once
    peer = "the same embedder alone, on all cores"
    ours, alone = _paces(pages, embedder, bench.folder / "kept")
    yield Figure("documents.embedded", ours, "passages/s", peer, alone, Bar("≥", 0.9, of="ratio"))
    count, seconds = _whole(pages, embedder, DocumentCache(bench.folder / "kept" / "0"))
    yield Figure("documents.unchanged", count / seconds, "passages/s")
    filings = _smallest_filings(bench.scaled(_FILINGS, least=1))
    ours, alone = _paces(filings, embedder, bench.folder / "kept-filings")
    yield Figure("documents.pdf_embedded", ours, "passages/s", peer, alone, Bar("≥", 0.9, of="ratio"))
    yield from _filings(bench)


def _paces(paths: Path | list[Path], embedder: Embedder, caches: Path) -> tuple[float, float]:
    """Passages a second through the pipeline and through the embedder alone: medians of turns."""
    ours, alone = [], []
    for turn in range(_TURNS):
        recorder = _Recorder(embedder)
        count, seconds = _whole(paths, recorder, DocumentCache(caches / str(turn)))
        ours.append(count / seconds)
        texts = [text for asked in recorder.asked for text in asked]
        at_once = max(map(len, recorder.asked))
        begin = time.perf_counter()
        for start in range(0, len(texts), at_once):
            embedder.embed(texts[start : start + at_once])
        alone.append(count / (time.perf_counter() - begin))
    return statistics.median(ours), statistics.median(alone)


def _whole(paths: Path | list[Path], embedder: Embedder, cache: DocumentCache) -> tuple[int, float]:
    """How many passages the pipeline made of them, and in how many seconds."""
    begin = time.perf_counter()
    count = sum(batch.num_rows for batch in DocumentPipeline(paths, embedder, cache=cache).batches())
    return count, time.perf_counter() - begin


def _smallest_filings(count: int) -> list[Path]:
    return sorted(_filings_folder().glob("*.pdf"), key=lambda path: path.stat().st_size)[:count]


def _filings(bench: Bench) -> Iterator[Figure]:
    from domain_sdk.extraction.worker import Extractor

    files = _smallest_filings(bench.scaled(16, least=2))
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
