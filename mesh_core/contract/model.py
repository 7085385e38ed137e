"""The values a contract is made of.

Fields mean what ODCS says they mean; only `Port` and `Column` carry the mesh's names for the standard's schema object and
property. Whatever has no field of its own is still in `Contract.document`, and `Contract.text` is the file as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mesh_core.contract.semantics import Dimension, Measure

__all__ = ["Column", "Contract", "InvalidContract", "Port", "PortKind", "Rule", "Violation"]


NON_BLOCKING = frozenset({"info", "warning", "warn", "low", "minor", "trivial"})
"""Severities of rules that only warn."""
DATED = frozenset({"date", "timestamp"})
"""Logical types of days and moments."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong, at a JSON path such as `$.schema[0].properties[2].name`."""

    path: str
    message: str

    def __str__(self) -> str:
        """Path and message on one line."""
        return f"{self.path}: {self.message}"


class InvalidContract(ValueError):
    """A text that is no ODCS contract; `violations` holds everything that is wrong with it, at least one."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        count = len(violations)
        lines = "\n".join(f"  {violation}" for violation in violations)
        super().__init__(f"The contract has {count} violation{'s' if count > 1 else ''} of ODCS; correct each:\n{lines}")


class PortKind(StrEnum):
    """What a port is: a Delta table or a vector collection."""

    TABLE = "table"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of a `quality` list.

    Attributes:
        type: `library`, `sql`, `custom` or `text`; `library` when the entry names a metric and no type.
            An entry with neither is a `text` rule: there is nothing in it that could be run.
        operator: The comparison's name (`mustBe` …); None for rules without one.
        threshold: The operator's value as written.
        unit: `rows` unless written otherwise.
        severity: As written; None when absent.
        document: The whole entry.
    """

    type: str
    metric: str | None
    operator: str | None
    threshold: object
    unit: str
    arguments: Mapping[str, Any]
    severity: str | None
    name: str | None
    description: str | None
    document: Mapping[str, Any] = field(repr=False)

    @property
    def is_blocking(self) -> bool:
        """Whether breaking the rule keeps data from being published: unless its severity says that it only warns."""
        return (self.severity or "").strip().casefold() not in NON_BLOCKING


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a schema object, or a field, item, key or value inside one.

    Attributes:
        name: Empty for the items of an array and for a map's key and value, which ODCS leaves unnamed.
        logical_type: ODCS `logicalType`; None when absent.
        physical_type: ODCS `physicalType`, a hint in the producer's dialect; None when absent.
        options: ODCS `logicalTypeOptions`.
        primary_key_position: From 1, among the key's columns; None for a column outside the key. A key column without a
            usable position takes its place in the order of writing.
        tags: The property's tags as the mesh writes them (`customer data` is `customer_data`), then its `classification` in
            lower case when that is a word that can be a tag (`restricted`, `PII` → `pii`, `pii.email`; never a bare number such
            as PayPal's `4`), each once.
        enum: The allowed values in order; empty when any value is.
        columns: The fields of an `object`.
        items: The items of an `array`.
        partition_position: From 1, as for the key; None for a column that is not `partitioned`.
        relationships: The property's entries as written; `mesh_core.contract.relationships` reads them.
        map_key: The keys of a `map`; `map_value` its values.
        id: ODCS `id`: what the property keeps under another name; None when absent.
        synonyms: Other names of it; the `businessName` comes first.
    """

    name: str
    logical_type: str | None = None
    physical_type: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    required: bool = False
    unique: bool = False
    primary_key_position: int | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    enum: tuple[Any, ...] = ()
    quality: tuple[Rule, ...] = ()
    columns: tuple[Column, ...] = ()
    items: Column | None = None
    map_key: Column | None = None
    map_value: Column | None = None
    custom_properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    partition_position: int | None = None
    relationships: tuple[Mapping[str, Any], ...] = ()
    synonyms: tuple[str, ...] = ()

    @property
    def is_dated(self) -> bool:
        """True if its values are days or moments; times of the day are neither."""
        return self.logical_type in DATED

    @property
    def unit(self) -> str:
        """What its numbers are counted in, as the contract's custom property `unit` says; empty if it does not."""
        return str(self.custom_properties.get("unit") or "")


@dataclass(frozen=True, slots=True)
class Port:
    """One schema object: a readable thing of the product.

    `columns` are what is stored; measures and dimensions say what can be computed of them. `quarantine_of` is the port whose bad
    rows this one holds; empty for the ports that the contract writes. `synonyms` are as for columns.
    """

    name: str
    kind: PortKind = PortKind.TABLE
    description: str | None = None
    columns: tuple[Column, ...] = ()
    quality: tuple[Rule, ...] = ()
    tags: tuple[str, ...] = ()
    custom_properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    relationships: tuple[Mapping[str, Any], ...] = ()
    quarantine_of: str = ""
    synonyms: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    dimensions: tuple[Dimension, ...] = ()

    @property
    def partition_key(self) -> tuple[Column, ...]:
        """The columns that ODCS calls partitioned, in the order of their positions; empty when there are none."""
        placed = [(column.partition_position, index) for index, column in enumerate(self.columns)]
        return tuple(self.columns[index] for _, index in sorted((at, index) for at, index in placed if at is not None))

    @property
    def primary_key(self) -> tuple[Column, ...]:
        """The key's columns in key order; empty when the port declares none."""
        keyed = [(column.primary_key_position, index) for index, column in enumerate(self.columns)]
        return tuple(self.columns[index] for _, index in sorted((at, index) for at, index in keyed if at is not None))

    def time_dimension(self, measure: Measure) -> str:
        """What a period of the measure is compared with: what it names, else the port's only date or timestamp, dimensions first.

        Empty if that is unclear.
        """
        named = [it.name for it in self.dimensions if it.logical_type in DATED and not it.expression]
        every = [it.name for it in self.columns if it.is_dated]
        return measure.time_dimension or (named[0] if len(named) == 1 else every[0] if len(every) == 1 else "")

    def column(self, name: str) -> Column:
        """The column of that name. Raises: KeyError naming the columns there are."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns) or "none"
        raise KeyError(f"port {self.name!r} has no column {name!r}; it has: {known}")


@dataclass(frozen=True, slots=True)
class Contract:
    """An ODCS data contract.

    Attributes:
        version: The contract's own version, as written.
        team: The `team` block in the 3.1 shape: a legacy list of members is put under `members`. Empty when absent.
        sla: The `slaProperties` entries as written.
        custom_properties: Property → value; of a property written twice the last value.
        text: The file as it was given, unchanged.
        document: The parsed file: plain dicts, lists, strings, numbers, booleans and None. Not to be changed.
        uncomputed: Measures and dimensions that are recorded only, with the reason; `ports` have the others.
    """

    api_version: str
    id: str
    version: str
    name: str | None
    domain: str | None
    status: str | None
    tags: tuple[str, ...]
    ports: tuple[Port, ...]
    team: Mapping[str, Any]
    sla: tuple[Mapping[str, Any], ...]
    custom_properties: Mapping[str, Any]
    text: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False, compare=False)
    uncomputed: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def port(self, name: str) -> Port:
        """The port of that name. Raises: KeyError naming the ports there are."""
        for port in self.ports:
            if port.name == name:
                return port
        known = ", ".join(port.name for port in self.ports) or "none"
        raise KeyError(f"contract {self.name or self.id!r} has no port {name!r}; it has: {known}")
