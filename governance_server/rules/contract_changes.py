"""Changes between two contracts, as values: what changed, where, and which readers it breaks. Pure.

Two directions (ADR 0021): a change breaks *backward* if a reader of the old contract may fail on data under the new one, and
*forward* if a reader of the new contract may fail on data under the old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import StrEnum

from governance_server.rules.value_sets import Fit

__all__ = ["ChangeKind", "CompatibilityMode", "ContractChange", "Place", "change_of_fit", "digest_of"]


class CompatibilityMode(StrEnum):
    """Whom a product promises not to break, by the contract's custom property `compatibility`."""

    BACKWARD = "BACKWARD"
    """Readers of the old contract go on with new releases. The default."""
    FORWARD = "FORWARD"
    """Readers of the new contract can read the releases before it."""
    FULL = "FULL"
    """Both."""
    NONE = "NONE"
    """Nobody: changes are told and not gated."""


class ChangeKind(StrEnum):
    """What changed."""

    PORT_ADDED = "port added"
    PORT_REMOVED = "port removed"
    PORT_RENAMED = "port renamed"
    PORT_KIND = "port kind"
    COLUMN_ADDED = "column added"
    COLUMN_REMOVED = "column removed"
    COLUMN_RENAMED = "column renamed"
    TYPE = "type"
    VALUES = "values"
    REQUIRED = "required"
    UNIQUE = "unique"
    PRIMARY_KEY = "primary key"
    PARTITIONING = "partitioning"
    VECTOR = "vector"
    COMPUTED = "measure or dimension"
    QUALITY_ADDED = "quality rule added"
    QUALITY_REMOVED = "quality rule removed"
    QUALITY_CHANGED = "quality rule changed"
    MODE = "compatibility mode"
    SERVICE_LEVEL = "service level"
    DOCUMENTATION = "documentation"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a contract: a port, the top-level column, and the path from the port on, as people read it."""

    port: str
    column: str = ""
    path: str = ""

    def within(self, name: str) -> Place:
        """The column, or the field of a column, of that name; `[]` for items."""
        if not self.column:
            return Place(self.port, name, name)
        return Place(self.port, self.column, f"{self.path}{name}" if name == "[]" else f"{self.path}.{name}")

    def __str__(self) -> str:
        """Like `orders.address.zip`; empty for the whole contract."""
        return f"{self.port}.{self.path}".rstrip(".")


@dataclass(frozen=True, slots=True)
class ContractChange:
    """One change. `column` is the top-level column as the old contract names it, empty for the whole port."""

    port: str
    column: str
    path: str
    kind: ChangeKind
    text: str
    breaks_backward: bool = False
    breaks_forward: bool = False

    def breaks(self, mode: CompatibilityMode) -> bool:
        """True if the mode promises that this does not happen."""
        if mode is CompatibilityMode.NONE:
            return False
        return (self.breaks_backward and mode is not CompatibilityMode.FORWARD) or (
            self.breaks_forward and mode is not CompatibilityMode.BACKWARD
        )

    def __str__(self) -> str:
        """Place and what changed."""
        return f"{self.path or 'the contract'}: {self.text}"


def change_of_fit(place: Place, kind: ChangeKind, text: str, fit: Fit) -> ContractChange:
    """The change that admits other values than before."""
    return ContractChange(place.port, place.column, str(place), kind, text, fit.breaks_backward, fit.breaks_forward)


def digest_of(product: str, changes: Iterable[ContractChange]) -> str:
    """SHA-256 (hex) of exactly these changes of this product: what an acceptance is bound to."""
    listed = sorted([[str(part) for part in astuple(change)] for change in changes])
    text = json.dumps(["contract change 1", product, listed], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
