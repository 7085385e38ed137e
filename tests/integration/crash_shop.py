"""A product to crash: two tables and a collection whose every row and passage says which attempt it is of.

Owns what is published and how one sees, from outside and from the disk, that all ports show one attempt, whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from domain_sdk import Mesh, Release
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.opening import open_warehouse

__all__ = [
    "CONTRACT",
    "NOTES",
    "PRODUCT",
    "assert_whole",
    "documents",
    "orphans",
    "publish",
    "rows",
    "seen",
    "set_up",
    "until",
]

PRODUCT = "shop.stock"
NOTES = 5
_ROWS = {"items": 3000, "prices": 7000}

CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: shop.stock
name: Stock
version: 1.0.0
status: active
schema:
  - name: items
    logicalType: object
    physicalType: table
    properties: &columns
      - {name: number, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: attempt, logicalType: string, required: true}
      - {name: note, logicalType: string}
  - name: prices
    logicalType: object
    physicalType: table
    properties: *columns
  - name: notes
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


def set_up(admin: Mesh) -> None:
    """The domain exists; the administrator owns it, publishes into it and reads it."""
    admin.admin.create_domain("shop", owners=["user:admin"])


def rows(port: str, attempt: str) -> pl.DataFrame:
    """The table's rows of this attempt."""
    count = _ROWS[port]
    return pl.DataFrame({"number": pl.int_range(count, eager=True), "attempt": [attempt] * count, "note": ["x" * 50] * count})


def documents(folder: Path, attempt: str) -> Path:
    """A folder with the documents of this attempt."""
    target = folder / f"notes-{attempt}"
    target.mkdir(exist_ok=True)
    for number in range(NOTES):
        (target / f"{number}.md").write_text(f"# Note {number}\n\nattempt={attempt} of the note on shelf {number}.\n")
    return target


def publish(mesh: Mesh, folder: Path, attempt: str, **ports: Any) -> Release:  # whatever a port is made of
    """A release of this attempt, with other rows for the ports named."""
    given: dict[str, Any] = {port: rows(port, attempt) for port in _ROWS}
    given["notes"] = documents(folder, attempt)
    product = mesh.domain("shop").product("stock", contract=CONTRACT)
    return product.publish({**given, **ports}, progress=False)


def seen(mesh: Mesh, version: int | None = None) -> str:
    """The one attempt that all ports show, whole; without a version, while the same one is served."""
    product = mesh.domain("shop").product("stock")
    while True:
        served = product.release().version
        try:
            return _seen(mesh, version)
        except AssertionError:
            if version is not None or product.release().version == served:
                raise


def _seen(mesh: Mesh, version: int | None) -> str:
    found: dict[str, set[str]] = {}
    for port, count in _ROWS.items():
        frame = mesh.read(f"{PRODUCT}.{port}", version=version)
        assert frame["number"].sort().to_list() == list(range(count)), f"{port} is not whole"
        found[port] = set(frame["attempt"])
    hits = mesh.retrieve(f"{PRODUCT}.notes", "a note on a shelf", limit=100, version=version)
    assert len(hits) == NOTES, f"{len(hits)} passages of {NOTES}"
    assert {hit.version for hit in hits} == {version or hits[0].version}
    found["notes"] = {hit.text.partition("attempt=")[2].split()[0] for hit in hits}
    attempts = set().union(*found.values())
    assert len(attempts) == 1, f"the ports show different attempts: {found}"
    return attempts.pop()


def assert_whole(mesh: Mesh, home: Path, released: Mapping[int, str], *, warehouse: str = "") -> None:
    """Every version reads as it was released, the journal verifies, and nothing lies about that belongs to none of them."""
    product = mesh.domain("shop").product("stock")
    assert {release.version for release in product.releases()} == set(released)
    for version, attempt in released.items():
        assert seen(mesh, version) == attempt
    assert seen(mesh) == released[max(released)]
    assert mesh.audit.verify(include_tables=True).is_intact
    assert orphans(home, warehouse) == []


def orphans(home: Path, warehouse: str = "", tables: Iterable[str] = tuple(f"{PRODUCT}.{name}" for name in _ROWS)) -> list[str]:
    """What lies in the drop area, and data files or log entries of tables that no release names."""
    opened = open_warehouse(warehouse or str(home / "warehouse"), home / "drop")
    left = [name for area in (opened.drop, opened.root.inside(".incoming")) for name in _everything(area, "")]
    for port in tables:
        root = opened.port_location(port)
        if not DeltaTable.is_deltatable(root.uri, storage_options=root.storage_options):
            continue
        table = DeltaTable(root.uri, storage_options=root.storage_options)
        named: set[str] = set()
        for version in range(table.version() + 1):
            table.load_as_version(version)
            named |= {Path(uri).name for uri in table.file_uris()}
        left += [f"{port}/{file.name}" for file in root.files() if file.name not in named]
    return left


def _everything(folder: Folder, path: str) -> Iterator[str]:
    """Files and folders below it."""
    yield from (f"{path}{file.name}" for file in folder.files())
    for name in folder.subfolders():
        yield f"{path}{name}/"
        yield from _everything(folder.inside(name), f"{path}{name}/")


def until(is_so: Callable[[], bool], *, seconds: float) -> bool:
    """True as soon as it is so; False if it is not within this time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
