"""Turns the text of a contract into a Contract, or says everything that keeps it from being one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mesh_core.contract.model import Column, Contract, InvalidContract, Port, PortKind, Rule, Violation
from mesh_core.contract.older import OPERATORS, bounds_of, custom_of
from mesh_core.contract.quarantine import is_quarantining, quarantine_port
from mesh_core.contract.schema_check import schema_violations
from mesh_core.contract.semantic_check import computable
from mesh_core.contract.semantics import dimensions_of, is_stored, measures_of, synonyms_of
from mesh_core.contract.yaml_text import UnreadableText, parse_yaml
from mesh_core.names import InvalidName, check_tag

__all__ = ["load_contract", "mesh_tags"]

OLD_RULES = {
    "nullcheck": "nullValues", "nullcount": "nullValues", "nullvalues": "nullValues", "missingvalues": "missingValues",
    "duplicatecheck": "duplicateValues", "duplicatecount": "duplicateValues", "duplicatevalues": "duplicateValues",
    "uniquecheck": "duplicateValues", "unique": "duplicateValues", "validvalues": "invalidValues",
    "invalidvalues": "invalidValues", "rowcount": "rowCount", "countcheck": "rowCount",
}  # fmt: skip
"""What ODCS 3.0 called `rule` → the metric it means today; others are not run. Source: ODCS 3.0 and 3.1 quality."""
_LETTER = re.compile(r"[A-Za-z]")
_LEVELS = re.compile(r"[.:/]")
_UNTAGLIKE = re.compile(r"[^A-Za-z0-9_-]+")


def load_contract(text: str | bytes) -> Contract:
    """The contract the text describes; `Contract.text` is that text unchanged.

    Args:
        text: YAML or JSON; bytes are read as UTF-8, with or without a byte order mark.

    Raises:
        InvalidContract: all violations at once: unreadable YAML (alone), or every departure from the standard.

    Source: ODCS 3.0.0 to 3.2.0.
    """
    decoded = _decode(text)
    try:
        document = parse_yaml(decoded)
    except UnreadableText as error:
        raise InvalidContract((Violation("$", str(error)),)) from error
    violations = schema_violations(document)
    if violations or not isinstance(document, dict):
        raise InvalidContract(violations)
    return _contract(document, decoded)


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidContract((Violation("$", f"byte {error.start} is not UTF-8; save the contract as UTF-8."),)) from error


def _contract(document: Mapping[str, Any], text: str) -> Contract:
    read = [computable(_port(entry), f"$.schema[{index}]") for index, entry in enumerate(document.get("schema", ()))]
    ports = tuple(port for port, _ in read)
    return Contract(
        api_version=document["apiVersion"],
        id=document["id"],
        version=document["version"],
        name=document.get("name"),
        domain=document.get("domain"),
        status=document.get("status"),
        tags=mesh_tags(document.get("tags", ())),
        ports=(*ports, *(quarantine_port(port) for port in ports if is_quarantining(port))),
        team=_team(document.get("team")),
        sla=tuple(document.get("slaProperties", ())),
        custom_properties=custom_of(document),
        text=text,
        document=document,
        uncomputed=tuple(line for _, lines in read for line in lines),
    )


def _team(team: list[Any] | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(team, list):
        return {"members": team}
    return team or {}


def _port(entry: Mapping[str, Any]) -> Port:
    properties = entry.get("properties", ())
    is_collection = str(entry.get("physicalType", "")).strip().casefold() == PortKind.COLLECTION.value
    return Port(
        name=entry["name"],
        kind=PortKind.COLLECTION if is_collection else PortKind.TABLE,
        description=entry.get("description"),
        columns=_columns(it for it in properties if is_stored(it)),
        quality=_rules(entry),
        tags=mesh_tags(entry.get("tags", ())),
        custom_properties=custom_of(entry),
        id=entry.get("id"),
        relationships=tuple(entry.get("relationships") or ()),
        synonyms=_other_names(entry),
        measures=measures_of(properties),
        dimensions=dimensions_of(properties),
    )


def _other_names(entry: Mapping[str, Any]) -> tuple[str, ...]:
    title = str(entry.get("businessName") or "").strip()
    return tuple(dict.fromkeys([*([title] if title else []), *synonyms_of(entry)]))


def _columns(entries: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    listed = list(entries)
    keys = _positions(listed, "primaryKey", "primaryKeyPosition")
    partitions = _positions(listed, "partitioned", "partitionKeyPosition")
    return tuple(_column(entry, *places) for entry, *places in zip(listed, keys, partitions, strict=True))


def _positions(entries: list[Mapping[str, Any]], flag: str, place: str) -> list[int | None]:
    """Positions 1, 2, … of the flagged entries by declared place, then by order of writing for those without a usable one."""
    keyed = [index for index, entry in enumerate(entries) if entry.get(flag)]

    def order(index: int) -> tuple[bool, int, int]:
        declared = entries[index].get(place, -1)
        return (declared < 1, declared, index)

    ranked = {index: place for place, index in enumerate(sorted(keyed, key=order), start=1)}
    return [ranked.get(index) for index in range(len(entries))]


def _column(entry: Mapping[str, Any], position: int | None = None, partition: int | None = None) -> Column:
    pair = entry.get("map") or {}
    return Column(
        name=entry.get("name", ""),
        logical_type=entry.get("logicalType"),
        physical_type=entry.get("physicalType"),
        options=bounds_of(entry.get("logicalTypeOptions") or {}),
        required=bool(entry.get("required", False)),
        unique=bool(entry.get("unique", False)),
        primary_key_position=position,
        tags=_tags(entry),
        description=entry.get("description"),
        enum=tuple(item["value"] for item in entry.get("enum", ())),
        quality=_rules(entry),
        columns=_columns(entry.get("properties") or ()),
        items=_column(entry["items"]) if entry.get("items") else None,
        map_key=_column(pair["key"]) if pair else None,
        map_value=_column(pair["value"]) if pair else None,
        custom_properties=custom_of(entry),
        partition_position=partition,
        relationships=tuple(entry.get("relationships") or ()),
        id=entry.get("id"),
        synonyms=_other_names(entry),
    )


def mesh_tags(written: Iterable[str]) -> tuple[str, ...]:
    """The tags as the mesh writes them, each once: `PII: e-mail` → `PII.e-mail`, `customer data` → `customer_data`.

    A rule for the tag must not miss a column because its tag has a space in it. What has no letter or digit left stays in the
    document only.
    """
    found = []
    for tag in written:
        words = [_UNTAGLIKE.sub("_", word.strip()).strip("_")[:64] for word in _LEVELS.split(str(tag))]
        with contextlib.suppress(InvalidName):
            found.append(tag if _is_tag(tag) else check_tag(".".join([word for word in words if word][:8])))
    return tuple(dict.fromkeys(found))


def _is_tag(tag: str) -> bool:
    with contextlib.suppress(InvalidName):
        return bool(check_tag(tag))
    return False


def _tags(entry: Mapping[str, Any]) -> tuple[str, ...]:
    word = str(entry.get("classification", "")).strip().lower()
    is_word = bool(word and _LETTER.search(word) and _is_tag(word))  # one in prose ("internal use only") stays in the document
    return tuple(dict.fromkeys([*mesh_tags(entry.get("tags", ())), *([word] if is_word else [])]))


def _rules(entry: Mapping[str, Any]) -> tuple[Rule, ...]:
    """A rule for each entry, then one for each further operator of an entry: 3.0 allowed several."""
    listed = entry.get("quality") or ()
    more = [(item, name) for item in listed for name in [name for name in OPERATORS if name in item][1:]]
    return (*(_rule(item) for item in listed), *(_rule(item, name) for item, name in more))


def _rule(entry: Mapping[str, Any], chosen: str | None = None) -> Rule:
    operator = chosen or next((name for name in OPERATORS if name in entry), None)
    metric = entry.get("metric") or OLD_RULES.get(str(entry.get("rule", "")).strip().casefold())
    is_bare = operator is None and "metric" not in entry and metric not in (None, "rowCount")  # 3.0: none is allowed
    kind = entry.get("type") or ("library" if metric or entry.get("rule") else "text")
    return Rule(
        type="text" if kind == "sql" and operator is None else kind,  # 3.0: nothing says what the query must give
        metric=metric,
        operator="mustBe" if is_bare else operator,
        threshold=0 if is_bare else entry.get(operator) if operator else None,
        unit=entry.get("unit", "rows"),
        arguments=entry.get("arguments") or {},
        severity=entry.get("severity"),
        name=entry.get("name"),
        description=entry.get("description"),
        document=entry,
    )
