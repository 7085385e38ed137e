"""SQL text that a parser can be trusted with: sqlglot's recurses, so length, words and nesting are bounded (ADR 0016)."""

from __future__ import annotations

import re

__all__ = ["LONGEST_SQL", "SqlNotUnderstood", "check_sql_size", "plain_message"]

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
        raise SqlNotUnderstood(f"The SQL cannot be understood: {plain_message(str(error))}") from None
    if len(tokens) > _MOST_TOKENS:
        raise SqlNotUnderstood(f"The SQL has {len(tokens):,} words and signs: use at most {_MOST_TOKENS:,}.")
    depth = run = 0
    for token in tokens:
        depth += (token.text in _OPENING and token.text != "") - (token.text in _CLOSING and token.text != "")
        run = run + 1 if token.text.upper() in ("NOT", "-", "+", "~", "CASE", "LAMBDA") else 0
        if depth > _DEEPEST or run > _DEEPEST:
            raise SqlNotUnderstood(f"The SQL is nested more than {_DEEPEST} levels deep: name parts of it with WITH.")


def plain_message(message: str) -> str:
    """The parser's message without its colours, one line."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", message).split())[:300]
