"""A whole reach shows exactly what asking about every node would, and of what is hidden nothing but how far away it is."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from governance_server.caller import Caller
from governance_server.policy.engine import Decision, Visibility
from governance_server.policy.facts import Facts
from governance_server.policy.lineage_sight import LineageSight
from governance_server.rules.lineage_walk import Direction, reach
from governance_server.services.lineage_answers import reach_parts
from governance_server.services.lineage_questions import Asking
from mesh_core.lineage import ColumnEdge, InputVersion, PortLineage, Subtype, Transformation
from mesh_core.names import parents

STEP = Transformation.of(Subtype.IDENTITY)
PORTS = [f"{domain}.{name}.{port}" for domain, name, port in product("ab", "pq", "tu")]
COLUMNS = [f"{port}#{column}" for port in PORTS for column in "xy"]
OBJECTS = st.sampled_from(["a", "b", "a.p", "b.q", *PORTS[:3], *COLUMNS[:6], *COLUMNS[-3:], "tag:pii"])
PAIRS = st.frozensets(st.tuples(st.sampled_from(["a", "b", "*"]), OBJECTS), max_size=5)


class _Policy:
    def __init__(self, seen: Visibility) -> None:
        self._seen = seen

    def visibility(self, _: Caller) -> Visibility:
        return self._seen

    def facts(self) -> Facts:
        return Facts()

    def check(self, *_: str) -> Decision:
        return Decision(allowed=False, rules=(), revision=1)


def _visibility(allowed: frozenset[Any], denied: frozenset[Any], tagged: frozenset[str], *, is_narrowed: bool) -> Visibility:
    def ancestors(obj: str) -> frozenset[str]:
        found, todo = {obj}, [obj]
        while todo:
            child = todo.pop()
            above = [*parents(child), *(["tag:pii"] if child in tagged else [])]
            todo += [it for it in above if it not in found]
            found.update(above)
        return frozenset(found)

    narrowed = (lambda obj: not obj.endswith("y")) if is_narrowed else None
    return Visibility(allowed, denied, 1, ancestors, narrowed=narrowed, linked=lambda _: tagged)


@given(PAIRS, PAIRS, st.frozensets(st.sampled_from([*COLUMNS, *PORTS]), max_size=4), st.booleans(), st.booleans())
def test_a_reach_shows_what_asking_about_each_node_would(
    allowed: frozenset[Any], denied: frozenset[Any], tagged: frozenset[str], is_narrowed: bool, by_port: bool
) -> None:
    facts = Facts()
    for before, after in pairwise(PORTS):
        edges = tuple(ColumnEdge(before, column, column, STEP) for column in "xy")
        facts.graph.put(PortLineage(after, (InputVersion(before, 1),), edges))
    sight = LineageSight(_Policy(_visibility(allowed, denied, tagged, is_narrowed=is_narrowed)), Caller("user:a"))  # type: ignore[arg-type]
    asking, nodes = Asking(facts, 1, (sight,)), facts.graph.nodes
    start = nodes.port(PORTS[0])
    starts = [start] if by_port else [nodes.column(start, column) for column in "xy"]
    found = reach(facts.graph, starts, Direction.DOWNSTREAM, depth=20)
    expected = [name if asking.sees(name) else "" for name in map(nodes.name, found.nodes.tolist())]

    (part,) = reach_parts(asking, found)
    ports = list(part.ports)
    pairs = zip(part.port_places, part.columns, strict=True)
    assert [f"{ports[place]}#{column}" if column else ports[place] for place, column in pairs] == expected
    assert set(ports) <= {name.partition("#")[0] for name in expected}, "of what is hidden no port is named"
    assert len(ports) == len(set(ports)), "nor told how many there are"
