"""Many writers at two servers on one database: one order, nothing lost or done twice, every decision explained by the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from domain_sdk import Conflict, MeshError, WrongState
from domainmesh.v1 import grant_pb2
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub
from tests.integration.decision_history import Client, problems_of
from tests.integration.mesh_setup import raw_mesh
from tests.integration.replicas import Replicas, orders, publish_orders, replicas_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

T = TypeVar("T")
OWNERS = ("user:olga", "user:otto")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two servers with a table; everybody may see and request it."""
    with replicas_on(request.param, tmp_path_factory.mktemp("writers")) as pair:
        publish_orders(pair.user("user:olga", 0), orders("public"))
        pair.user("user:olga", 0).grant("*", "shop", actions=["discover", "request"])
        for name in (*OWNERS, "user:ana"):
            for side in range(2):
                pair.user(name, side).whoami()
        yield pair
        prove(pair)


def at_once(actions: Sequence[Callable[[], T]]) -> list[T | MeshError]:
    """What each gave or raised; all began together."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | MeshError:
        barrier.wait()
        try:
            return action()
        except MeshError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def prove(pair: Replicas) -> None:
    """The journal has no gap, verifies at both servers, and the tables equal its replay."""
    for side in range(2):
        assert pair.admin(side).audit.verify(include_tables=True).is_intact
    revisions = [change.revision for change in pair.admin(1).audit.changes()]
    assert revisions == list(range(1, len(revisions) + 1))


def test_no_acknowledged_write_of_many_clients_at_two_servers_is_lost(pair: Replicas) -> None:
    def work(number: int) -> dict[str, str]:
        """Grants given, and those approved, by request."""
        owner, ana = pair.user(OWNERS[number % 2], number % 2), pair.user("user:ana", 1 - number % 2)
        done = {}
        for turn in range(6):
            done[owner.grant(f"user:w{number}-{turn}", "shop.orders").id] = "created"
            asked = ana.request("shop.orders", reason=f"{number}/{turn}")
            done[owner.approve(asked.id).grants[0]] = "created"
            revoked = owner.grant(f"user:x{number}-{turn}", "shop.orders").id
            owner.revoke(revoked)
            done[revoked] = "revoked"
        return done

    outcomes = at_once([lambda number=number: work(number) for number in range(6)])  # type: ignore[misc]
    assert [outcome for outcome in outcomes if isinstance(outcome, MeshError)] == []
    wanted = {grant: state for outcome in outcomes if isinstance(outcome, dict) for grant, state in outcome.items()}
    assert len(wanted) == 6 * 6 * 3
    for side in range(2):
        stored = {grant.id: "revoked" if grant.is_revoked else "created" for grant in pair.user("user:olga", side).grants()}
        missing = {grant: state for grant, state in wanted.items() if state == "created" and stored.get(grant) != state}
        assert missing == {}
        assert [grant for grant, state in wanted.items() if state == "revoked" and stored.get(grant) == "created"] == []
    prove(pair)


def test_of_two_owners_who_approve_at_two_servers_at_once_one_does(pair: Replicas) -> None:
    for _ in range(12):
        asked = pair.user("user:ana", 0).request("shop.orders", reason="twice")
        owners = [pair.user(name, side) for side, name in enumerate(OWNERS)]
        outcomes = at_once([lambda owner=owner: owner.approve(asked.id) for owner in owners])  # type: ignore[misc]  # noqa: B023
        approved = [outcome for outcome in outcomes if not isinstance(outcome, MeshError)]
        assert len(approved) == 1
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, MeshError)] == [WrongState]
        found = [grant.id for grant in owners[0].grants(subject="user:ana") if grant.access_request == asked.id]
        assert found == list(approved[0].grants)


def test_an_approval_and_a_denial_at_once_leave_what_one_of_them_said(pair: Replicas) -> None:
    for _ in range(12):
        asked = pair.user("user:ana", 1).request("shop.orders", reason="yes or no")
        olga, otto = pair.user("user:olga", 0), pair.user("user:otto", 1)
        outcomes = at_once([lambda: olga.approve(asked.id), lambda: otto.deny(asked.id)])  # noqa: B023
        assert [isinstance(outcome, MeshError) for outcome in outcomes].count(True) == 1
        stands = pair.user("user:ana", 0).requests(resource="shop.orders")
        state = next(found for found in stands if found.id == asked.id)
        grants = [grant for grant in olga.grants(subject="user:ana") if grant.access_request == asked.id]
        assert (state.state, len(grants)) == (("denied", 0) if isinstance(outcomes[0], MeshError) else ("active", 1))


def test_a_request_repeated_at_both_servers_at_once_is_done_once(pair: Replicas) -> None:
    token = pair.token("user:olga")
    with raw_mesh(pair.servers[0], token) as first, raw_mesh(pair.servers[1], token) as second:
        for turn in range(10):
            wanted = grant_pb2.Grant(subject=f"user:once{turn}", resource="shop", actions=["read"], effect=grant_pb2.EFFECT_ALLOW)
            request = CreateGrantRequest(grant=wanted, request_id=f"once-{turn}")
            calls = [raw.control(GrantServiceStub).CreateGrant.future(request, metadata=raw.metadata) for raw in (first, second)]
            assert calls[0].result() == calls[1].result()
            assert len(pair.user("user:olga", turn % 2).grants(subject=f"user:once{turn}")) == 1


def test_products_published_at_two_servers_at_once_all_come_whole(pair: Replicas) -> None:
    def publish(number: int) -> list[int]:
        mesh = pair.user(OWNERS[number % 2], number % 2)
        return [publish_orders(mesh, orders(f"p{number}v{turn}"), product=f"many{number}") for turn in (1, 2, 3)]

    outcomes = at_once([lambda number=number: publish(number) for number in range(4)])  # type: ignore[misc]
    assert outcomes == [[1, 2, 3]] * 4
    pair.user("user:olga", 0).grant("user:reader", "shop")
    for number in range(4):
        frame = pair.user("user:reader", 1 - number % 2).read(f"shop.many{number}.many{number}")
        assert set(frame["epoch"]) == {f"p{number}v3"}
        assert frame.height == 20


def test_of_publications_of_one_product_at_two_servers_at_once_the_reader_sees_one_whole(pair: Replicas) -> None:
    pair.user("user:olga", 0).grant("user:reader", "shop")
    released: dict[int, str] = {}
    for turn in range(5):

        def publish(side: int) -> tuple[int, str]:
            epoch = f"t{turn}s{side}"  # noqa: B023
            return publish_orders(pair.user(OWNERS[side], side), orders(epoch), product="one"), epoch

        outcomes = at_once([lambda side=side: publish(side) for side in range(2)])  # type: ignore[misc]
        won = [outcome for outcome in outcomes if not isinstance(outcome, MeshError)]
        assert {type(outcome) for outcome in outcomes if isinstance(outcome, MeshError)} <= {Conflict}
        assert won  # both may succeed, one after the other
        released |= dict(won)
        for side in range(2):
            reader = pair.user("user:reader", side)
            assert set(reader.read("shop.one.one")["epoch"]) == {released[max(released)]}
            assert all(set(reader.read("shop.one.one", version=v)["epoch"]) == {epoch} for v, epoch in dict(won).items())
    assert {r.version for r in pair.user("user:olga", 1).domain("shop").product("one").releases()} == set(released)


def test_every_decision_of_four_clients_is_explained_by_the_journal(pair: Replicas) -> None:
    subjects = [f"user:h{number}" for number in range(3)]
    for subject in subjects:
        pair.token(subject)
    clients = [Client(number, pair, subjects, operations=60) for number in range(4)]
    histories = at_once([client.run for client in clients])
    assert [history for history in histories if isinstance(history, MeshError)] == []
    history = [entry for found in histories if isinstance(found, list) for entry in found]
    changes = pair.admin(0).audit.changes()
    assert problems_of(history, changes) == []
    decided = [entry for entry in history if entry.operation == "check"]
    assert {entry.is_allowed for entry in decided} == {True, False}
