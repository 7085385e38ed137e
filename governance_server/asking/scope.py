"""Where to look: the collections and tables that an asker may read, for the purpose where it holds it, else for none.

What the asker may not read is left out before anything is chosen, so a choice tells nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.contracts import parse_contract
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.collection_plans import gives_something
from governance_server.rules.errors import AccessDenied, Invalid, InvalidContractText, PurposeNotHeld
from governance_server.rules.personalisation import permits_personalisation
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.rules.read_plans import ReadPlan
from governance_server.search.index import words
from mesh_core.answers.tables import TableModel
from mesh_core.contract.relationships import with_references
from mesh_core.expressions.tree import TRUE
from mesh_core.names import column_object, parse_port
from mesh_core.near_names import did_you_mean

if TYPE_CHECKING:
    from mesh_core.contract import Contract, Port

__all__ = ["Looked", "Scope", "find_scope", "look", "unread_tables"]

_MOST = {product_pb2.PORT_KIND_COLLECTION: 16, product_pb2.PORT_KIND_TABLE: 64}
"""So many of each kind are looked at: those whose names, columns and descriptions share most words with the question."""

_MOST_UNREAD = 64


@dataclass(frozen=True, slots=True)
class Looked:
    """A port that is looked at: for which purpose, in which version, under which plan."""

    port: product_pb2.Port
    purpose: str
    version: int
    plan: ReadPlan


@dataclass(frozen=True, slots=True)
class Scope:
    """What the asker may use."""

    collections: tuple[Looked, ...]
    tables: tuple[Looked, ...]
    revision: int
    unborn: tuple[str, ...] = ()
    """Collections that may be read now, and of which nothing was published at the revision that is asked for."""

    def models(self, backend: Backend) -> list[TableModel]:
        """The tables as planners of figures know them."""
        return [model for table in self.tables if (model := _model(backend, table)) is not None]

    def versions(self) -> dict[str, int]:
        """The tables' versions by port."""
        return {table.port.name: table.version for table in self.tables}


def find_scope(backend: Backend, caller: Caller, question: str, *, purpose: str, collections: Sequence[str], as_of: int) -> Scope:
    """The collections (only those named, if any are) and tables to look at; those that share words with the question first.

    Raises:
        AccessDenied: a collection that is named may not be read, or does not exist.
        PurposeNotHeld: the caller holds the purpose for nothing.
        Invalid: what is named is no collection.
    """
    for name in collections:
        parse_port(name)
    policy, asked = backend.policy, words(question)
    with policy.pinned() as revision:
        products = [it for it in policy.facts().products.values() if it.version]
    candidates = _candidates(backend, caller, purpose, products)
    ranked = sorted(candidates, key=lambda port: (port.name not in collections, -len(asked & _words(port)), port.name))
    found = _looked_at(backend, caller, ranked, purpose=purpose, as_of=as_of)
    now = _looked_at(backend, caller, ranked, purpose=purpose, as_of=0) if as_of else found  # rights are of now
    _check_held(backend, caller, purpose, now)
    shelves, tables = ([it for it in found if it.port.kind == kind] for kind in _MOST)
    then = {it.port.name for it in shelves}
    unborn = [it.port.name for it in now if it.port.kind == product_pb2.PORT_KIND_COLLECTION and it.port.name not in then]
    if collections:
        unborn = [name for name in unborn if name in collections]
        shelves = [_named(name, shelves, tables) for name in dict.fromkeys(collections) if name not in unborn]
    return Scope(tuple(shelves), tuple(tables), revision, tuple(unborn))


def _check_held(backend: Backend, caller: Caller, purpose: str, found: Sequence[Looked]) -> None:
    """Returns if the caller holds the purpose, by itself or for something that it may read. Raises: PurposeNotHeld."""
    policy = backend.policy
    if not purpose or policy.wider_purposes(purpose) & caller.purposes or any(it.purpose for it in found):
        return
    known = policy.facts().purposes
    if purpose not in known:
        hint = did_you_mean(purpose, known, otherwise="list them with `mesh admin list purposes`.")
        raise PurposeNotHeld(f"There is no purpose {purpose!r}: {hint}")
    raise PurposeNotHeld(f"You do not hold the purpose {purpose!r} for anything that you may read: leave it out, or ask for it.")


def _looked_at(backend: Backend, caller: Caller, ports: Sequence[product_pb2.Port], *, purpose: str, as_of: int) -> list[Looked]:
    """The first ports of each kind, as many as are looked at, that can be used: a collection's text must be seen as it is."""
    found: dict[int, list[Looked]] = {kind: [] for kind in _MOST}
    for port in ports:
        if len(found.get(port.kind, ())) >= _MOST.get(port.kind, 0):
            continue
        with backend.policy.pinned():  # rights and version belong together
            looked = look(backend, caller, port.name, purpose)
        served = _served(backend, looked, as_of) if looked else None
        if served and gives_something(port, served.plan):
            found[port.kind].append(served)
    return [it for kind in found.values() for it in kind]


