"""One Weaviate collection as rows with a key and an interval: its schema, and the primitive operations staging is made of.

Every filterable text is tokenised as a whole field: word tokenisation would let `group:finance` match `group:finance-exec`.
Knows nothing of searching. Loaded only with the Weaviate store.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances, VectorFilterStrategy
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter

from mesh_core.vectors.fusion import CANDIDATES
from mesh_core.vectors.identifiers import attribute_field
from mesh_core.vectors.passages import Candidate, StoredPassage, tag_set
from mesh_core.vectors.staging import NewRow, Row
from mesh_core.vectors.store import OPEN, StoreUnavailable
from mesh_core.vectors.weaviate_objects import insert_all

__all__ = [
    "EXACT_UP_TO",
    "LABEL",
    "READ",
    "TAG_SETS",
    "TEXT_BEGINS",
    "WeaviateRows",
    "attribute_property",
    "candidate",
    "collection_settings",
    "exact",
    "read_declaration",
    "stored_passage",
    "tag_sets_settings",
]

_INTERVAL = ("valid_from", "valid_to")
READ = ("passage_id", "document", "title", "heading", "text", "start", "end", "page", "tags", "attributes", *_INTERVAL)
"""The properties a stored passage is made of, and its interval."""

LABEL = ("document", "title", "page", "attributes", "valid_from")
"""The properties a candidate is made of, and the version it is from."""

TAG_SETS = "Mesh_tag_sets_by_domain"
"""The collection of all tag sets that occur in any collection; encoded names never look like it."""

EXACT_UP_TO = 40_000
"""A filter that keeps fewer passages is answered by comparing all of them."""
_LOOKED_AT = 2 * CANDIDATES
"""So many neighbours a search of the graph keeps in sight (`ef`). Weaviate's own choice for a hundred candidates is 500."""

_ROW = ("passage_id", "digest", *_INTERVAL)
_KINDS: Mapping[type, DataType] = {str: DataType.TEXT, int: DataType.INT, float: DataType.NUMBER, bool: DataType.BOOL}
_NAMESPACE = uuid.UUID("0f0e3d9c-58f6-5f0c-8f0a-2f5d6c1b9e11")
_PAGE = 1000
_WRITERS = 8


TEXT_BEGINS = "\x01"
"""What every text that is stored for filtering begins with."""


def exact(text: str) -> str:
    """A text as it is stored for filtering: enclosed in U+0001, because field tokenisation trims white space off both ends."""
    return f"{TEXT_BEGINS}{text}\x01"


def attribute_property(name: str, kind: type) -> Property:
    """The filterable property of an attribute; its description keeps the attribute's own name."""
    return _filterable(attribute_field(name), _KINDS[kind], description=name)


def collection_settings(*, dimensions: int, attributes: Mapping[str, type]) -> dict[str, Any]:
    """What `collections.create` needs for a new collection of passages."""
    plain = [("start", DataType.INT), ("end", DataType.INT), ("page", DataType.INT), ("tags", DataType.TEXT_ARRAY)]
    plain += [(name, DataType.TEXT) for name in ("document", "title", "heading", "text", "attributes", "digest")]
    searchable = Property(
        name="indexed_text",
        data_type=DataType.TEXT,
        index_filterable=False,
        index_searchable=True,
        tokenization=Tokenization.WORD,
    )
    interval = [_filterable(name, DataType.INT, index_range_filters=True) for name in _INTERVAL]
    texts = [_filterable(name, DataType.TEXT) for name in ("passage_id", "tag_set")]
    index = Configure.VectorIndex.hnsw(
        distance_metric=VectorDistances.COSINE,
        filter_strategy=VectorFilterStrategy.SWEEPING,
        flat_search_cutoff=EXACT_UP_TO,
        ef=_LOOKED_AT,
    )
    return {
        "description": json.dumps({"dimensions": dimensions}),
        "properties": [
            *(Property(name=name, data_type=kind, index_filterable=False, index_searchable=False) for name, kind in plain),
            searchable,
            *interval,
            *texts,
            *(attribute_property(name, kind) for name, kind in attributes.items()),
        ],
        "vector_config": Configure.Vectors.self_provided(vector_index_config=index),
        "inverted_index_config": Configure.inverted_index(index_null_state=True),
        "multi_tenancy_config": Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),  # see `settle`
    }


def tag_sets_settings() -> dict[str, Any]:
    """What `collections.create` needs for the collection of tag sets."""
    tags = Property(name="tags", data_type=DataType.TEXT_ARRAY, index_filterable=False, index_searchable=False)
    return {
        "properties": [_filterable("collection", DataType.TEXT), _filterable("tag_set", DataType.TEXT), tags],
        "vector_config": Configure.Vectors.self_provided(),
        "multi_tenancy_config": Configure.multi_tenancy(enabled=True),
    }


def read_declaration(collection: Any) -> tuple[int, dict[str, type]]:  # noqa: ANN401
    """Dimensions and attributes that an existing collection was declared with."""
    config = collection.config.get(simple=False)
    kinds = {data_type: kind for kind, data_type in _KINDS.items()}
    attributes = {p.description: kinds[p.data_type] for p in config.properties if p.name.startswith("attr") and p.description}
    return json.loads(config.description)["dimensions"], attributes


