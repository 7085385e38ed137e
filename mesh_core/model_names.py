"""What a contract promises of vectors: the model that it writes (ODCS `embeddingModel`) made them, in the dimensions it says."""

from __future__ import annotations

import re

from mesh_core.contract.model import Port

__all__ = ["broken_embeddings", "is_model"]

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


def broken_embeddings(port: Port, *, model: str, dimensions: int) -> list[tuple[str, str]]:
    """The vector columns whose contract promises other vectors than those of the model, and in words why; none if all is kept.

    Args:
        port: As the contract has it; what it leaves open is no promise.
        model: What the embedder calls its model.
        dimensions: How many numbers its vectors have.

    Source: ODCS 3.2 `logicalTypeOptions` of `vector`.
    """
    broken: list[tuple[str, str]] = []
    for column in (it for it in port.columns if it.logical_type == "vector"):
        promised, named = column.options.get("dimensions"), column.options.get("embeddingModel")
        if promised is not None and promised != dimensions:
            broken.append((column.name, f"the contract promises {promised} dimensions, {model} makes {dimensions}."))
        if named and not is_model(str(named), model):
            why = f"the contract promises vectors of {named}, these are of {model}: set MESH_EMBEDDER, or change the contract."
            broken.append((column.name, why))
    return broken


def _bare(name: str) -> str:
    return name.strip().casefold().partition("@")[0].rpartition("/")[2].partition(":")[0]
