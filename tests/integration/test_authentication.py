"""Who may talk to a real server, and how: tokens, the administrator's file, loopback, TLS."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, MeshError, NotConfigured, ServerUnreachable, Unauthenticated, _places
from domainmesh.v1.principal_service_pb2 import GetPrincipalRequest
from domainmesh.v1.principal_service_pb2_grpc import PrincipalServiceStub
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: t
version: 1.0.0
status: active
schema:
  - {name: rows, physicalType: table, properties: [{name: number, logicalType: integer}]}
"""


def refusal(url: str, token: str) -> Unauthenticated:
    with Mesh.connect(url, token) as mesh, pytest.raises(Unauthenticated) as caught:
        mesh.whoami()
    return caught.value


def serve(home: Path, **environment: str) -> tuple[int, str]:
    """The exit status and what was said by a server that does not start."""
    settings = {**os.environ, "MESH_HOME": str(home), "MESH_PORT": "0", "MESH_GATEWAY_PORT": "0", "MESH_FILES_PORT": "0"}
    command = [sys.executable, "-m", "governance_server", "serve"]
    ended = subprocess.run(command, env={**settings, **environment}, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr


def test_the_administrators_token_is_for_the_servers_user_alone(server: RunningServer) -> None:
    token_file = server.home / "admin.token"
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    assert token_file.read_text().strip() not in server.log.read_text()


def test_connect_never_picks_up_the_administrators_token_by_itself(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(server.home, tmp_path / ".domain-mesh", ignore=shutil.ignore_patterns("*.db*"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MESH_HOME", str(server.home))
    for name in ("MESH_URL", "MESH_TOKEN", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotConfigured):
        Mesh.connect()
    monkeypatch.setenv("MESH_URL", server.url)
    with pytest.raises(NotConfigured):
        Mesh.connect()


def test_a_missing_token_is_refused(server: RunningServer) -> None:
    for metadata in ((), (("authorization", ""),), (("authorization", "Basic YWRtaW46YWRtaW4="),)):
        with grpc.insecure_channel(server.url.removeprefix("http://")) as channel, pytest.raises(grpc.RpcError) as caught:
            PrincipalServiceStub(channel).GetPrincipal(GetPrincipalRequest(), metadata=metadata, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "mesh login" in caught.value.details()


def test_every_bad_token_gets_the_same_refusal(server: RunningServer, new_server: Callable[..., RunningServer]) -> None:
    foreign = new_server("other").admin_token
    good = server.admin_token
    with server.admin() as admin:
        admin.admin.create_principal("user:past")
        soon = admin.admin.create_token("user:past", until=(end := datetime.now(UTC) + timedelta(seconds=5)))
        revoked = admin.admin.create_token("user:past")
        assert Mesh.connect(server.url, revoked.secret).whoami().name == "user:past"
        admin.admin.revoke_token(revoked.token.id)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds() + 0.1))
    bad = {
        "expired": soon.secret,
        "revoked": revoked.secret,
        "of another server": foreign,
        "malformed": "hello",
        "another secret": good[:-4] + ("aaaa" if not good.endswith("aaaa") else "bbbb"),
        "unknown id": "mesh_" + "0" * 16 + good[21:],
        "with a tail": good + "x",
        "very long": "mesh_" + "a" * 4000,
    }
    said = {what: str(refusal(server.url, token).message) for what, token in bad.items()}
    assert len(set(said.values())) == 1, said
    assert not [what for what, token in bad.items() if token in server.log.read_text()]
    with server.admin() as admin:
        assert admin.whoami().is_administrator


def test_a_disabled_principal_is_refused_from_the_next_call_on(server: RunningServer) -> None:
    mesh = server.user("user:leaver")
    assert mesh.whoami().name == "user:leaver"
    with server.admin() as admin:
        admin.admin.update_principal("user:leaver", is_disabled=True)
        with pytest.raises(Unauthenticated):
            mesh.whoami()
        admin.admin.update_principal("user:leaver", is_disabled=False)
    assert mesh.whoami().name == "user:leaver"
    mesh.close()


def test_the_gateway_asks_for_a_token_too(server: RunningServer) -> None:
    with server.admin() as admin:
        admin.admin.create_principal("user:reader")
        token = admin.admin.create_token("user:reader")
        with Mesh.connect(server.url, token.secret) as mesh:
            with pytest.raises(AccessDenied):
                mesh.read("nowhere.at.all")
            admin.admin.revoke_token(token.token.id)
            with pytest.raises(Unauthenticated):
                mesh.read("nowhere.at.all")


def test_a_server_does_not_listen_elsewhere_without_tls(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "mesh.example.org"):
        status, said = serve(tmp_path / "mesh", MESH_HOST=host)
        assert status == 2
        assert f"MESH_HOST={host}" in said
        assert "MESH_TLS_CERTIFICATE" in said
        assert "Traceback" not in said
    assert not (tmp_path / "mesh" / "mesh.db").exists()


def test_half_a_tls_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("")
    status, said = serve(tmp_path / "mesh", MESH_TLS_KEY=str(tmp_path / "key.pem"))
    assert (status, "belong together" in said) == (2, True)
    status, said = serve(tmp_path / "mesh", MESH_TLS_KEY=str(tmp_path / "absent.pem"))
    assert (status, "absent.pem" in said) == (2, True)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        message = "TLS is not tested: this machine has no openssl to make a certificate with"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


def test_with_tls_everything_works_up_to_the_gateway(new_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    server = new_server(MESH_TLS_KEY=str(key), MESH_TLS_CERTIFICATE=str(certificate), MESH_HOST="127.0.0.1")
    assert server.url.startswith("https://")
    rows = pl.DataFrame({"number": [1, 2, 3]})
    with Mesh.connect(server.url, server.admin_token, ca_file=str(certificate)) as mesh:
        mesh.admin.create_domain("safe", owners=["user:admin"])
        mesh.domain("safe").product("t", contract=CONTRACT).publish(rows=rows, progress=False)
        for via in ("stream", "files"):
            assert mesh.read("safe.t.rows", via=via).sort("number").equals(rows)
    with Mesh.connect(server.url, server.admin_token, timeout_seconds=3) as untrusting, pytest.raises(ServerUnreachable):
        untrusting.whoami()
    with grpc.insecure_channel(server.url.removeprefix("https://")) as channel, pytest.raises(grpc.RpcError):
        PrincipalServiceStub(channel).GetPrincipal(
            GetPrincipalRequest(), metadata=(("authorization", f"Bearer {server.admin_token}"),), timeout=3
        )


def signed_certificate(folder: Path, name: str, ca: tuple[Path, Path]) -> Path:
    """A client's key and certificate in one file, signed by the authority."""
    openssl = str(shutil.which("openssl"))
    key, request, certificate, both = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt", "pem"))
    new = [openssl, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request]
    sign = [openssl, "x509", "-req", "-in", request, "-CA", ca[1], "-CAkey", ca[0], "-CAcreateserial", "-days", "2"]
    for command in (new, [*sign, "-out", certificate]):
        subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def test_a_server_that_asks_for_certificates_takes_only_clients_of_its_authority_and_still_asks_for_a_token(
    new_server: Callable[..., RunningServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    key, certificate = ours
    server = new_server(MESH_TLS_KEY=str(key), MESH_TLS_CERTIFICATE=str(certificate), MESH_TLS_CLIENT_CA=str(certificate))

    def connect(token: str, timeout_seconds: float = 30) -> Mesh:
        return Mesh.connect(server.url, token, ca_file=str(certificate), timeout_seconds=timeout_seconds)

    for shown in (None, signed_certificate(tmp_path, "stranger", theirs)):
        monkeypatch.setenv("MESH_CLIENT_CERTIFICATE", str(shown or ""))
        with connect(server.admin_token, timeout_seconds=3) as mesh, pytest.raises(ServerUnreachable):
            mesh.whoami()
    monkeypatch.setenv("MESH_CLIENT_CERTIFICATE", str(signed_certificate(tmp_path, "user:kim", ours)))
    with connect(server.admin_token) as mesh:
        assert mesh.whoami().name == "user:admin", "the certificate's name says nothing"
        monkeypatch.setattr(_places, "_is_reached", lambda location: False)  # as on another machine: files go by HTTPS
        mesh.admin.create_domain("safe", owners=["user:admin"])
        mesh.domain("safe").product("t", contract=CONTRACT).publish(rows=pl.DataFrame({"number": [1]}), progress=False)
        assert mesh.read("safe.t.rows")["number"].to_list() == [1]
        with pytest.raises(AccessDenied):
            mesh.read("nowhere.at.all")
    with connect("mesh_" + "0" * 16 + "_" + "a" * 43) as mesh, pytest.raises(Unauthenticated):
        mesh.whoami()


def test_a_token_is_never_sent_unencrypted_to_another_machine() -> None:
    with pytest.raises(MeshError, match=r"unencrypted|https"):
        Mesh.connect("http://mesh.example.org:50051", "mesh_token")
