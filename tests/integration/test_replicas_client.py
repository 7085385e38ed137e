"""What a client does when the servers it knows are gone."""

from __future__ import annotations

import threading

from domain_sdk import Mesh, MeshError, ServerUnreachable


def test_a_first_read_while_the_server_is_away_fails_and_does_not_hang() -> None:
    """Opening the gateway's channel asks the control server where it is; that this fails must not block the next try."""
    outcomes: list[type[MeshError]] = []

    def read_twice() -> None:
        with Mesh.connect("http://127.0.0.1:9", f"mesh_{'0' * 16}_{'x' * 43}", timeout_seconds=1) as mesh:
            for _ in range(2):
                try:
                    mesh.read("shop.orders.orders")
                except MeshError as error:
                    outcomes.append(type(error))

    reader = threading.Thread(target=read_twice, daemon=True)
    reader.start()
    reader.join(20)
    assert outcomes == [ServerUnreachable, ServerUnreachable]
