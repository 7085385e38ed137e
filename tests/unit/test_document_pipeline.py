"""Documents on their way into a collection: each is looked at once, and a crash costs what was under way."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from domain_sdk._document_cache import DocumentCache
from domain_sdk._document_files import read_file
from domain_sdk._document_pipeline import DocumentPipeline
from domain_sdk.documents import Cue
from mesh_core.embedding import HashingEmbedder, Vectors

MEMO = """# Expenses

Send receipts to ada@example.org or call +49 30 901820.

## Payment

Dr. Grace Hopper of Hooli GmbH pays 4,711 euros to DE89370400440532013000 in France.
"""


class CountingEmbedder(HashingEmbedder):
    """Remembers what it was asked to embed, and breaks down when told to."""

    def __init__(self) -> None:
        super().__init__(64)
        self.texts: list[str] = []
        self.is_broken = False

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.is_broken and self.texts:
            raise RuntimeError("power cut")
        self.texts.extend(texts)
        return super().embed(texts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    made.mkdir()
    (made / "memo.md").write_text(MEMO)
    for n in range(4):
        (made / f"note{n}.txt").write_text(f"Die Frist für Antrag Nummer {n} beträgt vierzehn Tage nach Eingang im Amt.")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7 cut")
    return made


def run(folder: Path, embedder: CountingEmbedder, tmp_path: Path) -> tuple[pa.Table, DocumentPipeline, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []
    pipeline = DocumentPipeline(
        folder, embedder, lambda done, total: seen.append((done, total)), DocumentCache(tmp_path / "cache")
    )
    return pa.Table.from_batches(list(pipeline.batches())), pipeline, seen


def test_passages_carry_the_tags_of_what_they_hold_and_where_it_stands(folder: Path, tmp_path: Path) -> None:
    table, _, seen = run(folder, CountingEmbedder(), tmp_path)
    columns = ["document", "text", "tags", "attributes"]
    rows = [row for row in table.select(columns).to_pylist() if row["document"] == "memo.md"]
    assert [row["tags"] for row in rows] == [["pii.email", "pii.phone"], ["pii.iban", "pii.name"]]
    for row in rows:
        spans = json.loads(row["attributes"])["personal"].split()
        for span in spans:
            place, _, tag = span.partition(":")
            start, end = map(int, place.split("-"))
            assert row["text"][start:end] in ("ada@example.org", "+49 30 901820", "Grace Hopper", "DE89370400440532013000"), tag
    assert seen[0] <= (1, 6)  # the broken one is done at once, the others when they are embedded
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


def test_personal_data_is_not_in_what_is_searched(folder: Path, tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    table, _, _ = run(folder, embedder, tmp_path)
    searched = "\n".join([*embedder.texts, *table["indexed_text"].to_pylist()])
    assert not any(secret in searched for secret in ("ada@example.org", "901820", "DE8937"))
    assert "[e-mail addresses]" in searched
    assert any("ada@example.org" in text for text in table["text"].to_pylist())


def test_the_facets_count_what_the_documents_are_about(folder: Path, tmp_path: Path) -> None:
    _, pipeline, _ = run(folder, CountingEmbedder(), tmp_path)
    facets = pipeline.facets
    assert (facets.documents, facets.failed_documents) == (5, 1)
    assert facets.languages == {"de": 4, "en": 1}
    assert facets.media_types == {"text/plain": 4, "text/markdown": 1}
    assert facets.organisations == {"Hooli GmbH": 1}
    assert facets.places == {"France": 1}
    assert facets.currencies == {"EUR": 1}
    assert facets.personal == {"pii.email": 1, "pii.phone": 1, "pii.name": 1, "pii.iban": 1}
    assert any("names of people" in words for words in facets.not_covered)


def test_only_what_changed_is_read_and_embedded_again(folder: Path, tmp_path: Path) -> None:
    first, _, _ = run(folder, CountingEmbedder(), tmp_path)
    again = CountingEmbedder()
    second, pipeline, _ = run(folder, again, tmp_path)
    assert (again.texts, pipeline.reused) == ([], 5)
    assert second.equals(first)
    (folder / "note2.txt").write_text("Die Frist beträgt nun zwanzig Tage, gerechnet ab dem Tag der Zustellung.")
    changed = CountingEmbedder()
    third, pipeline, _ = run(folder, changed, tmp_path)
    assert (len(changed.texts), pipeline.reused) == (1, 4)
    assert third.num_rows == first.num_rows
    assert pipeline.facets.documents == 5


def test_after_a_crash_the_documents_that_were_done_are_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain_sdk._document_pipeline._EMBED_PASSAGES", 2)
    broken = CountingEmbedder()
    broken.is_broken = True
    with pytest.raises(RuntimeError, match="power cut"):
        run(folder, broken, tmp_path)
    resumed = CountingEmbedder()
    table, pipeline, _ = run(folder, resumed, tmp_path)
    assert pipeline.reused >= 1
    assert len(resumed.texts) + len(broken.texts) == table.num_rows


@pytest.mark.parametrize(("notes", "groups"), [(1, [1]), (7, [7]), (12, [6, 6])])
def test_a_few_passages_left_over_are_embedded_with_the_others(
    notes: int, groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone they would take the embedder's cores one after the other."""
    monkeypatch.setattr("domain_sdk._document_pipeline._EMBED_PASSAGES", 5)
    sections = (f"# Part {part}\n\nClaim {part} is settled within fourteen days." for part in range(notes))
    (tmp_path / "claims.md").write_text("\n\n".join(sections))
    asked: list[int] = []

    class Counting(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            asked.append(len(texts))
            return super().embed(texts)

    table = pa.Table.from_batches(DocumentPipeline(tmp_path, Counting(), cache=DocumentCache(None)).batches())
    assert (asked, table.num_rows) == (groups, notes)


def test_short_documents_are_kept_in_small_groups_and_count_once_they_are_embedded(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(40):
        (folder / f"note{n:02}.txt").write_text(f"Die Frist für Antrag Nummer {n} beträgt vierzehn Tage nach Eingang im Amt.")
    embedder = CountingEmbedder()
    counted: list[tuple[int, int]] = []
    first = DocumentPipeline(
        folder, embedder, lambda done, total: counted.append((done, len(embedder.texts))), DocumentCache(tmp_path / "cache")
    )
    next(first.batches())  # interrupted with most of them read
    assert all(done <= embedded for done, embedded in counted)  # each has one passage
    _, second, seen = run(folder, CountingEmbedder(), tmp_path)
    assert second.reused >= 1
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)


def test_the_first_passages_are_embedded_before_all_files_are_read(tmp_path: Path) -> None:
    """However few they are: else the embedder stands idle while files are read, and reading stands while it embeds."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for n in range(12):
        sections = (f"# Part {part}\n\nClaim {n}.{part} is settled within fourteen days." for part in range(10))
        (folder / f"paper{n:02}.md").write_text("\n\n".join(sections))
    is_begun = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            assert name < "paper02" or is_begun.wait(timeout=30), f"nothing is embedded before {name} is read"
            return super().key(name, *files, model=model, engine=engine)

    class Beginning(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            is_begun.set()
            return super().embed(texts)

    assert _documents(DocumentPipeline(folder, Beginning(), cache=Noting(None))) == [
        f"paper{n:02}.md" for n in range(12) for _ in range(10)
    ]


def test_all_that_was_made_ready_meanwhile_is_embedded_at_once(tmp_path: Path) -> None:
    """Texts of one length share a batch where there are many to choose from: less is padded."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for n in range(9):
        sections = (f"# Part {part}\n\nClaim {n}.{part} is settled within fourteen days." for part in range(10))
        (folder / f"paper{n}.md").write_text("\n\n".join(sections))
    is_ahead = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            if name == "paper1.md":
                assert is_begun.wait(timeout=30)
            return super().key(name, *files, model=model, engine=engine)

    is_begun = threading.Event()
    asked: list[int] = []

    class Waiting(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            is_begun.set()
            asked.append(len(texts))
            assert is_ahead.wait(timeout=30)
            return super().embed(texts)

    pipeline = DocumentPipeline(folder, Waiting(), cache=Noting(None))
    made = pipeline._made

    def noted(files: Sequence[tuple[Path, str]]) -> Generator[object, None, None]:
        yield from made(files)
        is_ahead.set()

    pipeline._made = noted  # type: ignore[assignment,method-assign]
    assert sum(batch.num_rows for batch in pipeline.batches()) == 90
    assert (len(asked), sum(asked)) == (2, 90)


def test_many_short_files_are_ready_while_others_are_embedded(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(80):
        (folder / f"note{n:02}.txt").write_text(f"Die Frist für Antrag Nummer {n} beträgt vierzehn Tage nach Eingang im Amt.")
    read: list[str] = []
    is_ahead = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            read.append(name)
            if len(set(read)) == 80:
                is_ahead.set()
            return super().key(name, *files, model=model, engine=engine)

    class Waiting(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            assert is_ahead.wait(timeout=30), f"only {len(set(read))} files were read while the embedder worked"
            return super().embed(texts)

    batches = DocumentPipeline(folder, Waiting(), cache=Noting(None)).batches()
    assert sum(batch.num_rows for batch in batches) == 80


def test_a_file_is_read_while_the_one_before_it_is(tmp_path: Path) -> None:
    """Nothing can be embedded until the first is read: a core would stand idle as long."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for name in ("a.md", "b.md", "c.md"):
        (folder / name).write_text(f"# Rule {name}\n\nIt is settled within fourteen days.\n")
    is_begun = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            if name == "b.md":
                is_begun.set()
            elif name == "a.md":
                assert is_begun.wait(timeout=30), "b.md is not read before a.md is"
            return super().key(name, *files, model=model, engine=engine)

    assert _documents(DocumentPipeline(folder, CountingEmbedder(), cache=Noting(None))) == ["a.md", "b.md", "c.md"]


def test_many_files_are_read_while_the_one_before_them_is(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(9):
        (folder / f"note{n}.txt").write_text(f"Die Frist für Antrag Nummer {n} beträgt vierzehn Tage nach Eingang im Amt.")
    read: set[str] = set()
    are_read = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            read.add(name)
            if len(read) >= 5:
                are_read.set()
            assert name != "note0.txt" or are_read.wait(timeout=30), f"only {read} are read beside the first"
            return super().key(name, *files, model=model, engine=engine)

    assert _documents(DocumentPipeline(folder, CountingEmbedder(), cache=Noting(None))) == [f"note{n}.txt" for n in range(9)]


def test_short_files_are_embedded_while_a_long_one_before_them_is_read(tmp_path: Path) -> None:
    """And come after it all the same, with what is told of them."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for name in ("a.md", "b.md", "c.md", "d.md"):
        (folder / name).write_text(f"# Rule {name}\n\nIt is settled within fourteen days.\n")
    (folder / "d.md").write_text("")
    is_embedded = threading.Event()

    class Noting(DocumentCache):
        def key(self, name: str, *files: Path, model: str, engine: str = "") -> str:
            assert name != "a.md" or is_embedded.wait(timeout=30), "b.md waits for a.md"
            return super().key(name, *files, model=model, engine=engine)

    class Telling(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            vectors = super().embed(texts)
            is_embedded.set()
            return vectors

    told: list[int] = []
    pipeline = DocumentPipeline(folder, Telling(), hook=lambda done, total: told.append(done), cache=Noting(None))
    assert _documents(pipeline) == ["a.md", "b.md", "c.md"]
    assert [problem.path.name for problem in pipeline.problems] == ["d.md"]
    assert len(pipeline.records) == 3
    assert told == sorted(told)
    assert told[-1] == 4


def _documents(pipeline: DocumentPipeline) -> list[str]:
    """The document of each passage, as they come."""
    return [str(name) for batch in pipeline.batches() for name in batch.column("document").to_pylist()]


def test_another_model_or_name_is_embedded_anew_and_a_damaged_entry_is_made_again(folder: Path, tmp_path: Path) -> None:
    first, _, _ = run(folder, CountingEmbedder(), tmp_path)
    other = CountingEmbedder()
    other.model = "other"
    assert run(folder, other, tmp_path)[1].reused == 0
    for entry in (tmp_path / "cache").glob("*/*.arrow"):
        entry.write_bytes(entry.read_bytes()[:50])
    table, pipeline, _ = run(folder, CountingEmbedder(), tmp_path)
    assert pipeline.reused == 0
    assert table.equals(first)


class Engine:
    """Hears its own name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []

    def transcribe(self, path: Path) -> Sequence[Cue]:
        self.heard.append(path.name)
        return [Cue(0, 1, f"This is heard by {self.name}.")]


def test_a_cache_that_may_only_be_read_is_used_as_it_is(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, CountingEmbedder(), tmp_path)
    kept = sorted((tmp_path / "cache").rglob("*.arrow"))

    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("utime", "unlink", "mkdir", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    again = CountingEmbedder()
    table, _, _ = run(folder, again, tmp_path)
    assert (table.num_rows > 0, again.texts) == (True, [])
    monkeypatch.undo()
    assert sorted((tmp_path / "cache").rglob("*.arrow")) == kept


def test_a_cache_that_cannot_be_is_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    table, _, _ = run(folder, CountingEmbedder(), tmp_path)
    assert table.num_rows


def test_a_recording_is_heard_again_by_another_engine_only(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "call.mp3").write_bytes(b"ID3")

    def texts(engine: Engine) -> list[str]:
        cache = DocumentCache(tmp_path / "cache")
        pipeline = DocumentPipeline(tmp_path / "sounds", CountingEmbedder(), cache=cache, transcriber=engine)
        return [text for batch in pipeline.batches() for text in batch.column("text").to_pylist()]

    first, again, other = Engine("one"), Engine("one"), Engine("two")
    assert [texts(it) for it in (first, again, other)] == [[f"This is heard by {name}."] for name in ("one", "one", "two")]
    assert (first.heard, again.heard, other.heard) == (["call.mp3"], [], ["call.mp3"])


def test_an_engine_hears_one_recording_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    for n in range(4):
        (tmp_path / "sounds" / f"call{n}.mp3").write_bytes(b"ID3")
    hearing = threading.Semaphore(1)
    another = threading.Event()

    class Alone(Engine):
        def transcribe(self, path: Path) -> Sequence[Cue]:
            if not hearing.acquire(blocking=False):
                another.set()
            another.wait(timeout=0.2)  # long enough for another to be begun
            hearing.release()
            return super().transcribe(path)

    pipeline = DocumentPipeline(tmp_path / "sounds", CountingEmbedder(), cache=DocumentCache(None), transcriber=Alone("one"))
    assert sum(batch.num_rows for batch in pipeline.batches()) == 4
    assert not another.is_set()


def test_what_is_kept_is_its_owners_alone(folder: Path, tmp_path: Path) -> None:
    run(folder, CountingEmbedder(), tmp_path)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_a_consumer_that_stops_early_ends_the_reading(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain_sdk._document_pipeline._EMBED_PASSAGES", 1)
    pipeline = DocumentPipeline(folder, CountingEmbedder(), cache=DocumentCache(None))
    batches = pipeline.batches()
    next(batches)
    batches.close()
    assert not [it for it in threading.enumerate() if it.name in ("read-documents", "prepare-documents")]


def test_names_around_a_text_are_not_in_what_is_searched(tmp_path: Path) -> None:
    (tmp_path / "Dr_Grace_Hopper.md").write_text(
        "---\ntitle: Notes of Dr. Hopper\n---\n## Signed by Ada Byron\n\nIt was built.\n"
    )
    (tmp_path / "call.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:04.000\n<v Katherine Johnson>Katherine here, it is done.\n")
    pipeline = DocumentPipeline(tmp_path, CountingEmbedder(), cache=DocumentCache(None))
    rows = [row for batch in pipeline.batches() for row in batch.to_pylist()]
    assert len(rows) == 2
    assert [row["tags"] for row in rows] == [["pii.name"]] * 2
    searched = " ".join(row["indexed_text"] for row in rows)
    assert not any(name in searched for name in ("Hopper", "Byron", "Katherine", "Johnson"))


def test_a_file_that_changes_while_it_is_read_is_told_of_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "a.md", DocumentCache(tmp_path / "cache")
    file.write_text("# Old\n\nThe old rule holds.\n")

    def read(path: Path, *others: object) -> object:
        path.write_text("# New\n\nThe new rule holds.\n")
        return read_file(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("domain_sdk._document_pipeline.read_file", read)
    pipeline = DocumentPipeline(file, CountingEmbedder(), cache=cache)
    assert list(pipeline.batches()) == []
    assert "changed while it was read" in pipeline.problems[0].reason
    monkeypatch.undo()
    file.write_text("# Old\n\nThe old rule holds.\n")
    (batch,) = DocumentPipeline(file, CountingEmbedder(), cache=cache).batches()
    assert batch.column("text").to_pylist() == ["The old rule holds."]


def test_what_a_killed_publisher_left_goes_and_what_one_writes_stays(folder: Path, tmp_path: Path) -> None:
    places = tmp_path / "cache" / "ab"
    places.mkdir(parents=True)
    left, written = places / "left.partial", places / "written.partial"
    left.write_bytes(b"x")
    with written.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        DocumentCache(tmp_path / "cache").prune()
        assert [it.name for it in places.iterdir()] == ["written.partial"]
    DocumentCache(tmp_path / "cache").prune()
    assert not list(places.iterdir())
