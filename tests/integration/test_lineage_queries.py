"""Questions about lineage through a real server: pages of one graph, what lies between two ports, levels, types, the past."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import AccessDenied, InvalidRequest, Mesh
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

PEOPLE, FIRST, HIDDEN, LAST = "src.people.people", "lab.first.rows", "vault.mid.rows", "lab.last.rows"


def _derived(mesh: Mesh, target: str, source: str, columns: list[str], make) -> None:
    domain, product, port = target.split(".")
    text = contract(f"{domain}.{product}", {port: columns})
    mesh.domain(domain).transform(inputs=[source], output=product, contract=text)(make).run(progress=False)


@pytest.fixture(scope="module")
def ana(server: RunningServer) -> Iterator[Mesh]:
    """Made it all: people → first → mid → last, and last also from first directly by a filter."""
    with server.admin() as admin:
        for domain in ("src", "lab", "vault"):
            admin.admin.create_domain(domain, owners=["user:ana"])
        admin.admin.update_domain("lab", members=["user:rob"])
    with server.user("user:ana") as mesh:
        text = contract("src.people", {"people": ["id: integer", "name: string", "age: integer"]})
        rows = pl.DataFrame({"id": [1, 2], "name": ["Ann", "Bob"], "age": [40, 50]})
        mesh.domain("src").product("people", text).publish(people=rows, progress=False)
        _derived(
            mesh, FIRST, PEOPLE, ["id: integer", "who: string"], lambda f: f.filter(pl.col("age") > 0).select("id", who="name")
        )
        _derived(mesh, HIDDEN, FIRST, ["id: integer", "who: string"], lambda f: f.select("id", "who"))
        _derived(mesh, LAST, HIDDEN, ["key: integer", "who: string"], lambda f: f.select(key="id", who="who"))
        yield mesh


@pytest.fixture(scope="module")
def rob(server: RunningServer, ana: Mesh) -> Iterator[Mesh]:
    """May discover lab and nothing else."""
    with server.user("user:rob") as mesh:
        yield mesh


def _ids(graph) -> set[str]:
    return {node.id for node in graph.nodes}


def test_what_lies_between_two_ports_is_the_ways_and_nothing_else(ana: Mesh) -> None:
    assert _ids(ana.lineage(PEOPLE, between=LAST)) == {PEOPLE, FIRST, HIDDEN, LAST}
    assert _ids(ana.lineage(PEOPLE, between=HIDDEN)) == {PEOPLE, FIRST, HIDDEN}
    columns = ana.lineage(f"{PEOPLE}.name", between=LAST, level="column", types=["DIRECT"])
    assert _ids(columns) == {f"{PEOPLE}#name", f"{FIRST}#who", f"{HIDDEN}#who", f"{LAST}#who"}
    assert _ids(ana.lineage(LAST, between=PEOPLE)) == set()


def test_only_edges_of_the_types_asked_for_are_followed(ana: Mesh) -> None:
    assert _ids(ana.lineage(f"{PEOPLE}.age", direction="downstream", types=["DIRECT"])) == {f"{PEOPLE}#age"}
    assert FIRST in _ids(ana.lineage(f"{PEOPLE}.age", direction="downstream", types=["FILTER"]))
    with pytest.raises(InvalidRequest, match="SIDEWAYS is no type"):
        ana.lineage(PEOPLE, types=["SIDEWAYS"])


def test_a_port_can_be_asked_about_by_its_columns_and_a_column_by_its_port(ana: Mesh) -> None:
    by_column = ana.lineage(FIRST, level="column", direction="upstream")
    assert {f"{FIRST}#id", f"{FIRST}#who", f"{PEOPLE}#id", f"{PEOPLE}#name", f"{PEOPLE}#age"} == _ids(by_column)
    assert _ids(ana.lineage(f"{FIRST}.who", level="dataset", direction="upstream")) == {FIRST, PEOPLE}


def test_what_the_caller_may_not_discover_keeps_its_place_without_a_name(rob: Mesh) -> None:
    graph = rob.lineage(LAST, direction="upstream")
    assert [node.id for node in graph.nodes if not node.is_hidden] == [LAST, FIRST]
    assert sum(node.is_hidden for node in graph.nodes) == 2
    assert [node.distance for node in graph.nodes] == [0, 1, 2, 3]
    assert graph.is_complete
    found = rob.reach(FIRST)
    assert (set(found.names), found.hidden_count, found.distances) == ({FIRST, "", LAST}, 1, (0, 1, 2))
    with pytest.raises(AccessDenied):
        rob.lineage(LAST, between=HIDDEN)
    with pytest.raises(AccessDenied):
        rob.reach(PEOPLE)


def test_a_cut_graph_says_so_and_goes_on_over_the_same_graph_whatever_is_published(ana: Mesh) -> None:
    whole = ana.lineage(PEOPLE, direction="downstream", level="column")
    first = ana.lineage(PEOPLE, direction="downstream", level="column", limit=3)
    assert len(first.nodes) == 3
    assert not first.is_complete
    assert first.more
    _derived(ana, "lab.late.rows", PEOPLE, ["id: integer"], lambda f: f.select("id"))
    nodes, edges, more = list(first.nodes), list(first.edges), first.more
    while more:
        page = ana.lineage(PEOPLE, direction="downstream", level="column", limit=2, after=more)
        nodes += page.nodes
        edges += page.edges
        more = page.more
    assert nodes == list(whole.nodes)
    assert sorted(map(repr, edges)) == sorted(map(repr, whole.edges))
    assert "lab.late.rows" in ana.reach(PEOPLE).names
    with pytest.raises(InvalidRequest, match="page_token"):
        ana.lineage(PEOPLE, direction="downstream", after="bm9uc2Vuc2U=")


def test_depth_cuts_and_the_impact_of_a_column_is_whole(ana: Mesh) -> None:
    near = ana.lineage(f"{PEOPLE}.name", direction="downstream", depth=1)
    assert (_ids(near), near.is_complete, near.more) == ({f"{PEOPLE}#name", f"{FIRST}#who"}, False, "")
    found = ana.reach(f"{PEOPLE}.name")
    assert found.is_complete
    assert set(found.names) == {f"{PEOPLE}#name", f"{FIRST}#who", f"{HIDDEN}#who", f"{LAST}#who"}
    assert not ana.reach(f"{PEOPLE}.name", depth=1).is_complete


def test_the_runs_and_versions_on_the_path_are_told(ana: Mesh, rob: Mesh) -> None:
    origins = {it.port: it for it in ana.lineage(LAST, direction="upstream").origins}
    assert origins[LAST].inputs == ((HIDDEN, 1),)
    assert (origins[LAST].version, origins[LAST].job, bool(origins[LAST].run_id)) == (1, "lab.<lambda>", True)
    assert set(origins) == {LAST, HIDDEN, FIRST, PEOPLE}
    hidden = {it.port: it for it in rob.lineage(LAST, direction="upstream").origins}
    assert hidden[LAST].inputs == (("", 1),)
    assert set(hidden) == {LAST, FIRST}


def test_the_graph_of_the_past_is_the_one_of_then(ana: Mesh) -> None:
    before = ana.show(FIRST)
    revision = ana.explain(FIRST).revision
    _derived(ana, "lab.newest.rows", FIRST, ["id: integer"], lambda f: f.select("id"))
    assert before is not None
    assert "lab.newest.rows" in _ids(ana.lineage(FIRST))
    assert "lab.newest.rows" not in _ids(ana.lineage(FIRST, as_of=revision))
    assert "lab.newest.rows" not in ana.reach(FIRST, as_of=revision).names


def test_the_command_line_lists_what_was_made_and_draws_what_lies_between(server: RunningServer, ana: Mesh) -> None:
    environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token_of(server, "user:ana")}

    def mesh(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("mesh")), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert set(json.loads(mesh("lineage", PEOPLE, "--list", "--json"))["names"]) >= {FIRST, HIDDEN, LAST}
    drawn = mesh("lineage", PEOPLE, "--between", HIDDEN, "--format", "mermaid")
    assert FIRST in drawn
    assert LAST not in drawn
