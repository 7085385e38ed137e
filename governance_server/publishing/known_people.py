"""Known people in delivered documents: exact matches of values of the mesh's own columns that are tagged as personal data.

Values are kept in memory as keyed hashes, under a key derived from the keyring, as long as the tables stay at their versions. A
publisher's documents are matched only against tables that it may read: else the tags would tell it who is in them.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from domainmesh.v1 import mention_pb2, product_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.keyring import MASKS
from governance_server.publishing.cut_values import places
from governance_server.warehouse.layout import Warehouse
from mesh_core.names import column_object
from mesh_core.pii.findings import is_personal_tag

if TYPE_CHECKING:
    from mesh_core.pii.exact_match import KnownValues
    from mesh_core.vectors.passages import Passage

__all__ = ["KnownPeople", "primary_key", "record_digest"]

_MOST_MENTIONS = 20_000
_MOST_ROWS = 1_000_000
_MOST_VALUES = 2_000_000
_REMEMBERED = 4096
_NAME_PARTS = re.compile(r"[_./+-]+")
_PURPOSE = b"exact-data-match"
_UNTELLING = frozenset({"pii.address", "pii.birth_date", "pii.ip"})
"""Kinds whose values many people share."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A personal column of a table that is served."""

    port: str
    delta_version: int
    name: str
    tag: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """The values of some columns; `owners` tells whose each is."""

    columns: tuple[_Column, ...]
    values: KnownValues
    owners: list[tuple[int, bytes]]
    """Number of the column and digest of the record."""

    def column(self, owner: int) -> _Column:
        """The column that the owner's value is of."""
        return self.columns[self.owners[owner][0]]


def record_digest(backend: Backend, port: str, key: Sequence[str]) -> bytes:
    """The keyed hash that stands for a record; empty without a key."""
    if not key:
        return b""
    text = json.dumps([port, *key]).encode()
    return hashlib.blake2b(text, key=_derived(backend), digest_size=16).digest()


def _derived(backend: Backend) -> bytes:
    return backend.keys.hmac(MASKS, _PURPOSE)[1]


