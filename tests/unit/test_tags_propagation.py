"""Tags along lineage: where they flow, where they stop and why, and that derivation is a pure function of its sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.lineage import ColumnEdge, InputVersion, PortLineage, Subtype, Transformation
from tests.unit.tag_derivation import derived_tags

EMAIL = {"m.p.a#email": frozenset({"pii.email"})}
IDENTITY = Transformation.of(Subtype.IDENTITY)


def _aggregated(function: str) -> Transformation:
    return Transformation.of(Subtype.AGGREGATION, function=function)


def _made(target: str, *edges: tuple[str, str, str, Transformation], unknown: tuple[str, ...] = ()) -> PortLineage:
    inputs = tuple(sorted({InputVersion(edge[0], 1) for edge in edges}))
    return PortLineage(target, inputs, tuple(ColumnEdge(*edge) for edge in edges), unknown)


def test_a_tag_flows_along_direct_edges_with_its_path():
    lineages = [
        _made("m.p.b", ("m.p.a", "email", "contact", IDENTITY)),
        _made("m.p.c", ("m.p.b", "contact", "domain", Transformation.of(Subtype.TRANSFORMATION))),
    ]
    assert derived_tags(EMAIL, lineages, columns={}) == {
        "m.p.b#contact": {"pii.email": ("m.p.a#email", "m.p.b#contact")},
        "m.p.c#domain": {"pii.email": ("m.p.a#email", "m.p.b#contact", "m.p.c#domain")},
    }


@pytest.mark.parametrize("function", ["count", "count_distinct", "len", "sum", "mean"])
def test_a_tag_stops_at_an_aggregate_that_shows_no_value(function):
    assert derived_tags(EMAIL, [_made("m.p.b", ("m.p.a", "email", "n", _aggregated(function)))], columns={}) == {}


@pytest.mark.parametrize("function", ["min", "max", "first", "last", "list", "median", "item", ""])
def test_a_tag_flows_through_an_aggregate_that_shows_a_value(function):
    assert "m.p.b#n" in derived_tags(EMAIL, [_made("m.p.b", ("m.p.a", "email", "n", _aggregated(function)))], columns={})


@pytest.mark.parametrize("subtype", ["FILTER", "JOIN", "GROUP_BY", "SORT", "WINDOW", "CONDITIONAL"])
def test_a_tag_does_not_flow_through_a_column_that_only_decides(subtype):
    edge = ("m.p.a", "email", "x", Transformation.of(Subtype(subtype)))
    assert derived_tags(EMAIL, [_made("m.p.b", edge)], columns={}) == {}


def test_a_tag_does_not_flow_from_a_column_that_was_read_masked():
    edge = ("m.p.a", "email", "x", Transformation.of(Subtype.IDENTITY, masking=True))
    assert derived_tags(EMAIL, [_made("m.p.b", edge)], columns={}) == {}


def test_one_open_edge_beside_a_breaker_is_enough():
    edges = [("m.p.a", "email", "x", _aggregated("count")), ("m.p.a", "email", "x", IDENTITY)]
    assert "m.p.b#x" in derived_tags(EMAIL, [_made("m.p.b", *edges)], columns={})


def test_a_column_of_unknown_origin_inherits_every_tag_of_the_unknown_input():
    declared = EMAIL | {"m.p.a#card": frozenset({"pii.card"}), "m.p.z#other": frozenset({"pii.name"})}
    lineage = _made("m.p.b", ("m.p.z", "id", "known", IDENTITY), unknown=("m.p.a",))
    derived = derived_tags(declared, [lineage], columns={"m.p.b": ["known", "free"]})
    assert derived == {
        "m.p.b#free": {"pii.email": ("m.p.a#email", "m.p.b#free"), "pii.card": ("m.p.a#card", "m.p.b#free")},
    }


def test_derived_tags_of_an_unknown_input_flow_on():
    lineages = [_made("m.p.b", ("m.p.a", "email", "e", IDENTITY)), _made("m.p.c", unknown=("m.p.b",))]
    derived = derived_tags(EMAIL, lineages, columns={"m.p.c": ["x"]})
    assert derived["m.p.c#x"] == {"pii.email": ("m.p.a#email", "m.p.b#e", "m.p.c#x")}


def test_a_passing_rescan_stops_the_tag_there_and_below():
    lineages = [_made("m.p.b", ("m.p.a", "email", "e", IDENTITY)), _made("m.p.c", ("m.p.b", "e", "e", IDENTITY))]
    assert derived_tags(EMAIL, lineages, columns={}, rescanned={"m.p.b#e": frozenset({"pii.email"})}) == {}


def test_a_rescan_does_not_overrule_a_declaration():
    lineages = [_made("m.p.b", ("m.p.a", "email", "e", IDENTITY))]
    assert "m.p.b#e" in derived_tags(EMAIL, lineages, columns={}, rescanned=EMAIL)


def test_a_declared_tag_is_not_repeated_as_derived():
    declared = EMAIL | {"m.p.b#e": frozenset({"pii.email"})}
    lineages = [_made("m.p.b", ("m.p.a", "email", "e", IDENTITY)), _made("m.p.c", ("m.p.b", "e", "e", IDENTITY))]
    assert derived_tags(declared, lineages, columns={}) == {"m.p.c#e": {"pii.email": ("m.p.b#e", "m.p.c#e")}}


def test_a_cycle_ends_and_the_shortest_path_is_kept():
    lineages = [
        _made("m.p.b", ("m.p.a", "email", "e", IDENTITY), ("m.p.c", "e", "e", IDENTITY)),
        _made("m.p.c", ("m.p.b", "e", "e", IDENTITY)),
    ]
    assert derived_tags(EMAIL, lineages, columns={})["m.p.b#e"]["pii.email"] == ("m.p.a#email", "m.p.b#e")


_PORT = st.integers(0, 4).map(lambda n: f"m.p.n{n}")
_COLUMN = st.sampled_from(["x", "y"])
_MASKED = Transformation.of(Subtype.IDENTITY, masking=True)
_STEPS = st.sampled_from([IDENTITY, _aggregated("sum"), _aggregated("max"), Transformation.of(Subtype.FILTER), _MASKED])
_LINEAGES = st.dictionaries(
    _PORT, st.tuples(st.sets(st.tuples(_PORT, _COLUMN, _COLUMN, _STEPS), max_size=4), st.sets(_PORT, max_size=1)), max_size=5
).map(lambda made: [_made(t, *sorted(edges), unknown=tuple(sorted(u))) for t, (edges, u) in made.items()])
_DECLARED = st.dictionaries(
    st.builds(lambda p, c: f"{p}#{c}", _PORT, _COLUMN),
    st.sets(st.sampled_from(["pii.a", "pii.b", "secret"])).map(frozenset),
    max_size=4,
)
_COLUMNS = {f"m.p.n{n}": ["x", "y"] for n in range(5)}


@given(_DECLARED, _LINEAGES, st.randoms())
def test_the_order_of_sources_and_publications_does_not_matter(declared, lineages, random):
    shuffled = dict(random.sample(list(declared.items()), len(declared)))
    again = derived_tags(shuffled, random.sample(lineages, len(lineages)), columns=_COLUMNS)
    assert again == derived_tags(declared, lineages, columns=_COLUMNS)


def _reached(origins: set[str], lineages: list[PortLineage]) -> set[str]:
    """Columns a tag reaches, as a fixpoint over single steps straight from the rule's words."""
    found = set(origins)
    while True:
        more = set()
        for lineage in lineages:
            for edge in lineage.edges:
                t = edge.transformation
                if (
                    f"{edge.source_port}#{edge.source_column}" in found
                    and t.type == "DIRECT"
                    and not t.masking
                    and t.function != "sum"
                ):
                    more.add(f"{lineage.target_port}#{edge.target_column}")
            for column in _COLUMNS[lineage.target_port]:
                has_direct = any(e.target_column == column and e.transformation.type == "DIRECT" for e in lineage.edges)
                if not has_direct and any(node.split("#")[0] in lineage.unknown_inputs for node in found):
                    more.add(f"{lineage.target_port}#{column}")
        if more <= found:
            return found
        found |= more


