"""Whatever is published, compacted, retired and vacuumed: every version that may be read reads exactly as it was released."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domainmesh.v1 import domain_service_pb2, product_pb2
from domainmesh.v1 import maintenance_service_pb2 as pb
from domainmesh.v1.domain_pb2 import Domain
from governance_server.backend import read
from governance_server.gateway.scan import PolarsScanner
from governance_server.rules import kinds
from governance_server.rules.errors import AccessDenied, Invalid, InvalidContractText, NotFound, Overloaded, Precondition
from governance_server.services.pinned_reads import PinnedReads
from governance_server.upkeep.tasks import UpkeepRounds
from governance_server.upkeep.upkeep import Upkeep
from tests.integration.inner_mesh import ADMIN, InnerMesh, inner_mesh
from tests.integration.mesh_setup import contract

OWNER = "user:olga"
COLUMNS = ["n: integer, required: true", "s: string"]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerMesh]:
    from domainmesh.v1 import principal_service_pb2
    from domainmesh.v1.principal_pb2 import Principal

    with inner_mesh(tmp_path_factory.mktemp("upkeep") / "home") as made:
        for name in (OWNER, "user:eve"):
            made.call(ADMIN, "CreatePrincipal", principal_service_pb2.CreatePrincipalRequest(principal=Principal(name=name)))
        domain = Domain(name="shop", owners=[OWNER])
        made.call(ADMIN, "CreateDomain", domain_service_pb2.CreateDomainRequest(domain=domain))
        yield made


def text_of(product: str, *, custom: str = "", port_extras: str = "", version: str = "1.0.0") -> str:
    return contract(product, {"items": COLUMNS}, version=version, port_extras=port_extras) + custom


def frame(seed: int, rows: int = 20) -> pl.DataFrame:
    return pl.DataFrame(
        {"n": range(seed, seed + rows), "s": [f"{seed}-{row}" for row in range(rows)]}, schema={"n": pl.Int64, "s": pl.String}
    )


def rows_of(mesh: InnerMesh, product: str, version: int) -> list[tuple[object, ...]]:
    pinned = PinnedReads(mesh.backend, mesh.warehouse).pin(mesh.caller(OWNER), f"{product}.items", "", version)
    batches = PolarsScanner().scan(
        pinned.plan, table_root=pinned.table_root, delta_version=pinned.delta_version, columns=None, predicate=None, limit=None
    )
    return sorted(pl.concat([pl.DataFrame(batch) for batch in batches]).rows())


def files(mesh: InnerMesh, product: str) -> int:
    return len(list(mesh.warehouse.port_location(f"{product}.items").files()))


def new_product() -> str:
    return f"shop.p{next(_numbers)}"


ACTIONS = st.one_of(
    st.tuples(st.just("publish"), st.integers(0, 5)),
    st.tuples(st.just("compact"), st.sampled_from([(), ("n",), ("s", "n")])),
    st.tuples(st.just("retire"), st.integers(1, 6)),
    st.tuples(st.just("vacuum"), st.booleans()),
    st.tuples(st.just("maintain"), st.integers(0, 40)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=3, max_size=10), retain=st.integers(1, 3), days=st.integers(1, 30))
@pytest.mark.timeout(300, func_only=True)
def test_every_version_that_may_be_read_reads_exactly(mesh, actions, retain, days):
    product, model, born, retired = new_product(), {}, {}, set()
    custom = (
        f"customProperties:\n  - {{property: retainVersions, value: {retain}}}\n  - {{property: retentionDays, value: {days}}}\n"
    )

    def publish(rows: int) -> None:
        data = frame(1000 * len(model), rows)
        version = mesh.publish(OWNER, product, text_of(product, custom=custom), {"items": data}).version
        model[version], born[version] = sorted(data.rows()), mesh.now

    publish(3)
    for action, value in actions:
        served = max(model)
        if action == "publish":
            publish(value)
        elif action == "compact":
            mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product, z_order=value))
        elif action == "retire" and value in model and value != served:
            mesh.call(OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=value, reason="old"))
            retired.add(value)
        elif action == "vacuum":
            mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product, grace_hours=0, validate_only=value))
        elif action == "maintain":
            mesh.tick(days=value)
            left = sorted(set(model) - retired)
            old = {v for v in left if mesh.now - born[v] >= timedelta(days=days)} - set(left[-retain:]) - {served}
            done = mesh.call(OWNER, "MaintainProduct", pb.MaintainProductRequest(product=product))
            assert set(done.retired_versions) == old
            retired |= old
        for version in model:
            if version in retired:
                with pytest.raises(Precondition, match="retired"):
                    rows_of(mesh, product, version)
            else:
                assert rows_of(mesh, product, version) == model[version]
    mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product, grace_hours=0))
    held = {path for version in set(model) - retired for path in held_files(mesh, product, version)}
    assert files(mesh, product) == len(held | held_files(mesh, product, max(model)))


def held_files(mesh: InnerMesh, product: str, version: int) -> set[str]:
    from deltalake import DeltaTable

    release = read(mesh.backend.catalog, kinds.RELEASE, kinds.versioned_name(product, version), product_pb2.Release)
    root = mesh.warehouse.port_location(f"{product}.items")
    (port,) = release.ports
    versions = {
        port.delta_version,
        port.changes.delta_version,
    }  # the change feed needs what was written, readers what was compacted
    return {Path(uri).name for version in versions for uri in DeltaTable(root.uri, version=version).file_uris()}


def test_no_version_is_forgotten_however_many_there_are(mesh):
    product, count = new_product(), 54
    custom = "customProperties:\n  - {property: retainVersions, value: 2}\n  - {property: retentionDays, value: 30}\n"
    for seed in range(count):
        mesh.publish(OWNER, product, text_of(product, custom=custom), {"items": frame(seed, 1)})
    mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product, grace_hours=0))
    assert [rows_of(mesh, product, version) for version in range(1, count + 1)] == [
        frame(seed, 1).rows() for seed in range(count)
    ]
    mesh.tick(days=40)
    done = mesh.call(OWNER, "MaintainProduct", pb.MaintainProductRequest(product=product))
    assert list(done.retired_versions) == list(range(1, count - 1))


def many_files(mesh: InnerMesh, product: str, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    from domain_sdk import _write

    monkeypatch.setattr(_write, "_FILE_BYTES", 1)
    monkeypatch.setattr(_write, "_GROUP_ROWS", 5)
    data = frame(0, 40).sample(fraction=1, shuffle=True, seed=1)
    mesh.publish(OWNER, product, text_of(product), {"items": data})
    return data


def test_compaction_makes_few_sorted_files_of_many_and_no_version(mesh, monkeypatch):
    product = new_product()
    data = many_files(mesh, product, monkeypatch)
    before = read(mesh.backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
    (done,) = mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product, z_order=["n"])).compacted
    assert (done.files_before, done.files_after) == (8, 1)
    after = read(mesh.backend.catalog, kinds.PRODUCT, product, product_pb2.Product)
    assert after.version == before.version
    assert rows_of(mesh, product, 1) == sorted(data.rows())
    (path,) = {path for path in held_files(mesh, product, 1) if path.startswith("part-")}
    written = pl.read_parquet(mesh.warehouse.port_location(f"{product}.items").path / path)
    assert written["n"].to_list() == sorted(data["n"].to_list())
    assert not mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product)).compacted
    data_after = frame(7)
    mesh.publish(OWNER, product, text_of(product), {"items": data_after})
    assert rows_of(mesh, product, 2) == sorted(data_after.rows())
    assert rows_of(mesh, product, 1) == sorted(data.rows())


def test_a_compaction_that_was_not_recorded_is_taken_up_by_the_next_one(mesh, monkeypatch):
    from governance_server.warehouse.table_care import compact

    product = new_product()
    data = many_files(mesh, product, monkeypatch)
    assert compact(mesh.warehouse.port_location(f"{product}.items"), 0).delta_version == 1
    (done,) = mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product)).compacted
    assert done.files_after == 1
    assert rows_of(mesh, product, 1) == sorted(data.rows())


def test_a_vacuum_leaves_what_was_in_use_lately(mesh, monkeypatch):
    product = new_product()
    many_files(mesh, product, monkeypatch)
    mesh.call(OWNER, "CompactProduct", pb.CompactProductRequest(product=product))
    mesh.publish(OWNER, product, text_of(product), {"items": frame(0, 1)})
    mesh.call(OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=1, reason="old"))
    assert [it.count for it in mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product)).vacuumed] == [0]
    counted = mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product, grace_hours=0, validate_only=True))
    assert [it.count for it in counted.vacuumed] == [9]
    assert files(mesh, product) == 10
    mesh.call(OWNER, "VacuumProduct", pb.VacuumProductRequest(product=product, grace_hours=0))
    assert files(mesh, product) == 1


def test_what_cannot_be_kept_up_is_refused(mesh):
    product = new_product()
    mesh.publish(OWNER, product, text_of(product), {"items": frame(0)})
    refused = [
        (OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=1, reason="x"), Precondition),
        (OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=9, reason="x"), NotFound),
        (OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=1), Invalid),
        (OWNER, "CompactProduct", pb.CompactProductRequest(product=product, z_order=["nope"]), Invalid),
        (OWNER, "CompactProduct", pb.CompactProductRequest(product=product, port="shop.other.items"), Invalid),
        *(("user:eve", name, make(product=product), AccessDenied) for name, make in CALLS.items()),
        *(("user:eve", name, make(product="shop.absent"), AccessDenied) for name, make in CALLS.items()),
    ]
    for who, method, request, error in refused:
        with pytest.raises(error):
            mesh.call(who, method, request)


CALLS = {
    "MaintainProduct": pb.MaintainProductRequest,
    "CompactProduct": pb.CompactProductRequest,
    "VacuumProduct": pb.VacuumProductRequest,
    "RetireVersion": pb.RetireVersionRequest,
}


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "true"])
def test_a_retention_that_says_nothing_is_refused_when_it_is_published(mesh, value):
    product = new_product()
    custom = f"customProperties:\n  - {{property: retainVersions, value: {value}}}\n"
    with pytest.raises(InvalidContractText) as caught:
        mesh.publish(OWNER, product, text_of(product, custom=custom), {"items": frame(0)})
    assert ["retainVersions" in problem.message for problem in caught.value.problems] == [True]


def test_a_product_that_is_being_committed_is_left_alone(mesh):
    from governance_server.publishing.lease import product_lease
    from governance_server.storage.leases import Leases
    from governance_server.upkeep import upkeep as module

    product = new_product()
    mesh.publish(OWNER, product, text_of(product), {"items": frame(0)})
    leases = Leases(mesh.backend.database, clock=mesh.backend.now)
    with pytest.MonkeyPatch.context() as patch, product_lease(leases, product, "somebody", patience_seconds=1):
        patch.setattr(module, "_PATIENCE_SECONDS", 0.1)
        with pytest.raises(Overloaded):
            mesh.call(OWNER, "MaintainProduct", pb.MaintainProductRequest(product=product))


def test_the_upkeep_by_itself_takes_one_product_a_round_and_each_once_in_its_time(mesh):
    seen: list[str] = []
    clock = [0.0]
    upkeep = Upkeep(mesh.backend, mesh.warehouse, None)
    upkeep.maintain = lambda product, principal="": seen.append(product) or pb.MaintainProductResponse()
    for _ in range(2):
        new = new_product()
        mesh.publish(OWNER, new, text_of(new), {"items": frame(0)})
    rounds = UpkeepRounds(mesh.backend, upkeep, every_seconds=10, clock=lambda: clock[0])
    products = sorted(mesh.backend.policy.facts().products)
    for _ in range(len(products) + 3):
        rounds.run()
    assert seen == products
    clock[0] = 10
    rounds.run()
    assert seen == [*products, products[0]]


def test_reads_of_a_version_that_is_retired_end(mesh):
    product = new_product()
    for seed in (0, 100):
        mesh.publish(OWNER, product, text_of(product), {"items": frame(seed)})
    reads = PinnedReads(mesh.backend, mesh.warehouse)
    pinned = reads.pin(mesh.caller(OWNER), f"{product}.items", "", 1)
    assert reads.is_due(mesh.caller(OWNER), pinned)
    mesh.call(OWNER, "RetireVersion", pb.RetireVersionRequest(product=product, version=1, reason="wrong currency"))
    with pytest.raises(Precondition, match="wrong currency"):
        reads.is_due(mesh.caller(OWNER), pinned)
