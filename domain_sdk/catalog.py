"""What the mesh has, as values: domains, products, ports, columns and search hits.

Owns how catalog entries look to a user. Knows nothing of the wire or of how they are fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = [
    "CollectionFacets",
    "ColumnEntry",
    "DerivedTag",
    "DimensionEntry",
    "DomainEntry",
    "Hit",
    "MeasureEntry",
    "PortEntry",
    "PortKind",
    "ProductEntry",
    "Registration",
    "TagRescan",
]


class PortKind(StrEnum):
    """What kind of thing a port is."""

    UNSPECIFIED = "unspecified"
    TABLE = "table"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """A business domain that owns data products and their policies."""

    name: str
    title: str
    description: str
    owners: tuple[str, ...]
    """Principals who administer the domain."""
    members: tuple[str, ...]
    """Principals who work in the domain."""
    roles: dict[str, tuple[str, ...]]
    """Roles that exist within the domain only, each with its members."""
    create_time: datetime | None
    etag: str
    namespaces: tuple[str, ...] = ()
    """The OpenLineage namespaces it owns, like `s3://bucket` or `file|/data/risk/`."""


@dataclass(frozen=True, slots=True)
class DerivedTag:
    """A tag that came along lineage."""

    tag: str
    path: tuple[str, ...]
    """The columns it came through, origin first; those the caller may not discover are `?`."""


@dataclass(frozen=True, slots=True)
class TagRescan:
    """Evidence that a tag of a column's sources stops there: a rescan of every value found nothing of the kind."""

    tag: str
    rows: int
    """How many values were looked at."""
    version: int
    """The product's version they are of."""


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """One column of a port."""

    name: str
    logical_type: str
    physical_type: str
    description: str
    is_required: bool
    primary_key_position: int
    """From 1; 0 if it is not part of the key."""
    tags: tuple[str, ...]
    """Tags the contract declares."""
    derived_tags: tuple[DerivedTag, ...]
    """Tags that flowed down lineage."""
    rescans: tuple[TagRescan, ...] = ()
    """Tags that a rescan keeps from flowing in."""
    synonyms: tuple[str, ...] = ()
    """Other names of it."""
    unit: str = ""
    """What it is counted in, like `EUR`; empty if the contract does not say."""


@dataclass(frozen=True, slots=True)
class MeasureEntry:
    """A figure that a contract defines over the columns of a port; `Mesh.measure` computes it."""

    name: str
    title: str
    description: str
    expression: str
    """The aggregate, as SQL."""
    unit: str
    """What it is counted in, like `EUR`; empty if the contract does not say."""
    time_dimension: str
    """What a period is compared with; empty if the port has nothing that is clear."""
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DimensionEntry:
    """What measures of a port are grouped and filtered by."""

    name: str
    title: str
    description: str
    expression: str
    """How it is computed of a row, as SQL; empty for a column of that name."""
    logical_type: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionFacets:
    """What the documents of a collection are about, in numbers: what was read, what was lost, and what was not looked for.

    Names are counted by the documents that hold them, the most frequent first. No value of personal data is in it.
    """

    documents: int = 0
    failed_documents: int = 0
    """Files that gave no document; the check `documents` of the release says why."""
    pages: int = 0
    empty_pages: int = 0
    """Pages that show something and gave no text."""
    recognised_documents: int = 0
    """Documents with text that was recognised from pictures."""
    lowest_recognition: float = 0.0
    """The least confidence of a recognised page, 0 to 100."""
    tables: int = 0
    seconds: float = 0.0
    """Of recordings."""
    first_day: str = ""
    """The earliest date of a document (ISO 8601)."""
    last_day: str = ""
    media_types: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    """ISO 639-1."""
    organisations: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    currencies: Mapping[str, int] = field(default_factory=dict)
    personal: Mapping[str, int] = field(default_factory=dict)
    """Tag → occurrences, like `pii.email`."""
    not_covered: tuple[str, ...] = ()
    """What was not looked for, in words."""
    mentioning_documents: int = 0
    """Documents that mention records of tables of the mesh, see `Mesh.mentions`."""
    known_values: int = 0
    """Values of personal columns of the mesh that were looked for."""
    is_withheld: bool = False
    """The caller may not read all of the documents: then all but `not_covered` is left out."""
    is_outdated: bool = False
    """Passages were erased since it was published: then all but `not_covered` is left out, until it is published again."""


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One readable thing of a product."""

    name: str
    """Three parts, like `finance.ledger.entries`."""
    kind: PortKind
    description: str
    columns: tuple[ColumnEntry, ...]
    tags: tuple[str, ...]
    row_count: int
    """Rows or passages of the version now served."""
    embedding_model: str
    """Of a collection; empty for a table."""
    dimensions: int
    """Of a collection's vectors; 0 for a table."""
    passage_tags: tuple[str, ...] = ()
    """Every tag that some passage of a collection carries."""
    facets: CollectionFacets | None = None
    """Of a collection published from documents."""
    synonyms: tuple[str, ...] = ()
    """Other names of it."""
    measures: tuple[MeasureEntry, ...] = ()
    """Figures that its contract defines."""
    measure_dimensions: tuple[DimensionEntry, ...] = ()
    """What they are grouped and filtered by."""


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """What a domain publishes, described by one contract."""

    name: str
    title: str
    description: str
    status: str
    """The contract's status, like `active`."""
    version: int
    """The version now served; 0 before the first release."""
    contract_version: str
    tags: tuple[str, ...]
    ports: tuple[PortEntry, ...]
    create_time: datetime | None
    update_time: datetime | None
    registered_contract_version: str = ""
    """The version of a contract that is registered and that no release has followed yet; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A contract that the mesh keeps and shows, before data is published with it."""

    product: str
    contract_version: str
    not_enforced: tuple[str, ...]
    """What it says and nobody enforces, in words."""
    not_publishable: tuple[str, ...]
    """What must change before data can be published with it, in words; empty if nothing must."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found by a search."""

    name: str
    kind: str
    """`product`, `table` or `collection`."""
    description: str
    matched: tuple[str, ...]
    """Why it matched, like `name` or `column email`."""
    tags: tuple[str, ...]
    is_readable: bool
    """True if the caller may read it now without stating a purpose."""
    update_time: datetime | None
    is_only_registered: bool = False
    """True if only a contract is registered: nothing of it is published yet."""
    readable_purposes: tuple[str, ...] = ()
    """Purposes that the caller may state to read it now, where it may not read it without one."""