@given(_DECLARED, _LINEAGES)
def test_derived_tags_are_exactly_what_the_rule_reaches_and_paths_are_real(declared, lineages):
    derived = derived_tags(declared, lineages, columns=_COLUMNS)
    for tag in ("pii.a", "pii.b", "secret"):
        origins = {column for column, tags in declared.items() if tag in tags}
        assert {column for column, tags in derived.items() if tag in tags} == _reached(origins, lineages) - origins
    for column, tags in derived.items():
        for tag, path in tags.items():
            assert tag in declared[path[0]]
            assert path[-1] == column
            assert len(set(path)) == len(path)


@given(_DECLARED, _LINEAGES, st.data())
def test_a_retracted_source_takes_exactly_its_derived_tags_with_it(declared, lineages, data):
    if not declared:
        return
    retracted = data.draw(st.sampled_from(sorted(declared)))
    remaining = {column: tags for column, tags in declared.items() if column != retracted}
    after = derived_tags(remaining, lineages, columns=_COLUMNS)
    for tag in ("pii.a", "pii.b", "secret"):
        others = {column for column, tags in remaining.items() if tag in tags}
        assert {column for column, tags in after.items() if tag in tags} == _reached(others, lineages) - others
    assert all(retracted != path[0] for tags in after.values() for path in tags.values())
