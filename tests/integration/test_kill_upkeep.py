"""SIGKILL of the server at each step of upkeep: versions read whole, nothing half erased is called done, nothing lies about.

The product has a table in partitions, one without, and a collection. Afterwards either `mesh repair` or the next publication
ends what broke off.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import Mesh, MeshError
from tests.integration.crash_shop import orphans
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

SERVER = {"MESH_EMBEDDER": "hashing", "MESH_PUBLICATION_TTL_SECONDS": "1"}
SUBJECT = "ana.erased@subject.example"
PRODUCT = "crm.members"
TABLES = (f"{PRODUCT}.people", f"{PRODUCT}.flat")
ODD = "a b/%c=é"
CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: crm.members
name: Members
version: 1.0.0
status: active
schema:
  - name: people
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, partitioned: true, partitionKeyPosition: 1}
      - {name: mail, logicalType: string, tags: [pii.email]}
  - name: flat
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: mail, logicalType: string, tags: [pii.email]}
  - name: letters
    physicalType: collection
    tags: [pii.email]
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 256, distanceMetric: cosine}}
"""
Rows = set[tuple[Any, ...]]
PEOPLE: Rows = {(1, "EU", "bob1@x.example"), (2, "US", "bob2@x.example"), (3, ODD, "bob3@x.example")}
MORE: Rows = {(4, "EU", "bob4@x.example"), (5, ODD, SUBJECT), (6, "EU", SUBJECT)}
FLAT: Rows = {(1, "bob1@x.example")}
MORE_FLAT: Rows = {(2, SUBJECT), (3, "bob3@x.example")}
HELD = {
    1: (PEOPLE, FLAT),
    2: (PEOPLE | MORE, FLAT | MORE_FLAT),
}
LATER = ({(7, "EU", "eve@x.example")}, {(7, "eve@x.example")})


def without(rows: Rows) -> Rows:
    return {row for row in rows if SUBJECT not in row}


def tables(people: Rows, flat: Rows) -> dict[str, pl.DataFrame]:
    regions = {"id": pl.Int64, "region": pl.String, "mail": pl.String}
    return {
        "people": pl.DataFrame(sorted(people), schema=regions, orient="row"),
        "flat": pl.DataFrame(sorted(flat), schema={"id": pl.Int64, "mail": pl.String}, orient="row"),
    }


def letters(folder: Path, version: int) -> Path:
    target = folder / f"letters-{version}"
    target.mkdir(exist_ok=True)
    (target / "bob.md").write_text(f"# Letter\n\nA letter of Bob, number {version}.\n")
    if version == 2:
        (target / "ana.md").write_text(f"# Letter\n\nA letter of {SUBJECT}, who moved.\n")
    return target


def publish(mesh: Mesh, folder: Path, version: int, people: Rows, flat: Rows) -> int:
    product = mesh.domain("crm").product("members", contract=CONTRACT)
    given = {**tables(people, flat), "letters": letters(folder, version)}
    modes = {"people": "append", "flat": "append"} if version > 1 else "overwrite"
    return product.publish(given, mode=modes, progress=False).version  # type: ignore[arg-type] # of a test's own making


def read(mesh: Mesh, version: int | None = None) -> tuple[Rows, Rows]:
    people, flat = (mesh.read(port, version=version) for port in TABLES)
    found = set(people.select("id", "region", "mail").rows()), set(flat.select("id", "mail").rows())
    assert (len(found[0]), len(found[1])) == (people.height, flat.height)
    return found


def replayed(mesh: Mesh, port: str, since: int) -> Counter[tuple[Any, ...]]:
    state = Counter(mesh.read(port, version=since).rows())
    for *values, kind, _ in mesh.changes(port, since=since).collect().iter_rows():
        state[tuple(values)] += 1 if kind in ("insert", "update_postimage") else -1
    return +state


def places(home: Path) -> list[str]:
    """Files in which the subject stands."""
    return [str(path) for path in home.rglob("*") if path.is_file() and SUBJECT.encode() in path.read_bytes().lower()]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a stopped server with two versions, the second of which holds the subject in every port."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_EMBEDDER", "hashing")
        folder = tmp_path_factory.mktemp("prepared")
        server = RunningServer(folder / "mesh", **SERVER)
        try:
            with server.admin() as mesh:
                mesh.admin.create_domain("crm", owners=["user:admin"])
                assert publish(mesh, folder, 1, PEOPLE, FLAT) == 1
                assert publish(mesh, folder, 2, MORE, MORE_FLAT) == 2
        finally:
            server.stop()
        yield folder / "mesh"


