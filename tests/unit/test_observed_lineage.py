from __future__ import annotations

from itertools import permutations

from governance_server.rules.lineage_graph import Graph
from governance_server.rules.lineage_walk import Direction, walk
from governance_server.rules.observed_lineage import Backing, ObservedLineage
from mesh_core.lineage import Basis, ColumnEdge, InputVersion, PortLineage, Subtype, Transformation
from mesh_core.lineage_wire import lineage_from_wire, lineage_to_wire
from tests.unit.tag_derivation import derived_tags

IDENTITY = Transformation.of(Subtype.IDENTITY)
RAW, TABLE = "s3://raw|orders", "s3://lake|orders"
TOLD = PortLineage(TABLE, (InputVersion(RAW, 0),), (ColumnEdge(RAW, "mail", "email", IDENTITY),), source="j", basis=Basis.COLUMNS)


def _read(known: ObservedLineage) -> PortLineage:
    found = known.read("told")
    assert found is not None
    return lineage_from_wire(found)


def test_a_dataset_is_the_port_it_backs_in_either_order() -> None:
    steps = [
        lambda known: known.put("told", lineage_to_wire(TOLD)),
        lambda known: known.back("product:shop.orders", [Backing(TABLE, "shop.orders.orders", True)]),
        lambda known: known.back("product:crm.raw", [Backing(RAW, "crm.raw.orders", True)]),
    ]
    for order in permutations(steps):
        known = ObservedLineage()
        for step in order:
            step(known)
        assert _read(known).target_port == "shop.orders.orders"
        assert _read(known).edges == (ColumnEdge("crm.raw.orders", "mail", "email", IDENTITY),)


def test_what_is_no_longer_backed_is_a_dataset_again() -> None:
    known = ObservedLineage()
    known.put("told", lineage_to_wire(TOLD))
    assert known.back("product:shop.orders", [Backing(TABLE, "shop.orders.orders", True)]) == {"told": (TABLE, "j")}
    known.back("product:shop.orders", [])
    assert _read(known) == TOLD


def test_datasets_that_are_said_to_be_each_other_are_one_in_either_order() -> None:
    steps = [
        lambda known: known.put("told", lineage_to_wire(TOLD)),
        lambda known: known.put("a", lineage_to_wire(PortLineage(RAW, (InputVersion("hive|b", 0),), (), basis=Basis.SYMLINK))),
        lambda known: known.put("b", lineage_to_wire(PortLineage("hive|b", (InputVersion(RAW, 0),), (), basis=Basis.SYMLINK))),
        lambda known: known.put("c", lineage_to_wire(PortLineage("hive|c", (InputVersion(RAW, 0),), (), basis=Basis.SYMLINK))),
    ]
    for order in permutations(steps):
        known = ObservedLineage()
        for step in order:
            step(known)
        assert {known.port_of(it) for it in (RAW, "hive|b", "hive|c")} == {"hive|b"}
        assert known.datasets_of("hive|b") == ["hive|c", RAW]
        assert _read(known).edges == (ColumnEdge("hive|b", "mail", "email", IDENTITY),)


def test_a_dataset_that_two_ports_claim_is_neither() -> None:
    known = ObservedLineage()
    known.put("told", lineage_to_wire(TOLD))
    known.back("product:a.b", [Backing(TABLE, "a.b.c", True)])
    known.back("product:d.e", [Backing(TABLE, "d.e.f", True)])
    assert _read(known).target_port == TABLE


def _upstream(graph: Graph) -> set[str]:
    found = walk(graph, "m.p.b#y", Direction.UPSTREAM, depth=5, is_visible=lambda _: True)
    return {node.id for node in found.nodes}


def test_sources_of_one_target_stand_side_by_side_in_the_graph() -> None:
    graph = Graph([PortLineage("m.p.b", (InputVersion("m.p.a", 1),), (ColumnEdge("m.p.a", "x", "y", IDENTITY),))])
    graph.put(PortLineage("m.p.b", (), (), unknown_inputs=(RAW,), source="j", basis=Basis.PRODUCT))
    assert _upstream(graph) == {"m.p.b#y", "m.p.a#x", RAW}
    graph.remove("m.p.b", "j")
    assert _upstream(graph) == {"m.p.b#y", "m.p.a#x"}
    graph.remove("m.p.b")
    assert _upstream(graph) == {"m.p.b#y"}


