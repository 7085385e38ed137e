"""Column lineage as values: which column of which port a published column came from, and how.

The SDK takes these from a query plan, the server keeps them, walks them and lets tags flow along them. The words are those of
OpenLineage. Knows nothing of polars, the wire or the OpenLineage classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ANY_COLUMN",
    "BREAKING_FUNCTIONS",
    "Basis",
    "ColumnEdge",
    "DatasetEdge",
    "InputVersion",
    "PortLineage",
    "RowEdge",
    "Subtype",
    "Transformation",
    "TransformationType",
]

ANY_COLUMN = ""
"""Stands for "some column of the port, unknown which" as a source column."""

BREAKING_FUNCTIONS = frozenset({"count", "count_distinct", "len", "sum", "mean"})
"""Aggregations whose result shows no source value, so that a tag stops there (design §5): never min, max, first, last or list."""


class TransformationType(StrEnum):
    """Whether a value flows into the target, or only decides about it."""

    DIRECT = "DIRECT"
    INDIRECT = "INDIRECT"


class Subtype(StrEnum):
    """How. Source: OpenLineage ColumnLineageDatasetFacet 1.2."""

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    FILTER = "FILTER"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"


_DIRECT = frozenset({Subtype.IDENTITY, Subtype.TRANSFORMATION, Subtype.AGGREGATION})


@dataclass(frozen=True, slots=True, order=True)
class Transformation:
    """What happens on an edge. `function` names the aggregation; `masking` says the source's values were not readable there.

    `subtype` is a `Subtype` in what we produce; events of others may carry any word, or none.
    """

    type: TransformationType
    subtype: str
    function: str = ""
    masking: bool = False

    @classmethod
    def of(cls, subtype: Subtype, *, function: str = "", masking: bool = False) -> Transformation:
        """The transformation of a subtype, with the type that OpenLineage gives it."""
        kind = TransformationType.DIRECT if subtype in _DIRECT else TransformationType.INDIRECT
        return cls(kind, subtype, function, masking)

    @property
    def is_direct(self) -> bool:
        """True if source values flow into the target."""
        return self.type == TransformationType.DIRECT

    @property
    def is_breaker(self) -> bool:
        """True if there is evidence that no source value can be read from the target: a mask, or a count, sum or mean."""
        return self.masking or self.function in BREAKING_FUNCTIONS

    def after(self, inner: Transformation) -> Transformation:
        """The two as one step: first `inner`, then this. Associative; a masked or indirect step stays so, a breaker is kept."""
        if not inner.is_direct:
            return inner
        masking = self.masking or inner.masking
        if not self.is_direct:
            return Transformation(self.type, self.subtype, "", masking)
        keeps_inner = inner.function in BREAKING_FUNCTIONS or not self.function
        function = inner.function if keeps_inner else self.function
        return Transformation(self.type, max(self.subtype, inner.subtype, key=_RANK.index), function, masking)


_RANK: tuple[str, ...] = (Subtype.IDENTITY, Subtype.TRANSFORMATION, Subtype.AGGREGATION)


@dataclass(frozen=True, slots=True, order=True)
class ColumnEdge:
    """`target_column` depends on one column of a source port."""

    source_port: str
    source_column: str
    target_column: str
    transformation: Transformation


@dataclass(frozen=True, slots=True, order=True)
class RowEdge:
    """A source column decides which rows the target has, or their order: every target column depends on it, indirectly.

    `source_column` is ANY_COLUMN if the plan did not tell which one.
    """

    source_port: str
    source_column: str
    transformation: Transformation


@dataclass(frozen=True, slots=True, order=True)
class DatasetEdge:
    """The target port depends on a source port."""

    source_port: str


@dataclass(frozen=True, slots=True, order=True)
class InputVersion:
    """A port that was read, at a version of its product."""

    port: str
    version: int


class Basis(StrEnum):
    """What a lineage rests on. Source: the precedence of OpenLineage's explicit-lineage facets."""

    PUBLICATION = ""
    """The publication's own word: a query plan, or what the publisher declared."""
    EXPLICIT = "EXPLICIT"
    """The facet `lineage` of a job or dataset: complete where it speaks."""
    COLUMNS = "COLUMNS"
    """The facet `columnLineage` of an output."""
    INFERRED = "INFERRED"
    """Nobody's word: read from the query in the facet `sql` of a job, where no facet tells columns."""
    PRODUCT = "PRODUCT"
    """Nothing but that a job had these inputs and these outputs: a guess of OpenLineage's model, shown as one."""
    SYMLINK = "SYMLINK"
    """No lineage: the target is another name of its only input, says the facet `symlinks`."""
    ALIAS = "ALIAS"
    """The same, says somebody who may."""


@dataclass(frozen=True, slots=True)
class PortLineage:
    """Where one published port, or another dataset, came from.

    One target may have several: its publication's, whose `source` is empty, and what runs of jobs told, each under a `source`
    of its own. They stand side by side and are judged one by one: what one of them does not know, another does not say for it.
    Nodes outside the mesh are written as `dataset_names` says.

    `unknown_inputs` are ports from which values flow in by a way the plan did not show: every target column without a DIRECT edge
    may hold any of their columns. A target column whose sources could not be told has no DIRECT edge at all, so that this holds.
    """

    target_port: str
    inputs: tuple[InputVersion, ...]
    edges: tuple[ColumnEdge, ...]
    unknown_inputs: tuple[str, ...] = ()
    row_edges: tuple[RowEdge, ...] = ()
    source: str = ""
    basis: Basis = Basis.PUBLICATION

    @property
    def dataset_edges(self) -> tuple[DatasetEdge, ...]:
        """One edge per port this one depends on in any way, by name."""
        ports = {i.port for i in self.inputs} | {e.source_port for e in self.edges} | {e.source_port for e in self.row_edges}
        return tuple(DatasetEdge(port) for port in sorted(ports | set(self.unknown_inputs)))
