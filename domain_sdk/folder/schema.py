"""The JSON Schemas of the folder's files, and what a document breaks of them, in words.

The schemas are shipped beside this module; editors can use them. Draft 2020-12.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mesh_core.near_names import did_you_mean

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

__all__ = ["Fault", "faults", "schema_text"]

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "a text",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
        "integer": "a whole number",
        "number": "a number",
        "null": "nothing",
    }
)
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One departure from a schema."""

    path: tuple[str | int, ...]
    message: str


def schema_text(name: str) -> str:
    """The schema as it is shipped."""
    from importlib.resources import files

    return (files(__package__) / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text(name)))


def faults(document: object, name: str) -> Iterator[Fault]:
    """Every departure of the document from the schema, in the order of the schema."""
    for error in _validator(name).iter_errors(document):
        yield from _faults(error)


def _faults(error: ValidationError) -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    value: Any = error.instance
    rule, keyword = _rule(error), error.validator
    if keyword == "additionalProperties":
        known = list(_schema(error).get("properties", ()))
        for key in sorted(set(value) - set(known)):
            yield Fault((*path, key), f"there is no such key: {_nearest(key, known)}")
    elif keyword == "required":
        for key in [it for it in rule if it not in value]:
            yield Fault(path, f"{key} is missing.")
    elif keyword == "uniqueItems":
        twice = next(it for index, it in enumerate(value) if it in value[:index])
        yield Fault(path, f"{_shown(twice)} stands twice: keep one.")
    else:
        yield Fault(path, _message(error))


def _rule(error: ValidationError) -> Any:  # noqa: ANN401 # whatever the keyword takes
    return error.validator_value


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _message(error: ValidationError) -> str:
    value, rule, schema = error.instance, _rule(error), _schema(error)
    match error.validator:
        case "type":
            wanted = " or ".join(_KINDS[it] for it in ([rule] if isinstance(rule, str) else rule))
            return f"must be {wanted}, not {_kind(value)}{_hint(value, wanted)}."
        case "enum":
            return f"{_shown(value)} is none of {', '.join(map(str, rule))}."
        case "const":
            return f"must be {rule!r}, not {_shown(value)}."
        case "pattern":
            return f"{_shown(value)} is not {schema.get('description', 'in the right form')}."
        case "minItems" | "minLength" | "minProperties":
            return "must not be empty."
        case "maxLength" | "maxItems" | "maxProperties":
            return f"is too long: at most {rule}."
        case "oneOf" | "anyOf":
            return str(schema.get("$comment", "does not fit any of the forms allowed here."))
        case "minimum" | "maximum":
            return f"{_shown(value)} is out of range: {error.validator} {rule}."
        case _:
            return str(error.message)[:300]


def _nearest(key: str, known: list[str]) -> str:
    return did_you_mean(key, known, otherwise=f"use {', '.join(known)}.")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value:.20}" if isinstance(value, float) else f"the number {str(value)[:20]}"
    if value is None:
        return "nothing"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"


def _hint(value: object, wanted: str) -> str:
    is_quotable = isinstance(value, int | float) and wanted == "a text"
    return "; put it in quotes" if is_quotable else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
