"""What a token's scope leaves of a principal's rights: never more, and the same answer for what does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domainmesh.v1 import domain_pb2, principal_pb2, product_pb2
from governance_server.caller import Caller
from governance_server.journal.command import Command, Outcome
from governance_server.journal.journal import Journal
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.errors import AccessDenied, PurposeNotHeld
from governance_server.rules.token_scopes import TokenScope
from governance_server.storage.engine import open_database

OLGA, PORT = "user:olga", "finance.ledger.entries"
OWNER = Caller(OLGA)
READS = TokenScope(frozenset({("read", "finance.ledger"), ("discover", PORT)}))


@pytest.fixture
def policy(tmp_path: Path) -> Iterator[PolicyProjection]:
    """Olga owns finance, with two products; forecasting is part of analytics, and she holds both."""
    database = open_database(f"sqlite:///{tmp_path}/mesh.db")
    journal = Journal(database, clock=lambda: datetime.now(UTC))
    column = product_pb2.Column(name="amount", logical_type="integer")
    resources = [
        (kinds.DOMAIN, domain_pb2.Domain(name="finance", owners=[OLGA])),
        (kinds.PRINCIPAL, principal_pb2.Principal(name=OLGA, purposes=["analytics"])),
        (kinds.PURPOSE, principal_pb2.Purpose(name="analytics")),
        (kinds.PURPOSE, principal_pb2.Purpose(name="forecasting", parent="analytics")),
        *(
            (
                kinds.PRODUCT,
                product_pb2.Product(name=name, version=1, ports=[product_pb2.Port(name=f"{name}.entries", columns=[column])]),
            )
            for name in ("finance.ledger", "finance.ledgers")
        ),
    ]
    for kind, message in resources:
        outcome = Outcome("x", message.name, (ResourceWrite(kind, message.name, message.SerializeToString()),), b"")  # type: ignore[attr-defined]
        journal.submit(Command(principal="user:test", request_id="", request_digest=b"", run=lambda tx, o=outcome: o))  # type: ignore[misc]
    yield PolicyProjection(database, now=lambda: datetime.now(UTC))
    journal.close()
    database.close()


def test_without_a_scope_nothing_is_left_out(policy: PolicyProjection) -> None:
    assert all(policy.check(OWNER, action, PORT).allowed for action in ("discover", "read", "write", "grant", "request"))
    assert policy.plan(OWNER, PORT, "").columns


@pytest.mark.parametrize(
    ("action", "obj", "is_left"),
    [
        ("read", "finance.ledger", True),
        ("read", PORT, True),
        ("read", f"{PORT}#amount", True),
        ("discover", PORT, True),
        ("discover", "finance.ledger", False),
        ("discover", "finance", False),
        ("read", "finance", False),
        ("read", "finance.ledgers", False),
        ("read", "finance.ledgers.entries", False),
        ("write", "finance.ledger", False),
        ("grant", PORT, False),
        ("administer", "finance", False),
        ("administer", "mesh", False),
        ("request", PORT, False),
    ],
)
def test_a_scope_leaves_its_actions_on_what_its_resources_contain(
    policy: PolicyProjection, action: str, obj: str, is_left: bool
) -> None:
    assert policy.check(replace(OWNER, scope=READS), action, obj).allowed is is_left


def test_a_scope_gives_nothing_that_its_principal_does_not_hold(policy: PolicyProjection) -> None:
    scope = TokenScope(frozenset({("read", "mesh"), ("administer", "mesh")}))
    stranger = Caller("user:stranger", scope=scope)
    assert not policy.check(stranger, "read", PORT).allowed
    assert not policy.check(replace(OWNER, scope=scope), "administer", "mesh").allowed


def test_visibility_and_readability_are_narrowed_too(policy: PolicyProjection) -> None:
    scoped = replace(OWNER, scope=READS)
    assert [policy.visibility(scoped).allows(obj) for obj in (PORT, "finance.ledger", "finance.ledgers.entries")] == [
        True,
        False,
        False,
    ]
    assert [policy.readable(scoped)(obj) for obj in (PORT, "finance.ledgers.entries")] == [True, False]


def test_a_plan_outside_the_scope_is_refused_the_same_whether_the_port_exists_or_not(policy: PolicyProjection) -> None:
    scoped = replace(OWNER, scope=READS)
    assert policy.plan(scoped, PORT, "").columns
    said = set()
    for port in ("finance.ledgers.entries", "finance.nothing.entries"):
        with pytest.raises(AccessDenied, match="scope") as caught:
            policy.plan(scoped, port, "")
        said.add(caught.value.message.replace(port, "…"))
    assert len(said) == 1


def test_a_scope_of_purposes_lets_data_be_read_for_these_or_narrower_ones_only(policy: PolicyProjection) -> None:
    for allowed, refused in ((("forecasting",), ("", "analytics", "ads")), (("analytics", "forecasting"), ("", "ads"))):
        scope = TokenScope(frozenset({("read", "mesh"), ("discover", "mesh")}), frozenset({allowed[0]}))
        scoped = replace(OWNER, purposes=frozenset({"analytics"}), scope=scope)
        for purpose in allowed:
            assert policy.plan(scoped, PORT, purpose).purpose == purpose
            assert policy.check(scoped, "read", PORT, purpose).allowed
        for purpose in refused:
            with pytest.raises(PurposeNotHeld):
                policy.plan(scoped, PORT, purpose)
            assert not policy.check(scoped, "read", PORT, purpose).allowed
        assert policy.check(scoped, "discover", PORT).allowed
        assert not policy.readable(scoped)(PORT)


def test_a_scope_outlives_a_change_of_its_principal(policy: PolicyProjection) -> None:
    assert policy.revision
    scoped = policy._as_it_is(replace(OWNER, scope=READS))
    assert scoped.scope is READS
    assert scoped.purposes == {"analytics"}
