"""What the server takes in of a delivery is its own, and goes when it is discarded."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance_server.warehouse.errors import UnsafeName
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.opening import open_warehouse

PUBLICATION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return open_warehouse(str(tmp_path / "home" / "warehouse"), tmp_path / "home" / "drop")


def deliver(warehouse: Warehouse) -> None:
    (warehouse.drop_folder(PUBLICATION, "entries").path / "part").write_text("delivered")
    incoming = warehouse.incoming_folder(PUBLICATION, "entries").path
    incoming.mkdir(parents=True)
    (incoming / "part").write_text("taken in")


def test_incoming_files_lie_within_the_private_warehouse_and_beside_no_domain(warehouse: Warehouse) -> None:
    folder = warehouse.incoming_folder(PUBLICATION, "entries")
    assert folder.path == warehouse.root.path / ".incoming" / PUBLICATION / "entries"
    assert not folder.exists()


@pytest.mark.parametrize(("publication", "port"), [("../up", "entries"), (PUBLICATION, "../entries"), ("", "entries")])
def test_a_name_that_leads_out_is_refused(warehouse: Warehouse, publication: str, port: str) -> None:
    with pytest.raises(UnsafeName):
        warehouse.incoming_folder(publication, port)


def test_discarding_what_was_taken_in_leaves_what_lies_in_the_drop_area(warehouse: Warehouse) -> None:
    deliver(warehouse)
    warehouse.discard_incoming(PUBLICATION)
    warehouse.discard_incoming(PUBLICATION)
    assert warehouse.publications() == {PUBLICATION}
    assert (warehouse.drop.path / PUBLICATION / "entries" / "part").read_text() == "delivered"


def test_discarding_a_publication_leaves_nothing_of_it(warehouse: Warehouse) -> None:
    deliver(warehouse)
    warehouse.discard(PUBLICATION)
    assert warehouse.publications() == set()


def test_foreign_files_in_the_drop_area_are_no_publications(warehouse: Warehouse) -> None:
    (warehouse.drop.path / "readme.txt").write_text("not ours")
    (warehouse.drop.path / "short").mkdir()
    assert warehouse.publications() == set()
