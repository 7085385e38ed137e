"""The facts decisions rest on: what the journal's resources say, and the policy rows that follow from them.

Owns replacing one resource's facts by its new state and letting tags flow along lineage. Knows nothing of engines, locks or
the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Set
from copy import copy
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import chain
from typing import TypeVar

from domainmesh.v1 import domain_pb2, grant_pb2, lineage_pb2, principal_pb2, product_pb2
from governance_server.policy.concerned import Concerned
from governance_server.rules import kinds, policy_facts
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.lineage_graph import Graph
from governance_server.rules.namespace_owners import NamespaceOwners
from governance_server.rules.observed_lineage import Backing, ObservedLineage, Place
from governance_server.rules.policy_rows import Link, PolicyDelta, Row
from governance_server.rules.tag_flow import TagFlow, Tagged
from mesh_core.dataset_names import is_outside
from mesh_core.expressions.tree import Expression
from mesh_core.lineage import ANY_COLUMN
from mesh_core.names import tag_object

__all__ = ["DERIVED", "OWN_DATA", "Facts", "copy_facts", "delta", "follow_up", "replace_resource", "touched_by"]

OWN_DATA = ("own data", "")
"""The key of the rows of guardrails that do not bind a domain's own people on its own data."""

DERIVED = ("derived tags", "")
"""The key that stands for all rows saying which tags came along lineage; each column's have one of their own, with its object."""

_ALL = (OWN_DATA, DERIVED)
_EXEMPT = "exempt:"
_T = TypeVar("_T")


@dataclass(slots=True)
class Facts:
    """What the journal says at one revision, by name; read it under the projection's lock only."""

    products: dict[str, product_pb2.Product] = field(default_factory=dict)
    observed: ObservedLineage = field(default_factory=ObservedLineage)
    """What events told of lineage, by resource name."""
    owners: NamespaceOwners = field(default_factory=lambda: NamespaceOwners({}))
    """Which domain owns which jobs and datasets outside the mesh."""
    graph: Graph = field(default_factory=Graph)
    principals: dict[str, principal_pb2.Principal] = field(default_factory=dict)
    purposes: dict[str, principal_pb2.Purpose] = field(default_factory=dict)
    filters: dict[str, Expression] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[Row, ...]] = field(default_factory=dict)
    flow: TagFlow = None  # type: ignore[assignment]  # set below, unless another's is shared
    """Which tags came along lineage; brought up to date by `follow_up`."""
    guarded: frozenset[str] = frozenset()
    """What guardrails act on."""
    exempting: frozenset[str] = frozenset()
    """Purposes that exempt from some guardrail: held by the centre's assignment only."""
    own_data: dict[str, grant_pb2.Guardrail] = field(default_factory=dict)
    """Guardrails that do not bind a domain's own people on its own data, by id."""
    denials: dict[str, grant_pb2.Grant] = field(default_factory=dict)
    """Denials that are not revoked, by id."""
    resting: dict[str, grant_pb2.Grant] = field(default_factory=dict)
    """Grants that rest on other rules (ADR 0009) and are not revoked, by id."""
    closed_groups: frozenset[str] = frozenset()
    """Groups that are disabled: whoever is in one holds nothing through it."""
    withheld: dict[tuple[str, str], tuple[Row, ...]] = field(default_factory=dict)
    """Memberships in closed groups, by the key of the resource that says so: no rows until the group is enabled again."""
    concerned: Concerned = field(default_factory=Concerned)
    """What makes those denials and grants count → their ids."""

    def __post_init__(self) -> None:
        self.flow = self.flow or TagFlow(self.graph, partial(_columns, self.products))

    @property
    def derived(self) -> Tagged:
        """Column object → tag that came along lineage → its path, origin first."""
        return Tagged(self.graph, self.flow)


def _columns(products: Mapping[str, product_pb2.Product], port: str) -> Iterable[str]:
    """The columns that the catalog says the port has; of a dataset outside the mesh one that stands for all."""
    if is_outside(port):
        return (ANY_COLUMN,)
    product = products.get(port.rpartition(".")[0])
    found = next((known for known in product.ports if known.name == port), None) if product else None
    return [column.name for column in found.columns] if found else ()


