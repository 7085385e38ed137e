"""Docs are enforced: every RPC, setting and error reason is in the documentation."""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module

import pytest

from domainmesh.v1 import error_reason_pb2
from governance_server import config
from tests.shared_data import ROOT

SERVICES = sorted(path.stem for path in (ROOT / "proto/domainmesh/v1").glob("*_service.proto"))


def methods() -> list[str]:
    found = []
    for name in SERVICES:
        module = import_module(f"domainmesh.v1.{name}_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            assert len(service.methods) <= 8, f"{service.name} has more than 8 RPCs"
            found += [f"{service.name}.{method.name}" for method in service.methods]
    return found


def test_every_rpc_is_in_the_api_reference() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    assert [method for method in methods() if method not in text] == []


def test_every_error_reason_is_in_the_api_reference() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    assert [name for name in error_reason_pb2.ErrorReason.keys() if name not in text] == []  # noqa: SIM118  # an enum wrapper


def test_every_setting_is_in_the_operations_guide() -> None:
    source = "".join((ROOT / "governance_server" / name).read_text() for name in ("config.py", "oidc_settings.py"))
    settings = sorted(set(re.findall(r'"(MESH_[A-Z_]*[A-Z])"', source)))
    assert len(settings) >= len(dataclasses.fields(config.Settings)) - 1
    text = (ROOT / "docs" / "operations.md").read_text()
    assert [name for name in settings if f"`{name}`" not in text] == []


@pytest.mark.parametrize("started_by", ["tests/integration/weaviate_server.py", "benchmarks/weaviate_process.py"])
def test_weaviate_is_started_as_operations_says_it_must_be(started_by: str) -> None:
    [(name, value)] = re.findall(r"Start Weaviate with `(\w+)=(\d+)`", (ROOT / "docs/operations.md").read_text())
    assert f'"{name}": "{value}"' in (ROOT / started_by).read_text()
