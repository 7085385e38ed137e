"""Passages as Arrow: the schema of the Parquet files that a publisher hands over and the server indexes (ADR 0001, decision 4).

Owns the conversion in both directions. Imports pyarrow; import this module on first use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mesh_core.vectors.passages import AttributeValue, InvalidPassage, Passage

__all__ = ["MODEL_KEY", "PASSAGE_SCHEMA", "batch_of", "passages_in"]

MODEL_KEY = b"domain_mesh.embedding_model"
"""Schema metadata: the `model` of the embedder that made the vectors, UTF-8."""

PASSAGE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("heading", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("indexed_text", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("page", pa.int32()),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("attributes", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)
"""One row per passage: `start` and `end` are character offsets, `page` from 1 or null, `attributes` a JSON object."""


def batch_of(passages: Sequence[Passage], *, model: str = "") -> pa.RecordBatch:
    """The passages as one batch of PASSAGE_SCHEMA, in order; `model` is kept in the schema's metadata."""
    plain = ("id", "document", "title", "heading", "text", "indexed_text", "start", "end", "page", "tags")
    columns: dict[str, Any] = {name: [getattr(passage, name) for passage in passages] for name in plain}
    columns["attributes"] = [json.dumps(dict(passage.attributes), ensure_ascii=False) for passage in passages]
    columns["vector"] = [np.asarray(passage.vector, dtype=np.float32) for passage in passages]
    schema = PASSAGE_SCHEMA.with_metadata({MODEL_KEY: model.encode()}) if model else PASSAGE_SCHEMA
    return pa.record_batch([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def passages_in(batch: pa.RecordBatch) -> Iterator[Passage]:
    """The passages of a batch, in order.

    Raises:
        InvalidPassage: a column is missing or of another type, a value is null, or attributes are no JSON object of scalars.
    """
    for field in PASSAGE_SCHEMA:
        position = batch.schema.get_field_index(field.name)
        if position < 0 or batch.schema.field(position).type != field.type:
            found = batch.schema.field(position).type if position >= 0 else "absent"
            raise InvalidPassage(
                f"column {field.name!r} of the passages is {found}, it must be {field.type}: write them with the SDK."
            )
        if not field.nullable and batch.column(position).null_count:
            raise InvalidPassage(f"column {field.name!r} of the passages holds nulls: write them with the SDK.")
    vectors = batch.column(batch.schema.get_field_index("vector"))
    names = [name for name in PASSAGE_SCHEMA.names if name != "vector"]
    for row, vector in zip(batch.select(names).to_pylist(), vectors, strict=True):
        attributes = _attributes(row.pop("attributes"), passage=row["id"])
        tags = tuple(row.pop("tags"))
        if None in tags:
            raise InvalidPassage(f"passage {row['id']!r} has a null among its tags: write it with the SDK.")
        yield Passage(**row, tags=tags, attributes=attributes, vector=vector.values.to_numpy(zero_copy_only=False))


def _attributes(text: str, *, passage: str) -> Mapping[str, AttributeValue]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidPassage(f"the attributes of passage {passage!r} are no JSON: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(value, str | int | float | bool) for value in found.values()):
        raise InvalidPassage(f"the attributes of passage {passage!r} must be a JSON object of strings, numbers and booleans.")
    return found
