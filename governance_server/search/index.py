"""Catalog search: products and ports by words in names, descriptions, columns, measures and tags; an exact name is always first.

Ranking is by stages that never mix: exact name, then name words, then column and tag words, then description words (constant
scores per stage, so that no pile of weak matches beats a strong one). What the caller may not discover is taken out before
anything is ranked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import is_

from google.protobuf.timestamp_pb2 import Timestamp

from domainmesh.v1 import product_pb2
from governance_server.policy.engine import Visibility
from governance_server.policy.projection import PolicyProjection
from mesh_core.names import column_object

__all__ = ["SearchHit", "SearchIndex"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_EXACT, _NAME, _COLUMN, _TEXT = 1000, 100, 10, 1
_KINDS = {product_pb2.PORT_KIND_TABLE: "table", product_pb2.PORT_KIND_COLLECTION: "collection"}


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One thing found, with why."""

    name: str
    kind: str
    description: str
    matched: tuple[str, ...]
    tags: tuple[str, ...]
    update_time: Timestamp
    is_only_registered: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """One product or port as it is searched."""

    name: str
    kind: str
    description: str
    name_words: frozenset[str]
    columns: tuple[tuple[str, frozenset[str]], ...]
    measures: tuple[tuple[str, frozenset[str]], ...]
    text_words: frozenset[str]
    tags: tuple[str, ...]
    update_time: Timestamp
    sources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of a product: itself and its ports, each with the tags that it brings."""
    is_only_registered: bool = False
    document_words: frozenset[str] = frozenset()
    """What a collection's documents are about, as far as its facets tell."""


def words(text: str) -> frozenset[str]:
    """The words of a text: camelCase and snake_case split before lower-casing, a plural `s` taken off."""
    found = (word.lower() for word in _WORD.findall(text))
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found)


class SearchIndex:
    """Finds things in the catalog as it is at the journal's head."""

    def __init__(self, policy: PolicyProjection, drafts: Callable[[], Sequence[product_pb2.Product]] = tuple) -> None:
        """`drafts` gives the products of which only a contract is registered; the same objects while nothing changes."""
        self._policy = policy
        self._drafts = drafts
        self._drafted: tuple[Sequence[product_pb2.Product], tuple[_Entry, ...]] = ((), ())
        # One reference, so that the revision and its entries always belong together.
        self._built: tuple[int, tuple[_Entry, ...]] = (-1, ())

    def find(
        self,
        query: str,
        *,
        visible: Visibility,
        is_whole: Callable[[str], bool] = lambda name: False,
        tag: str = "",
        domain: str = "",
        limit: int = 50,
    ) -> list[SearchHit]:
        """At most `limit` hits, best first; everything discoverable by name when the query is empty.

        By what its documents are about a collection is found only by whom `is_whole` is true for: who may find every passage.
        """
        wanted = words(query)
        scored = []
        for entry in (*self._caught_up(), *self._registered()):
            if domain and not (entry.name + ".").startswith(domain + "."):
                continue
            if not (_has(entry, tag) and _score(entry, query.strip(), wanted)[0] and visible.allows(entry.name)):
                continue
            shown = _shown(entry, visible)
            if shown.document_words & wanted and not is_whole(shown.name):
                shown = replace(shown, document_words=frozenset())
            score, matched = _score(shown, query.strip(), wanted)
            if score and _has(shown, tag):
                scored.append((-score, entry.name, shown, matched))
        scored.sort(key=lambda row: row[:2])
        return [_hit(entry, matched) for _, _, entry, matched in scored[:limit]]

    def _registered(self) -> tuple[_Entry, ...]:
        drafts = self._drafts()
        known, entries = self._drafted
        if len(known) != len(drafts) or not all(map(is_, known, drafts)):
            entries = tuple(replace(entry, is_only_registered=True) for product in drafts for entry in _entries(product, {}))
            self._drafted = (drafts, entries)
        return entries

    def _caught_up(self) -> tuple[_Entry, ...]:
        with self._policy.pinned() as revision:
            facts = self._policy.facts()
            products, derived = list(facts.products.values()), facts.derived
        built, entries = self._built
        if built != revision:
            entries = tuple(entry for product in products if product.version for entry in _entries(product, derived))
            self._built = (revision, entries)
        return entries


