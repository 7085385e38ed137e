"""What is taken back is gone at the next request: on every path, for every kind of right, and over crashes."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import grpc
import polars as pl
import pytest

from domain_sdk import AccessDenied, Mesh, MeshError, PurposeNotHeld, Unauthenticated
from domainmesh.v1 import error_reason_pb2
from domainmesh.v1.read_service_pb2 import PrepareFilesRequest, ReadRequest
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from tests.integration.mesh_setup import contract, detail_of, raw_mesh, token_of
from tests.servers import RunningServer

PORT = "shop.orders.orders"
PAGES = "shop.guide.pages"
BIG = "shop.clicks.clicks"
BIG_ROWS = 3_000_000
COLUMNS = ["id: integer, required: true", "region: string", "mail: 'string', tags: [pii.email]", "amount: number"]
GUIDE = """kind: DataContract
apiVersion: v3.2.0
id: shop.guide
name: Guide
version: 1.0.0
status: active
schema:
  - name: pages
    logicalType: object
    physicalType: collection
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: title, logicalType: string}
      - {name: heading, logicalType: string}
      - {name: text, logicalType: string, required: true}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 384}}
"""


def orders() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": range(100),
            "region": [("EMEA", "AMER")[i % 2] for i in range(100)],
            "mail": [f"c{i}@example.com" for i in range(100)],
            "amount": [i / 4 for i in range(100)],
        }
    )


@pytest.fixture(scope="module")
def shop(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The owner of a shop with a table, a big table and a collection."""
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])
        admin.admin.create_purpose("audit")
    pages = tmp_path_factory.mktemp("pages")
    (pages / "refunds.md").write_text("# Refunds\n\nGoods may be sent back within forty days for the full price.\n")
    (pages / "shipping.md").write_text("# Shipping\n\nParcels leave the warehouse on the day of the order.\n")
    with server.user("user:olga") as olga:
        shop = olga.domain("shop")
        shop.product("orders", contract("shop.orders", {"orders": COLUMNS})).publish(orders=orders(), progress=False)
        clicks = pl.LazyFrame().select(n=pl.int_range(BIG_ROWS, dtype=pl.Int64), page=pl.lit("x" * 40))
        clicks = clicks.with_columns(page=pl.concat_str("page", pl.col("n").hash().cast(pl.String)))
        shop.product("clicks", contract("shop.clicks", {"clicks": ["n: integer", "page: string"]})).publish(
            clicks=clicks, progress=False
        )
        shop.product("guide", GUIDE).publish(pages=pages, progress=False)
        yield olga


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