def stored_passage(properties: Mapping[str, Any]) -> StoredPassage:
    """The passage that an object's `READ` properties stand for."""
    copied = {name: properties[name] for name in ("document", "title", "heading", "text", "start", "end")}
    return StoredPassage(
        id=properties["passage_id"],
        page=properties.get("page"),
        tags=tuple(properties.get("tags") or ()),
        attributes=json.loads(properties["attributes"]),
        **copied,
    )


def candidate(properties: Mapping[str, Any]) -> Candidate:
    """What is shown of an object before it is among the best."""
    return Candidate(properties["document"], properties["title"], properties.get("page"), json.loads(properties["attributes"]))


class WeaviateRows:
    """The objects of one collection; `name` is the mesh's name of it, `tag_sets` the collection that is always written first."""

    writers = 2
    """A batch on its way keeps the server busy while the next is packed; more only wait for its processors."""

    def __init__(self, collection: Any, tag_sets: Any, name: str) -> None:  # noqa: ANN401
        self._collection = collection
        self._tag_sets = tag_sets
        self._name = name
        self._written_sets: set[str] = set()
        self.dimensions, self.attributes = read_declaration(collection)
        self._fields = {attribute: attribute_field(attribute) for attribute in self.attributes}

    def since(self, version: int) -> Iterator[Row]:
        """Every row with valid_to >= version; all objects are read, because Weaviate cannot page through a filter."""
        for item in self._collection.iterator(return_properties=list(_ROW), cache_size=_PAGE):
            row = Row(str(item.uuid), *(item.properties[name] for name in _ROW))
            if row.valid_to >= version:
                yield row

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Key, the passage's id and all that is written in it, of every row."""
        names = ["document", "title", "heading", "text"]
        for item in self._collection.iterator(return_properties=["passage_id", *names], cache_size=_PAGE):
            text = "\n".join(filter(None, (item.properties.get(name) for name in names)))
            yield str(item.uuid), str(item.properties["passage_id"]), text

    def vectors(self, keys: Sequence[str]) -> Mapping[str, npt.NDArray[np.float32]]:
        """The stored vectors of these keys."""
        if not keys:
            return {}
        answer = self._collection.query.fetch_objects_by_ids(keys, limit=len(keys), include_vector=True, return_properties=[])
        return {str(item.uuid): np.asarray(item.vector["default"], dtype=np.float32) for item in answer.objects}

    def insert(self, rows: Sequence[NewRow]) -> None:
        """The rows are there, their tag sets before them."""
        self._write_sets({tag_set(row.passage.tags): sorted(set(row.passage.tags)) for row in rows})
        insert_all(self._collection, [self._object(row) for row in rows], what=f"passages of {self._name}", named="passage_id")

    def _write_sets(self, sets: Mapping[str, Sequence[str]]) -> None:
        """The tag sets are there; those that these rows have written before are not written again."""
        objects = [
            DataObject(
                properties={"collection": self._name, "tag_set": identity, "tags": tags},
                uuid=uuid.uuid5(_NAMESPACE, f"{self._name}/{identity}"),
            )
            for identity, tags in sets.items()
            if identity not in self._written_sets
        ]
        if objects:
            insert_all(self._tag_sets, objects, what=f"tag sets of {self._name}", named="tag_set")
            self._written_sets.update(sets)

    def set_valid_to(self, keys: Sequence[str], version: int) -> None:
        """The rows of these keys end at `version`."""

        def patch(key: str) -> None:
            self._collection.data.update(key, properties={"valid_to": version})

        with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
            for _ in pool.map(patch, keys):
                pass

    def delete(self, keys: Sequence[str]) -> None:
        """The rows of these keys are gone."""
        for start in range(0, len(keys), _PAGE):
            some = list(keys[start : start + _PAGE])
            result = self._collection.data.delete_many(where=Filter.by_id().contains_any(some))
            if result.failed:
                raise StoreUnavailable(f"{result.failed} passages of {self._name} could not be deleted: repeat the call.")

    def _object(self, row: NewRow) -> Any:  # noqa: ANN401
        passage = row.passage
        properties: dict[str, Any] = {
            "passage_id": passage.id,
            "document": passage.document,
            "title": passage.title,
            "heading": passage.heading,
            "text": passage.text,
            "start": passage.start,
            "end": passage.end,
            "tags": sorted(set(passage.tags)),
            "tag_set": tag_set(passage.tags),
            "attributes": json.dumps(dict(passage.attributes)),
            "indexed_text": row.keywords,
            "digest": row.digest,
            "valid_from": row.valid_from,
            "valid_to": OPEN,
        }
        if passage.page is not None:
            properties["page"] = passage.page
        for name, value in passage.attributes.items():
            stored = exact(value) if isinstance(value, str) else value
            properties[self._fields[name]] = float(stored) if self.attributes[name] is float else stored
        return DataObject(properties=properties, uuid=row.key, vector=np.asarray(passage.vector, dtype=np.float32).tolist())


def _filterable(name: str, kind: DataType, *, description: str | None = None, index_range_filters: bool = False) -> Property:
    tokenization = Tokenization.FIELD if kind == DataType.TEXT else None
    return Property(
        name=name,
        data_type=kind,
        description=description,
        index_filterable=True,
        index_range_filters=index_range_filters,
        index_searchable=False,
        tokenization=tokenization,
    )