def compact(mesh: Mesh) -> None:
    mesh.domain("crm").product("members").upkeep.compact(z_order=["id"])


def vacuum(mesh: Mesh) -> None:
    mesh.domain("crm").product("members").upkeep.vacuum(grace_hours=0)


def retire(mesh: Mesh) -> None:
    mesh.domain("crm").product("members").upkeep.retire(1, reason="too old")


def erase(mesh: Mesh) -> None:
    assert all(it.is_complete for it in mesh.admin.erase("pii.email", SUBJECT, reason="she asked", products=[PRODUCT]))


class Crash:
    """A server that died in the middle of upkeep and serves again."""

    def __init__(self, prepared: Path, folder: Path, fault: str, act: Callable[[Mesh], None]) -> None:
        self.home, self.folder = folder / "mesh", folder
        shutil.copytree(prepared, self.home)
        self.server = RunningServer(self.home, **SERVER, MESH_FAULT=fault)
        try:
            with self.server.admin() as mesh, pytest.raises(MeshError):
                act(mesh)
            assert self.server.wait() == -9, f"the server did not reach {fault}"
            self.server.environment = SERVER
            self.server.start()
        except BaseException:
            self.server.stop()
            raise

    def end(self, mesh: Mesh, by: str, served: tuple[Rows, Rows], *, since: int) -> tuple[Rows, Rows]:
        """What is served at the end; nothing lies about, and the feed tells what the publication brought."""
        if by == "repair":
            mesh.admin.repair()
            assert orphans(self.home, tables=TABLES) == []
            assert read(mesh) == served
        publish(mesh, self.folder, 9, *LATER)
        now = served[0] | LATER[0], served[1] | LATER[1]
        assert read(mesh) == now
        assert orphans(self.home, tables=TABLES) == []
        for port in TABLES:
            assert replayed(mesh, port, since) == Counter(mesh.read(port).rows())
        return now


COMPACT = ["rewrite.file", "rewrite.file:2", "exchange.before_log", "exchange.after_log", "compact.written", "compact.recorded"]
COMPACT += ["compact.written:2", "compact.recorded:2"]
BEFORE_ERASED = ["erase.begun", "rewrite.file", "exchange.before_log", "exchange.after_log", "erase.port_written"]
BEFORE_ERASED += ["erase.port_written:2", "erase.written"]
AFTER_ERASED = ["erase.recorded", "vacuum.table", "vacuum.table:2", "vacuum.changes", "vacuum.collection", "erase.vacuumed"]
AFTER_ERASED += ["erase.port_cleared", "erase.port_cleared:2", "erase.port_cleared:3", "scrub.entry", "scrub.entry:2"]
AFTER_ERASED += ["scrub.entries", "scrub.entries:2", "erase.cleared", "erase.completed"]
VACUUM = ["vacuum.table", "vacuum.table:2", "vacuum.changes", "vacuum.collection"]
RETIRE = ["retire.decided", "retire.recorded"]


def sampled(faults: list[str], *sample: tuple[str, str], before: tuple[Any, ...] = ()) -> list[Any]:
    """Every fault, ended both ways; all but the sample only in a soak."""
    every = [(fault, by) for fault in faults for by in ("repair", "publish")]
    return [pytest.param(*before, *it, marks=() if it in sample else pytest.mark.soak) for it in every]


@pytest.mark.parametrize(("fault", "by"), sampled(COMPACT, ("exchange.before_log", "publish"), ("compact.written", "repair")))
def test_a_compaction_that_is_killed_changes_no_version(prepared: Path, tmp_path: Path, fault: str, by: str) -> None:
    crash = Crash(prepared, tmp_path, fault, compact)
    try:
        with crash.server.admin() as mesh:
            assert (read(mesh, 1), read(mesh)) == (HELD[1], HELD[2])
            now = crash.end(mesh, by, HELD[2], since=2)
            compact(mesh)
            vacuum(mesh)
            assert (read(mesh, 1), read(mesh, 2), read(mesh)) == (HELD[1], HELD[2], now)
            assert orphans(crash.home, tables=TABLES) == []
            assert mesh.audit.verify(include_tables=True).is_intact
    finally:
        crash.server.stop()


