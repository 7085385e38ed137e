"""The JSON Schema of OpenLineage 2-0-2, made from the official client's own classes, and the judge of what is an event.

The client's classes are generated from the specification, so its release is the specification's: no copy of the schema files is
kept. Facets under a standard name are held to the standard's definition whatever their `_schemaURL` says; others need only what
every facet needs. Imports openlineage and jsonschema-rs on first use.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from governance_server.rules.errors import Problem

__all__ = ["event_schema", "event_violations", "without_nulls"]

_MOST_VIOLATIONS = 100
_CONTAINERS = frozenset({"facets", "inputFacets", "outputFacets"})
_DEEPEST = 30
"""Objects within objects that the schema knows are not nearly as many."""
_PLACES = {
    "InputDatasetFacet": "inputFacets",
    "OutputDatasetFacet": "outputFacets",
    "DatasetFacet": "dataset",
    "JobFacet": "job",
    "RunFacet": "run",
}
"""Base class of a facet → where it stands."""
_PARTIAL = frozenset({"inputFacets", "outputFacets"})
"""Where figures of one run stand: producers, and the specification's own example, leave out what they did not measure."""
_KEYS = {
    "DatasetVersion": "version",
    "Datasource": "dataSource",
    "InputSubset": "subset",
    "OutputSubset": "subset",
    "ProcessingEngine": "processing_engine",
    "SQL": "sql",
}
"""Facets whose key is not their class's name."""
_PRIMITIVES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
    object: {},
}
_BASE_FACET: dict[str, Any] = {
    "type": "object",
    "properties": {"_producer": {"type": "string"}, "_schemaURL": {"type": "string"}, "_deleted": {"type": "boolean"}},
    "required": ["_producer", "_schemaURL"],
}
_STATES = ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]


def event_violations(event: object) -> list[Problem]:
    """Everything in which the parsed JSON is no OpenLineage event, each at its path; empty if it is one."""
    if not isinstance(event, dict):
        return [Problem("$", "an event is a JSON object")]
    kind = "run" if "run" in event else "job" if "job" in event else "dataset" if "dataset" in event else None
    if kind is None:
        return [Problem("$", "none of run, job and dataset is there: an event is about one of them")]
    if kind == "job" and "dataset" in event:
        return [Problem("$.dataset", "an event about a job has no dataset of its own: send two events")]
    validator = _validators()[kind]
    if validator.is_valid(event):
        return []
    found = []
    for error in validator.iter_errors(event):
        found.append(Problem(_path(error.instance_path), _words(str(error.message))))
        if len(found) == _MOST_VIOLATIONS:
            break
    return found


def without_nulls(event: Any) -> Any:  # noqa: ANN401  # any JSON
    """The event without members of facets that are null, which some producers write for what they do not know.

    What is no facet is as it was: there the specification leaves no room for null.
    """
    if not isinstance(event, dict):
        return event
    parts = {kind: _bare(event[kind]) for kind in ("run", "job", "dataset") if kind in event}
    sides = {side: [_bare(it) for it in event[side]] for side in ("inputs", "outputs") if isinstance(event.get(side), list)}
    return {**event, **parts, **sides}


def _bare(part: Any) -> Any:  # noqa: ANN401  # any JSON
    """A run, job or dataset whose facets have no null."""
    if not isinstance(part, dict):
        return part
    return {key: _pruned(value, _DEEPEST) if key in _CONTAINERS and value is not None else value for key, value in part.items()}


def _pruned(value: Any, depth: int) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, dict) and depth:
        return {key: _pruned(part, depth - 1) for key, part in value.items() if part is not None}
    if isinstance(value, list) and depth:
        return [_pruned(part, depth - 1) for part in value]
    return value


def event_schema(kind: Literal["run", "job", "dataset"]) -> dict[str, Any]:
    """The JSON Schema of run events, job events or dataset events."""
    facets, definitions = _facet_schemas()
    named = {"type": "object", "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}}}
    named["required"] = ["namespace", "name"]
    dataset = _with(named, facets=_container(facets["dataset"]))
    job = _with(named, facets=_container(facets["job"]))
    run = {
        "type": "object",
        "properties": {"runId": {"type": "string"}, "facets": _container(facets["run"])},
        "required": ["runId"],
    }
    base = {"eventTime": {"type": "string"}, "producer": {"type": "string"}, "schemaURL": {"type": "string"}}
    datasets = {
        "inputs": {"type": "array", "items": _with(dataset, inputFacets=_container(facets["inputFacets"]))},
        "outputs": {"type": "array", "items": _with(dataset, outputFacets=_container(facets["outputFacets"]))},
    }
    parts: dict[str, dict[str, Any]] = {
        "run": {"run": run, "job": job, "eventType": {"enum": _STATES}, **datasets},
        "job": {"job": job, **datasets},
        "dataset": {"dataset": dataset},
    }
    needed = {"run": ["run", "job"], "job": ["job"], "dataset": ["dataset"]}[kind]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": definitions,
        "type": "object",
        "properties": {**base, **parts[kind]},
        "required": [*base, *needed],
    }


@cache
def _validators() -> dict[str, Any]:
    import jsonschema_rs

    return {kind: jsonschema_rs.Draft202012Validator(event_schema(kind)) for kind in ("run", "job", "dataset")}


def _with(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:  # noqa: ANN401  # parts of a JSON Schema
    return {**schema, "properties": {**schema["properties"], **properties}}


def _container(known: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(known), "additionalProperties": _BASE_FACET}


@cache
def _facet_schemas() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Place → facet key → schema, and the definitions these refer to."""
    from openlineage.client import generated

    facets: dict[str, dict[str, Any]] = {place: {} for place in _PLACES.values()}
    definitions: dict[str, Any] = {}
    for module_info in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{module_info.name}")
        own = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
        for cls in own if module_info.name != "base" else ():
            place = next((_PLACES[base.__name__] for base in cls.__bases__ if base.__name__ in _PLACES), None)
            if place is not None:
                facet = _object(cls, definitions)
                facet["required"] = [] if place in _PARTIAL else facet["required"]
                facets[place][_key(cls.__name__)] = {"allOf": [_BASE_FACET, facet]}
    return facets, definitions


def _key(name: str) -> str:
    stem = re.sub("(InputDataset|OutputDataset|Dataset|Job|Run)Facet$", "", name)
    return _KEYS.get(stem) or stem[0].lower() + stem[1:]


def _reference(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
    if name not in definitions:
        definitions[name] = {}  # a class may hold others of its own
        definitions[name] = _object(cls, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _object(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    import attr

    hints = typing.get_type_hints(cls)
    fields = [field for field in attr.fields(cls) if not field.name.startswith("_")]
    required = [field.name for field in fields if field.default is attr.NOTHING]
    return {
        "type": "object",
        "properties": {field.name: _schema(hints[field.name], definitions) for field in fields},
        "required": required,
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401  # a type hint
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        options = [_schema(part, definitions) for part in parts if part is not types.NoneType]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if origin is list:
        return {"type": "array", "items": _schema(parts[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(parts[1], definitions)}
    if origin is Literal:
        return {"enum": list(parts)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return _reference(hint, definitions)


def _path(parts: list[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in parts)


def _words(message: str) -> str:
    """What is wrong, without the value that is."""
    for known in (" is not of type", " is not one of", " is not valid under any"):
        _, found, rest = message.rpartition(known)
        if found:
            return f"the value{known}{rest[:200]}"
    return message[:200]
