"""How the facets of a collection look on a terminal: what its documents are about, and what is not known of them."""

from __future__ import annotations

from collections.abc import Mapping

from domain_sdk.catalog import CollectionFacets

__all__ = ["facet_facts"]

_MOST = 8


def facet_facts(facets: CollectionFacets) -> dict[str, object]:
    """Label → words, without what is empty."""
    lost = [_many(facets.failed_documents, "file")] if facets.failed_documents else []
    lost += [f"the text of {_many(facets.empty_pages, 'page')}"] if facets.empty_pages else []
    read = f"{facets.recognised_documents} (OCR, the least sure {facets.lowest_recognition:.0f} %)"
    size = [f"{facets.documents:,}"] + ([_many(facets.pages, "page")] if facets.pages else [])
    size += [_many(facets.tables, "table")] if facets.tables else []
    size += [f"{_length(facets.seconds)} of speech"] if facets.seconds else []
    facts = {
        "documents": _unknown(facets) or ", ".join(size),
        "could not be read": "; ".join(lost),
        "read from pictures": read if facets.recognised_documents else "",
        "from, to": " to ".join(dict.fromkeys(filter(None, (facets.first_day, facets.last_day)))),
        "languages": _counted(facets.languages),
        "organisations": _counted(facets.organisations),
        "places": _counted(facets.places),
        "currencies": _counted(facets.currencies),
        "personal data": _counted(facets.personal),
        "known people": f"in {facets.mentioning_documents:,} documents ({facets.known_values:,} values looked for)"
        if facets.known_values
        else "",
        "not looked for": "; ".join(facets.not_covered),
    }
    return {name: words for name, words in facts.items() if words}


def _unknown(facets: CollectionFacets) -> str:
    """Why they are not counted."""
    if facets.is_withheld:
        return "told to who may read all of them"
    return "counted when it is published again, as some were erased" if facets.is_outdated else ""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _length(seconds: float) -> str:
    return _many(round(seconds), "second") if seconds < 60 else _many(round(seconds / 60), "minute")


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{value} ({count:,})" for value, count in list(counts.items())[:_MOST]]
    return ", ".join(shown) + (f" and {len(counts) - _MOST} more" if len(counts) > _MOST else "")
