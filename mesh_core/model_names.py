"""Names of embedding models: whether the one that a contract writes (ODCS `embeddingModel`) is the one that made the vectors."""

from __future__ import annotations

import re

__all__ = ["is_model"]

_TAIL = re.compile(r"(?:-\d+)?\Z")


def is_model(written: str, model: str) -> bool:
    """True if the name means the model: with or without the vendor before it and the tag, weights or dimensions behind it.

    Args:
        written: As people write it: `all-MiniLM-L6-v2`, `sentence-transformers/all-MiniLM-L6-v2`.
        model: What an embedder calls its model: `all-MiniLM-L6-v2@sha256:53aa51172d14`, `text-embedding-3-small@1536`.
    """
    if written.strip().casefold() == model.casefold():
        return True
    named, known = _bare(written), _bare(model)
    return named == known or (known.startswith("hashing") and named == _TAIL.sub("", known))


def _bare(name: str) -> str:
    return name.strip().casefold().partition("@")[0].rpartition("/")[2].partition(":")[0]
