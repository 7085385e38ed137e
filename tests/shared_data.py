"""Finds the real test data that lies beside the checkout (`../shared/data`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_data(*parts: str) -> Path:
    """The path below the shared data folder. Skips when the folder is absent, fails instead under CI=true."""
    root = Path(os.environ.get("MESH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        message = f"test data {'/'.join(parts)} is absent: put the shared data folder beside the checkout or set MESH_SHARED_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