def copy_facts(facts: Facts) -> Facts:
    """The same facts; replacing resources in the copy leaves the origin alone."""
    copied = copy(facts)
    copied.concerned, copied.observed = facts.concerned.copy(), facts.observed.copy()
    for item in fields(facts):
        if isinstance(value := getattr(facts, item.name), MutableMapping):
            setattr(copied, item.name, dict(value))
    facts.graph.layout()  # shared by all copies instead of made by each
    copied.graph = facts.graph.copy()
    copied.flow = facts.flow.copy(copied.graph, partial(_columns, copied.products))
    return copied


def touched_by(writes: Iterable[ResourceWrite]) -> set[tuple[str, str]]:
    """The keys of the rows that the writes may change, those that follow from several resources included."""
    touched = {(write.kind, write.name) for write in writes}
    if any(kind in (kinds.DOMAIN, kinds.GUARDRAIL) for kind, _ in touched):
        touched.add(OWN_DATA)
    if any(kind in (kinds.PRODUCT, kinds.LINEAGE, kinds.OBSERVED_LINEAGE, kinds.GUARDRAIL) for kind, _ in touched):
        touched.add(DERIVED)
    return touched


def replace_resource(facts: Facts, kind: str, name: str, body: bytes | None) -> None:
    """The facts say what the resource's new state says."""
    _put_rows(facts, (kind, name), dict.fromkeys(_rows(facts, kind, name, body)))  # a row counts once for each resource


def _put_rows(facts: Facts, key: tuple[str, str], rows: Iterable[Row]) -> None:
    """The rows are those of the resource, as far as they do not lead into a closed group."""
    said = tuple(rows)
    closed = facts.closed_groups
    open_rows = said
    if closed or key in facts.withheld:
        withheld = tuple(row for row in said if isinstance(row, Link) and row.section == "g" and row.parent in closed)
        open_rows = tuple(row for row in said if row not in withheld) if withheld else said
        _put(facts.withheld, key, withheld)
    _put(facts.rows, key, open_rows)


def _put(store: MutableMapping[tuple[str, str], tuple[Row, ...]], key: tuple[str, str], rows: tuple[Row, ...]) -> None:
    if rows:
        store[key] = rows
    else:
        store.pop(key, None)


def _rows(facts: Facts, kind: str, name: str, body: bytes | None) -> Iterable[Row]:
    if kind == kinds.PRODUCT:
        gone = facts.products.get(name)
        product = _kept(facts.products, name, body, product_pb2.Product.FromString)
        _declare(facts, gone, product)
        _back(facts, f"product:{name}", _backings(product) if product else ())
        return policy_facts.product_rows(product) if product else ()
    if kind == kinds.LINEAGE:
        message = None if body is None else lineage_pb2.PortLineage.FromString(body)
        facts.flow.touch(facts.graph.remove(name) if message is None else facts.graph.put(message))
        return ()
    if kind == kinds.OBSERVED_LINEAGE:
        _observe(facts, name, body)
        return ()
    if kind == kinds.PRINCIPAL:
        principal = _kept(facts.principals, name, body, principal_pb2.Principal.FromString)
        return policy_facts.principal_rows(principal) if principal else ()
    if kind == kinds.PURPOSE:
        purpose = _kept(facts.purposes, name, body, principal_pb2.Purpose.FromString)
        return policy_facts.purpose_rows(purpose) if purpose else ()
    if kind == kinds.GRANT:
        _keep_dependent(facts, name, body)
    if kind == kinds.GUARDRAIL:
        facts.own_data.pop(name, None)
    if kind == kinds.DOMAIN:
        registered = domain_pb2.Domain.FromString(body or b"").namespaces
        if registered or name in facts.owners.registered:
            facts.owners = facts.owners.with_domain(name, registered)
    if body is None:
        facts.filters.pop(name, None)
        return ()
    if kind == kinds.IDENTITY:
        return policy_facts.identity_rows(principal_pb2.Identity.FromString(body))
    if kind == kinds.DOMAIN:
        return policy_facts.domain_rows(domain_pb2.Domain.FromString(body))
    return _rule_rows(facts, kind, name, body)


