"""What a publisher can get wrong: one clear error each, nothing half published, nobody else disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import (
    AccessDenied,
    Conflict,
    ContractViolated,
    IncompatibleContract,
    InvalidContract,
    InvalidRequest,
    MeshError,
    TooLarge,
    WrongState,
)
from domainmesh.v1 import publication_pb2, publication_service_pb2
from domainmesh.v1.publication_service_pb2_grpc import PublicationServiceStub
from tests.integration.bad_input_market import CONTRACT, Market, contract, lines, orders, refused
from tests.servers import RunningServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(server: RunningServer) -> Iterator[Market]:
    market = Market(server)
    yield market
    market.close()


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    yield opened
    opened.assert_unharmed()


def begin(market: Market, text: str = CONTRACT, product: str = "sales.orders") -> publication_pb2.Publication:
    request = publication_service_pb2.BeginPublicationRequest(product=product, contract_text=text)
    publication = market.sent(market.stub(PublicationServiceStub).BeginPublication, request)
    assert isinstance(publication, publication_pb2.Publication)
    return publication


def abort(market: Market, publication: publication_pb2.Publication) -> None:
    request = publication_service_pb2.AbortPublicationRequest(id=publication.id)
    market.sent(market.stub(PublicationServiceStub).AbortPublication, request)


def test_every_violation_of_every_port_is_reported_at_once_with_counts_and_masked_samples(market: Market) -> None:
    bad_orders = orders().with_columns(
        id=pl.when(pl.col("id") < 3).then(pl.lit(1)).otherwise(pl.col("id")),
        email=pl.when(pl.col("id") % 5 == 0).then(pl.lit("secret-person-at-example")).otherwise(pl.col("email")),
        amount=pl.when(pl.col("id") == 7).then(-1).otherwise(pl.col("amount")),
    )
    bad_lines = lines().with_columns(sku=pl.when(pl.col("line") < 4).then(None).otherwise(pl.col("sku")))
    product = market.owner.domain("sales").product("orders", contract=CONTRACT)
    with pytest.raises(ContractViolated) as caught:
        product.publish(orders=bad_orders, lines=bad_lines, progress=False)
    text = str(caught.value)
    paths = " ".join(violation.path for violation in caught.value.violations)
    assert "sales.orders.orders" in paths
    assert "sales.orders.lines" in paths
    assert {violation.path.partition(":")[0] for violation in caught.value.violations} == {
        "sales.orders.orders",
        "sales.orders.lines",
    }
    assert len(caught.value.violations) >= 4
    by_words = {word: [str(it) for it in caught.value.violations if word in str(it)] for word in ("email", "amount", "sku", "id")}
    assert all(by_words.values()), by_words
    assert any("4" in it for it in by_words["email"])
    assert any("1" in it for it in by_words["amount"])
    assert any("4" in it for it in by_words["sku"])
    assert "secret-person" not in text
    assert "nothing was published" in text


def test_a_contract_that_is_not_odcs_is_refused_with_the_path_at_fault(market: Market) -> None:
    for text, word in [
        (CONTRACT.replace("kind: DataContract", "kind: Poem"), "kind"),
        (CONTRACT.replace("apiVersion: v3.1.0", "apiVersion: v9.9.9"), "apiVersion"),
        (CONTRACT.replace("logicalType: integer", "logicalType: quaternion"), "logicalType"),
        (CONTRACT + "surprise: true\n", "surprise"),
        ("[1, 2\n", ""),
        ("just words\nin lines\n", ""),
        ("a: &a [*a, *a]\n", ""),
        ("kind: !!python/object/apply:os.system ['true']\n", ""),
        ("\n" * 3, ""),
    ]:
        with refused(InvalidContract, word):
            market.owner.domain("sales").product("orders", contract=text).publish(orders=orders(), lines=lines(), progress=False)
        with refused(InvalidContract, word):
            begin(market, text)


def test_ports_that_do_not_fit_the_contract_are_all_named(market: Market) -> None:
    product = market.owner.domain("sales").product("orders", contract=CONTRACT)
    with refused(InvalidRequest, "lines", "surprise"):
        product.publish({"orders": orders(), "surprise": orders()}, progress=False)
    with refused(InvalidRequest, "sales.orders.orders", "polars frame"):
        product.publish({"orders": {"id": 1}, "lines": lines()}, progress=False)


def test_columns_that_do_not_fit_the_contract_are_all_named(market: Market) -> None:
    with refused(ContractViolated, "email", "extra"):
        market.publish(orders=orders().drop("email").with_columns(extra=1))
    with refused(ContractViolated, "id"):
        market.publish(orders=orders().with_columns(id=pl.lit("no number")))


def test_duplicate_column_names_are_refused(market: Market) -> None:
    twice = contract("sales.twice", 2).replace("c1", "c0")
    with refused(InvalidContract, "c0"):
        market.owner.domain("sales").product("twice", contract=twice).publish(rows=pl.DataFrame({"c0": [1]}), progress=False)
    with refused(InvalidContract, "c0"):
        begin(market, twice, "sales.twice")


def test_an_empty_frame_is_published_as_an_empty_table(market: Market) -> None:
    product = market.owner.domain("sales").product("empty", contract=contract("sales.empty"))
    product.publish(rows=pl.DataFrame(schema={"c0": pl.Int64}), progress=False)
    assert market.reader.read("sales.empty.rows").shape == (0, 1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("columns", [500, 5000])
def test_a_very_wide_table_is_published_and_read(market: Market, columns: int) -> None:
    name = f"wide{columns}"
    wide = pl.DataFrame({f"c{number}": [number] for number in range(columns)})
    product = market.owner.domain("sales").product(name, contract=contract(f"sales.{name}", columns))
    product.publish(rows=wide, progress=False)
    assert market.reader.read(f"sales.{name}.rows").equals(wide)


def test_a_contract_of_a_hundred_megabytes_is_refused_as_too_large(market: Market) -> None:
    with refused(TooLarge):
        begin(market, CONTRACT + "#" * 100_000_000)
    with refused(TooLarge):
        begin(market, CONTRACT + "#" * 20_000_000)


@pytest.mark.parametrize(
    "name", ["../etc", "a/b", "o'rders", 'o"rders', "Órders", "orders\0", "x" * 5000, "", ".", "..", "orders; drop table", "a b"]
)
def test_odd_names_are_refused(market: Market, name: str) -> None:
    with refused(InvalidRequest):
        begin(market, CONTRACT, f"sales.{name}")
    with refused(InvalidRequest):
        begin(market, CONTRACT, f"{name}.orders")
    text = contract("sales.odd").replace("name: rows", f"name: {_quoted(name)}")
    with pytest.raises(InvalidRequest):
        begin(market, text, "sales.odd")


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\0") + '"'


def test_what_was_not_delivered_cannot_be_committed(market: Market) -> None:
    publication = begin(market)
    commit = market.stub(PublicationServiceStub).CommitPublication
    folder = publication.locations[0].path

    def delivered(*names: str, size: int = 1) -> publication_service_pb2.CommitPublicationRequest:
        files = [publication_pb2.DeliveredFile(name=name, size_bytes=size, row_count=1) for name in names]
        ports = [publication_pb2.DeliveredPort(port=f"sales.orders.{port}", files=files) for port in ("orders", "lines")]
        return publication_service_pb2.CommitPublicationRequest(id=publication.id, ports=ports)

    for name in ("part-0.parquet", "../../../mesh.db", "/etc/passwd", "", "..", "a\0b", "x" * 300):
        with refused(ContractViolated, "sales.orders.orders", "sales.orders.lines", hidden=("root:",)):
            market.sent(commit, delivered(name))
    with open(f"{folder}/junk.parquet", "wb") as file:
        file.write(b"not parquet")
    with refused(ContractViolated, "junk.parquet", "Parquet"):
        market.sent(commit, delivered("junk.parquet", size=11))
    with refused(InvalidRequest, "sales.orders.lines", "sales.orders.orders"):
        market.sent(commit, publication_service_pb2.CommitPublicationRequest(id=publication.id))
    abort(market, publication)
    with refused(WrongState, "given up"):
        market.sent(commit, delivered("part-0.parquet"))


def test_a_table_that_is_a_link_out_of_the_drop_folder_is_refused(market: Market) -> None:
    publication = begin(market)
    for location in publication.locations:
        (Path(location.path) / "part.parquet").symlink_to(market.server.home / "mesh.db")
    files = [publication_pb2.DeliveredFile(name="part.parquet", size_bytes=1, row_count=1)]
    ports = [publication_pb2.DeliveredPort(port=f"sales.orders.{port}", files=files) for port in ("orders", "lines")]
    request = publication_service_pb2.CommitPublicationRequest(id=publication.id, ports=ports)
    with refused(ContractViolated, "not a regular file"):
        market.sent(market.stub(PublicationServiceStub).CommitPublication, request)
    abort(market, publication)


def test_a_contract_that_breaks_consumers_is_refused(market: Market) -> None:
    text = CONTRACT.replace("      - {name: region, logicalType: string}\n", "")
    with refused(IncompatibleContract, "region"):
        begin(market, text)


def test_who_may_not_publish_learns_nothing(market: Market) -> None:
    publication = begin(market)
    requests = publication_service_pb2
    texts = []
    for product in ("sales.orders", "sales.nothing", "nowhere.orders"):
        request = requests.BeginPublicationRequest(product=product, contract_text=CONTRACT)
        with pytest.raises(AccessDenied) as caught:
            market.sent(market.stub(PublicationServiceStub, market.stranger).BeginPublication, request, market.stranger)
        texts.append(caught.value.message.replace(product, "PRODUCT"))
    for id in (publication.id, "0" * 32):
        request = requests.CommitPublicationRequest(id=id)
        with pytest.raises(AccessDenied) as caught:
            market.sent(market.stub(PublicationServiceStub, market.stranger).CommitPublication, request, market.stranger)
        texts.append(caught.value.message.replace(id, "ID"))
    assert len(set(texts[:3])) == len(set(texts[3:])) == 1, texts
    abort(market, publication)


def test_an_error_while_reading_the_rows_leaves_nothing_behind(market: Market) -> None:
    broken = orders().lazy().with_columns(amount=pl.col("region").str.to_integer(strict=True))
    with pytest.raises((MeshError, pl.exceptions.PolarsError)):
        market.publish(orders=broken)


def test_a_stale_publication_conflicts(market: Market) -> None:
    late = begin(market)
    market.version = market.publish().version
    ports = [publication_pb2.DeliveredPort(port=f"sales.orders.{port}") for port in ("orders", "lines")]
    request = publication_service_pb2.CommitPublicationRequest(id=late.id, ports=ports)
    with pytest.raises(Conflict, match="published meanwhile"):
        market.sent(market.stub(PublicationServiceStub).CommitPublication, request)
    abort(market, late)