@pytest.mark.parametrize(
    ("fault", "by"),
    sampled(
        BEFORE_ERASED + AFTER_ERASED,
        ("exchange.after_log", "publish"),
        ("erase.port_written", "repair"),
        ("scrub.entry", "publish"),
    ),
)
def test_an_erasure_that_is_killed_is_not_called_done_and_done_when_it_is_repeated(
    prepared: Path, tmp_path: Path, fault: str, by: str
) -> None:
    crash = Crash(prepared, tmp_path, fault, erase)
    cleared = without(HELD[2][0]), without(HELD[2][1])
    is_erased = fault in AFTER_ERASED
    served = cleared if is_erased else HELD[2]
    try:
        with crash.server.admin() as mesh:
            assert (read(mesh, 1), read(mesh)) == (HELD[1], served)
            release = mesh.domain("crm").product("members").release().version
            assert release == (3 if is_erased else 2)
            if is_erased:
                with pytest.raises(MeshError, match="erasure"):
                    mesh.read(TABLES[0], version=2)
            now = crash.end(mesh, by, served, since=release)
            if fault != "erase.completed":
                receipts = mesh.admin.erase("pii.email", SUBJECT, reason="she asked", products=[PRODUCT])
                assert all(it.is_complete for it in receipts)
                versions = {it.version for it in mesh.domain("crm").product("members").releases()}
                assert {it.version for it in receipts if it.version} <= versions
            assert read(mesh) == (without(now[0]), without(now[1]))
            assert read(mesh, 1) == HELD[1]
            hits = mesh.retrieve(f"{PRODUCT}.letters", "a letter", limit=10)
            assert [SUBJECT in hit.text for hit in hits] == [False]
            assert mesh.audit.verify(include_tables=True).is_intact
            assert places(crash.home) == []
            publish(mesh, tmp_path, 10, {(8, ODD, "z@x.example")}, set())
            assert read(mesh)[0] == without(now[0]) | {(8, ODD, "z@x.example")}
    finally:
        crash.server.stop()


@pytest.mark.parametrize(
    ("act", "fault", "by"),
    [
        *sampled(VACUUM, ("vacuum.table", "repair"), before=(vacuum,)),
        *sampled(RETIRE, ("retire.recorded", "repair"), before=(retire,)),
    ],
)
def test_a_vacuum_or_a_retirement_that_is_killed_takes_nothing_that_may_be_read(
    prepared: Path, tmp_path: Path, act: Callable[[Mesh], None], fault: str, by: str
) -> None:
    crash = Crash(prepared, tmp_path, fault, act)
    try:
        with crash.server.admin() as mesh:
            if fault == "retire.recorded":
                with pytest.raises(MeshError, match="too old"):
                    mesh.read(TABLES[0], version=1)
            else:
                assert read(mesh, 1) == HELD[1]
            assert read(mesh) == HELD[2]
            now = crash.end(mesh, by, HELD[2], since=2)
            act(mesh)
            vacuum(mesh)
            assert (read(mesh, 2), read(mesh)) == (HELD[2], now)
            assert mesh.audit.verify(include_tables=True).is_intact
    finally:
        crash.server.stop()


def test_a_gateway_that_is_killed_while_upkeep_runs_serves_whole_versions_again(prepared: Path, tmp_path: Path) -> None:
    home = tmp_path / "mesh"
    shutil.copytree(prepared, home)
    server = RunningServer(home, **SERVER)
    try:
        with server.admin() as mesh:
            for act, served in ((compact, HELD[2]), (erase, (without(HELD[2][0]), without(HELD[2][1])))):
                assert read(mesh)
                os.kill(server.gateway_pid, signal.SIGKILL)
                act(mesh)
                assert _again(lambda: read(mesh)) == served
            assert orphans(home, tables=TABLES) == []
            assert places(home) == []
    finally:
        server.stop()


def _again(act: Callable[[], Any]) -> Any:
    """What it gives once the gateway is back."""
    for _ in range(200):
        try:
            return act()
        except MeshError:
            continue
    return act()
