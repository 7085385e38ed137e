"""Governed SQL, before it runs: one query, its ports and the columns it can need; everything else is refused.

The text is parsed, checked as a tree, and written anew from that tree: what runs is what was checked. A port is replaced by a
name nobody can guess, so the engine can find only what the gateway has put there. Knows nothing of policy and of the engine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mesh_core.names import InvalidName, parse_port
from mesh_core.sql_text import SqlNotUnderstood, check_sql_size, not_understood

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["DIALECT", "InvalidQuery", "ParsedQuery", "QueriedTable", "parse_query", "pinned", "query_tree", "translated"]

DIALECT = "duckdb"
_MOST_TABLES = 64
_TABLE_FUNCTIONS = frozenset({"Unnest", "GenerateSeries"})
_REFUSED_FUNCTION = re.compile(
    r"(read_|parquet_|duckdb_|pragma_|pg_|sniff_|json_execute|json_serialize_sql|json_deserialize_sql|has_\w+_privilege|"
    r"query\Z|query_table\Z|glob\Z|current_setting\Z|set_config\Z|getvariable\Z|getenv\Z|which_secret\Z|write_log\Z|"
    r"error\Z|nextval\Z|currval\Z|sleep|txid_current\Z|(current_)?version\Z|current_(database|schema|schemas|catalog|user|role)\Z|sql_auto_complete|"
    r"session_user\Z|current_(query|query_id|connection_id|transaction_id)\Z|get_block_size\Z|in_search_path\Z|setseed\Z|__internal)",
    re.IGNORECASE,
)


class InvalidQuery(ValueError):
    """A query that cannot be run; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class QueriedTable:
    """One port in one version (0: the one served now), and the name the engine knows it by."""

    port: str
    version: int
    engine_name: str


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A checked query.

    `sql` names the tables by their engine names. `names` are all names in it, in lower case: a column that is not among them is
    not needed; None if the query asks for whole rows.
    """

    sql: str
    tables: tuple[QueriedTable, ...]
    names: frozenset[str] | None

    def named(self, columns: Sequence[str]) -> list[str]:
        """Those of a table's columns that the query can ask for, in their order; none if it only counts rows."""
        return [column for column in columns if self.names is None or column.lower() in self.names]

    def needed(self, columns: Sequence[str]) -> list[str]:
        """Those that the engine has to be given for it: as `named`, but at least one, as rows must be counted."""
        return self.named(columns) or list(columns[:1])


def parse_query(sql: str, *, prefix: str, own: Mapping[str, str] | None = None) -> ParsedQuery:
    """The query, understood. Raises: InvalidQuery.

    Args:
        sql: Its text.
        prefix: Engine names begin with it; it must be new for each query.
        own: Tables that may be named by their last part: that in lower case → port.
    """
    try:
        return _checked(query_tree(sql), _Naming(prefix, own or {}))
    except RecursionError:
        raise InvalidQuery("The SQL is nested too deeply: name parts of it with WITH.") from None


def translated(sql: str, dialect: str) -> str:
    """One statement of another dialect, in the engine's; `parse_query` is still to judge it. Raises: InvalidQuery."""
    if dialect == DIALECT:
        return sql
    try:
        return query_tree(sql, dialect).sql(dialect=DIALECT, comments=False)
    except RecursionError:
        raise InvalidQuery("The SQL is nested too deeply: name parts of it with WITH.") from None


def pinned(sql: str, versions: Mapping[str, int]) -> str:
    """The query with each port read at its version; one that states a version keeps it. Raises: InvalidQuery.

    `versions` gives versions by port; a port that is not in it is left as it is. `parse_query` is still to judge the query.
    """
    from sqlglot import exp

    try:
        tree = query_tree(sql)
        for table in list(tree.find_all(exp.Table)):
            version = versions.get(".".join(part.name for part in table.parts))
            if version and table.args.get("when") is None:
                table.set("when", _at_version(version))
        return tree.sql(dialect=DIALECT, comments=False)
    except RecursionError:
        raise InvalidQuery("The SQL is nested too deeply: name parts of it with WITH.") from None


def _at_version(version: int) -> exp.Expr:
    from sqlglot import exp

    return exp.HistoricalData(this="AT", kind="VERSION", expression=exp.Literal.number(version))


@dataclass(frozen=True, slots=True)
class _Naming:
    """How tables are found: what engine names begin with, and which ports need no domain and product."""

    prefix: str
    own: Mapping[str, str]


def _checked(tree: exp.Expr, naming: _Naming) -> ParsedQuery:
    from sqlglot import exp

    if isinstance(tree, exp.Condition | exp.Alias):
        raise InvalidQuery(f"{tree.sql(dialect=DIALECT)[:40]!r} is not a query: begin with SELECT or WITH.")
    if not isinstance(tree, exp.Query):
        raise InvalidQuery(f"{_kind(tree)} is not a query: only SELECT (with WITH, UNION, …) is run.")
    tables: dict[tuple[str, int], QueriedTable] = {}
    nodes = list(tree.walk())
    for node in nodes:
        _check_node(node)
    names = _names(nodes)
    for table in [node for node in nodes if isinstance(node, exp.Table)]:
        _resolve(table, tables, naming)
    _shorten_columns(nodes, {tuple(table.port.split(".")) for table in tables.values()})
    return ParsedQuery(tree.sql(dialect=DIALECT, comments=False), tuple(tables.values()), names)


