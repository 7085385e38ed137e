"""`mesh login --oidc` against a real provider: the browser's way, another machine's, and what renews the login afterwards."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from domain_sdk import Mesh, Unauthenticated
from domain_sdk._oidc_login import LoginInfo, _Attempt, _check_identity, _code
from tests.integration.oidc_server import AUDIENCE, Browser, OidcProvider, SigningKey, running_provider
from tests.servers import RunningServer
from tests.shared_data import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def server(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(
        tmp_path_factory.mktemp("login") / "mesh", MESH_OIDC_ISSUER=provider.issuer, MESH_OIDC_AUDIENCE=AUDIENCE,
        MESH_OIDC_CLIENT_ID="mesh-cli", MESH_OIDC_SCOPES="openid offline_access mesh", MESH_OIDC_RESOURCE=AUDIENCE,
        MESH_OIDC_LEEWAY_SECONDS="0",
    )  # fmt: skip
    yield running
    running.stop()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the profile is saved."""
    for name in ("MESH_URL", "MESH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "domain-mesh" / "profile.json"


def mesh_command(*arguments: str, user: str = "ana") -> subprocess.Popen[str]:
    browser = f"{sys.executable} -m tests.integration.scripted_browser {user} %s"
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("mesh")), *arguments], cwd=ROOT, env={**os.environ, "BROWSER": browser},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def log_in(server: RunningServer, **options: Any) -> dict[str, Any]:
    command = mesh_command("login", "--url", server.url, "--oidc", "--json", **options)
    said, complaint = command.communicate(timeout=50)
    assert command.returncode == 0, complaint
    return dict(json.loads(said))


def saved(config: Path) -> dict[str, Any]:
    return dict(json.loads(config.read_text())["profiles"]["default"])


def test_a_browser_logs_a_person_in_and_the_profile_is_for_its_user_alone(server: RunningServer, config: Path) -> None:
    said = log_in(server)
    assert said["principal"]["name"] == "user:ana"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert saved(config)["session"]["refresh_token"]
    secrets = (saved(config)["token"], saved(config)["session"]["refresh_token"])
    assert not any(secret in json.dumps(said) for secret in secrets)
    with Mesh.connect() as mesh:
        assert mesh.whoami().name == "user:ana"


def test_on_a_machine_without_a_browser_the_address_is_opened_elsewhere_and_pasted(server: RunningServer, config: Path) -> None:
    command = mesh_command("login", "--url", server.url, "--oidc", "--no-browser", "--json")
    assert command.stderr is not None
    assert command.stdin is not None
    address = next(line.strip() for line in command.stderr if line.startswith("http"))
    landed = Browser("bo").visit(address, until="http://127.0.0.1:" + port_of_redirect(address))
    said, complaint = command.communicate(landed + "\n", timeout=50)
    assert command.returncode == 0, complaint
    assert json.loads(said)["principal"]["name"] == "user:bo"


