"""Tables about people that answers may use, by their contract's custom property `personalisation`: the purposes that permit it.

Pure. It narrows what policy permits to who asks in words, and gives nothing: reading the table takes its right as ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["PERSONALISATION", "permits_personalisation", "personalisation_problems"]

PERSONALISATION = "personalisation"


def permits_personalisation(custom_properties: Mapping[str, Any], purposes: Collection[str]) -> bool:
    """True if answers may use the product: its contract says nothing of it, or names one of the purposes.

    Args:
        custom_properties: Of the contract.
        purposes: What is asked for, and every purpose above it; empty if no purpose is stated.
    """
    stated = custom_properties.get(PERSONALISATION)
    return stated is None or not _purposes(stated).isdisjoint(purposes)


def personalisation_problems(custom_properties: Mapping[str, Any]) -> list[str]:
    """What is wrong with the custom property; empty if nothing is."""
    stated = custom_properties.get(PERSONALISATION)
    if stated is None or _purposes(stated):
        return []
    return [f"{PERSONALISATION} is {str(stated)[:40]!r}: list the purposes for which answers may use the product."]


def _purposes(stated: object) -> frozenset[str]:
    """The purposes; none if it is not a list of names, or names with commas between."""
    names = stated.split(",") if isinstance(stated, str) else stated if isinstance(stated, list | tuple) else ()
    return frozenset(name.strip() for name in names if isinstance(name, str) and name.strip())
