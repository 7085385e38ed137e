"""Any document the standard calls valid is read, said to be servable or not with a reason, and compiles to checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from governance_server.contracts import unservable
from mesh_core.contract import load_contract
from mesh_core.contract.coverage import COVERAGE, Part, not_enforced, parts_of
from mesh_core.contract.schema_check import schema_violations
from mesh_core.quality import compile_checks
from tests.odcs_documents import document_of, text_of

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_grown_document_is_valid_kept_and_servable(seed: int) -> None:
    text = text_of(seed)
    contract = load_contract(text.encode())
    assert contract.text == text
    assert json.dumps(contract.document) == json.dumps(document_of(seed))
    assert unservable(contract) == []
    for port in contract.ports:
        names = [check.name for check in compile_checks(port)]
        assert len(names) == len(set(names))
    assert all(line.count(": ") >= 1 for line in not_enforced(contract.document))


def test_together_the_documents_have_every_field_of_the_standard() -> None:
    used: dict[Part, set[str]] = {part: set() for part in Part}
    for seed in SEEDS:
        for part, _, entry in parts_of(document_of(seed)):
            used[part] |= set(entry)
    unused = {(part, name) for part in Part for name in set(COVERAGE[part]) - used[part] - {"*"}}
    assert unused <= {(Part.QUALITY, "rule"), (Part.OBJECT, "id"), (Part.PROPERTY, "id"), (Part.PROPERTY, "partitionKeyPosition")}


def corrupted(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with one fault each: an unknown key, a missing name, a wrong type."""
    yield document | {"unknownKey": 1}
    yield document | {"apiVersion": "v4.0.0"}
    first, *others = document["schema"]
    yield document | {"schema": [{name: value for name, value in first.items() if name != "name"}, *others]}
    column, *rest = first["properties"]
    yield document | {"schema": [first | {"properties": [column | {"requierd": True}, *rest]}, *others]}
    yield document | {"schema": [first | {"properties": [column | {"required": "yes"}, *rest]}, *others]}


@pytest.mark.parametrize("seed", range(0, 40, 20))
def test_one_fault_anywhere_is_refused_where_it_is(seed: int) -> None:
    for document in corrupted(document_of(seed)):
        assert schema_violations(yaml.safe_load(json.dumps(document)))
