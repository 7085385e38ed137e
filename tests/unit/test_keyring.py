"""The keys of the mesh: one file for the server's user alone, versioned, rotated under the eyes of every process."""

from __future__ import annotations

import hashlib
import hmac as standard_hmac
import json
import multiprocessing
import os
import stat
import threading
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance_server.keyring import CHECKPOINTS, PURPOSES, TOKENS, Keyring, UnknownKey, UnusableKeys

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_first_start_makes_one_active_key_for_each_purpose_in_a_file_for_its_user_alone(path: Path) -> None:
    keys = Keyring.open(path, now=NOW).list_keys()
    assert [(key.purpose, key.version, key.state, key.create_time) for key in keys] == [(p, 1, "active", NOW) for p in PURPOSES]
    assert len({key.secret for key in keys}) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.json"]


def opened(path: str, ready: threading.Barrier) -> tuple[str, ...]:
    ready.wait()
    return tuple(key.id for key in Keyring.open(Path(path), now=NOW).list_keys())


def test_processes_that_start_at_once_agree_on_the_keys(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(4) as pool:
        ready = manager.Barrier(4)
        found = pool.starmap(opened, [(str(path), ready)] * 4)
    assert len(set(found)) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.json"]


def test_a_mac_is_hmac_sha_256_and_is_checked_with_the_key_that_made_it(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    key_id, mac = keys.hmac(TOKENS, b"data")
    secret = next(b64decode(e["secret"]) for e in json.loads(path.read_text())["keys"] if e["id"] == key_id)
    assert mac == standard_hmac.new(secret, b"data", hashlib.sha256).digest()
    assert keys.check_hmac(TOKENS, key_id, b"data", mac)
    assert not keys.check_hmac(TOKENS, key_id, b"Data", mac)
    assert not keys.check_hmac(TOKENS, key_id, b"data", mac[:-1])


def test_a_signature_is_ed25519_and_anybody_can_verify_it_with_the_public_key(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    key_id, signature = keys.sign(CHECKPOINTS, b"head")
    public = Ed25519PublicKey.from_public_bytes(keys.public_key(CHECKPOINTS, key_id))
    public.verify(signature, b"head")
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"another head")
    assert keys.verify(CHECKPOINTS, key_id, b"head", signature)
    assert not keys.verify(CHECKPOINTS, key_id, b"another head", signature)
    assert not keys.verify(CHECKPOINTS, key_id, b"head", signature[:10])


def test_a_key_is_good_for_its_own_purpose_only(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    key_id, mac = keys.hmac(TOKENS, b"data")
    with pytest.raises(UnknownKey, match=key_id):
        keys.check_hmac(CHECKPOINTS, key_id, b"data", mac)


def test_a_rotation_is_seen_by_others_at_once_and_the_old_key_goes_on_checking(path: Path) -> None:
    mine, other = Keyring.open(path, now=NOW), Keyring.open(path, now=NOW)
    old_id, old_mac = other.hmac(TOKENS, b"data")
    new = mine.rotate(TOKENS, now=NOW)
    new_id, new_mac = other.hmac(TOKENS, b"data")
    assert (new_id, new.version) == (new.id, 2)
    assert new_mac != old_mac
    assert other.check_hmac(TOKENS, old_id, b"data", old_mac)
    assert mine.check_hmac(TOKENS, new_id, b"data", new_mac)
    assert [(k.purpose, k.version, k.state) for k in other.list_keys() if k.purpose == TOKENS] == [
        (TOKENS, 1, "retired"), (TOKENS, 2, "active"),
    ]  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_a_retired_key_can_be_removed_and_then_fails_closed(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    old_id, mac = keys.hmac(TOKENS, b"data")
    with pytest.raises(UnknownKey):
        keys.remove(old_id)
    keys.rotate(TOKENS, now=NOW)
    keys.remove(old_id)
    with pytest.raises(UnknownKey, match=f"{old_id}.*restore"):
        keys.check_hmac(TOKENS, old_id, b"data", mac)
    assert keys.rotate(TOKENS, now=NOW).version == 3


def test_rotations_at_once_are_all_kept(path: Path) -> None:
    rings = [Keyring.open(path, now=NOW) for _ in range(4)]
    threads = [threading.Thread(target=ring.rotate, args=(TOKENS,), kwargs={"now": NOW}) for ring in rings for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = [key.version for key in rings[0].list_keys() if key.purpose == TOKENS]
    assert versions == list(range(1, 14))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o666])
def test_a_file_that_others_can_touch_is_refused_at_the_start_and_while_running(path: Path, mode: int) -> None:
    keys = Keyring.open(path, now=NOW)
    path.chmod(mode)
    for use in (lambda: Keyring.open(path, now=NOW), lambda: keys.hmac(TOKENS, b"data")):
        with pytest.raises(UnusableKeys, match="chmod 600"):
            use()
    path.chmod(0o600)
    assert keys.hmac(TOKENS, b"data")


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Keyring.open(path, now=NOW)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(UnusableKeys, match="another user"):
        Keyring(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["keys"].pop(0),
        lambda d: d["keys"].append(d["keys"][0]),
        lambda d: d["keys"][0].update(secret="AAAA"),
        lambda d: d["keys"][0].update(secret="not base64!"),
        lambda d: d["keys"][0].update(state="Active"),
        lambda d: d["keys"][0].pop("create_time"),
        lambda d: d.update(format=2),
        lambda d: d.update(keys={}),
        lambda d: d.clear(),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_a_way_out(path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    Keyring.open(path, now=NOW)
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(UnusableKeys, match=r"keys\.json is damaged.*restore"):
        Keyring.open(path, now=NOW)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * 2_000_000])
def test_a_file_of_something_else_is_refused(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(UnusableKeys, match="damaged"):
        Keyring.open(path, now=NOW)


def test_a_file_that_goes_away_while_running_fails_closed(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    path.unlink()
    with pytest.raises(UnusableKeys, match="restore"):
        keys.hmac(TOKENS, b"data")


def test_no_secret_is_shown_by_repr(path: Path) -> None:
    keys = Keyring.open(path, now=NOW)
    shown = repr(keys.list_keys())
    assert not any(repr(key.secret)[2:-1] in shown or key.secret.hex() in shown for key in keys.list_keys())
