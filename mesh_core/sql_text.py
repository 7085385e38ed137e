"""SQL text that a parser can be trusted with: sqlglot's recurses, so length, words and nesting are bounded (ADR 0016)."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

__all__ = ["LONGEST_SQL", "SqlNotUnderstood", "check_sql_size", "not_understood", "parsed_expression"]

LONGEST_SQL = 100_000
"""Characters."""
_MOST_TOKENS = 20_000
_DEEPEST = 50
_OPENING, _CLOSING = "([{", ")]}"


class SqlNotUnderstood(ValueError):
    """SQL that is too large, too deep or not SQL; the message says what is wrong."""


def check_sql_size(sql: str, dialect: str) -> None:
    """Returns if the parser, which recurses, can be trusted with it. Raises: SqlNotUnderstood."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    if len(sql) > LONGEST_SQL:
        raise SqlNotUnderstood(f"The SQL has {len(sql):,} characters: use at most {LONGEST_SQL:,}.")
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except SqlglotError as error:
        raise SqlNotUnderstood(not_understood(error)) from None
    if len(tokens) > _MOST_TOKENS:
        raise SqlNotUnderstood(f"The SQL has {len(tokens):,} words and signs: use at most {_MOST_TOKENS:,}.")
    depth = run = 0
    for token in tokens:
        depth += (token.text in _OPENING and token.text != "") - (token.text in _CLOSING and token.text != "")
        run = run + 1 if token.text.upper() in ("NOT", "-", "+", "~", "CASE", "LAMBDA") else 0
        if depth > _DEEPEST or run > _DEEPEST:
            raise SqlNotUnderstood(f"The SQL is nested more than {_DEEPEST} levels deep: name parts of it with WITH.")


def parsed_expression(text: str, dialect: str) -> exp.Expr:
    """The one expression that the text is, without a name of its own. Raises: SqlNotUnderstood."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    check_sql_size(text, dialect)
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log the text, and values with it
    try:
        statements = sqlglot.parse(f"SELECT {text}", read=dialect)
    except SqlglotError as error:
        raise SqlNotUnderstood(not_understood(error)) from None
    except RecursionError:
        raise SqlNotUnderstood("The SQL is nested too deeply.") from None
    query = statements[0] if len(statements) == 1 else None
    found = query.expressions if isinstance(query, exp.Select) else []
    has_more = isinstance(query, exp.Select) and any(value for name, value in query.args.items() if name != "expressions")
    if len(found) != 1 or has_more or isinstance(found[0], exp.Alias):
        raise SqlNotUnderstood("The SQL is not one expression: write a value, without SELECT, FROM or AS.")
    expression: exp.Expr = found[0].pop()
    return expression


def not_understood(error: SqlglotError) -> str:
    """Where the parser no longer understands the text, and what it expected there if it says so in words."""
    found: list[dict[str, Any]] = getattr(error, "errors", None) or []
    if not found or not found[0].get("line"):
        return f"The SQL cannot be understood: {_plain(str(error))}"
    first = found[0]
    near, said = str(first.get("highlight") or ""), str(first.get("description") or "")
    column = max(1, int(first["col"]) - len(near) + 1)
    place = f"line {first['line']}, column {column}{f', near {near[:40]!r}' if near else ''}"
    wanted = "" if "<" in said or "sqlglot" in said else f": {_plain(said)}"  # the parser's own classes are nobody's words
    return f"The SQL cannot be understood at {place}{wanted}."


def _plain(message: str) -> str:
    """The parser's message without its colours, one line."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", message).split())[:300]
