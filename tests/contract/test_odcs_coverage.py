"""Every field of the standard's JSON Schema has a documented treatment, and what is documented exists."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from mesh_core.contract.coverage import COVERAGE, ORDER, Part, Treatment
from tests.shared_data import ROOT

SCHEMA: dict[str, Any] = json.loads((files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
DEFS = SCHEMA["$defs"]
PAGE = (ROOT / "docs" / "odcs.md").read_text(encoding="utf-8")


def fields(node: Any) -> set[str]:
    """Every field that an instance of the definition may have: its own, and those of what it is composed of or conditional on."""
    found: set[str] = set()
    waiting = [node]
    seen: list[Any] = []
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or part in seen:
            continue
        seen.append(part)
        found |= set(part.get("properties", {})) if part.get("type", "object") == "object" else set()
        if "$ref" in part:
            waiting.append(resolve(part["$ref"]))
        for keyword in ("allOf", "oneOf", "anyOf"):
            waiting.extend(part.get(keyword, ()))
        waiting.append(part.get("then"))
    return found


def resolve(reference: str) -> Any:
    node: Any = SCHEMA
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def options() -> set[str]:
    branches = [branch["then"]["properties"] for branch in DEFS["SchemaBaseProperty"]["allOf"] if "then" in branch]
    return {name for branch in branches for name in branch.get("logicalTypeOptions", {}).get("properties", {})}


def map_definition() -> Any:
    branches = [branch.get("then", {}).get("properties", {}) for branch in DEFS["SchemaBaseProperty"]["allOf"]]
    return next(branch["map"] for branch in branches if "map" in branch)


CONTEXT = DEFS["Context"]["oneOf"][1]["properties"]
FIELDS: dict[Part, set[str]] = {
    Part.CONTRACT: set(SCHEMA["properties"]),
    Part.DESCRIPTION: set(SCHEMA["properties"]["description"]["properties"]),
    Part.CONTEXT: set(CONTEXT),
    Part.STATEMENT: set(CONTEXT["verifiedStatements"]["items"]["properties"]),
    Part.CONSTRAINT: set(CONTEXT["constraints"]["items"]["properties"]),
    Part.OBJECT: fields(DEFS["SchemaObject"]),
    Part.PROPERTY: fields(DEFS["SchemaProperty"]) | fields(DEFS["SchemaItemProperty"]),
    Part.OPTIONS: options(),
    Part.MAP: set(map_definition()["properties"]),
    Part.ENUM: fields(DEFS["EnumValue"]),
    Part.RELATIONSHIP: fields(DEFS["RelationshipBase"]),
    Part.QUALITY: fields(DEFS["DataQuality"]) | fields(DEFS["DataQualityOperators"]),
    Part.SLA: fields(DEFS["ServiceLevelAgreementProperty"]),
    Part.SERVER: set(DEFS["Server"]["properties"]),
    Part.TEAM: fields(DEFS["Team"]),
    Part.MEMBER: fields(DEFS["TeamMember"]),
    Part.ROLE: fields(DEFS["Role"]),
    Part.SUPPORT: fields(DEFS["SupportItem"]),
    Part.PRICE: fields(DEFS["Pricing"]),
    Part.DEFINITION: fields(DEFS["AuthoritativeDefinitions"]["items"]),
    Part.CUSTOM: fields(DEFS["CustomProperty"]),
    Part.SYNONYM: fields(DEFS["Synonym"]),
}
NOT_PARTS = {
    "Context", "ShorthandReference", "FullyQualifiedReference", "StableId", "Port", "ServerSource", "SchemaElement",
    "SchemaBaseProperty", "SchemaItemProperty", "Tags", "DataQualityChecks", "DataQualityOperators", "DataQualityLibrary",
    "DataQualitySql", "DataQualityCustom", "Support", "CustomProperties", "Synonyms", "AnyType", "AnyNonCollectionType",
    "RelationshipSchemaLevel", "RelationshipPropertyLevel", "Relationship",
}  # fmt: skip
"""Definitions that have no fields of their own, or whose fields are those of a part."""
PARTS = {
    "Server", "SchemaObject", "SchemaProperty", "DataQuality", "AuthoritativeDefinitions", "SupportItem", "Pricing", "TeamMember",
    "Team", "Role", "ServiceLevelAgreementProperty", "EnumValue", "Synonym", "CustomProperty", "RelationshipBase",
}  # fmt: skip


@pytest.mark.parametrize("part", list(Part))
def test_every_field_of_the_standard_has_a_treatment_and_no_other(part: Part) -> None:
    assert set(COVERAGE[part]) - {"*"} == FIELDS[part]


def test_every_definition_of_the_standard_was_looked_at() -> None:
    assert set(DEFS) == PARTS | NOT_PARTS


def test_the_page_has_every_field_with_its_treatment() -> None:
    rows = re.findall(r"^\| `([^`|]+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    said = {part: [set(re.findall(r"`([^`]+)`", column)) for column in columns] for part, *columns in rows}
    assert list(said) == [part.value for part in ORDER]
    for part in Part:
        for names, treatment in zip(said[part.value], Treatment, strict=True):
            assert names == {name for name, found in COVERAGE[part].items() if found is treatment}, (part, treatment)
