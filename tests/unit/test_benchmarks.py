"""The benchmarks' bookkeeping: never a time, only the form of what is kept and shown."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from threadpoolctl import ThreadpoolController

from benchmarks import machine
from benchmarks.__main__ import BENCHMARKS, LONG
from benchmarks.bare_vectors import embedding_alike
from benchmarks.bm25 import Bm25
from benchmarks.explanations import MEANINGS, WHY_MISSED
from benchmarks.figures import FIELDS, Bar, Figure, entry_of, load_entries, merged, store_entries
from benchmarks.filings import kept_documents
from benchmarks.report import markdown, missed_by
from benchmarks.timing import percentile
from domain_sdk._document_cache import DocumentCache

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results.json"
STAMP = {"measured_at": "2026-11-23T18:00:00+00:00", "code": "0a1b2c3", "machine": "2 cores"}
FILES = Figure("reads.files", 300.0, "rows/s", "bare polars", 500.0, Bar("≥", 0.7, of="ratio"))


@pytest.mark.parametrize(
    ("bar", "value", "peer", "is_met"),
    [
        (Bar("<", 2), 1.99, None, True),
        (Bar("<", 2), 2.0, None, False),
        (Bar("≤", 1.3, of="ratio"), 1.3, 1.0, True),
        (Bar("≥", 0.7, of="ratio"), 60.0, 100.0, False),
        (Bar("≥", 0.7, of="ratio"), 60.0, None, False),
        (Bar("=", 0), 0, None, True),
        (Bar("=", 0), 1, None, False),
    ],
)
def test_a_bar_bounds_the_value_or_the_ratio(bar: Bar, value: float, peer: float | None, is_met: bool) -> None:
    assert bar.is_met_by(Figure("x.y", value, "s", "peer", peer, bar)) is is_met


def test_an_entry_has_the_agreed_keys_and_four_digits() -> None:
    entry = entry_of(FILES, **STAMP)
    assert tuple(entry) == FIELDS
    assert (entry["ratio"], entry["bar"], entry["is_met"]) == (0.6, "≥ 0.7×", False)
    assert entry_of(Figure("x.y", 123456.789, "s"), **STAMP)["value"] == 123500.0
    without = entry_of(Figure("x.y", 1.0, "s"), **STAMP)
    assert [without[key] for key in ("peer", "peer_value", "ratio", "bar", "is_met")] == [None] * 5


def test_entries_of_benchmarks_not_run_are_kept(tmp_path: Path) -> None:
    kept = [{"name": "reads.old"}, {"name": "publish.seconds"}]
    found = merged(kept, [{"name": "reads.files"}], benchmarks=["reads"])
    assert [entry["name"] for entry in found] == ["publish.seconds", "reads.files"]
    store_entries(tmp_path / "r.json", found)
    assert load_entries(tmp_path / "r.json") == found
    assert load_entries(tmp_path / "absent.json") == []


def test_the_page_says_by_how_much_a_bar_is_missed() -> None:
    entry = entry_of(FILES, **STAMP)
    assert missed_by(entry) == "0.60× instead of ≥ 0.7×"
    page = markdown([entry])
    assert "`reads.files`: 0.60× instead of ≥ 0.7×" in page
    assert "| `reads.files` |" in page
    assert "code `0a1b2c3`: 2 cores" in page


def test_a_figure_names_the_commit_and_whether_the_code_was_changed_since(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert machine.code(tmp_path) == ""
    git("init", "-q")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text("[]")
    (tmp_path / "a.py").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "one")
    head = git("rev-parse", "--short", "HEAD")
    (tmp_path / "benchmarks" / "results.json").write_text("[1]")
    assert machine.code(tmp_path) == head
    (tmp_path / "a.py").write_text("2")
    assert machine.code(tmp_path) == f"{head}+"


def test_the_stored_results_have_the_agreed_form() -> None:
    for entry in json.loads(RESULTS.read_text(encoding="utf-8")):
        assert tuple(entry) == FIELDS
        assert entry["name"].partition(".")[0] in {**BENCHMARKS, **LONG}
        assert entry["name"] in MEANINGS
        assert (entry["bar"] is None) == (entry["is_met"] is None)
        assert entry["is_met"] is not False or entry["name"] in WHY_MISSED, (
            f"say in WHY_MISSED why {entry['name']} misses its bar"
        )


def test_every_explanation_belongs_to_a_benchmark() -> None:
    assert {name.partition(".")[0] for name in (*MEANINGS, *WHY_MISSED)} <= {*BENCHMARKS, *LONG}


def test_a_percentile_is_a_value_that_the_share_does_not_exceed() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 3
    assert percentile([1], 0.99) == 1
    assert percentile(list(range(100)), 0.99) == 99


def test_keyword_search_ranks_the_rare_word_first() -> None:
    index = Bm25(["the cat sat", "the dog sat", "the the the"])
    assert index.best("the dog", 2)[0] == 1
    assert index.best("nothing", 5) == []


def test_the_filings_are_kept_over_runs_whatever_other_benchmarks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_DOCUMENT_CACHE", "off")
    with kept_documents():
        assert DocumentCache.configured()._folder is not None
    assert DocumentCache.configured()._folder is None


def test_a_bare_client_embeds_on_one_core_as_the_gateway_does() -> None:
    import numpy as np  # noqa: F401  (loads BLAS)

    blas = ThreadpoolController().select(user_api="blas")
    with embedding_alike() as embedder:
        assert embedder.dimensions == 384
        assert {it["num_threads"] for it in blas.info()} == {1}
