"""Which server and token are used: arguments, environment, profile; and how profiles are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain_sdk._profiles import Profile, find_connection, load_profiles, profile_path, remove_profile, save_profile
from domain_sdk.collections import embedder_for_publishing
from domain_sdk.errors import InvalidRequest, NotConfigured

A, B = "https://a.example", "https://b.example"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path / "home")}


def test_without_anything_the_error_says_what_to_do(env: dict[str, str]) -> None:
    with pytest.raises(NotConfigured, match=r"mesh login.*MESH_URL and MESH_TOKEN"):
        find_connection(environ=env)


def test_the_administrators_token_file_is_never_used(env: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home" / ".domain-mesh"
    home.mkdir(parents=True)
    (home / "admin.token").write_text("secret")
    with pytest.raises(NotConfigured):
        find_connection(environ={**env, "MESH_HOME": str(home), "MESH_URL": A})


def test_arguments_win_over_environment_and_environment_over_profile(env: dict[str, str]) -> None:
    save_profile(Profile(A, "saved"), environ=env)
    assert find_connection(environ=env) == Profile(A, "saved")
    with_env = {**env, "MESH_URL": B, "MESH_TOKEN": "env"}
    assert find_connection(environ=with_env) == Profile(B, "env")
    assert find_connection("https://c.example", "given", environ=with_env) == Profile("https://c.example", "given")
    assert find_connection(token="given", environ=with_env) == Profile(B, "given")


def test_a_saved_token_is_not_sent_to_another_server(env: dict[str, str]) -> None:
    save_profile(Profile(A, "saved"), environ=env)
    assert find_connection(A, environ=env) == Profile(A, "saved")
    with pytest.raises(NotConfigured, match=r"No token is known for https://b\.example"):
        find_connection(B, environ=env)
    with pytest.raises(NotConfigured, match="No token is known"):
        find_connection(environ={**env, "MESH_URL": B})


def test_the_token_of_the_environment_is_not_sent_to_a_server_other_than_its_own(env: dict[str, str]) -> None:
    with pytest.raises(NotConfigured, match="No token is known"):
        find_connection(A, environ={**env, "MESH_URL": B, "MESH_TOKEN": "env"})


def test_profiles_are_named_and_the_last_saved_is_used_unasked(env: dict[str, str]) -> None:
    save_profile(Profile(A, "one"), name="prod", environ=env)
    save_profile(Profile(B, "two"), name="dev", environ=env)
    assert find_connection(environ=env) == Profile(B, "two")
    assert find_connection(profile="prod", environ={**env, "MESH_URL": B, "MESH_TOKEN": "env"}) == Profile(A, "one")
    with pytest.raises(NotConfigured, match=r"no profile 'test': save it with `mesh login --profile test`; saved are dev, prod"):
        find_connection(profile="test", environ=env)
    with pytest.raises(InvalidRequest, match="not both"):
        find_connection(B, profile="prod", environ=env)


def test_removing_the_current_profile_leaves_another_one_in_use(env: dict[str, str]) -> None:
    save_profile(Profile(A, "one"), name="prod", environ=env)
    save_profile(Profile(B, "two"), name="dev", environ=env)
    assert remove_profile("dev", environ=env)
    assert not remove_profile("dev", environ=env)
    assert find_connection(environ=env) == Profile(A, "one")


def test_the_file_is_readable_by_its_owner_only_and_refused_otherwise(env: dict[str, str]) -> None:
    path = save_profile(Profile(A, "one"), environ=env)
    assert path == profile_path(env)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    with pytest.raises(NotConfigured, match="chmod 600"):
        load_profiles(env)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"profiles": {"a": {"url": "x"}}}', '{"profiles": 3}'])
def test_a_broken_file_is_named_in_the_error(env: dict[str, str], text: str) -> None:
    path = save_profile(Profile(A, "one"), environ=env)
    path.write_text(text)
    with pytest.raises(NotConfigured, match=r"profile\.json cannot be used"):
        load_profiles(env)


def test_a_failed_save_leaves_the_old_file_and_no_scratch_file(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_profile(Profile(A, "one"), environ=env)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space left"):
        save_profile(Profile(B, "two"), environ=env)
    assert [child.name for child in path.parent.iterdir()] == ["profile.json"]
    assert load_profiles(env).by_name["default"] == Profile(A, "one")


def test_without_xdg_config_home_the_file_is_below_dot_config() -> None:
    assert profile_path({"HOME": "/somewhere"}) == Path("/somewhere/.config/domain-mesh/profile.json")


def test_a_profile_does_not_show_its_token() -> None:
    assert "secret" not in repr(Profile(A, "secret"))


def test_an_embedder_that_fails_sends_nobody_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_EMBEDDER", "http://host/v1")
    with pytest.raises(NotConfigured) as told:
        embedder_for_publishing()
    assert str(told.value).endswith("state address, model and dimension.")
