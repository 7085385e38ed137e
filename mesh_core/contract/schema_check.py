"""Judges a document by the JSON Schema that the standard ships in its package.

Draft 2019-09 with `unevaluatedProperties`, so that a misspelt field is refused and not dropped. One schema (3.2.0) serves every
3.x version; what only 3.0 allowed is in `older`. Whether a document is valid is told by jsonschema-rs, a hundred times faster;
what is wrong with one that is not, by jsonschema, whose errors name the innermost fault.
Source: ODCS 3.2.0 JSON Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from mesh_core.contract.model import Violation
from mesh_core.contract.older import as_today, is_of_3_0, relaxed, wants_status

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import ValidationError

__all__ = ["schema_violations"]

_SUPPORTED = re.compile(r"v3\.(0\.[0-9]+|1\.0|2\.0)\Z")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MAX_MESSAGE = 300
_MAX_VALUE = 60
_OPEN_KEYWORDS = frozenset({"unevaluatedProperties", "additionalProperties"})
_Path = tuple[str | int, ...]
_SECONDARY = _OPEN_KEYWORDS | {"oneOf", "anyOf"}


@cache
def _schema(*, is_old: bool = False) -> dict[str, Any]:
    """Today's schema, or for contracts of 3.0 (`is_old`) today's with what they were allowed."""
    from importlib.resources import files

    schema: dict[str, Any] = json.loads((files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
    _spare_untyped_properties(schema)
    return relaxed(schema) if is_old else schema


@cache
def _verdict(*, is_old: bool) -> jsonschema_rs.Draft201909Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft201909Validator(_schema(is_old=is_old))


@cache
def _validator(*, is_old: bool) -> Draft201909Validator:
    from jsonschema import Draft201909Validator

    return Draft201909Validator(_schema(is_old=is_old))


def _is_valid(document: object, *, is_old: bool) -> bool:
    """False also for a number that only Python's JSON has."""
    try:
        return _verdict(is_old=is_old).is_valid(document)
    except ValueError:
        return False


def _spare_untyped_properties(schema: dict[str, Any]) -> None:
    """A property without `logicalType`, which is optional, is no longer taken for a map or a vector.

    The 3.2.0 schema's `if` tests the value without requiring the field, so an absent one satisfies every branch, and the new
    `map` branch then demands a `map`. Without this, valid 3.0 and 3.1 contracts are refused.
    """
    for branch in schema["$defs"]["SchemaBaseProperty"]["allOf"]:
        logical_type = branch.get("if", {}).get("properties", {}).get("logicalType", {}).get("const")
        if logical_type in ("map", "vector"):
            branch["if"]["required"] = ["logicalType"]


@cache
def _known_fields() -> frozenset[str]:
    """Every field name that any part of the standard has."""
    names: set[str] = set()
    waiting: list[Any] = [_schema()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            names.update(node["properties"] if isinstance(node.get("properties"), dict) else ())
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return frozenset(names)


def schema_violations(document: object) -> tuple[Violation, ...]:
    """Every violation of the standard, in document order; empty for a valid contract.

    An unknown field is reported at its own path, a missing one at the object it is missing from.
    """
    today, is_old = as_today(document), is_of_3_0(document)
    errors = [] if _is_valid(today, is_old=is_old) else list(_validator(is_old=is_old).iter_errors(today))
    blamed = [tuple(error.absolute_path) for error in errors if error.validator not in _SECONDARY]
    failing = [tuple(error.absolute_path) for error in errors if error.validator not in _OPEN_KEYWORDS]
    found = [violation for error in errors for violation in _violations(error, blamed, failing)]
    if wants_status(document):
        found.append(Violation("$", "'status' is a required property until ODCS 3.1; say proposed, draft, active or the like."))
    if isinstance(document, dict) and not any(violation.path == "$.apiVersion" for violation in found):
        found.extend(_version_violations(document.get("apiVersion")))
    return tuple(sorted(set(found), key=lambda violation: _natural(violation.path)))


def _version_violations(version: object) -> Iterator[Violation]:
    if isinstance(version, str) and not _SUPPORTED.match(version):
        yield Violation("$.apiVersion", f"{version!r} is not supported; write the contract in v3.0.0 to v3.2.0.")


def _violations(error: ValidationError, blamed: list[_Path], failing: list[_Path]) -> Iterator[Violation]:
    path = tuple(error.absolute_path)
    if error.validator in _OPEN_KEYWORDS:
        # A failed branch leaves the fields it would allow unevaluated: then only a field no part of ODCS has is the user's.
        is_certain = error.validator == "additionalProperties" or not any(other[: len(path)] == path for other in failing)
        for key in _unexpected(error):
            if is_certain or key not in _known_fields():
                yield Violation(_json_path((*path, key)), f"{key!r} is not a field of ODCS here; remove it or correct its name.")
        return
    if error.validator not in _SECONDARY or path not in blamed:
        inner = _within_chosen(error)
        yield from (Violation(_json_path(tuple(it.absolute_path)), _message(it)) for it in inner or [error])


def _unexpected(error: ValidationError) -> list[str]:
    quoted = error.message.rsplit("(", 1)[-1]
    named = [key for key in error.instance if repr(key) in quoted] if isinstance(error.instance, dict) else []
    return named or ["?"]


def _message(error: ValidationError) -> str:
    operators = _alternatives(error)
    if operators and isinstance(error.instance, dict):
        given = [name for name in operators if name in error.instance]
        return f"give exactly one of {', '.join(operators)}; it has {', '.join(given) or 'none'}."
    written = repr(error.instance)
    # A whole file that is no contract is one value; its data are nobody's business in a message.
    is_cut = len(written) > _MAX_VALUE
    text = error.message.replace(written, f"{written[:_MAX_VALUE]}…") if is_cut else error.message
    return text if len(text) <= _MAX_MESSAGE else f"{text[: _MAX_MESSAGE - 1]}…"


def _within_chosen(error: ValidationError) -> list[ValidationError]:
    """Where exactly one of the alternatives was given: what is wrong with its value; else empty."""
    given = [name for name in _alternatives(error) if isinstance(error.instance, dict) and name in error.instance]
    return [it for it in error.context or () if len(given) == 1 and list(it.relative_path)[:1] == given]


def _alternatives(error: ValidationError) -> list[str]:
    """The names of a `oneOf` whose branches each require one field, such as the quality operators; else empty."""
    branches: Any = error.validator_value
    if error.validator != "oneOf" or not isinstance(error.instance, dict):
        return []
    names: list[str] = []
    for branch in branches:
        required = branch.get("required", []) if isinstance(branch, dict) else []
        if len(required) != 1:
            return []
        names.extend(required)
    return names


def _json_path(path: tuple[str | int, ...]) -> str:
    return "$" + "".join(_step(step) for step in path)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.match(step) else f"[{json.dumps(step, ensure_ascii=False)}]"


def _natural(path: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", path)]
