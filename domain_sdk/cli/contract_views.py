"""How a contract looks on a terminal: its promises, its people and places, and what of it nobody enforces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domain_sdk.cli.output import cell, details, table

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["contract_view", "not_enforced_view", "port_extras_view"]

_FACTS = ("name", "id", "version", "apiVersion", "status", "domain", "dataProduct", "tenant", "contractCreatedTs")
_LISTS = (
    (
        "slaProperties",
        "Service levels",
        ("property", "value", "valueExt", "unit", "element", "driver", "description", "scheduler", "schedule"),
    ),
    ("roles", "Roles", ("role", "access", "firstLevelApprovers", "secondLevelApprovers", "description", "customProperties")),
    ("servers", "Servers", ("server", "type", "environment", "description")),
    ("support", "Support", ("channel", "tool", "scope", "url", "invitationUrl", "description")),
    ("authoritativeDefinitions", "Definitions", ("type", "url", "description")),
    ("customProperties", "Custom properties", ("property", "value", "description", "vendor")),
)
_MEMBER = ("username", "name", "role", "dateIn", "dateOut", "description")
_RULE = ("where", "rule", "severity", "dimension", "description")
_DESCRIBING = (
    "businessName", "physicalName", "dataGranularityDescription", "deprecated", "semanticType", "classification", "encryptedName",
    "criticalDataElement", "partitioned", "partitionKeyPosition", "transformSourceObjects", "transformLogic",
    "transformDescription", "examples", "logicalTypeOptions", "unique",
)  # fmt: skip


def contract_view(document: Mapping[str, Any], not_enforced: Sequence[str] = ()) -> list[RenderableType]:
    """What the contract says beside its ports, part by part; what is absent is left out."""
    facts = {name: document.get(name) for name in _FACTS} | _words(document.get("description")) | _price(document)
    parts: list[RenderableType] = [cell(""), details(facts | _context(document), title="Contract")]
    for field, title, headings in _LISTS:
        parts += _listed(document.get(field), title, headings)
    team = document.get("team") or {}
    members = team if isinstance(team, list) else team.get("members")
    named = " ".join(str(team[key]) for key in ("name", "description") if not isinstance(team, list) and team.get(key))
    parts += _listed(members, f"Team {named}".strip(), _MEMBER) or ([cell(f"Team {named}")] if named else [])
    rules = [row for port in document.get("schema") or () for row in _rules(port, port["name"])]
    parts += [cell(""), table(_RULE, rules, title="Quality rules")] if rules else []
    return [*parts, *not_enforced_view(not_enforced)]


def port_extras_view(port: Mapping[str, Any]) -> list[RenderableType]:
    """What the contract says of a port and its columns that the table of columns has no place for."""
    rows = []
    for path, entry in _entries(port, ""):
        told = {name: entry[name] for name in _DESCRIBING if entry.get(name) not in (None, "", [], {}, False)}
        told |= _context(entry)
        told |= {"synonyms": [it["synonym"] for it in entry["synonyms"]]} if entry.get("synonyms") else {}
        told |= {"allowed": [_allowed(it) for it in entry["enum"]]} if entry.get("enum") else {}
        told |= {"custom": _customs(entry)}
        told |= {"see": [_link(it) for it in entry["authoritativeDefinitions"]]} if entry.get("authoritativeDefinitions") else {}
        told |= {"references": [_reference(it) for it in entry["relationships"]]} if entry.get("relationships") else {}
        rows += [(path or "(the port)", name, value) for name, value in told.items() if value]
    rules = _rules(port, port["name"])
    return [
        *([cell(""), table(("of", "field", "value"), rows, title="The contract says")] if rows else []),
        *([cell(""), table(_RULE, rules, title="Quality rules")] if rules else []),
    ]


def not_enforced_view(lines: Sequence[str]) -> list[RenderableType]:
    """What a contract says and nobody enforces; nothing if there is none."""
    return [cell(""), cell("Said and not enforced", "bold"), *(cell(f"  {line}", "dim") for line in lines)] if lines else []


def _listed(entries: Sequence[Mapping[str, Any]] | None, title: str, headings: Sequence[str]) -> list[RenderableType]:
    if not entries:
        return []
    own = sorted({name for it in entries for name in it if title == "Servers" and name not in (*headings, "id", "roles")})
    used = [name for name in (*headings, *own) if any(it.get(name) not in (None, "") for it in entries)]
    return [cell(""), table(used, [[it.get(name) for name in used] for it in entries], title=title)]


def _entries(entry: Mapping[str, Any], path: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The entry and all properties below it, with their dotted paths."""
    found = [(path, entry)]
    for below in entry.get("properties") or ():
        found += _entries(below, f"{path}.{below['name']}" if path else below["name"])
    if isinstance(entry.get("items"), dict):
        found += _entries(entry["items"], f"{path}[]")
    for name, part in (entry.get("map") or {}).items():
        found += _entries(part, f"{path}[].{name}")
    return found