def _observe(facts: Facts, name: str, body: bytes | None) -> None:
    told = None if body is None else lineage_pb2.PortLineage.FromString(body)
    _reread(facts, facts.observed.put(name, told))
    read = facts.observed.read(name)
    if read is not None:
        facts.flow.touch(facts.graph.put(read))


def _backings(product: product_pb2.Product) -> Iterator[Backing]:
    for port in product.ports:
        yield from (Backing(dataset, port.name, True) for dataset in port.datasets)
        yield from (Backing(dataset, port.name, False) for dataset in port.claimed_datasets)


def _back(facts: Facts, who: str, backings: Iterable[Backing]) -> None:
    """What was told of the datasets is told of the ports they back from now on, and of no others any more."""
    _reread(facts, facts.observed.back(who, backings))


def _reread(facts: Facts, earlier: Mapping[str, Place]) -> None:
    """The graph has the lineage as it is read now in the place of how it was read before."""
    for place in earlier.values():
        facts.flow.touch(facts.graph.remove(place.target, place.source))
    for name in earlier:
        read = facts.observed.read(name)
        if read is not None:
            facts.flow.touch(facts.graph.put(read))


def _keep_dependent(facts: Facts, name: str, body: bytes | None) -> None:
    """Denials and grants that rest on others are kept whole: few are, and each may have to be looked at when another ends."""
    known = facts.denials.pop(name, None) or facts.resting.pop(name, None)
    if known is not None:
        facts.concerned.note(known, present=False)
    grant = grant_pb2.Grant.FromString(body or b"")
    if body is None or grant.revoke_time.seconds:
        return
    if grant.effect != grant_pb2.EFFECT_ALLOW:
        facts.denials[name] = grant
    elif grant.basis:
        facts.resting[name] = grant
    else:
        return
    facts.concerned.note(grant, present=True)


def _rule_rows(facts: Facts, kind: str, name: str, body: bytes) -> Iterator[Row]:
    rule: grant_pb2.Grant | grant_pb2.Guardrail
    rule = grant_pb2.Grant.FromString(body) if kind == kinds.GRANT else grant_pb2.Guardrail.FromString(body)
    facts.filters.pop(name, None)
    if rule.row_filter:
        from mesh_core.expressions.sql import parse_filter

        facts.filters[name] = parse_filter(rule.row_filter, None)
    if isinstance(rule, grant_pb2.Grant):
        return policy_facts.grant_rows(rule)
    if policy_facts.OWN_PEOPLE in rule.exempt:
        facts.own_data[name] = rule
    return policy_facts.guardrail_rows(rule)


def _kept(store: dict[str, _T], name: str, body: bytes | None, parse: Callable[[bytes], _T]) -> _T | None:
    if body is None:
        store.pop(name, None)
        return None
    store[name] = parse(body)
    return store[name]


def follow_up(facts: Facts, keys: Collection[tuple[str, str]] = _ALL) -> dict[tuple[str, str], tuple[Row, ...]]:
    """The rows that follow from several resources are those of the resources as they are now, as far as `keys` names them.

    Returns the rows, as they were, of columns whose tags changed and of members of groups that were closed or opened: which
    those are is known only then.
    """
    if OWN_DATA in keys:
        domains = sorted(name for kind, name in facts.rows if kind == kinds.DOMAIN) if facts.own_data else []
        rows = (policy_facts.own_data_rows(guardrail, domains) for _, guardrail in sorted(facts.own_data.items()))
        facts.rows[OWN_DATA] = tuple(dict.fromkeys(chain.from_iterable(rows)))
    if keys is _ALL or any(kind == kinds.GUARDRAIL for kind, _ in keys):
        _note_guardrails(facts)
    moved = _close_groups(facts) if keys is _ALL or any(_is_group(key) for key in keys) else {}
    return {**moved, **_derive(facts)} if DERIVED in keys else moved


def _is_group(key: tuple[str, str]) -> bool:
    return key[0] == kinds.PRINCIPAL and key[1].startswith("group:")


