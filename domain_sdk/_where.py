"""`where` of a read: a polars expression as it is, or SQL text as the polars expression that means the same.

Owns the way from a user's text to a predicate over the visible columns. The parser is only there with the server's packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from domain_sdk.errors import InvalidExpression, InvalidRequest, NotConfigured

__all__ = ["to_predicate"]

_LOGICAL: Mapping[str, str] = MappingProxyType(
    {
        "String": "string",
        "Categorical": "string",
        "Enum": "string",
        "Boolean": "boolean",
        "Date": "date",
        "Datetime": "timestamp",
    }
)


def to_predicate(where: pl.Expr | str | None, schema: pl.Schema, *, port: str) -> pl.Expr | None:
    """The predicate over columns of this schema; None stays None.

    Raises:
        InvalidRequest: it is neither an expression nor text.
        InvalidExpression: the text is no predicate of the filter language, or names a column that is not visible.
        NotConfigured: the SQL parser is not installed.
    """
    if where is None or isinstance(where, pl.Expr):
        return where
    if isinstance(where, str):
        return _parsed(where, schema, port)
    raise InvalidRequest(
        f"`where` must be a polars expression like pl.col('kilos') > 10 or SQL like 'kilos > 10', not a {type(where).__name__}.",
        resource=port,
    )


def _parsed(sql: str, schema: pl.Schema, port: str) -> pl.Expr:
    from mesh_core.expressions import errors
    from mesh_core.expressions.polars import to_polars
    from mesh_core.expressions.sql import parse_filter

    try:
        return to_polars(parse_filter(sql, {name: _logical(dtype) for name, dtype in schema.items()}), schema)
    except ModuleNotFoundError as error:
        raise NotConfigured(
            f"`where` is SQL text, and its parser ({error.name}) is not installed: pip install 'domain-mesh[server]', or give "
            "a polars expression."
        ) from error
    except errors.Unsupported as error:
        raise InvalidExpression("`where` cannot use subject.…: that is for the row filters of grants.", resource=port) from error
    except errors.InvalidExpression as error:
        hint = " Text goes in single quotes: 'APAC'; double quotes name a column." if '"' in sql else ""
        raise InvalidExpression(f"`where` cannot be used: {error}{hint}", resource=port) from error


def _logical(dtype: pl.DataType) -> str:
    return "number" if dtype.is_numeric() else _LOGICAL.get(str(dtype.base_type()), "object")
