"""Two servers on one database for a long time: every kind of right taken at random, and everything while processes are killed.

`MESH_SOAK_SECONDS` bounds each test (default 60).
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

import pytest

from domain_sdk import AccessDenied, Mesh, MeshError
from tests.integration.replica_rights import ANA, interleave
from tests.integration.replicas import ORDERS, DatabaseKind, Replicas, orders, publish_guide, publish_orders, replicas_on
from tests.soak_time import SOAK_SECONDS, rounds

MOST_INTERLEAVINGS = 10_000

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SOAK_SECONDS + 300)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_thousands_of_interleavings_never_answer_from_the_past(
    kind: DatabaseKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with replicas_on(kind, tmp_path) as pair:
        olga = pair.user("user:olga", 0)
        publish_orders(olga, orders("public"))
        publish_guide(olga, tmp_path, "public")
        for subject in ("group:staff", "role:clerk"):
            olga.grant(subject, "shop")
        pair.token(ANA)
        done = 0
        for number in islice(rounds(), MOST_INTERLEAVINGS):
            assert interleave(pair, chance) == "", f"seed {seed}, interleaving {number}"
            done = number + 1
        with capsys.disabled():
            print(f"\n{kind}: {done} interleavings of two servers, none answered from the past")
        assert pair.admin(1).audit.verify(include_tables=True).is_intact


class Chaos:
    """Workers that run until the end; what one of them finds wrong is kept and ends all."""

    def __init__(self, pair: Replicas, seed: int) -> None:
        self.pair = pair
        self.seed = seed
        self.wrong: list[str] = []
        self.done = threading.Event()
        self.counts: dict[str, int] = {}
        self.released: dict[int, str] = {}

    def start(self, work: Callable[[random.Random], None], name: str) -> threading.Thread:
        """The work is repeated until the end."""

        def run() -> None:
            chance = random.Random(f"{self.seed} {name}")
            while not self.done.is_set():
                try:
                    work(chance)
                    self.counts[name] = self.counts.get(name, 0) + 1
                except (AssertionError, MeshError) as error:
                    self.wrong.append(f"{name}: {type(error).__name__} {error}")
                    self.done.set()

        thread = threading.Thread(target=run, name=name)
        thread.start()
        return thread

    def until_answered(self, act: Callable[[], bool | str | int | None]) -> bool | str | int | None:
        """What the call gives, as soon as a server answers; it must be safe to repeat."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return act()
            except AccessDenied:
                raise
            except MeshError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer for a minute: {error}") from error
                time.sleep(0.1)

    def give_and_take(self, subject: str, chance: random.Random) -> None:
        """One right of a subject that only this worker touches: both servers say at once what was acknowledged last."""
        giver, taker = (self.pair.user("user:olga", chance.randrange(2)) for _ in range(2))
        self.until_answered(lambda: giver.grant(subject, "shop.orders", actions=["read"]).id)
        self._expect(subject, is_allowed=True, chance=chance)
        for grant in self.until_answered(lambda: [g.id for g in taker.grants(subject=subject) if not g.is_revoked]):  # type: ignore[union-attr, arg-type, return-value, misc]
            self.until_answered(lambda: self._revoke(taker, str(grant)))  # noqa: B023
        self._expect(subject, is_allowed=False, chance=chance)

    def _revoke(self, mesh: Mesh, grant: str) -> bool:
        still = [g.id for g in mesh.grants() if g.id == grant and not g.is_revoked]
        return bool(still and mesh.revoke(grant))

    def _expect(self, subject: str, *, is_allowed: bool, chance: random.Random) -> None:
        for side in chance.sample(range(2), 2):
            asked = self.pair.user("user:olga", side)
            said = self.until_answered(lambda: asked.check("read", ORDERS, principal=subject).is_allowed)  # noqa: B023
            assert said == is_allowed, f"server {side} says {said} of {subject}"
            own = self.pair.user(subject, side)
            read = self.until_answered(lambda: _epoch(own))  # noqa: B023
            assert bool(read) == is_allowed, f"gateway {side} gives {read!r} to {subject}"

    def publish(self, chance: random.Random) -> None:
        """A version that was acknowledged, and any that is seen, is whole."""
        epoch = f"e{chance.randrange(2**40)}"
        with suppress(MeshError):
            version = publish_orders(self.pair.user("user:otto", chance.randrange(2)), orders(epoch))
            self.released[version] = epoch
        time.sleep(0.3)

    def read(self, chance: random.Random) -> None:
        """Somebody whose right nobody touches is never denied, and never sees less than what was acknowledged before."""
        known = max(self.released, default=0)
        ben = self.pair.user("user:ben", chance.randrange(2))
        assert self.until_answered(lambda: _epoch(ben)), "ben was denied"
        newest = self.until_answered(lambda: ben.show("shop.orders").version)
        assert isinstance(newest, int)
        assert newest >= known
        time.sleep(0.05)

    def ask(self, chance: random.Random) -> None:
        """Two owners decide one request at two servers."""
        mesh = self.pair.user("user:asker", chance.randrange(2))
        asked = str(self.until_answered(lambda: mesh.request("shop.orders", reason="soak").id))
        owners = [self.pair.user(name, side) for side, name in enumerate(("user:olga", "user:otto"))]
        deciders = [threading.Thread(target=_approve, args=(owner, asked)) for owner in owners]
        for thread in deciders:
            thread.start()
        for thread in deciders:
            thread.join()
        found = self.until_answered(lambda: sum(g.access_request == asked for g in owners[0].grants(subject="user:asker")))
        state = self.until_answered(lambda: next(r.state for r in mesh.requests() if r.id == asked))
        assert (state, found) in {("active", 1), ("requested", 0)}

    def kill(self, chance: random.Random) -> None:
        """A server, or a gateway alone, dies and comes back."""
        self.done.wait(chance.uniform(2, 6))
        server = chance.choice(self.pair.servers)
        assert server.process is not None
        pid = server.process.pid
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        if children and chance.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(children[0], signal.SIGKILL)
            return
        server.kill()
        time.sleep(chance.random())
        server.start()


