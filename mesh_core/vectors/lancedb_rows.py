"""One LanceDB table as rows with a key and an interval: its schema, and the primitive operations staging is made of.

Knows nothing of searching. Loaded only with the LanceDB store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.kept_vectors import Vectors
from mesh_core.vectors.passages import StoredPassage, tag_set
from mesh_core.vectors.staging import NewRow, Row
from mesh_core.vectors.store import OPEN

__all__ = ["RETURNED", "LanceRows", "attribute_arrow_field", "keys_in", "stored_passage", "table_schema"]

RETURNED = ("id", "document", "title", "heading", "text", "start", "end", "page", "tags", "attributes")
"""The columns a stored passage is made of."""

_ARROW_KINDS: Mapping[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_FIELDS = (
    pa.field("key", pa.string()),
    pa.field("id", pa.string()),
    pa.field("document", pa.string()),
    pa.field("title", pa.string()),
    pa.field("heading", pa.string()),
    pa.field("text", pa.string()),
    pa.field("indexed_text", pa.string()),
    pa.field("start", pa.int64()),
    pa.field("end", pa.int64()),
    pa.field("page", pa.int32()),
    pa.field("tags", pa.list_(pa.string())),
    pa.field("tag_set", pa.string()),
    pa.field("attributes", pa.string()),
    pa.field("digest", pa.string()),
    pa.field("valid_from", pa.int32()),
    pa.field("valid_to", pa.int32()),
)
_NAME = b"domain_mesh.attribute"
_KEYS_A_STATEMENT = 1000


def attribute_arrow_field(name: str, kind: type) -> pa.Field:
    """The nullable column of an attribute; its metadata keeps the attribute's own name."""
    return pa.field(attribute_field(name), _ARROW_KINDS[kind], metadata={_NAME: name.encode()})


def table_schema(*, dimensions: int, attributes: Mapping[str, type]) -> pa.Schema:
    """The columns of a new collection's table."""
    vector = pa.field("vector", pa.list_(pa.float32(), dimensions))
    return pa.schema([*_FIELDS, vector, *(attribute_arrow_field(name, kind) for name, kind in attributes.items())])


def keys_in(keys: Sequence[str]) -> str:
    """A SQL predicate for these keys, which are UUIDs of ours."""
    quoted = ", ".join(f"'{key}'" for key in keys)
    return f"key in ({quoted})"


def stored_passage(row: Mapping[str, Any]) -> StoredPassage:
    """The passage a row of the `RETURNED` columns stands for."""
    fields = {name: row[name] for name in RETURNED if name not in ("tags", "attributes")}
    return StoredPassage(**fields, tags=tuple(row["tags"]), attributes=json.loads(row["attributes"]))


class LanceRows:
    """The rows of one table. `tag_sets` is the table of the tag sets that occur in it; it is always written first."""

    writers = 1
    """Commits at once would have to be repeated."""

    def __init__(self, table: Any, tag_sets: Any) -> None:  # noqa: ANN401  (lancedb ships no types)
        self._table = table
        self._tag_sets = tag_sets
        self._schema: pa.Schema = table.schema

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        size: int = self._schema.field("vector").type.list_size
        return size

    @property
    def attributes(self) -> Mapping[str, type]:
        """The declared attributes, by their own names."""
        kinds = {arrow: kind for kind, arrow in _ARROW_KINDS.items()}
        named = ((field.metadata or {}).get(_NAME) for field in self._schema)
        return {name.decode(): kinds[field.type] for name, field in zip(named, self._schema, strict=True) if name is not None}

    def since(self, version: int) -> Iterator[Row]:
        """Every row with valid_to >= version."""
        columns = ["key", "id", "digest", "valid_from", "valid_to"]
        query = self._table.search().where(f"valid_to >= {version}").select(columns)
        for batch in query.to_batches(4096):
            for values in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                yield Row(*values)

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Key, the passage's id and all that is written in it, of every row."""
        columns = ["key", "id", "document", "title", "heading", "text"]
        for batch in self._table.search().select(columns).to_batches(4096):
            for key, id, *texts in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                yield key, id, "\n".join(filter(None, texts))

    def at(self, row_ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """These columns of the rows, in the order given; the ids are of the commit that the table is at."""
        if not row_ids:
            return []
        table = self._table.take_row_ids(list(row_ids)).select(list(columns)).with_row_id().to_arrow()
        rows = dict(zip(table["_rowid"].to_pylist(), table.drop_columns(["_rowid"]).to_pylist(), strict=True))
        return [rows[row_id] for row_id in row_ids]

    def vectors(self, keys: Sequence[str]) -> Mapping[str, npt.NDArray[np.float32]]:
        """The stored vectors of these keys."""
        found: dict[str, npt.NDArray[np.float32]] = {}
        for some in _pieces(keys):
            table = self._table.search().where(keys_in(some)).select(["key", "vector"]).limit(len(some)).to_arrow()
            vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimensions)
            found |= dict(zip(table["key"].to_pylist(), vectors, strict=True))
        return found

    def all_vectors(self, most_bytes: int) -> Vectors | None:
        """The vectors of every row of the commit that the table is at; None if they take more bytes than that."""
        if self._table.count_rows() * self.dimensions * np.dtype(np.float32).itemsize > most_bytes:
            return None
        table = self._table.search().select(["vector"]).with_row_id(True).to_arrow()
        row_ids = table["_rowid"].to_numpy()
        order = np.argsort(row_ids)
        vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimensions)[order]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
        return Vectors(row_ids[order], vectors)

    def insert(self, rows: Sequence[NewRow]) -> None:
        """The rows are added in one commit, their tag sets before them."""
        sets = {tag_set(row.passage.tags): sorted(set(row.passage.tags)) for row in rows}
        known = pa.table({"tag_set": list(sets), "tags": pa.array(list(sets.values()), pa.list_(pa.string()))})
        self._tag_sets.merge_insert("tag_set").when_not_matched_insert_all().execute(known)
        self._table.add(self._arrow(rows))

    def set_valid_to(self, keys: Sequence[str], version: int) -> None:
        """The rows of these keys end at `version`."""
        for some in _pieces(keys):
            self._table.update(where=keys_in(some), values={"valid_to": version})

    def delete(self, keys: Sequence[str]) -> None:
        """The rows of these keys are gone."""
        for some in _pieces(keys):
            self._table.delete(keys_in(some))

    def _arrow(self, rows: Sequence[NewRow]) -> pa.Table:
        records = [_record(row) for row in rows]
        matrix = np.stack([np.asarray(row.passage.vector, dtype=np.float32) for row in rows])
        columns: dict[str, Any] = {f.name: pa.array([r[f.name] for r in records], f.type) for f in _FIELDS}
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), self.dimensions)
        for name in self.attributes:
            field = self._schema.field(attribute_field(name))
            columns[field.name] = pa.array([row.passage.attributes.get(name) for row in rows], field.type)
        return pa.table({name: columns[name] for name in self._schema.names})


def _record(row: NewRow) -> dict[str, Any]:
    passage = row.passage
    copied = ("id", "document", "title", "heading", "text", "start", "end", "page")
    return {
        **{name: getattr(passage, name) for name in copied},
        "key": row.key,
        "indexed_text": row.keywords,
        "tags": sorted(set(passage.tags)),
        "tag_set": tag_set(passage.tags),
        "attributes": json.dumps(dict(passage.attributes)),
        "digest": row.digest,
        "valid_from": row.valid_from,
        "valid_to": OPEN,
    }


def _pieces(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _KEYS_A_STATEMENT] for start in range(0, len(keys), _KEYS_A_STATEMENT))
