"""What a consumer may expect, as values: a predicate or one quality rule of ODCS, and what it came out as. Pure.

A predicate is of the closed expression language (ADR 0002); a row breaks it where it is false, not where it is null, as a check
constraint of SQL does. A rule is judged by the standard's JSON Schema, as if it stood in the contract.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance_server.rules.errors import Invalid, InvalidFilter, Problem
from mesh_core.contract import Contract, InvalidContract, Port, Rule, load_contract
from mesh_core.expressions.binding import attributes, columns
from mesh_core.expressions.errors import ExpressionError
from mesh_core.expressions.sql import parse_filter
from mesh_core.expressions.tree import Expression

__all__ = ["BLOCK", "WARN", "Expected", "policy_of", "policy_problem", "read_rule"]

BLOCK, WARN = "block", "warn"
_POLICIES = (BLOCK, WARN)
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Expected:
    """A rule that was understood: a predicate, or a quality rule about a column or the whole port."""

    predicate: Expression | None
    rule: Rule | None
    column: str
    columns: tuple[str, ...]
    """Those it names; of a rule about the whole port those it lists, else none."""


def policy_of(contract: Contract) -> str:
    """The custom property `consumerExpectations`: `block` or `warn`, which is the default."""
    word = _policy_word(contract)
    return word if word in _POLICIES else WARN


def policy_problem(contract: Contract) -> str:
    """Why the custom property `consumerExpectations` says nothing; empty if it says something, or is not there."""
    if "consumerExpectations" not in contract.custom_properties or _policy_word(contract) in _POLICIES:
        return ""
    return f"consumerExpectations is {_policy_word(contract)[:40]!r}: write block or warn."


def _policy_word(contract: Contract) -> str:
    return str(contract.custom_properties.get("consumerExpectations", "")).strip().lower()


def read_rule(text: str, column: str, port: str) -> Expected:
    """The rule the text states. Raises: Invalid, InvalidFilter."""
    if not text.strip() or len(text) > _LONGEST:
        raise Invalid(f"Say what you expect of {port}, in at most {_LONGEST} characters.", resource=port)
    if text.lstrip().startswith("{"):
        return _quality_rule(text, column, port)
    if column:
        raise Invalid("A predicate names its columns itself: leave the column out.", resource=port)
    try:
        predicate = parse_filter(text)
    except ExpressionError as error:
        raise InvalidFilter(f"The expectation cannot be understood: {error}", resource=port) from error
    if attributes(predicate):
        raise InvalidFilter("An expectation is about rows: it may not use subject attributes.", resource=port)
    named = tuple(sorted(columns(predicate)))
    if not named:
        raise Invalid("The expectation names no column: it would say nothing about the data.", resource=port)
    return Expected(predicate, None, "", named)


def _quality_rule(text: str, column: str, port: str) -> Expected:
    try:
        written = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The rule is no JSON: {error}. Write a predicate, or an ODCS quality rule.", resource=port) from error
    loaded = _loaded(written, column, port)
    (rule,) = loaded.columns[0].quality if column else loaded.quality
    if rule.type != "library" or rule.operator is None or not rule.is_blocking:
        raise Invalid("An expectation is a library metric with a mustBe… operator, whose failure is an error.", resource=port)
    listed = rule.arguments.get("properties")
    named = (column,) if column else tuple(map(str, listed)) if isinstance(listed, list) else ()
    return Expected(None, rule, column, named)


def _loaded(written: Mapping[str, Any], column: str, port: str) -> Port:
    """A port with nothing but the rule, as the standard reads it. Raises: Invalid."""
    about: dict[str, Any] = {"quality": [written]}
    entry = {"properties": [{"name": column, "logicalType": "string", **about}]} if column else about
    document = {
        "kind": "DataContract", "apiVersion": "v3.1.0", "id": "expectation", "version": "1.0.0", "status": "active",
        "schema": [{"name": "port", "logicalType": "object", **entry}],
    }  # fmt: skip
    try:
        return load_contract(json.dumps(document)).ports[0]
    except InvalidContract as error:
        problems = [Problem(it.path, it.message) for it in error.violations]
        raise Invalid("The rule is no quality rule of ODCS: mend what is listed.", resource=port, problems=problems) from error
