"""Whatever the order in which a job's events arrive, and however often: the same runs, and the same lineage."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.lineage.folding import Folding, counting, run_key
from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.received import parse_event
from governance_server.lineage.run_state import InputName, RunState, joined, state_of
from governance_server.storage import lineage_runs as rows
from governance_server.storage.engine import Database, open_database
from tests.integration.journal_databases import sqlite_url
from tests.integration.test_openlineage import PRODUCER, columns, dataset

STATES = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER")
DATASETS = st.sampled_from("abc")
LIFECYCLE = st.sampled_from(["", "CREATE", "OVERWRITE", "ALTER"])
NUMBER = count()


@st.composite
def links(draw: st.DrawFn) -> Any:
    named = draw(st.lists(st.sampled_from("abde"), max_size=2))
    return {"identifiers": [{"namespace": "n", "name": it, "type": "TABLE"} for it in named]}


@st.composite
def outputs(draw: st.DrawFn) -> list[Any]:
    made = []
    for name in draw(st.lists(DATASETS, max_size=2, unique=True)):
        facets: dict[str, Any] = {}
        if draw(st.booleans()):
            facets["columnLineage"] = columns(**{draw(st.sampled_from("xy")): ("n", draw(DATASETS), "col")})
        if draw(st.booleans()):
            facets["schema"] = {"fields": [{"name": it} for it in draw(st.lists(st.sampled_from("xyz"), unique=True))]}
        if change := draw(LIFECYCLE):
            facets["lifecycleStateChange"] = {"lifecycleStateChange": change}
        if draw(st.booleans()):
            facets["symlinks"] = draw(links())
        made.append(dataset("n", name, **facets))
    return made


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    job: dict[str, Any] = {"namespace": "NS", "name": "job", "facets": {}}
    if draw(st.integers(0, 4)) == 0:
        source = {"namespace": "n", "name": draw(DATASETS), "type": "DATASET"}
        entry = {"namespace": "n", "name": draw(DATASETS), "type": "DATASET", "inputs": draw(st.sampled_from([[], [source]]))}
        job["facets"]["lineage"] = {"_producer": "p", "_schemaURL": "s", "entries": [entry]}
    if draw(st.booleans()):
        query = draw(st.sampled_from(["SELECT x AS y FROM a", "SELECT a.x, b.y FROM a JOIN b ON a.x = b.x", "SELECT z FROM c"]))
        job["facets"]["sql"] = {"_producer": "p", "_schemaURL": "s", "query": query, "_deleted": draw(st.booleans())}
    inputs = []
    for name in draw(st.lists(DATASETS, max_size=2, unique=True)):
        schema = {"fields": [{"name": it} for it in draw(st.lists(st.sampled_from("xyz"), min_size=1, unique=True))]}
        told = {"schema": schema, "symlinks": draw(links())}
        inputs.append(dataset("n", name, **{key: facet for key, facet in told.items() if draw(st.booleans())}))
    return {
        **PRODUCER, "eventType": draw(st.sampled_from(STATES)), "job": job,
        "eventTime": f"2026-01-01T00:0{draw(st.integers(0, 3))}:00{draw(st.sampled_from(['Z', '+01:00', '']))}",
        "run": {"runId": draw(st.sampled_from(["1", "2", "3"]))},
        "inputs": inputs, "outputs": draw(outputs()),
    }  # fmt: skip


def accepted(event: Any, namespace: str) -> AcceptedEvent:
    """The event under the namespace, which has no part in which of two events of one time counts: so runs can be compared."""
    digest = parse_event(json.dumps(event).encode()).digest
    body = json.dumps({**event, "job": {**event["job"], "namespace": namespace}}).encode()
    names = tuple(
        InputName(f"n|{it['name']}", f"n|{other['name']}", f"n|{it['name']}")
        for it in event["inputs"]
        for other in it["facets"].get("symlinks", {"identifiers": ()})["identifiers"]
        if other["name"] != it["name"]
    )
    return AcceptedEvent(replace(parse_event(body), digest=digest), "service:x", "shop", names=names)


@settings(deadline=None)
@given(st.lists(events(), min_size=1, max_size=6), st.data())
def test_a_run_is_the_same_in_every_order(told: Sequence[Any], data: st.DataObject) -> None:
    def fold(given: Sequence[Any]) -> dict[str, str]:
        runs: dict[str, RunState] = {}
        for event in given:
            received = accepted(event, "NS")
            key = run_key(received)
            runs[key] = joined(runs.get(key), state_of(received.event, names=received.names))
        return {key: state.to_text() for key, state in runs.items()}

    other = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=4))]))
    assert fold(told) == fold(other)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = open_database(sqlite_url(tmp_path_factory.mktemp("folding")))
    yield made
    made.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events(), min_size=1, max_size=7), st.data())
def test_the_lineage_of_a_job_is_the_same_in_every_order(database: Database, told: Sequence[Any], data: st.DataObject) -> None:
    def fold(given: Sequence[Any], batches: Sequence[bool], sizes: Sequence[int]) -> dict[str, Any]:
        namespace, folding, due, left = f"ns{next(NUMBER)}", Folding(), set(), list(given)
        with database.write() as connection:
            for position in itertools.count():
                if not left:
                    break
                size = sizes[position % len(sizes)]
                group, left = left[:size], left[size:]
                first, *_ = [next(NUMBER) for _ in group]
                folding.fold(connection, first, [accepted(event, namespace) for event in group])
                if batches[position % len(batches)]:  # what the journal was given is remembered, so that steady runs are quick
                    for it in folding.due:
                        folding.counted(it[:3], rows.told_of(connection, *it[:3]))
                    due |= folding.due
                    folding.due.clear()
                if position % 3 == 2:
                    due |= folding.due
                    folding.forget()  # as after a restart
            due |= folding.due
            found = {it.target: counting(rows.told_of(connection, *it[:3])) for it in due}
        return {target: digests for target, digests in found.items() if digests}

    other = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=4))]))
    batches = data.draw(st.lists(st.booleans(), min_size=1, max_size=3))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    assert fold(told, [False], [1]) == fold(other, batches, sizes)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events(), min_size=1, max_size=8))
def test_what_is_not_marked_as_due_has_not_changed(database: Database, told: Sequence[Any]) -> None:
    namespace, folding = f"ns{next(NUMBER)}", Folding()
    known: dict[tuple[str, str, str], list[str]] = {}
    with database.write() as connection:
        for event in told:
            folding.fold(connection, next(NUMBER), [accepted(event, namespace)])
            for it in folding.due:
                lineages = rows.told_of(connection, *it[:3])
                folding.counted(it[:3], lineages)
                known[it[:3]] = counting(lineages)
            folding.due.clear()
            for target in "abcde":
                place = (namespace, "job", f"n|{target}")
                assert known.get(place, []) == counting(rows.told_of(connection, *place))