def test_what_one_source_knows_another_does_not_say_for_it() -> None:
    known = PortLineage("m.p.b", (), (ColumnEdge("m.p.a", "x", "y", IDENTITY),))
    guess = PortLineage("m.p.b", (), (), unknown_inputs=("m.p.c",), source="j")
    derived = derived_tags({"m.p.c#mail": frozenset({"pii"})}, [known, guess], columns={"m.p.b": ["y"]})
    assert dict(derived) == {"m.p.b#y": {"pii": ("m.p.c#mail", "m.p.b#y")}}


def test_a_tag_passes_a_dataset_whose_columns_nobody_knows() -> None:
    into = PortLineage(TABLE, (), (), unknown_inputs=("m.p.a",), source="j", basis=Basis.PRODUCT)
    by_column = PortLineage("m.p.b", (), (ColumnEdge(TABLE, "x", "y", IDENTITY),), source="k", basis=Basis.COLUMNS)
    unknown = PortLineage("m.p.c", (), (), unknown_inputs=(TABLE,), source="k", basis=Basis.PRODUCT)
    partly = PortLineage("m.p.d", (), (ColumnEdge(TABLE, "", "z", IDENTITY),), source="k", basis=Basis.EXPLICIT)
    columns = {"m.p.b": ["y", "other"], "m.p.c": ["v"], "m.p.d": ["z", "w"]}
    derived = derived_tags({"m.p.a#mail": frozenset({"pii"})}, [into, by_column, unknown, partly], columns=columns)
    assert set(derived) == {f"{TABLE}#", "m.p.b#y", "m.p.c#v", "m.p.d#z"}
    assert derived["m.p.b#y"]["pii"] == ("m.p.a#mail", f"{TABLE}#", "m.p.b#y")


def test_other_names_lead_to_the_port_in_any_order() -> None:
    steps = [
        lambda known: known.put("told", lineage_to_wire(TOLD)),
        lambda known: known.put(
            "link", lineage_to_wire(PortLineage(TABLE, (InputVersion("file|/t", 0),), (), source="l", basis=Basis.SYMLINK))
        ),
        lambda known: known.back("product:shop.orders", [Backing("file|/t", "shop.orders.orders", True)]),
    ]
    for order in permutations(steps):
        known = ObservedLineage()
        for step in order:
            step(known)
        assert _read(known).target_port == "shop.orders.orders"
        assert known.datasets_of("shop.orders.orders") == ["file|/t", TABLE]
        known.put("link", None)
        assert _read(known).target_port == TABLE


def test_what_an_owner_says_goes_before_a_claim() -> None:
    known = ObservedLineage()
    known.put("told", lineage_to_wire(TOLD))
    known.back("product:evil.p", [Backing(TABLE, "evil.p.p", False)])
    assert _read(known).target_port == "evil.p.p"
    known.back("product:shop.orders", [Backing(TABLE, "shop.orders.orders", True)])
    assert _read(known).target_port == "shop.orders.orders"


def test_names_that_lead_in_a_circle_end() -> None:
    known = ObservedLineage()
    known.put("a", lineage_to_wire(PortLineage("x|a", (InputVersion("x|b", 0),), (), source="1", basis=Basis.SYMLINK)))
    known.put("b", lineage_to_wire(PortLineage("x|b", (InputVersion("x|a", 0),), (), source="2", basis=Basis.SYMLINK)))
    known.put("told", lineage_to_wire(PortLineage("x|a", (), (), unknown_inputs=("x|b",), source="3")))
    assert _read(known).target_port in {"x|a", "x|b"}


def test_two_names_of_one_port_are_one_source() -> None:
    known = ObservedLineage()
    edges = tuple(ColumnEdge(node, "mail", "email", IDENTITY) for node in (RAW, "s3://old|orders"))
    told = PortLineage(TABLE, (InputVersion(RAW, 0), InputVersion("s3://old|orders", 0)), edges, source="j", basis=Basis.COLUMNS)
    known.put("told", lineage_to_wire(told))
    known.back("product:crm.raw", [Backing(node, "crm.raw.orders", True) for node in (RAW, "s3://old|orders")])
    assert _read(known).edges == (ColumnEdge("crm.raw.orders", "mail", "email", IDENTITY),)
    assert _read(known).inputs == (InputVersion("crm.raw.orders", 0),)
