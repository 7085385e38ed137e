"""Pseudonyms: a column's values under a keyed hash, which lineage takes as evidence that a tag stops there.

What makes the plan show it is in `_polars_plan/keyed_hashes.py`. Knows nothing of ports or the wire.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["keyed_hash"]

_SHORTEST_KEY_BYTES = 16


def keyed_hash(value: pl.Expr | str, key: bytes | str) -> pl.Expr:
    """An expression: the HMAC-SHA-256 of each value's text (UTF-8) under the key, as 64 hexadecimal digits; null stays null.

    Equal values give equal pseudonyms, so tables made with one key can be joined by them. Nobody without the key can guess them,
    not even of values that are few. A transform that shows a column only like this ends its tags there, as masking does.

    Args:
        value: A column's name or an expression; what is no text is cast to it.
        key: At least 16 bytes that nobody guesses, kept where secrets are kept; a text counts as UTF-8. It stands in no plan and
            no lineage.

    Raises:
        InvalidRequest: the key is shorter, or is no bytes and no text.
    """
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes) or len(secret) < _SHORTEST_KEY_BYTES:
        raise InvalidRequest("The key of a keyed hash needs at least 16 bytes: take secrets.token_bytes(32), and keep it.")
    import polars as pl

    from domain_sdk._polars_plan.keyed_hashes import marked

    def hashed(values: pl.Series) -> pl.Series:
        texts = (None if text is None else hmac.digest(secret, text.encode(), "sha256").hex() for text in values)
        return pl.Series(values.name, list(texts), dtype=pl.String)

    text = (pl.col(value) if isinstance(value, str) else value).cast(pl.String)
    return marked(text, text.map_batches(hashed, return_dtype=pl.String, is_elementwise=True))
