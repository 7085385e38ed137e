"""Where a data subject is in a product: by tags the columns to look at, by their values the rows, version by version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domainmesh.v1 import erasure_pb2, product_pb2
from governance_server.backend import Backend, read
from governance_server.contracts import parse_contract
from governance_server.publishing.entries import port_entry
from governance_server.rules import kinds
from governance_server.rules.errors import Invalid
from governance_server.upkeep.versions import kept_releases
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.layout import Warehouse
from mesh_core.names import column_object
from mesh_core.near_names import did_you_mean
from mesh_core.pii.findings import WORDS

__all__ = ["Subject", "Survey", "SurveyedPort", "is_carried", "nothing_tagged", "survey"]

_MOST_TAGS = 10
_PERSONAL, _TEXT = "pii", "pii.text"
"""A column with the tag `pii.text` holds running text, which may say anything personal of anybody."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to look for: the tag of the columns, and one value in them or more. They are in no representation of it."""

    tag: str
    values: tuple[str, ...] = field(repr=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """All values are one pattern, which goes with the subject."""
        object.__setattr__(self, "_pattern", re.compile(_alternatives(self.values), re.IGNORECASE))
        re.purge()  # its cache would keep the values

    def is_meant_by(self, tag: str) -> bool:
        """True for the tag itself and narrower ones."""
        return tag == self.tag or tag.startswith(f"{self.tag}.")

    def may_be_told_by(self, tag: str) -> bool:
        """True for the tag of running text, if personal data is looked for: a value may stand anywhere in it."""
        is_personal = self.tag == _PERSONAL or self.tag.startswith(f"{_PERSONAL}.")
        return is_personal and (tag == _TEXT or tag.startswith(f"{_TEXT}."))

    def is_in(self, text: str) -> bool:
        """True if a value stands in the text as whole words, in whatever case and over lines; a name also in a file's name."""
        return self._pattern.search(text) is not None


def _alternatives(values: Sequence[str]) -> str:
    """A pattern of them all: a name's words may be joined as in a file's name (`Zerlina_Quackenbush-2024.md`), others' not."""
    rows = [value.split() or [value] for value in values]
    names = [r"[\s_-]+".join(words) for words in rows if all(map(str.isalpha, words))]
    others = [r"\s+".join(map(re.escape, words)) for words in rows if not all(map(str.isalpha, words))]
    bounds = ((r"[^\W_]", names), (r"\w", others))
    return "|".join(rf"(?<!{edge})(?:{'|'.join(found)})(?!{edge})" for edge, found in bounds if found)


@dataclass(frozen=True, slots=True)
class SurveyedPort:
    """A port that can hold the subject: its tagged columns, and rows by version (passages under 0)."""

    port: str
    kind: product_pb2.PortKind.ValueType
    columns: tuple[str, ...]
    rows: dict[int, int]
    served: int
    """The Delta version served; -1 for a collection, or a table that is no port of the version served."""
    texts: frozenset[str] = frozenset()
    """Those of the columns that hold running text."""
    tagged: Mapping[int, Mapping[str, bool]] = field(default_factory=dict)
    """By Delta version the columns that were searched, each with whether it holds running text."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A product's ports that have such columns."""

    product: product_pb2.Product
    releases: tuple[product_pb2.Release, ...]
    ports: tuple[SurveyedPort, ...]

    @property
    def holding(self) -> tuple[int, ...]:
        """Versions in some table of which the subject is, in order."""
        return tuple(sorted({version for port in self.ports for version, rows in port.rows.items() if version and rows}))

    @property
    def is_relevant(self) -> bool:
        """True if the subject was found."""
        return any(any(port.rows.values()) for port in self.ports)

    @property
    def searched(self) -> list[str]:
        """The columns that were searched; ports whose columns are not of the version served, by their names."""
        return [name for port in self.ports for name in [f"{port.port}.{it}" for it in port.columns] or [port.port]]

    def receipt(self, subject: Subject) -> erasure_pb2.Erasure:
        """What was found."""
        found = erasure_pb2.Erasure(product=self.product.name, tag=subject.tag)
        for port in self.ports:
            if any(port.rows.values()):
                versions = [version for version, rows in sorted(port.rows.items()) if version and rows]
                count = port.rows.get(self.product.version, port.rows.get(0, 0))
                found.ports.add(port=port.port, kind=port.kind, count=count, versions=versions)
        return found


def survey(backend: Backend, warehouse: Warehouse, vectors: VectorAccess, product: str, subject: Subject) -> Survey:
    """Where the subject is in the versions of the product that may be read. Raises: NotFound, StorageUnavailable."""
    entry = read(backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
    releases = kept_releases(backend.catalog, product)
    tables: dict[str, dict[int, tuple[int, dict[str, bool]]]] = {}
    collections = dict.fromkeys(port.name for port in entry.ports if _is_collection_of(port, subject))
    for release in releases:
        tagged = dict(_tagged(backend, entry, release, subject))
        for port in release.ports:
            if port.kind == product_pb2.PORT_KIND_TABLE and tagged.get(port.port):
                tables.setdefault(port.port, {})[release.version] = (port.delta_version, tagged[port.port])
            elif port.kind == product_pb2.PORT_KIND_COLLECTION and tagged.get(port.port):
                collections[port.port] = None
    found = [_table(warehouse, port, versions, subject, entry) for port, versions in sorted(tables.items())]
    for name in sorted(collections):
        count = vectors.store.erase(name, subject.is_in, dry_run=True)
        found.append(SurveyedPort(name, product_pb2.PORT_KIND_COLLECTION, (), {0: count}, -1))
    return Survey(entry, tuple(releases), tuple(found))


def is_carried(backend: Backend, products: Sequence[str], subject: Subject) -> bool:
    """False if nothing there but running text would be searched for data of a kind that nobody knows: a slip of the pen."""
    if any(subject.tag == kind or subject.tag.startswith(f"{kind}.") or subject.is_meant_by(kind) for kind in (*WORDS, _TEXT)):
        return True
    for product in products:
        entry = read(backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
        if any(_is_collection_of(port, subject) for port in entry.ports):
            return True
        for release in kept_releases(backend.catalog, product):
            if any(not all(columns.values()) for _, columns in _tagged(backend, entry, release, subject)):
                return True
    return False


def nothing_tagged(backend: Backend, products: Sequence[str], tag: str) -> Invalid:
    """The refusal of a tag that no column of these products carries; the caller administers them, so their tags are named."""
    derived = backend.policy.facts().derived
    known: dict[str, None] = {}
    for product in products:
        for port in read(backend.catalog, kinds.PRODUCT, product, product_pb2.Product).ports:
            known.update(dict.fromkeys((*port.tags, *port.passage_tags)))
            for column in port.columns:
                known.update(dict.fromkeys((*column.tags, *derived.get(column_object(port.name, column.name), ()))))
    few = f"their tags are {', '.join(sorted(known)[:_MOST_TAGS])}." if known else "none of them has a tag."
    where = products[0] if len(products) == 1 else "the products that you administer here"
    return Invalid(f"No column of {where} carries {tag!r}, so nothing was searched: {did_you_mean(tag, known, otherwise=few)}")


def _is_collection_of(port: product_pb2.Port, subject: Subject) -> bool:
    tags = (*port.tags, *port.passage_tags)
    return port.kind == product_pb2.PORT_KIND_COLLECTION and any(map(subject.is_meant_by, tags))


def _tagged(
    backend: Backend, product: product_pb2.Product, release: product_pb2.Release, subject: Subject
) -> Iterator[tuple[str, dict[str, bool]]]:
    """For each port of the release its columns with the tag, by its own contract, by today's, or along lineage.

    Each with whether it holds running text, which is looked through whatever personal data is looked for.
    """
    name = kinds.versioned_name(product.name, release.version)
    contract = parse_contract(read(backend.catalog, kinds.CONTRACT, name, product_pb2.Contract).text)
    today = {port.name: {column.name: tuple(column.tags) for column in port.columns} for port in product.ports}
    derived = backend.policy.facts().derived
    for port in (port_entry(product.name, it) for it in contract.ports):
        columns = {}
        for column in port.columns:
            also = today.get(port.name, {}).get(column.name, ())
            tags = (*column.tags, *also, *derived.get(column_object(port.name, column.name), ()))
            is_text = any(map(subject.may_be_told_by, tags))
            if is_text or any(map(subject.is_meant_by, tags)):
                columns[column.name] = is_text
        yield port.name, columns


def _table(
    warehouse: Warehouse,
    port: str,
    versions: dict[int, tuple[int, dict[str, bool]]],
    subject: Subject,
    product: product_pb2.Product,
) -> SurveyedPort:
    from polars.exceptions import PolarsError

    from governance_server.gateway.scan_errors import ScanFailed
    from governance_server.gateway.table_source import open_table
    from governance_server.warehouse.errors import StorageUnavailable
    from governance_server.warehouse.subject_values import SubjectRows

    rows: dict[int, int] = {}
    known: dict[int, int] = {}
    searched: dict[int, dict[str, bool]] = {}
    columns: dict[str, bool] = {}
    root = warehouse.port_location(port)
    for version, (delta_version, tagged) in versions.items():
        if delta_version not in known:
            try:
                source = open_table(port, root, delta_version)
                there = {name: is_text for name, is_text in tagged.items() if name in source.schema}
                rows_of = SubjectRows(source.frame, source.schema, tuple(there), subject.values, _texts(there))
                known[delta_version], searched[delta_version] = rows_of.count(), there
            except (ScanFailed, PolarsError) as error:
                raise StorageUnavailable(root.uri, type(error).__name__) from None  # its text may hold values
            columns = there if version == product.version else columns
        rows[version] = known[delta_version]
    served = {it.name: it.delta_version for it in product.ports}.get(port, -1)
    return SurveyedPort(port, product_pb2.PORT_KIND_TABLE, tuple(columns), rows, served, _texts(columns), searched)


def _texts(columns: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(name for name, is_text in columns.items() if is_text)
