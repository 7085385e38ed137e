"""MESH_SHADOW_CHECK on a real server: its decisions are held against stock casbin, and `status` says so."""

from __future__ import annotations

import time
from collections.abc import Callable

from domain_sdk import Mesh
from tests.servers import RunningServer


def test_a_running_server_counts_the_decisions_it_held_against_casbin(new_server: Callable[..., RunningServer]) -> None:
    server = new_server(MESH_SHADOW_CHECK="1")
    with Mesh.connect(server.url, server.admin_token) as mesh:
        mesh.admin.create_domain("shop", owners=["user:olga"])
        deadline = time.monotonic() + 30
        while (status := mesh.status()).shadow_check_count < 3 and time.monotonic() < deadline:
            mesh.check("discover", "shop")
            time.sleep(0.02)
    assert status.shadow_check_count >= 3
    assert status.shadow_mismatch_count == 0
