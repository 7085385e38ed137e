"""The first start: whoever wins it, the administrator's token file holds the token that counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain_sdk import Resource, SecondPersonNeeded, Unauthenticated, WrongState
from governance_server import bootstrap
from governance_server.authentication import Authenticator
from governance_server.journal.journal import Journal
from governance_server.keyring import Keyring
from governance_server.serving_lock import serving
from governance_server.storage.engine import open_database
from tests.servers import RunningServer


def now() -> datetime:
    return datetime.now(UTC)


def test_of_two_first_starts_at_once_one_wins_and_its_token_is_in_the_file(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/mesh.db")
    token_file = tmp_path / "admin.token"
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    journals = [Journal(database, clock=now) for _ in range(2)]
    threads = [
        threading.Thread(target=bootstrap.ensure_administrator, args=(database, journal, token_file), kwargs={"keys": keys})
        for journal in journals
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for journal in journals:
        journal.close()
    caller = Authenticator(database, now=now, keys=keys).authenticate(f"Bearer {token_file.read_text().strip()}", call_id="")
    assert caller.name == bootstrap.FIRST_ADMINISTRATOR
    assert [path.name for path in tmp_path.glob("admin.token*")] == ["admin.token"]
    assert token_file.stat().st_mode & 0o777 == 0o600


def test_a_crash_between_journal_and_file_is_mended_at_the_next_start(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/mesh.db")
    token_file = tmp_path / "admin.token"
    keys = Keyring.open(tmp_path / "keys.json", now=now())
    journal = Journal(database, clock=now)
    assert bootstrap.ensure_administrator(database, journal, token_file, keys=keys)
    token_id = token_file.read_text().split("_")[1]
    token_file.rename(tmp_path / f"admin.token.{token_id}")
    (tmp_path / "admin.token.ffff").write_text("of a start that lost")
    assert not bootstrap.ensure_administrator(database, journal, token_file, keys=keys)
    journal.close()
    assert token_file.exists()
    assert [path.name for path in tmp_path.glob("admin.token*")] == ["admin.token"]


def test_who_has_the_servers_files_gets_a_locked_out_centre_going_again(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "home")
    try:
        other = server.user("user:bea", is_administrator=True)
        change = Resource("principal", {"name": "user:admin", "title": "First administrator", "is_disabled": True})
        with server.admin() as first:
            first.changes.approve(other.changes.apply([change]).id)  # a seat may agree to its own end
            with pytest.raises(Unauthenticated):
                first.whoami()
        command = [sys.executable, "-m", "governance_server", "recover-administrator"]
        environment = {**os.environ, "MESH_HOME": str(server.home)}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(said.stdout)["token_file"] == server.ready["administrator_token_file"]
        assert "administrator.recovered" in said.stderr
        with server.admin() as first:
            assert first.whoami().is_administrator
            assert first.audit.changes()[-1].kind == "principal.recovered"
            assert first.audit.verify().is_intact
    finally:
        server.stop()


def test_a_seat_in_which_nobody_can_act_ends_with_the_recovery(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "home")
    try:
        with server.admin() as first:
            first.admin.create_principal("group:chiefs", is_administrator=True)
            for seat in ({"is_administrator": True}, {"groups": ["group:chiefs"]}):  # before it has a token: nobody could approve
                with pytest.raises(WrongState, match="user:bob cannot log in yet"):
                    first.admin.create_principal("user:bob", **seat)
            assert "user:bob" not in {it.name for it in first.admin.principals()}
            first.admin.create_principal("user:bob")
            token = first.admin.create_token("user:bob")
            first.admin.update_principal("user:bob", is_administrator=True)
            first.admin.revoke_token(token.token.id)  # the seat counts all the same: else its colleague would be alone by that
            with pytest.raises(SecondPersonNeeded):
                first.admin.create_purpose("forecasting")
        command = [sys.executable, "-m", "governance_server", "recover-administrator"]
        subprocess.run(command, env={**os.environ, "MESH_HOME": str(server.home)}, capture_output=True, check=True)
        with server.admin() as first:
            assert first.admin.create_purpose("forecasting").name == "forecasting"
            assert {it.name for it in first.admin.principals() if it.is_administrator} == {"user:admin"}
            assert first.audit.verify().is_intact
    finally:
        server.stop()


def test_a_second_server_on_a_home_is_started_and_warns(tmp_path: Path) -> None:
    first = RunningServer(tmp_path / "home")
    try:
        assert "already" not in first.log.read_text()
        second = RunningServer(tmp_path / "home")  # into the same log
        try:
            assert f"another server is serving {first.home} already" in first.log.read_text()
            with second.admin() as mesh:
                assert mesh.whoami().is_administrator
        finally:
            second.stop()
        with first.admin() as mesh:
            assert mesh.whoami().is_administrator
    finally:
        first.stop()
    with serving(first.home) as is_shared:
        assert not is_shared


def test_rows_that_a_killed_server_left_behind_are_gone_when_it_starts_again(new_server: Callable[..., RunningServer]) -> None:
    server = new_server()
    left = server.home / "scratch" / "mesh-rewrite-x" / "part-0.parquet"
    left.parent.mkdir()
    left.write_bytes(b"rows of somebody who was erased since")
    second = new_server()  # on the same home: the first may be at work there
    assert left.exists()
    server.kill()
    second.kill()
    server.start()
    assert not list((server.home / "scratch").iterdir())
