"""Turns a port's contract into checks, before any data is seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mesh_core.contract.model import NON_BLOCKING, Column, Port, Rule
from mesh_core.contract.older import custom_of
from mesh_core.pii.findings import is_personal_tag
from mesh_core.quality.check import ITEMS, LIBRARY, Check, Kind

__all__ = ["compile_checks", "is_personal"]

_OPTIONS: dict[str, tuple[Kind, ...]] = {
    "string": (Kind.MIN_LENGTH, Kind.MAX_LENGTH, Kind.PATTERN, Kind.FORMAT),
    "date": (Kind.MINIMUM, Kind.MAXIMUM, Kind.EXCLUSIVE_MINIMUM, Kind.EXCLUSIVE_MAXIMUM),
    "number": (Kind.MINIMUM, Kind.MAXIMUM, Kind.EXCLUSIVE_MINIMUM, Kind.EXCLUSIVE_MAXIMUM, Kind.MULTIPLE_OF),
    "object": (Kind.MIN_PROPERTIES, Kind.MAX_PROPERTIES),
    "array": (Kind.MIN_ITEMS, Kind.MAX_ITEMS, Kind.UNIQUE_ITEMS),
    "vector": (Kind.DIMENSIONS, Kind.NORMALIZED),
}
_OPTIONS |= {"timestamp": _OPTIONS["date"], "time": _OPTIONS["date"], "integer": _OPTIONS["number"]}
_METRICS = frozenset(kind.value for kind in LIBRARY)
_COUNTS = frozenset({Kind.MIN_LENGTH, Kind.MIN_ITEMS, Kind.MIN_PROPERTIES})
_UNCONSTRAINED = frozenset({"password", "binary"})


def compile_checks(port: Port) -> tuple[Check, ...]:
    """Every check of the port: schema, one type check per column, keys, options, enums, then quality rules.

    A unique column that alone is the primary key has one check, the key's.
    """
    checks = [Check("schema", Kind.SCHEMA, description="the columns are those of the contract")]
    is_port_personal = _has_personal_tag(port.tags)
    checks.extend(_key(port))
    is_alone = len(port.primary_key) == 1
    for column in port.columns:
        checks.append(_check(Kind.TYPE, (column.name,), column, description=f"values fit {_type_words(column)}"))
        checks.extend(_column_checks(column, (column.name,), is_alone=is_alone))
        checks.extend(_rule_checks(column.quality, column, (column.name,)))
        checks.extend(_references(column, (column.name,), column))
    checks.extend(_port_rules(port))
    checks.extend(_reference(entry, f"relationships[{at}]", (), None) for at, entry in enumerate(port.relationships))
    return tuple(replace(check, is_personal=check.is_personal or is_port_personal) for check in _renamed(checks))


def _renamed(checks: list[Check]) -> Iterator[Check]:
    """The checks under distinct names: a column `a.b` and a field `b` of `a` would share theirs."""
    seen: dict[str, int] = {}
    for check in checks:
        times = seen[check.name] = seen.get(check.name, 0) + 1
        yield check if times == 1 else replace(check, name=f"{check.name}#{times}")


def is_personal(column: Column) -> bool:
    """Whether the column, or any part of it, carries the tag `pii` or one below it."""
    parts = [*column.columns, *(part for part in (column.items, column.map_key, column.map_value) if part)]
    return _has_personal_tag(column.tags) or any(is_personal(part) for part in parts)


def _has_personal_tag(tags: tuple[str, ...]) -> bool:
    return any(map(is_personal_tag, tags))


def _type_words(column: Column) -> str:
    return (
        " ".join(word for word in (column.logical_type, column.physical_type and f"({column.physical_type})") if word)
        or "any type"
    )


def _check(kind: Kind, path: tuple[str, ...], root: Column, *, argument: object = None, description: str) -> Check:
    name = f"{dotted(path)}.{kind.value}"
    return Check(name, kind, path, (root.name,), argument, description=description, is_personal=is_personal(root))


def dotted(path: tuple[str, ...]) -> str:
    """A path as people read it: `address.zip`, `tags[]`."""
    return ".".join(path).replace(f".{ITEMS}", ITEMS)


def _key(port: Port) -> Iterator[Check]:
    key = port.primary_key
    if key:
        names = tuple(column.name for column in key)
        words = f"({', '.join(names)}) identifies each row, without null"
        personal = any(is_personal(column) for column in key)
        yield Check("primaryKey", Kind.PRIMARY_KEY, (), names, None, description=words, is_personal=personal)


def _column_checks(column: Column, path: tuple[str, ...], *, is_alone: bool) -> Iterator[Check]:
    if column.required and column.primary_key_position is None:
        yield _check(Kind.REQUIRED, path, column, description="no value is null")
    if column.unique and not (is_alone and column.primary_key_position is not None):
        yield _check(Kind.UNIQUE, path, column, description="no value occurs twice")
    yield from _value_checks(column, path, column)


def _value_checks(column: Column, path: tuple[str, ...], root: Column) -> Iterator[Check]:
    if column.enum:
        yield _check(Kind.ENUM, path, root, argument=column.enum, description=f"one of {len(column.enum)} allowed values")
    for kind in _OPTIONS.get(column.logical_type or "", ()):
        if kind.value in column.options and not _is_idle(kind, column.options[kind.value]):
            value = column.options[kind.value]
            argument = (value, column.options.get("format")) if isinstance(value, str) and kind in _OPTIONS["date"] else value
            yield _check(kind, path, root, argument=argument, description=f"{kind.value} {value}")
    if column.logical_type == "object":
        for name in column.options.get("required", ()):
            yield _check(Kind.REQUIRED_PROPERTY, (*path, name), root, description="the object's field is not null")
    for part, steps in _parts(column):
        inner = (*path, *steps)
        if part.required:
            yield _check(Kind.REQUIRED, inner, root, description="no value is null")
        if part.unique:
            yield _check(Kind.UNIQUE, inner, root, description="no value occurs twice")
        yield from _value_checks(part, inner, root)
        yield from _rule_checks(part.quality, root, inner)
        yield from _references(part, inner, root)


def _is_idle(kind: Kind, value: object) -> bool:
    """Whether the option constrains nothing, like `minLength: 0` or `format: password`."""
    if kind is Kind.FORMAT:
        return value in _UNCONSTRAINED
    return value is False or (value == 0 and kind in _COUNTS)


def _parts(column: Column) -> Iterator[tuple[Column, tuple[str, ...]]]:
    for part in column.columns:
        yield part, (part.name,)
    if column.items:
        yield column.items, (ITEMS,)
    if column.map_key:
        yield column.map_key, (ITEMS, "key")
    if column.map_value:
        yield column.map_value, (ITEMS, "value")


def _references(column: Column, path: tuple[str, ...], root: Column) -> Iterator[Check]:
    for index, entry in enumerate(column.relationships):
        yield _reference(entry, f"{dotted(path)}.relationships[{index}]", path, root)


def _reference(entry: Mapping[str, Any], name: str, path: tuple[str, ...], root: Column | None) -> Check:
    custom = custom_of(entry)
    to = entry.get("to")
    return Check(
        name=name,
        kind=Kind.FOREIGN_KEY,
        path=path,
        columns=(root.name,) if root else (),
        argument=entry,
        is_blocking=str(custom.get("severity", "")).strip().casefold() not in NON_BLOCKING,
        description=f"refers to {', '.join(map(str, to)) if isinstance(to, list) else to}",
        is_personal=bool(root and is_personal(root)),
    )


def _rule_checks(rules: tuple[Rule, ...], root: Column, path: tuple[str, ...]) -> Iterator[Check]:
    """The rules of a property, which may lie inside a column."""
    for index, rule in enumerate(rules):
        check = _rule_check(rule, f"{dotted(path)}.quality[{index}]")
        yield replace(check, path=path, columns=(root.name,), is_personal=is_personal(root))


def _port_rules(port: Port) -> Iterator[Check]:
    for index, rule in enumerate(port.quality):
        listed = rule.arguments.get("properties")
        columns = tuple(str(item) for item in listed) if isinstance(listed, list) else ()
        personal = any(is_personal(item) for item in port.columns if item.name in columns)
        yield replace(_rule_check(rule, f"quality[{index}]"), columns=columns, is_personal=personal)


def _rule_check(rule: Rule, name: str) -> Check:
    is_known = rule.type == "library" and rule.metric in _METRICS
    kind = Kind(str(rule.metric)) if is_known else Kind.CUSTOM if rule.type == "library" else Kind(rule.type)
    return Check(
        name=name,
        kind=kind,
        argument=rule.arguments,
        is_blocking=rule.is_blocking,
        description=rule.description or rule.name or _rule_words(rule),
        rule=rule,
    )


def _rule_words(rule: Rule) -> str:
    unit = " percent" if rule.unit == "percent" else ""
    return f"{rule.metric} {rule.operator} {rule.threshold}{unit}" if rule.metric else f"{rule.type} rule"
