"""Governed tags: what belongs to the centre, and what a release may therefore not lose (ADR 0009).

A tag is governed if a `GovernedTag` names it or a family it is in, or a guardrail binds it. A domain may add it; what has once
been released with it keeps it, until the centre consents. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field

from domainmesh.v1 import governed_tag_pb2, product_pb2
from governance_server.rules.errors import IncompatibleContract, Invalid, Problem
from mesh_core.names import InvalidName, check_column, column_object, parse_port, parse_product, tag_object

__all__ = ["Governance", "carried_after", "check_tag_release", "check_tags", "declared_tags", "families"]

Tags = Mapping[str, Set[str]]
"""Object (product, port or column) → tags."""

_LONGEST_REASON = 4000


@dataclass(frozen=True, slots=True)
class Governance:
    """Which tags the centre governs, and which things it lets lose one."""

    families: frozenset[str] = frozenset()
    """Tags; each stands for itself and for every narrower one."""
    consents: frozenset[tuple[str, str]] = frozenset()
    """Pairs of object and tag."""
    _folded: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", frozenset(map(str.casefold, self.families)))

    def governs(self, tag: str) -> bool:
        """True if the tag or a wider one is governed."""
        return any(_covers(family, tag) for family in self.families)

    def is_lookalike(self, tag: str) -> bool:
        """True if only the case of its letters keeps the tag from being governed."""
        return not self.governs(tag) and any(_covers(family, tag.casefold()) for family in self._folded)

    def consents_to(self, obj: str, tag: str) -> bool:
        """True if the centre lets the thing lose the tag."""
        return any(tag == released and _folded(obj) == _folded(name) for name, released in self.consents)


def check_tag_release(release: governed_tag_pb2.TagRelease) -> None:
    """Returns if the consent names one thing and one tag, and says why. Raises: Invalid, InvalidName."""
    container, _, column = release.object.partition("#")
    if column or "#" in release.object:
        check_column(column)
    (parse_port if column or container.count(".") == 2 else parse_product)(container)
    if release.tag.endswith(".*"):
        raise Invalid(f"A consent is for one tag, not for {release.tag}: name the tag itself.", resource=release.object)
    tag_object(release.tag)
    if not release.reason.strip() or len(release.reason) > _LONGEST_REASON:
        raise Invalid(f"Say why {release.object} may lose {release.tag}, in at most {_LONGEST_REASON} characters.")


def declared_tags(product: product_pb2.Product) -> dict[str, frozenset[str]]:
    """The tags of the product, its ports and columns, by object; things without tags too."""
    found = {product.name: frozenset(product.tags)}
    for port in product.ports:
        found[port.name] = frozenset(port.tags)
        found.update((column_object(port.name, column.name), frozenset(column.tags)) for column in port.columns)
    return found


def check_tags(before: Tags, wanted: product_pb2.Product, governance: Governance) -> None:
    """Returns if the wanted release loses no governed tag without consent. Raises: IncompatibleContract with everything lost.

    `before` holds the tags that things of the product have ever been released with. A thing that the release does not have at
    all loses nothing; it is remembered.
    """
    after = declared_tags(wanted)
    problems = [*_losses(before, after, governance), *_lookalikes(after, governance)]
    if problems:
        raise IncompatibleContract(
            f"The contract of {wanted.name} drops tags that the governance team governs: put them back, or ask the team for a "
            "release of each with `mesh admin release-tag OBJECT TAG --reason …`.",
            resource=wanted.name,
            problems=problems,
        )


def carried_after(before: Tags, released: product_pb2.Product, governance: Governance) -> dict[str, frozenset[str]]:
    """What is remembered once the product is released: everything ever carried, save what was let go with consent."""
    after = declared_tags(released)
    kept = {
        obj: frozenset(tag for tag in tags if obj not in after or tag in after[obj] or not governance.consents_to(obj, tag))
        for obj, tags in before.items()
    }
    merged = {obj: kept.get(obj, frozenset()) | after.get(obj, frozenset()) for obj in (*kept, *after)}
    return {obj: tags for obj, tags in merged.items() if tags}


def _losses(before: Tags, after: Tags, governance: Governance) -> Iterator[Problem]:
    things: dict[str, list[str]] = {}
    for obj in after:
        things.setdefault(_folded(obj), []).append(obj)
    for obj, tags in sorted(before.items()):
        for now in things.get(_folded(obj), ()):
            has = {tag for container in _around(now) for tag in after.get(container, ())}
            for tag in sorted(tags):
                is_lost = governance.governs(tag) and not any(_covers(tag, other) for other in has)
                if is_lost and not governance.consents_to(obj, tag):
                    was = "" if now == obj else f" (as {obj})"
                    yield Problem(now, f"has carried the governed tag {tag}{was} and must keep it")


def _lookalikes(after: Tags, governance: Governance) -> Iterator[Problem]:
    for obj, tags in after.items():
        for tag in sorted(tags):
            if governance.is_lookalike(tag):
                yield Problem(
                    obj, f"the tag {tag} differs from a governed tag in the case of its letters only: write it as governed"
                )


def _covers(family: str, tag: str) -> bool:
    return tag == family or tag.startswith(family + ".")


def _around(obj: str) -> Iterable[str]:
    """The thing and what contains it, as far as contracts tag: column, port, product."""
    yield obj
    port, mark, _ = obj.partition("#")
    if mark:
        yield port
    if port.count(".") == 2:
        yield port.rpartition(".")[0]


def _folded(obj: str) -> str:
    """One text for names that differ in case or Unicode form only."""
    return unicodedata.normalize("NFKC", obj).casefold()


def families(names: Iterable[str]) -> frozenset[str]:
    """The tags that governed tags and guardrails stand for: `pii` for `pii.*` and `tag:pii`; what is no tag governs nothing."""
    found = set()
    for name in names:
        with suppress(InvalidName):
            found.add(tag_object(name).removeprefix("tag:"))
    return frozenset(found)
