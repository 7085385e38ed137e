"""What ODCS 3.0 allowed and 3.2 no longer does: contracts that say they are of 3.0 may still have it.

The package of the standard brings the schema of one version only, the newest; nothing here is a schema of its own. Each
difference was found by comparing the standard's schemas of 3.0.0, 3.0.1 and 3.0.2 with today's: parts that describe were open to
fields of anybody's, exclusive bounds were flags beside the bound, a quality rule's metric was called `rule` and its operator was
optional. `status` was required until 3.1.
Source: ODCS 3.0.0 to 3.2.0 JSON Schemas.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["OPERATORS", "as_today", "bounds_of", "custom_of", "is_of_3_0", "relaxed", "wants_status"]

OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
_OPEN = (
    "Server", "DataQuality", "SupportItem", "Pricing", "TeamMember", "Role", "ServiceLevelAgreementProperty", "CustomProperty",
)  # fmt: skip
_CLOSING = ("unevaluatedProperties", "additionalProperties")
_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


def is_of_3_0(document: object) -> bool:
    """Whether the document says that it is written in ODCS 3.0."""
    return isinstance(document, dict) and str(document.get("apiVersion", "")).startswith("v3.0.")


def wants_status(document: object) -> bool:
    """Whether the document lacks the `status` that its version of the standard requires."""
    if not isinstance(document, dict) or "status" in document:
        return False
    return str(document.get("apiVersion", "")).startswith(("v3.0.", "v3.1."))


def relaxed(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy of today's schema that also accepts what 3.0 did, quality rules aside: `as_today` turns them."""
    made = copy.deepcopy(schema)
    definitions = made["$defs"]
    for part in (*(definitions[name] for name in _OPEN), definitions["AuthoritativeDefinitions"]["items"]):
        for keyword in _CLOSING:
            part.pop(keyword, None)
        part.get("properties", {}).pop("id", None)  # no field then, so anybody's
    for name in ("CustomProperty", "TeamMember"):
        definitions[name].pop("required", None)
    definitions["ServerSource"]["DuckdbServer"]["properties"]["schema"]["type"] = ["string", "integer"]
    for options in _options(definitions["SchemaBaseProperty"]):
        for exclusive, _ in _BOUNDS:
            if exclusive in options:
                options[exclusive] = {"anyOf": [options[exclusive], {"type": "boolean"}]}
    return made


def _options(base: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for branch in base["allOf"]:
        yield branch.get("then", {}).get("properties", {}).get("logicalTypeOptions", {}).get("properties", {})


def as_today(document: object) -> object:
    """The document, if it is of 3.0, with its quality rules as today's schema knows them; no other is touched."""
    return _with_metrics(document) if is_of_3_0(document) else document


def _with_metrics(node: object) -> object:
    if isinstance(node, list):
        return [_with_metrics(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _with_metrics(value) for key, value in node.items()}
    rules = made.get("quality")
    if isinstance(rules, list):
        made["quality"] = [_with_metric(rule) if isinstance(rule, dict) else rule for rule in rules]
    return made


def _with_metric(rule: dict[str, Any]) -> dict[str, Any]:
    kind = rule.get("type", "library")
    if kind == "library" and "rule" in rule and "metric" not in rule:
        return _with_one_operator({**rule, "metric": "rowCount"})
    return _with_one_operator(rule) if kind == "sql" else rule


def _with_one_operator(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule with the first of its operators, or with one if it has none: 3.0 asked for no number of them."""
    given = [name for name in OPERATORS if name in rule]
    return {name: value for name, value in rule.items() if name not in given[1:]} | ({} if given else {"mustBe": 0})


def bounds_of(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a logical type with exclusive bounds as bounds: 3.0 wrote `minimum: 0, exclusiveMinimum: true`."""
    if not any(isinstance(options.get(exclusive), bool) for exclusive, _ in _BOUNDS):
        return options
    made = dict(options)
    for exclusive, bound in _BOUNDS:
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
            made[exclusive] = made.pop(bound)
    return made


def custom_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The custom properties of a part, the last of two equal ones; 3.0 asked for neither their name nor their value."""
    listed = entry.get("customProperties") or ()
    return {str(item["property"]): item["value"] for item in listed if {"property", "value"} <= item.keys()}
