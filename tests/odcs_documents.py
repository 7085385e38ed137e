"""Valid ODCS documents by the hundred, grown from the standard's own JSON Schema with a seeded generator.

Each field the schema knows is written with a fair chance, so that together the documents have all of them. What a generator
cannot guess (names that are distinct, operators that fit) is told to it here; the schema is the judge of the result.
"""

from __future__ import annotations

import json
import random
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["document_of", "text_of"]

_SCHEMA: dict[str, Any] = json.loads((files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
_DEFS = _SCHEMA["$defs"]
_PHYSICAL = {
    "string": ["varchar(20)", "text", "STRING", "nvarchar", "uuid"],
    "integer": ["int", "bigint", "smallint", "NUMBER(10,0)", "serial"],
    "number": ["double", "decimal(12,2)", "numeric", "float4", "money"],
    "boolean": ["bool", "bit"],
    "date": ["date", "DATE"],
    "timestamp": ["timestamp", "timestamptz", "datetime2"],
    "time": ["time"],
}
_LOGICAL = [*_PHYSICAL, "object", "array", "map", "vector"]
_OPERATORS: list[dict[str, Any]] = [
    {"mustBe": 0}, {"mustNotBe": 7}, {"mustBeGreaterThan": -1}, {"mustBeGreaterOrEqualTo": 0}, {"mustBeLessThan": 5},
    {"mustBeLessOrEqualTo": 0}, {"mustBeBetween": [0, 9]}, {"mustNotBeBetween": [3, 4]},
]  # fmt: skip
_WORDS = ["ledger", "für alle", "数据", "a: b # c", "- x", "NO", "2026-01-01", "'quoted'", 'say "hi"', "on", "null", "~"]


_SERVERS = {
    "local": "LocalServer", "s3": "S3Server", "kafka": "KafkaServer", "postgres": "PostgresServer", "azure": "AzureServer",
    "snowflake": "SnowflakeServer", "bigquery": "BigQueryServer", "custom": "CustomServer", "duckdb": "DuckdbServer",
}  # fmt: skip


class _Grower:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    def chance(self, of_ten: int) -> bool:
        return self.random.random() * 10 < of_ten

    def name(self, stem: str) -> str:
        self.names += 1
        return f"{stem}_{self.names}"

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def leaf(self, node: Any) -> Any:
        """An instance of a definition without conditions: a scalar, a list, or an object of such."""
        node = _resolved(node)
        if "enum" in node:
            return self.random.choice(node["enum"])
        if "anyOf" in node or "oneOf" in node:
            return self.leaf(self.random.choice(node.get("anyOf") or node["oneOf"]))
        kind = node.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object" or "properties" in node:
            return self.fields(node)
        if kind == "array":
            length = self.random.randint(node.get("minItems", 1), 2) if "items" in node else 0
            return [self.leaf(node["items"]) for _ in range(length)]
        if kind == "string":
            return self.name("s") if "pattern" in node else "2026-11-23T10:00:00Z" if "format" in node else self.word()
        return {"integer": self.random.randint(1, 9), "number": 1.5, "boolean": self.chance(5), "null": None}.get(str(kind))

    def fields(self, node: Any, *, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
        required = set(node.get("required", ()))
        named = {name: part for name, part in node.get("properties", {}).items() if name not in skip}
        return {name: self.leaf(part) for name, part in named.items() if name in required or self.chance(4)}

    def rules(self, *, of_port: bool) -> list[dict[str, Any]]:
        made = []
        for kind in self.random.sample(["library", "sql", "custom", "text"], k=self.random.randint(0, 3)):
            rule = self.fields(_DEFS["DataQuality"], skip=frozenset({"type"})) | {"type": kind, "severity": "info"}
            if kind == "library":
                of_columns = ["nullValues", "missingValues", "invalidValues", "duplicateValues"]
                metrics = ["rowCount", "duplicateValues"] if of_port else of_columns
                rule |= {"metric": self.random.choice(metrics)} | self.random.choice(_OPERATORS)
                rule |= {"arguments": {"validValues": ["a", 1, None], "missingValues": [None, ""]}} if self.chance(5) else {}
            if kind == "sql":
                rule |= {"query": "SELECT count(*) FROM {object} WHERE 1 = 0"} | self.random.choice(_OPERATORS)
            if kind == "custom":
                rule |= {"engine": "soda", "implementation": self.random.choice(["checks for x", {"type": "duplicate_percent"}])}
            made.append(rule)
        return made

    def column(self, depth: int, *, is_named: bool = True) -> dict[str, Any]:
        simple = _LOGICAL[:7] if depth > 2 else _LOGICAL
        logical = self.random.choice(simple)
        skip = frozenset({"logicalType", "logicalTypeOptions", "physicalType", "relationships", "quality", "name", "primaryKey",
                          "primaryKeyPosition", "enum", "id", "partitionKeyPosition"})  # fmt: skip
        made: dict[str, Any] = {"name": self.name("Col")} if is_named else {}
        made |= self.fields(_DEFS["SchemaElement"], skip=skip) | self.fields(_DEFS["SchemaBaseProperty"], skip=skip)
        made["logicalType"] = logical
        if logical in _PHYSICAL and self.chance(5):
            made["physicalType"] = self.random.choice(_PHYSICAL[logical])
            if self.chance(3):
                del made["logicalType"]
        if "logicalType" in made and (self.chance(5) or logical == "vector"):
            made["logicalTypeOptions"] = self.options(logical)
        if self.chance(3) and logical in ("string", "integer"):
            own = frozenset({"value"})
            made["enum"] = [self.fields(_DEFS["EnumValue"], skip=own) | {"value": value} for value in ("a", 2, True, None)]
        if self.chance(2):
            made["relationships"] = [self.reference() | {"to": "other.column"}]
        made["quality"] = self.rules(of_port=False)
        return made | self.parts(logical, depth)

    def parts(self, logical: str, depth: int) -> dict[str, Any]:
        if logical == "object":
            return {"properties": [self.column(depth + 1) for _ in range(self.random.randint(1, 3))]}
        if logical == "array":
            return {"items": self.column(depth + 1, is_named=False)}
        if logical == "map":
            return {"map": {"key": {"logicalType": "string"}, "value": self.column(depth + 1, is_named=False)}}
        return {}

    def options(self, logical: str) -> dict[str, Any]:
        for branch in _DEFS["SchemaBaseProperty"]["allOf"]:
            tests = [branch.get("if", {}), *branch.get("if", {}).get("anyOf", ())]
            if any(test.get("properties", {}).get("logicalType", {}).get("const") == logical for test in tests):
                node = branch["then"]["properties"].get("logicalTypeOptions", {})
                made = self.fields(node)
                for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
                    if isinstance(made.get(bound), str):
                        made[bound] = "08:00" if logical == "time" else "2020-01-01"
                return made | ({"pattern": "^[a-z]*$"} if "pattern" in made else {})
        return {}

    def port(self) -> dict[str, Any]:
        skip = frozenset({"properties", "relationships", "quality", "name", "id", "physicalType", "logicalType"})
        columns = [self.column(0) for _ in range(self.random.randint(1, 6))]
        if "semanticType" in columns[0]:
            columns[0]["semanticType"] = "column"  # a port of measures alone has nothing to be published
        for position, column in enumerate((it for it in columns if it.get("logicalType") in ("string", "integer", "date")), 1):
            if self.chance(4):
                column |= {"primaryKey": True, "primaryKeyPosition": position}
        made: dict[str, Any] = {
            "name": self.name("table"),
            "logicalType": "object",
            "physicalType": self.random.choice(["table", "view", "topic"]),
        }
        made |= self.fields(_DEFS["SchemaElement"], skip=skip) | self.fields(_DEFS["SchemaObject"], skip=skip)
        if self.chance(3):
            source = f"{made['name']}.{columns[0]['name']}"
            made["relationships"] = [self.reference() | {"from": source, "to": "other.column"}]
        return made | {"properties": columns, "quality": self.rules(of_port=True)}

    def reference(self) -> dict[str, Any]:
        return self.fields(_DEFS["RelationshipBase"], skip=frozenset({"from", "to"}))

    def server(self) -> dict[str, Any]:
        kind, source = self.random.choice(list(_SERVERS.items()))
        base = self.fields(_DEFS["Server"], skip=frozenset({"type", "server"}))
        return base | self.fields(_DEFS["ServerSource"][source]) | {"server": self.name("srv"), "type": kind}


def _resolved(node: Any) -> Any:
    while "$ref" in node:
        found: Any = _SCHEMA
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found | {name: value for name, value in node.items() if name != "$ref"}
    return node


@cache
def document_of(seed: int) -> dict[str, Any]:
    """One document; the same for the same seed."""
    grower = _Grower(seed)
    skip = frozenset({"schema", "servers", "kind", "apiVersion", "version"})
    made = grower.fields(_SCHEMA, skip=skip)
    made |= {"kind": "DataContract", "apiVersion": grower.random.choice(["v3.0.0", "v3.0.2", "v3.1.0", "v3.2.0"])}
    made |= {"version": f"1.{seed}.0", "schema": [grower.port() for _ in range(grower.random.randint(1, 3))]}
    if made["apiVersion"] != "v3.2.0":
        made.setdefault("status", "active")
    if grower.chance(5):
        made["servers"] = [grower.server()]
    return made


def text_of(seed: int) -> str:
    """The document as text: YAML in block or flow style, or JSON, with comments and odd line ends now and then."""
    import yaml

    document = document_of(seed)
    style = seed % 4
    if style == 0:
        return json.dumps(document, indent=seed % 3 or None, ensure_ascii=seed % 2 == 0)
    text = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=style != 1, default_flow_style=style == 3, width=60 + seed % 80
    )
    return text.replace("\n", "\r\n") if style == 2 and seed % 8 == 2 else f"# contract {seed}\n{text}"
