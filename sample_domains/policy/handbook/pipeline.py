"""Publishes policy.handbook: a folder of Markdown pages as a collection of passages."""

from __future__ import annotations

from pathlib import Path

from domain_sdk import Mesh, Release

FOLDER = Path(__file__).parent


def publish(mesh: Mesh) -> Release:
    """A release of policy.handbook."""
    handbook = mesh.domain("policy").product("handbook", contract=FOLDER / "contract.odcs.yaml")
    return handbook.publish(pages=FOLDER / "documents", progress=False)


if __name__ == "__main__":
    with Mesh.connect() as connected:
        print(publish(connected))
