"""Identifiers that every store accepts: injective, ASCII, and distinct even where case is ignored."""

from __future__ import annotations

import hashlib
import re

__all__ = ["attribute_field", "collection_identifier", "encoded"]

_PLAIN = re.compile(r"[a-z0-9]")
_LONGEST = 200


def collection_identifier(name: str) -> str:
    """The identifier of a collection: `finance.memos.pages` becomes `Mesh_finance_2e_memos_2e_pages`.

    Begins with a capital, holds letters, digits and _ only; capitals are escaped, so stores that ignore case cannot mix two up.
    """
    whole = f"Mesh_{encoded(name)}"
    return whole if len(whole) <= _LONGEST else f"Meshsha256_{hashlib.sha256(name.encode()).hexdigest()}"


def attribute_field(name: str) -> str:
    """The stored field of an attribute: `region` becomes `attr_region`; it can never be one of the store's own fields."""
    whole = f"attr_{encoded(name)}"
    return whole if len(whole) <= _LONGEST else f"attrsha256_{hashlib.sha256(name.encode()).hexdigest()}"


def encoded(name: str) -> str:
    """The name in lower-case letters, digits and _: every other character by its number between two _."""
    return "".join(c if _PLAIN.match(c) else f"_{ord(c):x}_" for c in name)