def _candidates(
    backend: Backend, caller: Caller, purpose: str, products: Sequence[product_pb2.Product]
) -> list[product_pb2.Port]:
    """The ports of which the caller may read something."""
    sights = backend.policy.reading(caller, purpose)
    domains = {domain_of(obj) for sight in sights for _, obj in sight.allowed}
    return [
        port
        for product in products
        if ANY in domains or domain_of(product.name) in domains
        for port in product.ports
        if caller.covers("read", port.name)
        and any(sight.allows(column_object(port.name, column.name)) for sight in sights for column in port.columns)
    ]


def look(backend: Backend, caller: Caller, port: str, purpose: str) -> Looked | None:
    """The port as it is served now, for the purpose or else for none; None if the caller may not read it, or there is none.

    None, too, if the product's contract does not let answers use it for what it is read for (`personalisation`): a purpose that
    the caller holds for something else permits nothing here.
    """
    product, found = backend.policy.product_of(port), backend.policy.find_port(port)
    if product is None or found is None:
        return None
    for stated in dict.fromkeys((purpose, "")):
        with suppress(AccessDenied):
            plan = backend.policy.plan(caller, port, stated)
            return Looked(found, stated, product.version, plan) if _is_for(backend, product, stated) else None
    return None


def _is_for(backend: Backend, product: product_pb2.Product, purpose: str) -> bool:
    """True if the contract lets answers use the product for the purpose; one that cannot be read lets nobody."""
    body = backend.catalog.get(kinds.CONTRACT, kinds.versioned_name(product.name, product.version))
    contract = _contract(body) if body else None
    purposes = backend.policy.wider_purposes(purpose) if purpose else frozenset()
    return contract is not None and permits_personalisation(contract.custom_properties, purposes)


def unread_tables(
    backend: Backend, caller: Caller, scope: Scope, *, purpose: str, columns: Collection[str] = (), question: str = ""
) -> dict[str, Port]:
    """What contracts say of the tables that the caller may know of, and may read neither for the purpose nor for none.

    Only tables that have one of the columns, if any are named, and so many of those that share most words with the question: a
    large mesh has contracts by the thousand.
    """
    policy, readable, asked = backend.policy, scope.versions(), words(question)
    with policy.pinned():
        visible = policy.visibility(caller)
        known = [
            (port, product.version)
            for product in policy.facts().products.values()
            for port in (product.ports if product.version else ())
            if port.kind == product_pb2.PORT_KIND_TABLE and not port.is_quarantine and port.name not in readable
            if not columns or any(column.name in columns for column in port.columns)
            if visible.allows(port.name)
        ]
        known.sort(key=lambda it: (-len(asked & _words(it[0])), it[0].name))
        unread = (it for it in known if look(backend, caller, it[0].name, purpose) is None)
        withheld = list(islice(unread, _MOST_UNREAD))
    found = ((port.name, _defined(backend, port.name, version)) for port, version in withheld)
    return {name: defined[1] for name, defined in found if defined is not None}


def _served(backend: Backend, looked: Looked, as_of: int) -> Looked | None:
    """The port in the version that was served at the revision; None if there was none."""
    if not as_of:
        return looked
    name = looked.port.name.rpartition(".")[0]
    body = backend.catalog.get(kinds.PRODUCT, name, as_of=as_of)
    product = product_pb2.Product.FromString(body or b"")
    if not product.version or looked.port.name not in {port.name for port in product.ports}:
        return None
    return replace(looked, version=product.version)


def _named(name: str, searchable: Sequence[Looked], tables: Sequence[Looked]) -> Looked:
    for found in searchable:
        if found.port.name == name:
            return found
    if any(found.port.name == name for found in tables):
        raise Invalid(f"{name} is a table: it is used without being named.", resource=name)
    raise denied("read", name)


def _words(port: product_pb2.Port) -> frozenset[str]:
    columns = " ".join(f"{column.name} {column.description}" for column in port.columns)
    return _words_of(f"{port.name} {port.description} {columns}")


@lru_cache(maxsize=1 << 14)
def _words_of(text: str) -> frozenset[str]:
    return words(text)


def _model(backend: Backend, table: Looked) -> TableModel | None:
    """The table as its contract describes it, cut to what the asker sees; None if the contract cannot be read."""
    defined = _defined(backend, table.port.name, table.version)
    if defined is None:
        return None
    contract, port = defined
    seen = {column.name: column for column in table.plan.columns}
    definition = replace(port, columns=tuple(column for column in port.columns if column.name in seen))
    masked = frozenset(name for name, column in seen.items() if not column.is_clear)
    is_filtered = table.plan.row_filter != TRUE
    return TableModel(table.port.name, table.version, definition, masked, contract.custom_properties, is_filtered)


def _defined(backend: Backend, port: str, version: int) -> tuple[Contract, Port] | None:
    """The contract of a release and what it says of the port; None if it cannot be read, or says nothing."""
    product, _, name = port.rpartition(".")
    body = backend.catalog.get(kinds.CONTRACT, kinds.versioned_name(product, version))
    contract = _contract(body) if body else None
    found = next((it for it in contract.ports if it.name == name), None) if contract else None
    return (contract, with_references(found, contract, product=product)) if contract and found else None


@lru_cache(maxsize=64)
def _contract(body: bytes) -> Contract | None:
    """The contract of a release, which never changes."""
    try:
        return parse_contract(product_pb2.Contract.FromString(body).text)
    except InvalidContractText:
        return None
