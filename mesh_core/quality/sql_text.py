"""The query of an `sql` rule as text: its placeholders filled in, and the SQL dialect it is written in.

Source: ODCS 3.2 "SQL": `{object}` and `{property}`; the others are what contracts in the wild and their tools write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mesh_core.contract.older import custom_of

__all__ = ["dialect_of", "filled"]

_PLACEHOLDER = re.compile(
    r"\$?\{\{?\s*(object|table|model|schema|property|column|field)(?:Name)?\s*\}?\}(?:\s*\.\s*\$?\{\{?\s*(table|object|model)\s*\}?\})?",
    re.IGNORECASE,
)
_OBJECT = frozenset({"object", "table", "model", "schema"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_QUOTES = "\"'`["
_DIALECTS = {
    "athena": "athena", "bigquery": "bigquery", "clickhouse": "clickhouse", "databricks": "databricks", "hive": "hive",
    "impala": "hive", "mysql": "mysql", "oracle": "oracle", "postgres": "postgres", "postgresql": "postgres", "presto": "presto",
    "redshift": "redshift", "snowflake": "snowflake", "sqlserver": "tsql", "synapse": "tsql", "teradata": "teradata",
    "trino": "trino", "glue": "spark", "duckdb": "duckdb", "cloudsql": "postgres", "dremio": "dremio", "exasol": "exasol",
}  # fmt: skip


def filled(query: str, *, port: str, path: tuple[str, ...] = ()) -> str:
    """The query with the port's name for `{object}` and its like, and the property's for `{property}` and its like.

    A placeholder for a property in a rule of a whole port stays as it is, so that the query is refused and not misread.
    """

    def name_for(match: re.Match[str]) -> str:
        word = match[1].lower()
        before = query[match.start() - 1 : match.start()]
        if word in _OBJECT:
            return port if before and before in _QUOTES else _identifier(port)
        if not path:
            return match[0]
        return ".".join(path) if before and before in _QUOTES else ".".join(_identifier(step) for step in path)

    return _PLACEHOLDER.sub(name_for, query)


def dialect_of(rule: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The dialect a rule's query is written in: its custom property `dialect`, else that of the contract's first server.

    Source: ODCS: "adheres to the dialect of the provided server".
    """
    custom = custom_of(rule)
    servers = [str(server.get("type", "")) for server in document.get("servers") or ()]
    written = str(custom.get("dialect") or (servers[0] if servers else "duckdb")).strip().casefold()
    return _DIALECTS.get(written, written if written in _DIALECTS.values() else "duckdb")


def _identifier(name: str) -> str:
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'