class KnownPeople:
    """Finds them; remembers the hashes of the last set of columns."""

    def __init__(self, backend: Backend, warehouse: Warehouse) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def mentions(self, port: str, version: int, passages: Iterable[Passage], caller: Caller) -> mention_pb2.DocumentMentions:
        """Where the passages mention records that the caller may read."""
        found = mention_pb2.DocumentMentions(port=port, version=version)
        columns = self._columns(caller, around=port)
        if not columns:
            return found
        known = self._of(columns)
        found.value_count = len(known.values)
        tagged: dict[str, dict[str, None]] = {}
        around: dict[str, dict[str, None]] = {}
        documents: dict[str, set[int]] = {}
        named = lru_cache(maxsize=_REMEMBERED)(lambda text: sorted({match.owner for match in known.values.find(text)}))
        for passage, ranges in places(passages, known.values.find):
            outer = sorted({owner for text in _around(passage) for owner in named(text)})
            for owner in (*outer, *(it[0] for it in ranges)):
                tagged.setdefault(known.column(owner).tag, {})[passage.id] = None
            for owner in outer:
                around.setdefault(known.column(owner).tag, {})[passage.id] = None
            told = documents.setdefault(passage.document, set()) if outer or ranges else set()
            for owner, start, end in (*((owner, 0, 0) for owner in outer if owner not in told), *ranges):
                found.mention_count += 1
                if len(found.mentions) < _MOST_MENTIONS:
                    found.mentions.append(_mention(passage, known, owner, (start, end)))
            told.update(outer)
        found.document_count = len(documents)
        for tag, ids in sorted(tagged.items()):
            found.tagged.add(tag=tag, passages=ids, around=around.get(tag, ()))
        return found

    def forget(self) -> None:
        """No hash is kept; they are made anew when documents are published next."""
        with self._lock:
            self._known = None

    def _columns(self, caller: Caller, *, around: str) -> tuple[_Column, ...]:
        policy = self._backend.policy
        with policy.pinned():
            facts = policy.facts()
            tables = [
                (product, port)
                for product in facts.products.values()
                if product.version
                for port in product.ports
                if port.kind == product_pb2.PORT_KIND_TABLE
                and port.name != around
                and policy.check(caller, "read", port.name).allowed
            ]
            found = [
                _Column(port.name, port.delta_version, column.name, tag, primary_key(port))
                for product, port in tables
                for column in port.columns
                if (
                    tag := _tag(
                        column, (*port.tags, *product.tags, *facts.derived.get(column_object(port.name, column.name), ()))
                    )
                )
            ]
        return tuple(sorted(found, key=lambda it: (it.port, it.name)))

    def _of(self, columns: tuple[_Column, ...]) -> _Known:
        from mesh_core.pii.exact_match import KnownValues

        with self._lock:
            derived = _derived(self._backend)
            if self._known is None or self._known.columns != columns or self._known.values.key != derived:
                known = _Known(columns, KnownValues(derived), [])
                for port in dict.fromkeys(column.port for column in columns):
                    self._read(known, [(n, it) for n, it in enumerate(columns) if it.port == port])
                self._known = known
            return self._known

    def _read(self, known: _Known, columns: Sequence[tuple[int, _Column]]) -> None:
        """The table's values are known."""
        first = columns[0][1]
        for row in self._rows(first, [column.name for _, column in columns]):
            record = record_digest(self._backend, first.port, [str(row[name]) for name in first.key])
            full = _full_names(columns, row)
            for number, value in [*((n, row[it.name]) for n, it in columns), *full]:
                if len(known.values) >= _MOST_VALUES:
                    return
                if (
                    isinstance(value, str | int)
                    and not isinstance(value, bool)
                    and known.values.add(str(value), len(known.owners))
                ):
                    known.owners.append((number, record))

    def _rows(self, table: _Column, names: Sequence[str]) -> Iterator[dict[str, object]]:
        from governance_server.gateway.table_source import open_table

        wanted = list(dict.fromkeys([*names, *table.key]))
        source = open_table(table.port, self._warehouse.port_location(table.port), table.delta_version)
        frame = source.frame.select(name for name in wanted if name in source.schema).head(_MOST_ROWS).collect()
        yield from frame.iter_rows(named=True)


def _around(passage: Passage) -> tuple[str, ...]:
    """What is shown with a passage; the parts of a file's name are words."""
    return passage.title, *passage.heading.split(" > "), _NAME_PARTS.sub(" ", passage.document)


def _mention(passage: Passage, known: _Known, owner: int, place: tuple[int, int]) -> mention_pb2.Mention:
    column = known.column(owner)
    return mention_pb2.Mention(
        document=passage.document, passage=passage.id, start=passage.start + place[0], end=passage.start + place[1],
        tag=column.tag, source_port=column.port, source_column=column.name, record=known.owners[owner][1],
    )  # fmt: skip


def primary_key(port: product_pb2.Port) -> tuple[str, ...]:
    """The columns of the table's primary key, in its order."""
    keyed = sorted((column.primary_key_position, column.name) for column in port.columns if column.primary_key_position)
    return tuple(name for _, name in keyed)


def _tag(column: product_pb2.Column, around: Iterable[str]) -> str:
    """The personal tag by which the column's values are looked for; empty if it has none, or its values tell nobody apart."""
    tags = [tag for tag in (*column.tags, *around) if is_personal_tag(tag)]
    is_readable = column.logical_type in ("string", "integer", "")
    return tags[0] if tags and is_readable and tags[0] not in _UNTELLING else ""


def _full_names(columns: Sequence[tuple[int, _Column]], row: dict[str, object]) -> list[tuple[int, object]]:
    """First and last name together, where a table keeps them apart, in both orders."""
    given = next(
        (it for it in columns if it[1].name.lower().replace("_", "") in ("firstname", "givenname", "forename", "vorname")), None
    )
    family = next(
        (it for it in columns if it[1].name.lower().replace("_", "") in ("lastname", "familyname", "surname", "nachname")), None
    )
    if given is None or family is None or not row[given[1].name] or not row[family[1].name]:
        return []
    first, last = row[given[1].name], row[family[1].name]
    return [(family[0], f"{first} {last}"), (family[0], f"{last} {first}")]
