"""Every kind of right, given and taken at servers chosen by chance, and whether another server still answers by it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain_sdk import Mesh
from tests.integration.replicas import Replicas, has_answer

__all__ = ["ANA", "interleave"]

ANA = "user:ana"
PATHS = ["check", "check", "explain", "stream", "stream", "files", "retrieval"]


@dataclass
class Given:
    """A right of ana's: how it is taken, what tidies up afterwards, and who reads with it."""

    take: Callable[[], Any]
    tidy: Callable[[], Any] = lambda: None
    reader: Callable[[int], Mesh] | None = None


def by_grant(pair: Replicas, side: int) -> Given:
    given = pair.user("user:olga", side).grant(ANA, "shop")
    return Given(lambda: pair.user("user:olga", side).revoke(given.id))


def by_role(pair: Replicas, side: int) -> Given:
    admin = pair.user("user:olga", side).admin
    admin.update_domain("shop", roles={"role:clerk": [ANA]})
    return Given(lambda: admin.update_domain("shop", roles={"role:clerk": []}))


def by_group(pair: Replicas, side: int) -> Given:
    admin = pair.admin(side).admin
    admin.update_principal(ANA, groups=["group:staff"])
    return Given(lambda: admin.update_principal(ANA, groups=[]))


def by_membership(pair: Replicas, side: int) -> Given:
    given = by_grant(pair, side)
    admin = pair.admin(side).admin
    return Given(
        lambda: admin.update_principal(ANA, is_disabled=True),
        tidy=lambda: (given.take(), admin.update_principal(ANA, is_disabled=False)),
    )


def by_guardrail(pair: Replicas, side: int) -> Given:
    given = by_grant(pair, side)
    admin = pair.admin(side).admin
    return Given(
        lambda: admin.create_guardrail("closed", "shop", deny_read=True, exempt=["user:ben"]),
        tidy=lambda: (given.take(), admin.delete_guardrail("closed")),
    )


def by_denial(pair: Replicas, side: int) -> Given:
    given = by_grant(pair, side)
    olga, denials = pair.user("user:olga", side), []
    return Given(
        lambda: denials.append(olga.grant(ANA, "shop", actions=["read"], deny=True)),
        tidy=lambda: (given.take(), olga.revoke(denials[0].id)),
    )


def by_token(pair: Replicas, side: int) -> Given:
    given = by_grant(pair, side)
    admin = pair.admin(side).admin
    token = admin.create_token(ANA).secret
    readers = [Mesh.connect(server.url, token) for server in pair.servers]
    return Given(
        lambda: admin.revoke_token(token.split("_")[1]),
        tidy=lambda: (given.take(), [reader.close() for reader in readers]),
        reader=lambda at: readers[at],
    )


RIGHTS = [by_grant, by_grant, by_role, by_group, by_membership, by_guardrail, by_denial, by_token]


def interleave(pair: Replicas, chance: random.Random) -> str:
    """One right is given, used, taken and used again, at servers chosen by chance; returned is what went wrong."""
    giver, taker, reader = (chance.randrange(2) for _ in range(3))
    right, path = chance.choice(RIGHTS), chance.choice(PATHS)
    given = right(pair, giver)
    mesh = given.reader(reader) if given.reader else pair.user(ANA, reader)
    story = f"{right.__name__}: given at {giver}, {path} at {reader}"
    time.sleep(chance.choice([0, 0, chance.random() / 200]))
    wrong = "" if has_answer(path, mesh) else f"{story}: was not seen"
    given.take()
    time.sleep(chance.choice([0, 0, chance.random() / 200]))
    for where in {reader, taker}:
        mesh = given.reader(where) if given.reader else pair.user(ANA, where)
        if has_answer(path, mesh):
            wrong = f"{story}, taken and still answered at {where}"
    given.tidy()
    return wrong
