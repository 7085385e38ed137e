"""Paths of the warehouse stay inside it, whatever the names."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from governance_server.warehouse.errors import StorageUnavailable, UnsafeName
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.opening import open_warehouse
from mesh_core.names import InvalidName

PUBLICATION = "pub-0123456789abcdef0123456789abcdef"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return open_warehouse(str(tmp_path / "home" / "warehouse"), tmp_path / "home" / "drop")


def test_a_new_root_belongs_to_its_owner_only(warehouse):
    assert stat.S_IMODE(warehouse.root.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(warehouse.drop.path.stat().st_mode) == 0o700


def test_an_existing_root_is_closed_to_others(tmp_path):
    (tmp_path / "w").mkdir(mode=0o755)
    assert stat.S_IMODE(open_warehouse(str(tmp_path / "w"), tmp_path / "d").root.path.stat().st_mode) == 0o700


def test_a_port_lies_under_its_three_names(warehouse):
    assert warehouse.port_location("finance.ledger.entries") == LocalFolder(
        warehouse.root.path / "finance" / "ledger" / "entries"
    )


@pytest.mark.parametrize(
    "name", ["../../etc", "finance.ledger", "finance..entries", "finance.ledger./etc", "finance.ledger.a/../../b", "a.b.c\0", "…"]
)
def test_a_hostile_port_name_is_refused(warehouse, name):
    with pytest.raises(InvalidName):
        warehouse.port_location(name)


@pytest.mark.parametrize(
    "publication",
    ["", ".", "..", "../" + "a" * 20, "a" * 15, "/" + "a" * 20, "a" * 20 + "/..", "a" * 20 + "\n"],
)
def test_a_hostile_or_guessable_publication_id_is_refused(warehouse, publication):
    with pytest.raises(UnsafeName):
        warehouse.drop_folder(publication, "entries")
    with pytest.raises(UnsafeName):
        warehouse.discard(publication)


@pytest.mark.parametrize("port", ["", "..", "a/b", "../x", "a\0b"])
def test_a_hostile_port_part_is_refused(warehouse, port):
    with pytest.raises(UnsafeName):
        warehouse.drop_folder(PUBLICATION, port)


def test_a_symbolic_link_in_the_path_is_not_followed(warehouse, tmp_path):
    (tmp_path / "outside").mkdir()
    (warehouse.root.path / "finance").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeName, match="symbolic link"):
        warehouse.port_location("finance.ledger.entries")
    (warehouse.drop.path / PUBLICATION).symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeName, match="symbolic link"):
        warehouse.drop_folder(PUBLICATION, "entries")


def test_discard_removes_what_was_dropped_and_may_be_repeated(warehouse):
    folder = warehouse.drop_folder(PUBLICATION, "entries")
    (folder.path / "a.parquet").write_bytes(b"x")
    warehouse.discard(PUBLICATION)
    warehouse.discard(PUBLICATION)
    assert list(warehouse.drop.path.iterdir()) == []


def test_discard_leaves_the_target_of_a_link_alone(warehouse, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "keep").write_bytes(b"x")
    (warehouse.drop.path / PUBLICATION).symlink_to(tmp_path / "outside")
    warehouse.discard(PUBLICATION)
    assert (tmp_path / "outside" / "keep").exists()
    assert not (warehouse.drop.path / PUBLICATION).is_symlink()


def test_drop_folders_carry_the_mode_the_administrator_gave_the_drop_area(tmp_path):
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop").chmod(0o1733)
    folder = open_warehouse(str(tmp_path / "w"), tmp_path / "drop").drop_folder(PUBLICATION, "entries")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o1733


def test_a_root_that_is_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable, match="file"):
        open_warehouse(str(tmp_path / "file" / "w"), tmp_path / "drop")


def test_a_root_that_vanished_is_one_clear_error(warehouse):
    warehouse.root.path.rmdir()
    with pytest.raises(StorageUnavailable, match="warehouse"):
        warehouse.port_location("finance.ledger.entries")
