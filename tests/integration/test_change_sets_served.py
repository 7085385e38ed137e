"""Change sets over the wire: killed servers leave all or nothing; two servers on one database; the SDK and the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from domain_sdk import AccessDenied, Conflict, InvalidRequest, Mesh, MeshError, Resource, SecondPersonNeeded
from tests.integration.journal_databases import postgres_url
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

SERVER = {"MESH_EMBEDDER": "hashing"}


def purposes(prefix: str, count: int) -> list[Resource]:
    return [Resource("purpose", {"name": f"{prefix}-{number}", "description": "x" * 200}) for number in range(count)]


def test_a_server_killed_while_it_applies_leaves_all_of_a_set_or_nothing(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "home", **SERVER)
    acknowledged: list[str] = []
    try:
        for round, delay in enumerate((0.05, 0.2, 0.4)):
            with server.admin() as admin:
                thread = threading.Thread(target=_apply_many, args=(server, f"r{round}", acknowledged))
                thread.start()
                thread.join(delay)
                server.kill()
                thread.join(60)
            server.start()
            with server.admin() as admin:
                names = [purpose.name for purpose in admin.admin.purposes()]
                counts = {
                    prefix: sum(name.startswith(f"{prefix}-") for name in names)
                    for prefix in {n.rpartition("-")[0] for n in names}
                }
                assert set(counts.values()) <= {200}, counts
                assert set(acknowledged) <= set(counts)
                assert admin.audit.verify().is_intact
    finally:
        server.stop()
    assert acknowledged


def _apply_many(server: RunningServer, prefix: str, acknowledged: list[str]) -> None:
    with Mesh.connect(server.url, server.admin_token, timeout_seconds=5) as mesh:
        for number in range(50):
            name = f"{prefix}x{number}"
            try:
                mesh.changes.apply(purposes(name, 200))
            except MeshError:
                return
            acknowledged.append(name)


def test_two_persons_hold_on_two_servers_with_one_postgresql(tmp_path: Path) -> None:
    with postgres_url() as url:
        servers = [RunningServer(tmp_path / "home", MESH_DATABASE=url, **SERVER) for _ in range(2)]
        try:
            bea = servers[0].user("user:bea", is_administrator=True)
            with Mesh.connect(servers[1].url, servers[0].admin_token) as admin:
                with pytest.raises(SecondPersonNeeded, match="user:bea"):
                    admin.admin.create_purpose("new")
                found = admin.changes.apply([Resource("purpose", {"name": "new"})], reason="for a test")
                assert (found.state, found.approvers) == ("proposed", ("user:bea",))
                with pytest.raises(AccessDenied):
                    admin.changes.approve(found.id)
                assert [it.id for it in bea.changes.list(state="proposed")] == [found.id]
                assert bea.changes.approve(found.id, reason="fine").state == "applied"
                assert [it.name for it in admin.admin.purposes()] == ["new"]
                both = admin.changes.apply([Resource("purpose", {"name": "new", "description": "a"})])
                other = admin.changes.apply([Resource("purpose", {"name": "new", "description": "b"})])
                bea.changes.approve(both.id)
                with pytest.raises(Conflict):
                    bea.changes.approve(other.id)
                exported = admin.changes.export()
                assert admin.changes.plan(exported).is_empty
                assert admin.audit.verify().is_intact
            bea.close()
        finally:
            for server in servers:
                server.stop()


def test_the_commands_propose_by_themselves_and_approve_change_sets(server: RunningServer) -> None:
    def mesh(token: str, *arguments: str) -> dict[str, object]:
        environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token}
        command = [str(Path(sys.executable).with_name("mesh")), *arguments, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    with server.admin() as admin:
        admin.admin.create_principal("user:bea")
        handed_out = admin.admin.create_token("user:bea").secret
        admin.admin.update_principal("user:bea", is_administrator=True)
        bea = str(mesh(handed_out, "token", "activate")["secret"])
        first = server.admin_token
        proposals = [
            mesh(first, "admin", "create-purpose", "forecasting"),
            mesh(first, "admin", "create-guardrail", "mask", "tag:pii", "--mask", "replace-with-null"),
            mesh(first, "grant", "user:ana", "mesh", "--actions", "discover"),
            mesh(first, "admin", "govern-tag", "pii.*"),
        ]
        assert [it["state"] for it in proposals] == ["proposed"] * 4
        assert not admin.admin.purposes()
        assert [mesh(bea, "approve", str(it["id"]))["state"] for it in proposals[:3]] == ["applied"] * 3
        assert mesh(bea, "deny", str(proposals[3]["id"]), "--reason", "not yet")["state"] == "rejected"
        assert [it.name for it in admin.admin.purposes()] == ["forecasting"]
        gone = mesh(first, "admin", "delete-guardrail", "mask")
        assert mesh(first, "withdraw", str(gone["id"]))["state"] == "withdrawn"
        with pytest.raises(InvalidRequest) as refused:
            admin.changes.plan([Resource("purpose", {"nam": "x"}), Resource("grant", {"expire_time": "soon"})])
        assert [violation.path for violation in refused.value.violations] == ["purpose", "grant"]
