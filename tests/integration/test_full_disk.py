"""A disk that is full in the middle of a publication: one clear error, the version before is served, and nothing is left.

Root mounts a small disk; anybody else gives the server a mount namespace of its own with one, which the publisher does not see.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from domain_sdk import Mesh, StorageUnavailable
from tests.integration.mixed_documents import CONTRACT as FILES
from tests.integration.mixed_documents import mixed_folder
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

MEBIBYTES = 24

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.stock
name: stock
version: 1.0.0
status: active
schema:
  - name: rows
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: noise, logicalType: number}
"""


@dataclass(frozen=True)
class SmallDisk:
    """A small disk, and the command that starts a server which sees it."""

    place: Path
    launcher: tuple[str, ...]


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    """Of 24 MiB, or as many as a test asks for."""
    mount = ("mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', MEBIBYTES)}m", "tmpfs")
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() == 0:
        subprocess.run([*mount, str(place)], check=True)
        yield SmallDisk(place, ())
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        return
    own = ("unshare", "--user", "--map-root-user", "--mount", "--")
    if shutil.which("unshare") is None or subprocess.run([*own, *mount, str(place)], check=False, capture_output=True).returncode:
        message = "nobody but root may mount a small disk here, in a namespace of its own either"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    prepare = shlex.join([*mount, str(place)])
    yield SmallDisk(place, (*own, "sh", "-c", f'{prepare} && mkdir {place}/drop {place}/warehouse && exec "$0" "$@"'))


def rows(count: int, first: int = 0) -> pl.DataFrame:
    """Rows that do not compress: 16 bytes each."""
    noise = np.random.default_rng(5).random(count)
    return pl.DataFrame({"id": pl.int_range(first, first + count, eager=True), "noise": noise})


def files_in(home: Path) -> list[Path]:
    areas = (home / "drop", home / "warehouse" / ".incoming")
    return [path for area in areas for path in area.rglob("*") if path.is_file()]


@pytest.mark.parametrize("what", ["drop", "warehouse"])
def test_a_full_disk_is_one_clear_error_and_nothing_is_lost_or_left(small_disk: SmallDisk, tmp_path: Path, what: str) -> None:
    """Where publishers deliver, and where the server keeps what it took in and writes anew."""
    home = tmp_path / "mesh"
    home.mkdir(mode=0o700)
    place = small_disk.place / what
    place.mkdir(mode=0o700)
    settings = {"MESH_DROP": str(place)} if what == "drop" else {"MESH_WAREHOUSE": str(place)}
    server = RunningServer(home, launcher=small_disk.launcher, **settings)
    try:
        with server.admin() as mesh:
            mesh.admin.create_domain("shop", owners=["user:admin"])
            product = mesh.domain("shop").product("stock", contract=CONTRACT)
            product.publish(rows=rows(400_000), progress=False)
            attempt(product, what)
            mesh.admin.repair()
            assert served(mesh) == 400_000
            assert files_in(home) == []
            assert list(place.rglob("*.partial")) == []
            product.publish(rows=rows(10), progress=False)
            assert served(mesh) == 10
    finally:
        server.stop()


@pytest.mark.timeout(240, func_only=True)
@pytest.mark.parametrize("small_disk", [5], indirect=True)
def test_passages_that_find_no_room_are_one_clear_error_and_are_published_once_there_is(
    small_disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "hashing")
    home = tmp_path / "mesh"
    home.mkdir(mode=0o700)
    (tmp_path / "many").mkdir()
    sections = (" ".join(f"w{number}x{place}" for place in range(60)) for number in range(3000))
    words = "".join(f"## Rule {number}\n\n{section}\n\n" for number, section in enumerate(sections))
    (tmp_path / "many" / "rules.md").write_text(words)
    vectors = f"lancedb://{small_disk.place}/vectors"
    server = RunningServer(home, launcher=small_disk.launcher, MESH_EMBEDDER="hashing", MESH_VECTORS=vectors)
    try:
        with server.admin() as mesh:
            mesh.admin.create_domain("desk", owners=["user:admin"])
            product = mesh.domain("desk").product("files", contract=FILES)
            product.publish(pages=mixed_folder(tmp_path / "few", 4), progress=False)
            with pytest.raises(StorageUnavailable, match=r"No space left on device \(os error 28\): check the folder"):
                product.publish(pages=tmp_path / "many", progress=False)
            assert product.release().version == 1
            assert {hit.version for hit in mesh.retrieve("desk.files.pages", "the shelf")} == {1}
            if small_disk.launcher:  # its disk is out of our sight
                return
            subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk.place)], check=True)
            mesh.admin.repair()
            assert {hit.document for hit in mesh.retrieve("desk.files.pages", "rule")} == {"rules.md"}
    finally:
        server.stop()


def attempt(product: object, what: str) -> None:
    too_much = rows(4_000_000)
    with pytest.raises(StorageUnavailable) as caught:
        product.publish(rows=too_much, progress=False)  # type: ignore[attr-defined]
    assert "Traceback" not in str(caught.value)
    if what == "warehouse":  # a merge that rewrites what is there finds no room either
        again = rows(400_000, first=1).gather_every(2)
        with pytest.raises(StorageUnavailable):
            product.publish(rows=pl.concat([again, rows(1_000_000, first=10**7)]), mode="merge", progress=False)  # type: ignore[attr-defined]


def served(mesh: Mesh) -> int:
    return mesh.read("shop.stock.rows").height