def _close_groups(facts: Facts) -> dict[tuple[str, str], tuple[Row, ...]]:
    """Memberships count or not as their groups are enabled now. Returns the rows, as they were, of whom that concerns."""
    closed = frozenset(name for name, it in facts.principals.items() if it.is_disabled and name.startswith("group:"))
    changed = closed ^ facts.closed_groups
    if not changed:
        return {}
    facts.closed_groups = closed
    concerned = {
        key
        for rows in (facts.rows, facts.withheld)
        for key, of_key in rows.items()
        if any(isinstance(row, Link) and row.section == "g" and row.parent in changed for row in of_key)
    }
    before = {key: facts.rows.get(key, ()) for key in concerned}
    for key, rows in before.items():
        _put_rows(facts, key, (*rows, *facts.withheld.get(key, ())))
    return before


def _note_guardrails(facts: Facts) -> None:
    """What guardrails act on, and which purposes exempt from one, is what their rows say now."""
    places = (kinds.GUARDRAIL, OWN_DATA[0])
    rows = [row for (kind, _), of_kind in facts.rows.items() if kind in places for row in of_kind]
    guarded = frozenset(row.obj for row in rows if not isinstance(row, Link)).union(
        policy_facts.guardrail_object(guardrail.resource) for guardrail in facts.own_data.values()
    )
    facts.exempting = frozenset(
        row.child for row in rows if isinstance(row, Link) and row.section == "g3" and row.parent.startswith(_EXEMPT)
    )
    if guarded != facts.guarded:
        facts.guarded = guarded
        for product in facts.products.values():
            if product.tags or any(port.tags for port in product.ports):
                _declare(facts, product, product)


def _declare(facts: Facts, gone: product_pb2.Product | None, product: product_pb2.Product | None) -> None:
    """The product's columns declare what it says now, and are free of what rescans of this version have shown.

    A tag of a whole port or product describes it, and flows on from every column only if a guardrail acts on it.
    """
    ports = {port.name: port for port in product.ports} if product else {}
    for name in {*ports, *(port.name for port in gone.ports if gone)} if gone else ports:
        port = ports.get(name)
        around = _guarded((*product.tags, *port.tags), facts.guarded) if product and port else frozenset()
        facts.flow.declare(name, {c.name: around.union(c.tags) for c in port.columns} if port else {})
        facts.flow.clear(name, {c.name: frozenset(it.tag for it in c.rescans) for c in port.columns} if port else {})


def _derive(facts: Facts) -> dict[tuple[str, str], tuple[Row, ...]]:
    """Tags have flowed along lineage and are links like any other. Returns the rows, as they were, of the columns concerned."""
    before = {}
    for node in facts.flow.settle():
        obj = facts.graph.nodes.name(node)
        key = (DERIVED[0], obj)
        before[key] = facts.rows.get(key, ())
        rows = tuple(policy_facts.tag_link(obj, tag) for tag in facts.flow.tags(node))
        if rows and not is_outside(obj):  # nobody decides on what the mesh does not serve
            facts.rows[key] = rows
        else:
            facts.rows.pop(key, None)
    return before


def _guarded(tags: Iterable[str], guarded: Set[str]) -> frozenset[str]:
    """Those of the tags that a guardrail names, or names a wider tag of."""
    return frozenset(tag for tag in tags if any((tag_object(tag) + ".").startswith(obj + ".") for obj in guarded))


def delta(before: Mapping[tuple[str, str], tuple[Row, ...]], after: Mapping[tuple[str, str], tuple[Row, ...]]) -> PolicyDelta:
    """What the policy must gain and lose to get from the rows before to the rows after, for the keys of `before`."""
    add: list[Row] = []
    remove: list[Row] = []
    for key, old in before.items():
        new = after.get(key, ())
        old_set, new_set = set(old), set(new)
        add.extend(row for row in dict.fromkeys(new) if row not in old_set)
        remove.extend(row for row in dict.fromkeys(old) if row not in new_set)
    return PolicyDelta(add=tuple(add), remove=tuple(remove))