PATHS: dict[str, Callable[[Mesh], object]] = {
    "stream": lambda mesh: mesh.read(PORT, via="stream"),
    "files": lambda mesh: mesh.read(PORT, via="files"),
    "scan": lambda mesh: mesh.scan(PORT).select(pl.len()).collect(),
    "selected": lambda mesh: mesh.read(PORT, columns=["id"], where=pl.col("id") == 1, limit=1),
    "older version": lambda mesh: mesh.read(PORT, version=1),
    "retrieval": lambda mesh: mesh.retrieve(PAGES, "sending goods back"),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_revoked_grant_denies_the_next_read(server: RunningServer, shop: Mesh, path: str) -> None:
    resource = "shop.guide" if path == "retrieval" else "shop.orders"
    with server.user("user:ana") as ana:
        for _ in range(3):
            given = shop.grant("user:ana", resource)
            PATHS[path](ana)
            shop.revoke(given.id)
            with pytest.raises((AccessDenied, pl.exceptions.ComputeError)) as caught:
                PATHS[path](ana)
            assert "You may not read" in str(caught.value)


def test_a_scan_planned_before_the_revocation_reads_nothing_after_it(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:ana", "shop.orders")
    with server.user("user:ana") as ana:
        frame = ana.scan(PORT)
        assert frame.select(pl.len()).collect().item() == 100
        shop.revoke(given.id)
        with pytest.raises((AccessDenied, pl.exceptions.ComputeError)):
            frame.collect()


def test_files_already_handed_out_are_refused_once_the_plan_changes(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:ben", "shop.orders")
    with raw_mesh(server, token_of(server, "user:ben")) as raw:
        prepared = raw.gateway(ReadServiceStub).PrepareFiles(PrepareFilesRequest(port=PORT), metadata=raw.metadata)
        url = prepared.files[0].url
        assert status_of(url) == status_of(url) == 200
        assert status_of(url.replace("/files/", "/files/x")) == status_of(url + "x") == 403
        assert {status_of(url + "/../../../mesh.db"), status_of(url.replace("part-", "..%2F..%2F"))} <= {403, 404}
        more = shop.grant("user:ben", PORT, rows="region = 'EMEA'", columns=["id"])  # changes nothing for this reader
        assert status_of(url) == 200
        shop.revoke(given.id)
        assert status_of(url) == 403
        again = shop.grant("user:ben", "shop.orders")
        assert status_of(url) in (200, 403)  # the same plan again; an old address may serve it, a wider one never
        shop.revoke(again.id)
        assert status_of(url) == 403
        shop.revoke(more.id)


def test_files_are_refused_once_their_readers_token_is_revoked(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:bea", "shop.orders")
    token = token_of(server, "user:bea")
    with raw_mesh(server, token) as raw, server.admin() as admin:
        prepared = raw.gateway(ReadServiceStub).PrepareFiles(PrepareFilesRequest(port=PORT), metadata=raw.metadata)
        assert status_of(prepared.files[0].url) == 200
        admin.admin.revoke_token(token.split("_")[1])
        assert status_of(prepared.files[0].url) == 403
    shop.revoke(given.id)


@pytest.mark.parametrize(
    "how",
    [
        "grant revoked", "guardrail added", "narrowed", "attribute changed", "grant expired",
        "token revoked",
    ],
)  # fmt: skip
def test_a_running_stream_stops_when_what_it_rests_on_ends(server: RunningServer, shop: Mesh, how: str) -> None:
    token = token_of(server, "user:cleo", attributes={"region": "EMEA"})
    until = datetime.now(UTC) + timedelta(seconds=6) if how == "grant expired" else None
    given = shop.grant("user:cleo", BIG, until=until, rows="n >= 0 and subject.region = 'EMEA'")
    with raw_mesh(server, token) as raw, server.admin() as admin:
        stream = raw.gateway(ReadServiceStub).Read(ReadRequest(port=BIG), metadata=raw.metadata)
        assert sum(len(next(stream).arrow) for _ in range(3)) > 0
        if how == "grant revoked":
            shop.revoke(given.id)
        elif how == "narrowed":
            shop.revoke(given.id)
            shop.grant("user:cleo", BIG, columns=["n"])
        elif how == "guardrail added":
            admin.admin.create_guardrail("no-pages", BIG, rows="n < 10")
        elif how == "attribute changed":
            admin.admin.update_principal("user:cleo", attributes={"region": "AMER"})
        elif how == "token revoked":
            admin.admin.revoke_token(token.split("_")[1])
        elif until is not None:
            time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 1))
        try:
            with pytest.raises(grpc.RpcError) as caught:
                sum(len(part.arrow) for part in stream)
            is_unknown = how == "token revoked"
            reason = error_reason_pb2.ERROR_REASON_UNAUTHENTICATED if is_unknown else error_reason_pb2.ERROR_REASON_ACCESS_DENIED
            assert detail_of(caught.value).reason == reason
        finally:
            stream.cancel()
            admin.admin.update_principal("user:cleo", attributes={"region": "EMEA"})
            if how == "guardrail added":
                admin.admin.delete_guardrail("no-pages")
            for grant in shop.grants(subject="user:cleo"):
                shop.revoke(grant.id)


def test_a_new_guardrail_masks_the_next_read_and_ends_with_its_removal(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:dan", "shop.orders")
    with server.user("user:dan") as dan, server.admin() as admin:
        for via in ("stream", "files"):
            assert dan.read(PORT, via=via)["mail"].null_count() == 0  # type: ignore[arg-type]
            admin.admin.create_guardrail("no-mail", "tag:pii.*", mask="replace-with-null")
            assert dan.read(PORT, via=via)["mail"].null_count() == 100  # type: ignore[arg-type]
            assert shop.read(PORT, via=via)["mail"].null_count() == 100  # type: ignore[arg-type]
            admin.admin.delete_guardrail("no-mail")
    shop.revoke(given.id)


def test_a_guardrails_row_filter_and_ban_hold_from_the_next_read_on(server: RunningServer, shop: Mesh) -> None:
    with server.admin() as admin:
        admin.admin.create_guardrail("one-region", PORT, rows="region = 'EMEA'")
        assert shop.read(PORT)["region"].unique().to_list() == ["EMEA"]
        admin.admin.create_guardrail("no-orders", PORT, deny_read=True)
        with pytest.raises(AccessDenied):
            shop.read(PORT)
        admin.admin.delete_guardrail("no-orders")
        admin.admin.delete_guardrail("one-region")
        assert shop.read(PORT).height == 100


def test_a_revoked_token_and_a_disabled_principal_are_refused_at_the_next_call(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:eli", "shop.orders")
    with server.admin() as admin:
        eli = server.user("user:eli")
        other = server.user("user:eli")
        token = min(admin.admin.tokens("user:eli"), key=lambda found: found.create_time or datetime.now(UTC))
        assert eli.read(PORT).height == other.read(PORT).height == 100
        admin.admin.revoke_token(token.id)
        for call in (lambda: eli.read(PORT), eli.whoami, lambda: eli.check("read", PORT)):
            with pytest.raises(Unauthenticated):
                call()
        assert other.read(PORT).height == 100
        admin.admin.update_principal("user:eli", is_disabled=True)
        for call in (lambda: other.read(PORT), other.whoami, lambda: other.retrieve(PAGES, "goods")):
            with pytest.raises(Unauthenticated):
                call()
        admin.admin.update_principal("user:eli", is_disabled=False)
        assert other.read(PORT).height == 100
    shop.revoke(given.id)


def test_leaving_a_group_a_domain_or_a_role_takes_its_rights_at_once(server: RunningServer, shop: Mesh) -> None:
    shop.grant("group:staff", "shop.orders")
    with server.user("user:flo", groups=["group:staff"]) as flo, server.admin() as admin:
        assert flo.read(PORT).height == 100
        admin.admin.update_principal("user:flo", groups=[])
        with pytest.raises(AccessDenied):
            flo.read(PORT)
        admin.admin.update_domain("shop", members=["user:flo"])
        assert flo.read(PORT).height == 100
        admin.admin.update_domain("shop", members=[])
        with pytest.raises(AccessDenied):
            flo.read(PORT)
        shop.admin.update_domain("shop", roles={"role:clerk": ["user:flo"]})
        shop.grant("role:clerk", "shop.orders")
        assert flo.read(PORT).height == 100
        shop.admin.update_domain("shop", roles={"role:clerk": []})
        with pytest.raises(AccessDenied):
            flo.read(PORT)


def test_a_purpose_that_is_taken_away_opens_nothing_any_more(server: RunningServer, shop: Mesh) -> None:
    shop.grant("user:gus", "shop.orders", actions=["discover"])
    shop.grant("group:auditors", "shop.orders", purpose="audit")
    with server.user("user:gus", groups=["group:auditors"], purposes=["audit"]) as gus, server.admin() as admin:
        assert gus.read(PORT, purpose="audit").height == 100
        with pytest.raises(AccessDenied):
            gus.read(PORT)
        admin.admin.update_principal("user:gus", purposes=[], groups=[])
        with pytest.raises(PurposeNotHeld):
            gus.read(PORT, purpose="audit")


def test_a_changed_attribute_changes_the_rows_of_the_next_read(server: RunningServer, shop: Mesh) -> None:
    shop.grant("user:hal", PORT, rows="region = subject.region")
    with server.user("user:hal", attributes={"region": "EMEA"}) as hal, server.admin() as admin:
        for via in ("stream", "files"):
            admin.admin.update_principal("user:hal", attributes={"region": "EMEA"})
            assert hal.read(PORT, via=via)["region"].unique().to_list() == ["EMEA"]  # type: ignore[arg-type]
            admin.admin.update_principal("user:hal", attributes={"region": "AMER"})
            assert hal.read(PORT, via=via)["region"].unique().to_list() == ["AMER"]  # type: ignore[arg-type]
            admin.admin.update_principal("user:hal", attributes={})
            assert hal.read(PORT, via=via).height == 0  # type: ignore[arg-type]


def test_a_grant_ends_by_the_clock_without_anybody_doing_anything(server: RunningServer, shop: Mesh) -> None:
    with raw_mesh(server, token_of(server, "user:ira")) as raw, server.user("user:ira") as ira:
        until = (datetime.now(UTC) + timedelta(seconds=6)).replace(microsecond=0)
        shop.grant("user:ira", "shop.orders", until=until)
        shop.grant("user:ira", PORT, columns=["id"], since=until, until=until + timedelta(seconds=5))
        url = raw.gateway(ReadServiceStub).PrepareFiles(PrepareFilesRequest(port=PORT), metadata=raw.metadata).files[0].url
        assert ira.read(PORT).width == 4
        assert status_of(url) == 200
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        assert ira.read(PORT).columns == ["id"]
        assert status_of(url) == 403
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 5))
        with pytest.raises(AccessDenied):
            ira.read(PORT)


def read_when_back(mesh: Mesh) -> pl.DataFrame | MeshError:
    """The next answer of the gateway, once it is reachable again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return mesh.read(PORT)
        except AccessDenied as error:
            return error
        except MeshError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_killed_gateway_comes_back_and_does_not_answer_from_the_past(server: RunningServer, shop: Mesh) -> None:
    given = shop.grant("user:jan", "shop.orders")
    assert server.process is not None
    with server.user("user:jan") as jan:
        assert jan.read(PORT).height == 100
        gateway = server.gateway_pid
        os.kill(gateway, signal.SIGKILL)
        shop.revoke(given.id)
        assert isinstance(read_when_back(jan), AccessDenied)
        assert server.gateway_pid != gateway
        shop.grant("user:jan", "shop.orders")
        assert jan.read(PORT).height == 100


def test_a_killed_server_comes_back_with_every_revocation(new_server: Callable[..., RunningServer]) -> None:
    server = new_server()
    with server.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:olga"])
    with server.user("user:olga") as olga:
        olga.domain("shop").product("orders", contract("shop.orders", {"orders": COLUMNS})).publish(
            orders=orders(), progress=False
        )
        given, kept = olga.grant("user:ana", "shop.orders"), olga.grant("user:ben", "shop.orders")
        token = token_of(server, "user:ana")
        with Mesh.connect(server.url, token) as ana:
            assert ana.read(PORT).height == 100
        olga.revoke(given.id)
    server.kill()
    server.start()
    with Mesh.connect(server.url, token) as ana, server.user("user:ben") as ben:
        with pytest.raises(AccessDenied):
            ana.read(PORT)
        assert ben.read(PORT).height == 100
        assert kept.id in [grant.id for grant in ben.grants()]
