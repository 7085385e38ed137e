"""Whether anything carries a tag, and what to say of a rule on one that nothing carries."""

from __future__ import annotations

from collections.abc import Iterator

from governance_server.policy.facts import Facts

__all__ = ["tag_warning"]


def tag_warning(resource: str, facts: Facts) -> str:
    """What is odd about a rule on the resource, in words: a tag nothing carries. Empty if nothing is."""
    if not resource.startswith("tag:"):
        return ""
    family = resource.removeprefix("tag:").removesuffix(".*")
    carried = set(_carried(facts))
    if any(_covers(family, tag) for tag in carried):
        return ""
    alike = sorted(tag for tag in carried if _covers(family.casefold(), tag.casefold()))
    hint = f" {alike[0]} is carried: the case of letters counts." if alike else ""
    return f"Nothing carries the tag {family} yet, so this binds nothing until a release does.{hint}"


def _carried(facts: Facts) -> Iterator[str]:
    for product in facts.products.values():
        yield from product.tags
        for port in product.ports:
            yield from (*port.tags, *port.passage_tags)
            for column in port.columns:
                yield from column.tags
    for tags in facts.derived.values():
        yield from tags


def _covers(family: str, tag: str) -> bool:
    return tag == family or tag.startswith(family + ".")
