"""How the facets of a collection look on a terminal: what its documents are about, and what is not known of them."""

from __future__ import annotations

from collections.abc import Mapping

from domain_sdk.catalog import CollectionFacets

__all__ = ["facet_facts"]

_MOST = 8


def facet_facts(facets: CollectionFacets) -> dict[str, object]:
    """Label → words, without what is empty."""
    lost = [f"{facets.failed_documents} files gave none"] if facets.failed_documents else []
    lost += [f"{facets.empty_pages} pages gave no text"] if facets.empty_pages else []
    if facets.recognised_documents:
        lost.append(f"{facets.recognised_documents} recognised from pictures, least sure {facets.lowest_recognition:.0f} %")
    size = [f"{facets.documents:,}"] + ([f"{facets.pages:,} pages"] if facets.pages else [])
    size += [f"{facets.tables:,} tables"] if facets.tables else []
    size += [f"{facets.seconds / 60:.0f} minutes heard"] if facets.seconds else []
    facts = {
        "documents": ", ".join(size),
        "lost": "; ".join(lost),
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


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{value} ({count:,})" for value, count in list(counts.items())[:_MOST]]
    return ", ".join(shown) + (f" and {len(counts) - _MOST} more" if len(counts) > _MOST else "")