def _entries(product: product_pb2.Product, derived: Mapping[str, Iterable[str]]) -> list[_Entry]:
    result = []
    sources = [(product.name, tuple(product.tags))]
    for port in product.ports:
        tags = {*port.tags, *port.passage_tags}
        for column in port.columns:
            tags.update(column.tags, derived.get(column_object(port.name, column.name), ()))
        sources.append((port.name, tuple(sorted(tags))))
        result.append(
            _Entry(
                name=port.name, kind=_KINDS.get(port.kind, "table"), description=port.description, name_words=words(port.name),
                columns=tuple((c.name, words(" ".join([c.name, *c.synonyms]))) for c in port.columns),
                measures=tuple((m.name, words(" ".join([m.name, m.title, *m.synonyms]))) for m in port.measures),
                text_words=_text_words(port, product.title), document_words=_document_words(port),
                tags=tuple(sorted(tags)), update_time=product.update_time,
            )
        )  # fmt: skip
    result.append(
        _Entry(
            name=product.name, kind="product", description=product.description or product.title, name_words=words(product.name),
            columns=(), measures=(), text_words=words(f"{product.title} {product.description}"), tags=_merged(sources),
            update_time=product.update_time, sources=tuple(sources),
        )
    )  # fmt: skip
    return result


def _text_words(port: product_pb2.Port, title: str) -> frozenset[str]:
    """Words of descriptions."""
    told = [it.description for parts in (port.columns, port.measures, port.measure_dimensions) for it in parts]
    named = [word for it in port.measure_dimensions for word in (it.name, it.title, *it.synonyms)]
    return words(" ".join([port.description, title, *port.synonyms, *told, *named]))


def _document_words(port: product_pb2.Port) -> frozenset[str]:
    facets = port.facets
    counted = (facets.languages, facets.organisations, facets.places, facets.currencies, facets.media_types)
    return words(" ".join(count.value for counts in counted for count in counts))


def _hit(entry: _Entry, matched: tuple[str, ...]) -> SearchHit:
    return SearchHit(entry.name, entry.kind, entry.description, matched, entry.tags, entry.update_time, entry.is_only_registered)


def _shown(entry: _Entry, visible: Visibility) -> _Entry:
    """The entry without the tags of ports that may not be discovered."""
    left = [source for source in entry.sources if visible.allows(source[0])]
    return entry if len(left) == len(entry.sources) else replace(entry, tags=_merged(left))


def _merged(sources: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    return tuple(sorted({tag for _, tags in sources for tag in tags}))


def _has(entry: _Entry, tag: str) -> bool:
    """True if something of it carries the tag or a narrower one, or none is wanted."""
    return not tag or any(t == tag or t.startswith(tag + ".") for t in entry.tags)


def _score(entry: _Entry, query: str, wanted: frozenset[str]) -> tuple[int, tuple[str, ...]]:
    if not query:
        return 1, ()
    lowered = query.lower()
    if lowered in (entry.name.lower(), entry.name.rpartition(".")[2].lower()):
        return 2 * _EXACT if lowered == entry.name.lower() else _EXACT, ("exact name",)
    if not wanted:
        return 0, ()
    score = 0
    matched: list[str] = []
    for word in sorted(wanted):
        if word in entry.name_words:
            score, matched = score + _NAME, [*matched, f"name {word}"]
        elif hit := next((name for name, parts in entry.measures if word in parts), None):
            score, matched = score + _COLUMN, [*matched, f"measure {hit}"]
        elif hit := next((name for name, parts in entry.columns if word in parts), None):
            score, matched = score + _COLUMN, [*matched, f"column {hit}"]
        elif hit := next((tag for tag in entry.tags if word in words(tag)), None):
            score, matched = score + _COLUMN, [*matched, f"tag {hit}"]
        elif word in entry.text_words:
            score, matched = score + _TEXT, [*matched, f"description {word}"]
        elif word in entry.document_words:
            score, matched = score + _TEXT, [*matched, f"documents {word}"]
    return score, tuple(matched)