def port_of_redirect(address: str) -> str:
    found = re.search(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A(\d+)", address)
    assert found
    return found[1]


def test_an_access_token_that_ended_is_renewed_and_the_new_refresh_token_kept(
    server: RunningServer, provider: OidcProvider, config: Path
) -> None:
    provider.change(seconds=4)
    try:
        log_in(server)
        first = saved(config)
        with Mesh.connect() as mesh:
            for _ in range(3):
                assert mesh.whoami().name == "user:ana"
                time.sleep(2.5)
        later = saved(config)
        assert later["token"] != first["token"]
        assert later["session"]["refresh_token"] != first["session"]["refresh_token"]
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
    finally:
        provider.change(seconds=600)


def test_clients_that_renew_at_once_use_each_refresh_token_once(
    server: RunningServer, provider: OidcProvider, config: Path
) -> None:
    provider.change(seconds=4)
    failures: list[BaseException] = []
    try:
        log_in(server)
        time.sleep(2.5)

        def work() -> None:
            try:
                with Mesh.connect() as mesh:
                    assert mesh.whoami().name == "user:ana"
            except BaseException as error:  # noqa: BLE001 # shown below
                failures.append(error)

        before = provider.requests()["/token"]
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert provider.requests()["/token"] - before == 1
    finally:
        provider.change(seconds=600)


def test_a_login_that_cannot_be_renewed_says_how_to_log_in_again(server: RunningServer, config: Path) -> None:
    log_in(server)
    document = json.loads(config.read_text())
    document["profiles"]["default"]["session"].update(renew_at=0, refresh_token="gone")
    config.write_text(json.dumps(document))
    with Mesh.connect() as mesh, pytest.raises(Unauthenticated, match="mesh login --oidc"):
        mesh.whoami()


def test_a_mesh_without_a_provider_says_so(server: RunningServer, config: Path, tmp_path: Path) -> None:
    plain = RunningServer(tmp_path / "plain")
    try:
        command = mesh_command("login", "--url", plain.url, "--oidc")
        _, complaint = command.communicate(timeout=50)
        assert command.returncode != 0
        assert "no identity provider" in complaint
    finally:
        plain.stop()


# -- answers that belong to another login ------------------------------------------------------------------------------

INFO = LoginInfo("https://id.example", "mesh-cli", "openid", "")


def attempt(**provider: Any) -> _Attempt:
    return _Attempt(INFO, provider, "http://127.0.0.1:1/callback", "state", "nonce", "verifier")


def test_the_address_asks_for_a_code_with_pkce_state_and_nonce() -> None:
    url = attempt(authorization_endpoint="https://id.example/auth").url
    # the challenge is RFC 7636's S256 of the verifier, computed apart: `printf verifier | sha256sum | xxd -r -p | base64`
    assert "code_challenge=iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ" in url
    assert "code_challenge_method=S256" in url
    assert "response_type=code" in url
    assert "state=state" in url
    assert "nonce=nonce" in url


@pytest.mark.parametrize(
    "answer",
    [
        "", "code=c", "code=c&state=other", "code=c&state=state&state=state", "code=c&code=d&state=state",
        "code=c&state=state&iss=https://evil.example", "error=access_denied&state=state", "state=state",
    ],
)  # fmt: skip
def test_an_answer_of_another_login_or_provider_is_refused(answer: str) -> None:
    with pytest.raises(Unauthenticated):
        _code(attempt(), f"http://127.0.0.1:1/callback?{answer}")


def test_a_provider_that_promises_to_name_itself_must() -> None:
    promised = attempt(authorization_response_iss_parameter_supported=True)
    with pytest.raises(Unauthenticated):
        _code(promised, "http://127.0.0.1:1/callback?code=c&state=state")
    assert _code(promised, "http://127.0.0.1:1/callback?code=c&state=state&iss=https://id.example") == "c"


def id_token(**changed: Any) -> str:
    import jwt

    good: Mapping[str, Any] = {
        "iss": INFO.issuer,
        "aud": INFO.client_id,
        "nonce": "nonce",
        "exp": int(time.time()) + 60,
        "sub": "ana",
    }
    return jwt.encode({k: v for k, v in {**good, **changed}.items() if v is not None}, SigningKey("ES256").private, "ES256")


def test_an_identity_token_of_this_login_is_accepted() -> None:
    _check_identity(attempt(), id_token())


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"}, {"aud": "other"}, {"aud": ["other"]}, {"nonce": "other"}, {"nonce": None}, {"exp": 1},
        {"azp": "other"}, {"iss": None}, {"aud": None}, {"exp": None},
    ],
)  # fmt: skip
def test_an_identity_token_of_another_login_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        _check_identity(attempt(), id_token(**changed))


@pytest.mark.parametrize("token", [None, "", "a", "a.b.c", "a.!!.c", 7, "a.W10.c"])
def test_what_is_no_identity_token_is_refused(token: object) -> None:
    with pytest.raises(Unauthenticated):
        _check_identity(attempt(), token)
