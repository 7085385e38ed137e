"""Derived tags kept up to date: after any history of releases and declarations they are what computing anew would give."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance_server.rules.lineage_graph import Graph
from governance_server.rules.tag_flow import TagFlow, Tagged
from mesh_core.lineage import ColumnEdge, PortLineage, Subtype, Transformation
from mesh_core.lineage_wire import lineage_to_wire
from tests.unit.tag_oracle import propagate

OUTSIDE = "s3://lake|d"
"""A dataset outside the mesh: nobody lists its columns."""
PORTS = [*(f"m.p.n{number}" for number in range(4)), OUTSIDE]
COLUMNS = ["x", "y", "z"]
TAGS = ["pii.a", "pii.b"]
STEPS = [
    Transformation.of(Subtype.IDENTITY),
    Transformation.of(Subtype.IDENTITY),
    Transformation.of(Subtype.TRANSFORMATION),
    Transformation.of(Subtype.AGGREGATION, function="max"),
    Transformation.of(Subtype.AGGREGATION, function="sum"),
    Transformation.of(Subtype.IDENTITY, masking=True),
    Transformation.of(Subtype.FILTER),
]
_PORT, _COLUMN = st.sampled_from(PORTS), st.sampled_from(COLUMNS)
_SOURCE = st.sampled_from(["", "job"])
_EDGES = st.sets(st.tuples(_PORT, st.sampled_from([*COLUMNS, ""]), _COLUMN, st.sampled_from(STEPS)), max_size=5)
_TAGGED = st.dictionaries(_COLUMN, st.sets(st.sampled_from(TAGS), min_size=1).map(frozenset), max_size=2)


class Histories(RuleBasedStateMachine):
    """Releases, retractions, declarations and rescans in any order, several between two looks."""

    @initialize()
    def begin(self) -> None:
        self.columns = {port: ["x", "y"] for port in PORTS if port != OUTSIDE}
        self.lineages: dict[tuple[str, str], PortLineage] = {}
        self.declared: dict[str, dict[str, frozenset[str]]] = {}
        self.cleared: dict[str, dict[str, frozenset[str]]] = {}
        self.copies: list[tuple[Graph, TagFlow, object]] = []
        self.graph = Graph()
        self.flow = TagFlow(self.graph, lambda port: ("",) if port == OUTSIDE else self.columns.get(port, ()))
        self.before: dict[str, set[str]] = {}

    @rule(port=_PORT, source=_SOURCE, edges=_EDGES, unknown=st.sets(_PORT, max_size=2))
    def release(self, port: str, source: str, edges: set, unknown: set[str]) -> None:
        made = [ColumnEdge(*edge) for edge in sorted(edges)]
        lineage = PortLineage(port, (), tuple(made), tuple(sorted(unknown)), source=source)
        self.lineages[port, source] = lineage
        self.flow.touch(self.graph.put(lineage_to_wire(lineage)))

    @rule(port=_PORT, source=_SOURCE)
    def retract(self, port: str, source: str) -> None:
        self.lineages.pop((port, source), None)
        self.flow.touch(self.graph.remove(port, source))

    @rule(port=_PORT, tags=_TAGGED)
    def declare(self, port: str, tags: dict[str, frozenset[str]]) -> None:
        self.declared[port] = tags
        self.flow.declare(port, tags)

    @rule(port=_PORT, tags=_TAGGED)
    def rescan(self, port: str, tags: dict[str, frozenset[str]]) -> None:
        self.cleared[port] = tags
        self.flow.clear(port, tags)

    @rule(port=st.sampled_from(PORTS[:-1]), columns=st.sets(_COLUMN, min_size=1))
    def change_columns(self, port: str, columns: set[str]) -> None:
        self.columns[port] = sorted(columns)
        self.flow.touch(self.graph.nodes.port(port))

    @rule()
    def keep_a_copy(self) -> None:
        columns = {port: list(names) for port, names in self.columns.items()}
        graph = self.graph.copy()
        flow = self.flow.copy(graph, lambda port: ("",) if port == OUTSIDE else columns.get(port, ()))
        flow.settle()
        self.copies.append((graph, flow, self._anew()))

    def _anew(self) -> object:
        def flat(tags: dict[str, dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
            return {f"{port}#{column}": found for port, columns in tags.items() for column, found in columns.items()}

        return propagate(flat(self.declared), self.lineages.values(), columns=self.columns, rescanned=flat(self.cleared))

    @rule()
    def is_what_computing_anew_gives(self) -> None:
        changed = {self.graph.nodes.name(node) for node in self.flow.settle()}
        found = {obj: dict(paths) for obj, paths in Tagged(self.graph, self.flow).items()}
        assert found == self._anew()
        now = {obj: set(paths) for obj, paths in found.items()}
        really = {obj for obj in {*now, *self.before} if now.get(obj) != self.before.get(obj)}
        assert really <= changed
        self.before = now

    def teardown(self) -> None:
        if hasattr(self, "graph"):
            self.is_what_computing_anew_gives()

    @invariant()
    def copies_stay_as_they_were(self) -> None:
        for graph, flow, expected in self.copies[-2:]:
            assert {obj: dict(paths) for obj, paths in Tagged(graph, flow).items()} == expected


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
