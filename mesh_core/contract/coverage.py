"""What the mesh does with each field of the standard: enforces it, shows it, or only keeps it.

The table is complete: `tests/contract/test_odcs_coverage.py` holds it to the standard's JSON Schema, and the page docs/odcs.md to
it. A field is named by the part of the standard it belongs to. Knows nothing of how anything is enforced.
Source: ODCS 3.2.0 JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from mesh_core.contract.older import OPERATORS
from mesh_core.contract.semantics import is_stored

__all__ = ["COVERAGE", "FRESHNESS", "ORDER", "Part", "Treatment", "not_enforced", "parts_of", "treatment_of"]


class Treatment(StrEnum):
    """What becomes of a field."""

    ENFORCED = "enforced"
    """What does not keep it is refused, or it decides who sees what."""
    SHOWN = "shown"
    """It is displayed by `mesh show`, and promises nothing that could be checked here."""
    RECORDED = "recorded"
    """It is kept and handed back with the contract, and neither displayed nor enforced."""


class Part(StrEnum):
    """A part of the standard that has fields of its own."""

    CONTRACT = "contract"
    DESCRIPTION = "description"
    CONTEXT = "context"
    STATEMENT = "context.verifiedStatements"
    CONSTRAINT = "context.constraints"
    OBJECT = "schema"
    PROPERTY = "schema.properties"
    OPTIONS = "logicalTypeOptions"
    MAP = "map"
    ENUM = "enum"
    RELATIONSHIP = "relationships"
    QUALITY = "quality"
    SLA = "slaProperties"
    SERVER = "servers"
    TEAM = "team"
    MEMBER = "team.members"
    ROLE = "roles"
    SUPPORT = "support"
    PRICE = "price"
    DEFINITION = "authoritativeDefinitions"
    CUSTOM = "customProperties"
    SYNONYM = "synonyms"


def _fields(enforced: str = "", shown: str = "", recorded: str = "") -> dict[str, Treatment]:
    listed = ((enforced, Treatment.ENFORCED), (shown, Treatment.SHOWN), (recorded, Treatment.RECORDED))
    return {name: treatment for names, treatment in listed for name in names.split()}


COVERAGE: Mapping[Part, Mapping[str, Treatment]] = {
    Part.CONTRACT: _fields(
        "version kind apiVersion tags schema roles slaProperties customProperties",
        "id name status description domain dataProduct tenant servers support price team authoritativeDefinitions context "
        "contractCreatedTs",
        "slaDefaultElement",
    ),
    Part.DESCRIPTION: _fields("", "usage purpose limitations authoritativeDefinitions customProperties"),
    Part.CONTEXT: _fields("", "instructions verifiedStatements constraints"),
    Part.STATEMENT: _fields("", "question answer", "id authoritativeDefinitions tags customProperties"),
    Part.CONSTRAINT: _fields("", "constraint", "id authoritativeDefinitions tags customProperties"),
    Part.OBJECT: _fields(
        "id name physicalType logicalType properties relationships quality tags customProperties",
        "description businessName physicalName dataGranularityDescription deprecated synonyms authoritativeDefinitions context",
    ),
    Part.PROPERTY: _fields(
        "id name logicalType logicalTypeOptions physicalType required unique primaryKey primaryKeyPosition partitioned "
        "partitionKeyPosition classification tags enum map items properties relationships quality semanticType transformLogic",
        "description businessName physicalName deprecated synonyms authoritativeDefinitions encryptedName "
        "criticalDataElement transformSourceObjects transformDescription examples customProperties",
    ),
    Part.OPTIONS: _fields(
        "minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf timezone "
        "minProperties maxProperties required minItems maxItems uniqueItems dimensions elementType normalized embeddingModel",
        "distanceMetric embeddingModelVersion defaultTimezone",
    ),
    Part.MAP: _fields("key value"),
    Part.ENUM: _fields("value", "label description", "id customProperties authoritativeDefinitions tags"),
    Part.RELATIONSHIP: _fields("type from to customProperties", "", "id"),
    Part.QUALITY: _fields(
        "type metric rule arguments unit severity query engine implementation mustBe mustNotBe mustBeGreaterThan "
        "mustBeGreaterOrEqualTo mustBeLessThan mustBeLessOrEqualTo mustBeBetween mustNotBeBetween",
        "name description dimension businessImpact customProperties",
        "id authoritativeDefinitions method schedule scheduler tags",
    ),
    Part.SLA: _fields(
        "property value unit element",
        "valueExt driver description scheduler schedule",
        "id customProperties authoritativeDefinitions",
    ),
    Part.SERVER: _fields("", "server type description environment *", "id roles customProperties"),
    Part.TEAM: _fields("", "name description members", "id tags customProperties authoritativeDefinitions"),
    Part.MEMBER: _fields(
        "",
        "username name role description dateIn dateOut",
        "id replacedByUsername tags customProperties authoritativeDefinitions",
    ),
    Part.ROLE: _fields("firstLevelApprovers secondLevelApprovers customProperties", "role description access", "id"),
    Part.SUPPORT: _fields("", "channel url description tool scope invitationUrl", "id customProperties"),
    Part.PRICE: _fields("", "priceAmount priceCurrency priceUnit", "id"),
    Part.DEFINITION: _fields("", "url type description", "id"),
    Part.CUSTOM: _fields("property value", "description vendor", "id"),
    Part.SYNONYM: _fields("", "synonym", "id description locale source status customProperties"),
}

ORDER = tuple(COVERAGE)
"""The parts as the documentation lists them."""

_BELOW: Mapping[Part, Mapping[str, Part]] = {
    Part.CONTRACT: {
        "description": Part.DESCRIPTION, "context": Part.CONTEXT, "schema": Part.OBJECT, "slaProperties": Part.SLA,
        "servers": Part.SERVER, "team": Part.TEAM, "roles": Part.ROLE, "support": Part.SUPPORT, "price": Part.PRICE,
    },
    Part.CONTEXT: {"verifiedStatements": Part.STATEMENT, "constraints": Part.CONSTRAINT},
    Part.OBJECT: {
        "properties": Part.PROPERTY, "relationships": Part.RELATIONSHIP, "quality": Part.QUALITY, "context": Part.CONTEXT,
        "synonyms": Part.SYNONYM,
    },
    Part.PROPERTY: {
        "properties": Part.PROPERTY, "items": Part.PROPERTY, "map": Part.MAP, "logicalTypeOptions": Part.OPTIONS,
        "enum": Part.ENUM, "relationships": Part.RELATIONSHIP, "quality": Part.QUALITY, "synonyms": Part.SYNONYM,
    },
    Part.MAP: {"key": Part.PROPERTY, "value": Part.PROPERTY},
    Part.SERVER: {"roles": Part.ROLE},
    Part.TEAM: {"members": Part.MEMBER},
}  # fmt: skip
"""Which fields of a part lead to which other part; the two that may stand anywhere are `_ANYWHERE`."""
_ANYWHERE = {"authoritativeDefinitions": Part.DEFINITION, "customProperties": Part.CUSTOM}


_PROMISES = frozenset(
    {
        *((Part.CONTRACT, field) for field in ("servers", "team", "price", "support")),
        *((Part.PROPERTY, field) for field in ("encryptedName", "criticalDataElement")),
        *((Part.OPTIONS, field) for field in ("distanceMetric", "embeddingModelVersion", "defaultTimezone")),
        *((Part.SLA, field) for field in ("valueExt", "driver", "schedule")),
    }
)
"""Fields that are shown and could be taken for something that is kept to."""
_OF_STORED = frozenset({
    "logicalTypeOptions", "required", "unique", "primaryKey", "partitioned", "classification", "tags", "enum", "relationships",
    "quality",
})  # fmt: skip
"""What is enforced on stored columns and means nothing on a measure or a computed dimension."""
FRESHNESS = frozenset({"latency", "ly", "freshness"})
"""The service levels that are judged: how old the data may be. Source: ODCS SLA; `latency` is preferred to `freshness`."""
_POSITION = re.compile(r"\[\d+\]")


def treatment_of(part: Part, field: str) -> Treatment:
    """What becomes of the field; fields that a part leaves open (a server's own) are shown with it, or else recorded."""
    known = COVERAGE[part]
    return known.get(field) or known.get("*") or Treatment.RECORDED


def parts_of(document: Mapping[str, Any], part: Part = Part.CONTRACT) -> Iterator[tuple[Part, str, Mapping[str, Any]]]:
    """Every part of a valid contract's document, or of one part of it, with its JSON path."""
    waiting: list[tuple[Part, str, Mapping[str, Any]]] = [(part, "$", document)]
    while waiting:
        current, path, entry = waiting.pop(0)
        yield current, path, entry
        for field, value in entry.items():
            below = _BELOW.get(current, {}).get(field) or (_ANYWHERE.get(field) if current is not Part.OPTIONS else None)
            if below is Part.TEAM and isinstance(value, list):  # the shape before 3.1
                below = Part.MEMBER
            for place, item in _items(value) if below else ():
                waiting.append((below, f"{path}.{field}{place}", item))  # type: ignore[arg-type] # not None here


def _items(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        yield "", value
    elif isinstance(value, list):
        yield from ((f"[{index}]", item) for index, item in enumerate(value) if isinstance(item, dict))


def not_enforced(document: Mapping[str, Any], part: Part = Part.CONTRACT) -> list[str]:
    """What a valid contract, or one part of it, says and nobody enforces, in words, in order of first use.

    What only describes (names, words, links for people) is left out where it is shown: it promises nothing.
    """
    found: dict[str, int] = {}
    for place, path, entry in parts_of(document, part):
        for field, value in entry.items():
            if value in (None, [], {}):
                continue
            words = _fate(place, field, entry)
            if words:
                line = f"{_POSITION.sub('[]', f'{path}.{field}').removeprefix('$.')}: {words}"
                found[line] = found.get(line, 0) + 1
    return [f"{line} ({times} times)" if times > 1 else line for line, times in found.items()]


def _fate(part: Part, field: str, entry: Mapping[str, Any]) -> str:
    """What is said of a field that is not enforced; empty for one that is, or that only describes."""
    if part is Part.QUALITY and field == "type" and entry[field] == "text":
        return "a text rule is recorded, not enforced"
    if part is Part.QUALITY and field == "query" and not any(name in entry for name in OPERATORS):
        return "recorded, not enforced: nothing says what the query must give"
    if part is Part.SLA and field == "property":
        is_watched = str(entry[field]).strip().casefold() in FRESHNESS
        return "" if is_watched else f"{str(entry[field]).strip()[:40]} is shown, not enforced"
    if part is Part.PROPERTY and field == "transformLogic" and entry.get("semanticType", "column") == "column":
        return "shown, not enforced"
    if part is Part.PROPERTY and not is_stored(entry) and field in _OF_STORED:
        return "recorded, not enforced: it is computed, not stored"
    treatment = treatment_of(part, field)
    if treatment is Treatment.RECORDED:
        return "recorded, not enforced"
    return "shown, not enforced" if (part, field) in _PROMISES else ""