def _epoch(mesh: Mesh) -> str:
    """The one epoch that all rows are of; empty if the caller is denied."""
    try:
        frame = mesh.read(ORDERS)
    except AccessDenied:
        return ""
    assert frame.height == 20
    (epoch,) = set(frame["epoch"])
    return str(epoch)


def _approve(mesh: Mesh, request: str) -> None:
    with suppress(MeshError):
        mesh.approve(request)


def _free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [str(found.getsockname()[1]) for found in sockets]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everything_at_once_holds_while_servers_and_gateways_are_killed(kind: DatabaseKind, tmp_path: Path) -> None:
    ports = _free_ports(6)
    names = ("MESH_PORT", "MESH_GATEWAY_PORT", "MESH_FILES_PORT")
    fixed = [dict(zip(names, ports[side::2], strict=True)) for side in range(2)]
    seed = random.randrange(2**32)
    with replicas_on(kind, tmp_path, ports=fixed) as pair:
        publish_orders(pair.user("user:olga", 0), orders("first"))
        pair.user("user:olga", 0).grant("user:ben", "shop")
        pair.user("user:olga", 0).grant("user:asker", "shop", actions=["discover", "request"])
        subjects = ["user:c1", "user:c2"]
        for name in ("user:otto", "user:ben", "user:asker", *subjects):
            for side in range(2):
                pair.user(name, side).whoami()
        chaos = Chaos(pair, seed)
        workers = [chaos.start(lambda c, s=s: chaos.give_and_take(s, c), s) for s in subjects]  # type: ignore[misc]
        workers += [chaos.start(getattr(chaos, name), name) for name in ("publish", "read", "ask", "kill")]
        chaos.done.wait(SOAK_SECONDS)
        chaos.done.set()
        for worker in workers:
            worker.join()
        assert chaos.wrong == [], f"seed {seed}, after {chaos.counts}"
        settle(pair, chaos)


def settle(pair: Replicas, chaos: Chaos) -> None:
    """Once nobody is killed any more, both servers agree, and every acknowledged release reads as it was published."""
    chaos.until_answered(lambda: bool(pair.admin(0).admin.repair()))
    for side in range(2):
        mesh = pair.user("user:ben", side)
        for version, epoch in chaos.released.items():
            assert chaos.until_answered(lambda: set(mesh.read(ORDERS, version=version)["epoch"]) == {epoch})  # noqa: B023
        assert pair.admin(side).audit.verify(include_tables=True).is_intact
    revisions = [change.revision for change in pair.admin(1).audit.changes()]
    assert revisions == list(range(1, len(revisions) + 1))
    assert len(chaos.released) > 1