def query_tree(sql: str, dialect: str = DIALECT) -> exp.Expr:
    """The one statement that the text is, as a tree. Raises: InvalidQuery; RecursionError, if it is nested too deeply."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        check_sql_size(sql, dialect)
    except SqlNotUnderstood as error:
        raise InvalidQuery(str(error)) from None
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log the text of queries, and values with it
    try:
        statements = [statement for statement in sqlglot.parse(sql, read=dialect) if statement is not None]
    except SqlglotError as error:
        raise InvalidQuery(not_understood(error)) from None
    if len(statements) != 1:
        raise InvalidQuery(f"{len(statements)} statements: send exactly one query.")
    return statements[0]


def _check_node(node: exp.Expr) -> None:
    from sqlglot import exp

    refused = (exp.Into, exp.Lock, exp.Command, exp.Parameter, exp.Placeholder, exp.Pivot, exp.SessionParameter, exp.DML, exp.DDL)
    if isinstance(node, refused) and not isinstance(node, exp.Query):
        raise InvalidQuery(f"{_kind(node)} cannot be used here: write a plain query, with its values in it.")
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if _REFUSED_FUNCTION.match(name):
            raise InvalidQuery(f"The function {name.lower()} cannot be used: a query reads ports and nothing else.")


def _resolve(table: exp.Table, tables: dict[tuple[str, int], QueriedTable], naming: _Naming) -> None:
    """The table is a port under its engine name, a name defined by WITH, or one of the few functions that make rows."""
    from sqlglot import exp

    if isinstance(table.this, exp.Func):
        if type(table.this).__name__ not in _TABLE_FUNCTIONS:
            raise InvalidQuery(f"{_kind(table.this)} cannot be read from: name a port, like finance.ledger.entries.")
        return
    parts = [part.name for part in table.parts]
    if len(parts) == 1 and _is_defined(table):
        return
    if len(parts) < 3 and parts[-1].lower() in naming.own:
        full = naming.own[parts[-1].lower()]
    elif len(parts) == 3:
        full = ".".join(parts)
    else:
        raise InvalidQuery(f"{'.'.join(parts)!r} names no port: write its three parts, like finance.ledger.entries.")
    try:
        port = str(parse_port(full))
    except InvalidName as error:
        raise InvalidQuery(f"{'.'.join(parts)!r} names no port: {error}") from None
    key = (port, _version(table))
    if key not in tables and len(tables) == _MOST_TABLES:
        raise InvalidQuery(f"The query reads more than {_MOST_TABLES} tables: read fewer at once.")
    found = tables.setdefault(key, QueriedTable(port, key[1], f"{naming.prefix}{len(tables)}"))
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(parts[-1], quoted=True)))
    for gone in ("catalog", "db", "when"):
        table.set(gone, None)
    table.set("this", exp.to_identifier(found.engine_name, quoted=True))


def _is_defined(table: exp.Table) -> bool:
    """True if a WITH around the table defines its name; elsewhere the engine would look for one of its own."""
    from sqlglot import exp

    name, inner, outer = _folded(table.name), cast("exp.Expr", table), table.parent
    while outer is not None:
        known: list[exp.Expr] = []
        if isinstance(outer, exp.With):  # inside one of its parts: those before it, and itself if it may recur
            place = next(index for index, part in enumerate(outer.expressions) if part is inner)
            known = outer.expressions[: place + bool(outer.args.get("recursive"))]
        elif isinstance(around := outer.args.get("with_") or outer.args.get("with"), exp.With) and around is not inner:
            known = around.expressions
        if any(_folded(part.alias) == name for part in known):
            return True
        inner, outer = outer, outer.parent
    return False


def _folded(name: str) -> bytes:
    """Equal for names that are one to the engine, which knows the case of ASCII letters only."""
    return name.encode().lower()


def _version(table: exp.Table) -> int:
    from sqlglot import exp

    when = table.args.get("when")
    if when is None:
        return 0
    number = when.expression
    text = number.name if isinstance(number, exp.Literal) and not number.is_string else ""
    if str(when.args.get("kind")).upper() != "VERSION" or not text.isdecimal() or len(text) > 18 or int(text) == 0:
        raise InvalidQuery("A version is written AT (VERSION => 3), with the number of a release.")
    return int(text)


def _names(nodes: list[exp.Expr]) -> frozenset[str] | None:
    """Every name in the query, in lower case; None if it asks for whole rows somewhere."""
    from sqlglot import exp

    aliases = {node.alias_or_name.lower() for node in nodes if isinstance(node, exp.Table | exp.Subquery | exp.CTE)}
    for node in nodes:
        counts = isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)
        if isinstance(node, exp.Star | exp.Columns) and not counts:
            return None
        if isinstance(node, exp.TableAlias) and node.args.get("columns"):
            return None  # they rename by position
        if isinstance(node, exp.Join) and str(node.args.get("method") or "").upper() in ("NATURAL", "POSITIONAL"):
            return None
        if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.lower() in aliases:
            return None  # a table's name as a value is its whole row
    return frozenset(node.name.lower() for node in nodes if isinstance(node, exp.Identifier))


def _shorten_columns(nodes: list[exp.Expr], ports: set[tuple[str, ...]]) -> None:
    """A column written with its port's full name is one of that table."""
    from sqlglot import exp

    for node in nodes:
        if isinstance(node, exp.Column) and tuple(part.name for part in node.parts[:-1]) in ports:
            node.set("catalog", None)
            node.set("db", None)


def _kind(node: exp.Expr) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return node.key.upper()
