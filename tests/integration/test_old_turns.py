"""Turns of conversations leave the version served when their time is over by the contract, whether anybody collects or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain_sdk._conversation_rows import preference_pairs, turn_frame
from domain_sdk.conversations import conversation_contract, preference_contract
from domainmesh.v1 import domain_service_pb2, principal_service_pb2, product_pb2
from domainmesh.v1.domain_pb2 import Domain
from domainmesh.v1.principal_pb2 import Principal
from governance_server.backend import read
from governance_server.rules import kinds
from governance_server.upkeep.old_turns import OldTurns
from governance_server.upkeep.tasks import OldTurnRounds
from governance_server.upkeep.upkeep import Upkeep
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

OWNER = "user:olga"
TALKS, ITEMS, PAIRS = "desk.talks", "desk.items", "desk.pairs"
NOW = datetime.now(UTC)


def turns(*ages: int) -> pl.DataFrame:
    """A turn of so many days ago each, called by its age."""
    empty = turn_frame([])
    row = {name: "" if dtype == pl.String else None for name, dtype in empty.schema.items()}
    texts = {"rating": None, "edit": None, "comment": None, "is_found": True, "revision": 1}
    rows = [{**row, **texts, "answer": f"a-{age}", "asked_at": NOW - timedelta(days=age)} for age in ages]
    return pl.DataFrame(rows, schema=empty.schema)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[InnerMesh]:
    with inner_mesh(tmp_path / "home") as made:
        made.call(ADMIN, "CreatePrincipal", principal_service_pb2.CreatePrincipalRequest(principal=Principal(name=OWNER)))
        made.call(ADMIN, "CreateDomain", domain_service_pb2.CreateDomainRequest(domain=Domain(name="desk", owners=[OWNER])))
        made.publish(OWNER, TALKS, conversation_contract(TALKS, retention_days=30), {"turns": turns(2, 20, 29)})
        made.publish(
            OWNER, ITEMS, contract(ITEMS, {"turns": ["asked_at: date"]}), {"turns": pl.DataFrame({"asked_at": [NOW.date()]})}
        )
        yield made


def old_turns(mesh: InnerMesh, days: int) -> OldTurns:
    """As it is so many days on."""
    later = replace(mesh.backend, now=lambda: NOW + timedelta(days=days))
    return OldTurns(later, mesh.warehouse, Upkeep(later, mesh.warehouse, None))


def served(mesh: InnerMesh) -> list[str]:
    seen = mesh.see(OWNER, f"{TALKS}.turns")
    assert seen is not None
    return sorted(seen["answer"].to_list())


def test_turns_whose_time_is_over_leave_and_others_stay(mesh: InnerMesh) -> None:
    assert old_turns(mesh, 0).products() == [TALKS]
    assert old_turns(mesh, 0).remove(TALKS) == 0
    assert old_turns(mesh, 5).remove(TALKS) == 1
    assert served(mesh) == ["a-2", "a-20"]
    assert old_turns(mesh, 5).remove(TALKS) == 0
    product = read(mesh.backend.catalog, kinds.PRODUCT, TALKS, product_pb2.Product)
    assert (product.version, product.ports[0].row_count) == (2, 2)


def test_versions_that_are_as_old_end_too_and_publishing_goes_on(mesh: InnerMesh) -> None:
    assert old_turns(mesh, 31).remove(TALKS) == 3
    assert served(mesh) == []
    first = product_pb2.Release.FromString(mesh.backend.catalog.get(kinds.RELEASE, kinds.versioned_name(TALKS, 1)) or b"")
    assert first.HasField("retire_time")
    made = mesh.publish(OWNER, TALKS, conversation_contract(TALKS, retention_days=30), {"turns": turns(1)})
    assert made.version == 3
    assert served(mesh) == ["a-1"]


def test_pairs_that_were_made_of_turns_end_by_their_own_contract(mesh: InnerMesh) -> None:
    said = turns(2, 20, 29).with_columns(pl.lit("q").alias("question"), pl.lit("t").alias("text"), pl.lit("e").alias("edit"))
    pairs = preference_pairs(said.lazy()).collect()
    mesh.publish(OWNER, PAIRS, preference_contract(PAIRS, retention_days=25), {"pairs": pairs})
    assert old_turns(mesh, 0).products() == [PAIRS, TALKS]
    assert old_turns(mesh, 0).remove(PAIRS) == 1
    assert old_turns(mesh, 8).remove(PAIRS) == 1
    seen = mesh.see(OWNER, f"{PAIRS}.pairs")
    assert seen is not None
    assert seen["pair"].to_list() == ["a-2"]


def test_each_round_takes_the_product_that_follows_and_none_without_conversations(mesh: InnerMesh) -> None:
    rounds = OldTurnRounds(old_turns(mesh, 12))
    rounds.run()
    rounds.run()
    assert served(mesh) == ["a-2"]
