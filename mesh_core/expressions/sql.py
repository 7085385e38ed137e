"""SQL text of the expression language: parsing what people write, rendering what engines run.

The text is a SQL predicate in the DuckDB dialect: comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS [NOT] NULL, literals, column
names and `subject.<attribute>`. `parse_filter(to_sql(e)) == e`. Knows nothing of polars, Weaviate or the wire.
"""

from __future__ import annotations

from collections.abc import Mapping

from mesh_core.expressions._rendering import Dialect, render
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.tree import Expression

__all__ = ["Dialect", "InvalidExpression", "parse_filter", "to_sql"]


def parse_filter(sql: str, columns: Mapping[str, str] | None = None) -> Expression:
    """The expression a filter's text says, checked against the columns if they are given.

    Args:
        sql: The predicate, at most 10,000 characters.
        columns: Column name to ODCS logical type; None leaves names and types unchecked.

    Raises:
        InvalidExpression: Naming the construct, the unknown column with its nearest ones, or the types that do not compare.
    """
    from mesh_core.expressions._parsing import parse
    from mesh_core.expressions._typing import check_types

    expression = parse(sql)
    if columns is not None:
        check_types(expression, columns)
    return expression


def to_sql(expression: Expression, dialect: Dialect = "duckdb") -> str:
    """The expression as SQL text, all names and values quoted.

    `duckdb` is for showing and storing: it parses back to the same expression. `datafusion` is a filter for LanceDB, DataFusion:
    true on the same rows and never null (see `filters`); fit the expression to the column types first (`fitting.fit`), so that
    the engine need not convert any value.

    Raises:
        InvalidExpression: If the expression is outside the language.
        Unsupported: For datafusion, if a subject is unbound or two different columns are compared (a conversion there can raise).
    """
    return render(expression, dialect)