def _rules(port: Mapping[str, Any], name: str) -> list[tuple[object, ...]]:
    from mesh_core.contract.older import OPERATORS

    rows: list[tuple[object, ...]] = []
    for path, entry in _entries(port, ""):
        for rule in entry.get("quality") or ():
            operator = next((word for word in OPERATORS if word in rule), "")
            subject = rule.get("metric") or rule.get("query") or rule.get("engine") or rule.get("type") or "text"
            unit = f" {rule['unit']}" if rule.get("unit") else ""
            words = f"{subject} {operator} {rule.get(operator, '')}{unit}".strip()
            told = ". ".join(str(rule[name]) for name in ("name", "description", "businessImpact") if rule.get(name))
            told += "".join(f"; {words}" for words in _customs(rule))
            where = f"{name}.{path}".rstrip(".")
            rows.append((where, words, rule.get("severity"), rule.get("dimension"), told))
    return rows


def _customs(entry: Mapping[str, Any]) -> list[str]:
    """Each custom property in a few words; ODCS 3.0 asked for neither its name nor its value."""
    return [f"{it.get('property', '?')}={_custom(it)}" for it in entry.get("customProperties") or ()]


def _custom(entry: Mapping[str, Any]) -> str:
    told = ", ".join(str(entry[name]) for name in ("description", "vendor") if entry.get(name))
    return f"{entry.get('value', '')} ({told})" if told else str(entry.get("value", ""))


def _reference(entry: Mapping[str, Any]) -> str:
    told = ", ".join(_customs(entry))
    return f"{entry['to']} ({told})" if told else str(entry["to"])


def _link(entry: Mapping[str, Any]) -> str:
    told = f" ({entry['description']})" if entry.get("description") else ""
    return f"{entry.get('type', 'link')}: {entry.get('url', '')}{told}"


def _allowed(value: Mapping[str, Any]) -> str:
    told = ", ".join(str(value[name]) for name in ("label", "description") if value.get(name))
    return f"{value['value']} ({told})" if told else str(value["value"])


def _words(description: object) -> dict[str, object]:
    if not isinstance(description, dict):
        return {}
    links = [_link(it) for it in description.get("authoritativeDefinitions") or ()]
    custom = _customs(description)
    return {name: description.get(name) for name in ("purpose", "usage", "limitations")} | {"see": links, "custom": custom}


def _price(document: Mapping[str, Any]) -> dict[str, object]:
    price = document.get("price")
    if not price:
        return {}
    amount = " ".join(str(price[name]) for name in ("priceAmount", "priceCurrency") if name in price)
    return {"price": f"{amount} per {price['priceUnit']}" if price.get("priceUnit") else amount}


def _context(entry: Mapping[str, Any]) -> dict[str, object]:
    context = entry.get("context")
    if not isinstance(context, dict):
        return {"context": context} if context else {}
    asked = [" ".join(filter(None, (it["question"], it.get("answer")))) for it in context.get("verifiedStatements") or ()]
    told = {"context": context.get("instructions"), "verified": "\n".join(asked)}
    return told | {"must not": "\n".join(it["constraint"] for it in context.get("constraints") or ())}
