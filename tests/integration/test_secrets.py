"""What policy hides cannot be seen: not in values, errors, counts, order, statistics, names or explanations.

Two meshes hold the same visible cells and different hidden ones; whatever a reader asks, both must answer byte for byte the same.
Next to that, a planted value is looked for in everything a reader gets.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import grpc
import polars as pl
import pyarrow.parquet as pq
import pytest

from domain_sdk import AccessDenied, Mesh, MeshError
from domainmesh.v1 import decision_service_pb2, expression_pb2, product_service_pb2, read_service_pb2
from domainmesh.v1.decision_service_pb2_grpc import DecisionServiceStub
from domainmesh.v1.lineage_service_pb2 import GetLineageRequest
from domainmesh.v1.lineage_service_pb2_grpc import LineageServiceStub
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from domainmesh.v1.read_service_pb2_grpc import ReadServiceStub
from tests.integration.mesh_setup import RawMesh, contract, detail_of, raw_mesh, token_of
from tests.servers import RunningServer

PORT = "hr.people.people"
COLUMNS = [
    "id: integer, required: true", "team: string, required: true", "name: string", "lead: boolean", "salary: integer",
    "badge: string", "email: 'string', tags: [pii.email]", "born: date", "note: string", "account: string",
]  # fmt: skip
WARNING = """    quality:
      - {metric: duplicateValues, mustBe: 0, severity: warning, arguments: {properties: [account]}}"""
SECRET = re.compile(rb"SECRET|sekret|7331", re.IGNORECASE)
EPOCH_YEAR = 1970


def people(world: str) -> pl.DataFrame:
    """Sixty people. What the reader of team red may not see differs from world to world; everything else does not."""
    rows: list[dict[str, Any]] = []
    for i in range(60):
        red = i % 3 == 1  # the first and the last row are hidden
        secret = f"SECRET-{world}-{i * (7 if world == 'a' else 5) % 60:02}"
        lead = i % 2 == 0
        rows.append(
            {
                "id": i,
                "team": "red" if red else f"blue-{secret}" if i % 5 else "zzz",
                "name": f"n{i % 7}" if red else secret,
                "lead": lead if red else world == "a",
                "salary": 1000 + i if red and lead else 7_331_000 + i * (3 if world == "a" else -3),
                "badge": f"QX-{i * 3 % 10}SECRET" if world == "a" else f"ZK-{i * 7 % 10}sekret",
                "email": f"{secret}@example.com",
                "born": date(EPOCH_YEAR + i, 3 if world == "a" else 9, 5 if world == "a" else 25),
                "note": None if (world == "a") == (i % 2 == 0) else secret,
                "account": f"{world}{i % 2}" if red else secret,
            }
        )
    return pl.DataFrame(rows, schema_overrides={"note": pl.String})


@dataclass(frozen=True)
class World:
    """One mesh and its restricted reader, through the SDK and without it."""

    server: RunningServer
    reader: Mesh
    raw: RawMesh
    owner: Mesh


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    folder = tmp_path_factory.mktemp("worlds")
    servers = [RunningServer(folder / name) for name in ("a", "b")]
    made = [_world(server, name) for server, name in zip(servers, ("a", "b"), strict=True)]
    contexts = [raw_mesh(server, token_of(server, "user:ria")) for server in servers]
    raws = [context.__enter__() for context in contexts]
    first, second = (World(s, r, raw, o) for s, (r, o), raw in zip(servers, made, raws, strict=True))
    yield first, second
    for context in contexts:
        context.__exit__(None, None, None)
    for server in servers:
        server.stop()


def _world(server: RunningServer, name: str) -> tuple[Mesh, Mesh]:
    with server.admin() as admin:
        admin.admin.create_domain("hr", owners=["user:hugo"])
        admin.admin.create_guardrail("no-mail", "tag:pii.email", mask="replace-with-null")
        admin.admin.create_purpose("payroll")
    owner = server.user("user:hugo")
    owner.domain("hr").product("people", contract("hr.people", {"people": COLUMNS}, port_extras=WARNING)).publish(
        people=people(name), accept_pii=["born"], progress=False
    )
    masks = {"badge": "mask-alphanum", "born": "truncate-to-year"}
    owner.grant("user:ria", "hr.people", actions=["discover"])
    visible = ["id", "team", "name", "badge", "email", "born"]
    owner.grant("user:ria", PORT, rows="team = 'red'", columns=visible, masks=masks)
    owner.grant("user:ria", PORT, actions=["read"], rows="team = 'red' and lead = true", columns=["salary"])
    return server.user("user:ria"), owner


def answer(ask: Callable[[], Any]) -> str:
    """The answer, or the failure with everything it says, as text in which only random ids are made equal."""
    try:
        told = str(ask())
    except MeshError as error:
        told = f"{type(error).__name__}|{error.reason}|{error.message}|{error.resource}|{error.violations}"
    except grpc.RpcError as error:
        detail = detail_of(error)
        told = f"{error.code()}|{detail.reason}|{detail.message}|{detail.resource}|{list(detail.violations)}"
    except pl.exceptions.PolarsError as error:
        told = f"{type(error).__name__}|{error}"
    return re.sub(r"g-[0-9a-f]{16}", "g-…", re.sub(r"0x[0-9a-f]+", "0x…", told))


EXPRESSIONS: dict[str, pl.Expr] = {
    "strict cast of a name": pl.col("name").cast(pl.Int64, strict=True) == 1,
    "strict cast of a team": pl.col("team").cast(pl.Float64, strict=True) > 0,
    "strict cast of a badge": pl.col("badge").cast(pl.Int32, strict=True) > 0,
    "date of a name": pl.col("name").str.to_date("%Y-%m-%d") > date(2000, 1, 1),
    "division by what might be zero": 100 // (pl.col("salary") - 7_331_003) > 0,
    "overflowing cast": pl.col("salary").cast(pl.Int8, strict=True) > 0,
    "broken regex": pl.col("name").str.contains("(SECRET"),
    "regex": pl.col("name").str.contains("SECRET"),
    "prefix of a name": pl.col("name").str.starts_with("SECRET-a"),
    "other teams": pl.col("team") != "red",
    "other teams by order": pl.col("team") > "red",
    "masked value probed": pl.col("badge") == "QX-0SECRET",
    "masked values probed": pl.col("badge").is_in([f"QX-{digit}SECRET" for digit in range(10)]),
    "raw date probed": pl.col("born").dt.month() == 3,
    "raw date compared": pl.col("born") >= date(1990, 3, 5),
    "hidden mail probed": pl.col("email") == "SECRET-a-00@example.com",
    "hidden mail present": pl.col("email").is_not_null(),
    "hash of a mail probed": pl.col("email") == hashlib.sha256(b"SECRET-a-07@example.com").hexdigest(),
    "salary of the others": pl.col("salary") > 7_000_000,
    "salary not given": pl.col("salary").is_null(),
    "salary not equal": ~(pl.col("salary") == 7_331_003),
    "hidden column": pl.col("note").is_not_null(),
    "hidden column compared": pl.col("account") == "a0",
    "nothing of the kind": pl.col("nonsense").is_not_null(),
    "always": pl.lit(True),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("via", ["stream", "files"])
def test_no_predicate_tells_the_two_worlds_apart(worlds: tuple[World, World], name: str, via: str) -> None:
    asked = [answer(lambda w=w: w.reader.read(PORT, where=EXPRESSIONS[name], via=via).rows()) for w in worlds]  # type: ignore[misc]
    assert asked[0] == asked[1]
    assert not re.search(r"SECRET-[ab]-\d", asked[0].replace("SECRET-a-00@", "").replace("SECRET-a-07@", ""))
    assert "733100" not in asked[0].replace("7331003", "")


SCANS: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "count": lambda f: f.select(pl.len()),
    "counts by team": lambda f: f.group_by("team").len().sort("team"),
    "smallest and largest": lambda f: f.select(pl.all().min().name.suffix("_min"), pl.all().max().name.suffix("_max")),
    "sums": lambda f: f.select(pl.col("salary").sum(), pl.col("salary").mean(), pl.col("salary").std()),
    "distinct": lambda f: f.select(pl.all().n_unique()),
    "order": lambda f: f.sort("salary", "id", descending=True),
    "order by mask": lambda f: f.sort("badge", "id"),
    "first": lambda f: f.head(1),
    "last": lambda f: f.tail(1),
    "limit and order": lambda f: f.head(5).sort("id", descending=True),
    "row numbers": lambda f: f.with_row_index(),
    "slice": lambda f: f.slice(3, 4),
    "quantile": lambda f: f.select(pl.col("salary").quantile(0.9)),
    "nulls": lambda f: f.null_count(),
    "strict cast of all": lambda f: f.select(pl.col("name").cast(pl.Int64)),
    "hidden columns": lambda f: f.select("note"),
}


@pytest.mark.parametrize("name", SCANS)
def test_no_scan_tells_the_two_worlds_apart(worlds: tuple[World, World], name: str) -> None:
    asked = [answer(lambda w=w: SCANS[name](w.reader.scan(PORT)).collect().rows()) for w in worlds]  # type: ignore[misc]
    assert asked[0] == asked[1]
    assert not SECRET.search(asked[0].encode())


def test_what_may_be_seen_is_there_and_is_all_there_is(worlds: tuple[World, World]) -> None:
    seen = worlds[0].reader.read(PORT)
    wanted = people("a").filter(pl.col("team") == "red")
    assert seen.columns == ["id", "team", "name", "salary", "badge", "email", "born"]
    assert seen["id"].to_list() == wanted["id"].to_list()
    assert seen["salary"].to_list() == [1000 + i if i % 2 == 0 else None for i in wanted["id"]]
    assert seen["badge"].unique().to_list() == ["xx-nxxxxxx"]
    assert seen["email"].null_count() == seen.height
    assert seen["born"].to_list() == [date(EPOCH_YEAR + i, 1, 1) for i in wanted["id"]]


def stream_of(world: World, request: read_service_pb2.ReadRequest) -> bytes:
    return b"".join(part.arrow for part in world.raw.gateway(ReadServiceStub).Read(request, metadata=world.raw.metadata))


def column_equals(column: str, text: str) -> expression_pb2.Expression:
    return expression_pb2.Expression(
        compare=expression_pb2.Compare(
            operator=expression_pb2.COMPARE_OPERATOR_EQUAL,
            left=expression_pb2.Expression(column=column),
            right=expression_pb2.Expression(literal=expression_pb2.Literal(string_value=text)),
        )
    )


REQUESTS: dict[str, read_service_pb2.ReadRequest] = {
    "everything": read_service_pb2.ReadRequest(port=PORT),
    "columns": read_service_pb2.ReadRequest(port=PORT, columns=["badge", "salary"]),
    "limit": read_service_pb2.ReadRequest(port=PORT, limit=3),
    "masked predicate": read_service_pb2.ReadRequest(port=PORT, predicate=column_equals("badge", "QX-0SECRET")),
    "row predicate": read_service_pb2.ReadRequest(port=PORT, predicate=column_equals("name", "SECRET-a-00"), columns=["id"]),
    "hidden predicate": read_service_pb2.ReadRequest(port=PORT, predicate=column_equals("note", "SECRET-a-00")),
    "hidden predicate of another type": read_service_pb2.ReadRequest(port=PORT, predicate=column_equals("lead", "SECRET-a-00")),
    "predicate of another type": read_service_pb2.ReadRequest(port=PORT, predicate=column_equals("salary", "x"), limit=1),
    "hidden column": read_service_pb2.ReadRequest(port=PORT, columns=["note"]),
    "version to come": read_service_pb2.ReadRequest(port=PORT, version=2),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_bytes_of_a_stream_are_the_same_in_both_worlds(worlds: tuple[World, World], name: str) -> None:
    asked = [answer(lambda w=w: stream_of(w, REQUESTS[name])) for w in worlds]  # type: ignore[misc]
    assert asked[0] == asked[1]
    assert not SECRET.search(asked[0].encode())


def test_nothing_lies_under_the_nulls_of_a_stream(worlds: tuple[World, World]) -> None:
    """Arrow allows any bytes in the slot of a null: there must not be the value that the null hides."""
    data = stream_of(worlds[0], REQUESTS["everything"])
    withheld = people("a").filter((pl.col("team") == "red") & ~pl.col("lead"))["salary"]
    assert withheld.len() > 0
    assert not [salary for salary in withheld if struct.pack("<q", salary) in data]


@pytest.mark.parametrize("hidden", ["note", "account", "lead"])
def test_a_hidden_column_is_refused_in_the_words_for_a_column_that_does_not_exist(
    worlds: tuple[World, World], hidden: str
) -> None:
    for make in (
        lambda column: read_service_pb2.ReadRequest(port=PORT, columns=[column]),
        lambda column: read_service_pb2.ReadRequest(port=PORT, columns=["id", column], limit=1),
        lambda column: read_service_pb2.ReadRequest(port=PORT, predicate=column_equals(column, "x")),
    ):
        texts = [answer(lambda make=make, c=c: stream_of(worlds[0], make(c))).replace(c, "COLUMN") for c in (hidden, "nonsense")]  # type: ignore[misc]
        assert texts[0] == texts[1]
        assert "PERMISSION_DENIED" in texts[0]


def files_of(world: World) -> list[bytes]:
    request = read_service_pb2.PrepareFilesRequest(port=PORT)
    prepared = world.raw.gateway(ReadServiceStub).PrepareFiles(request, metadata=world.raw.metadata)
    return [urllib.request.urlopen(file.url, timeout=10).read() for file in prepared.files]


def test_governed_files_are_the_same_bytes_and_hold_nothing_hidden(worlds: tuple[World, World]) -> None:
    first, second = (files_of(world) for world in worlds)
    assert first == second
    for data in first:
        file = pq.ParquetFile(io.BytesIO(data))
        assert file.schema_arrow.names == ["id", "team", "name", "salary", "badge", "email", "born"]
        assert not SECRET.search(repr(file.metadata.to_dict()).encode())
        assert not SECRET.search(data)
        for group in range(file.metadata.num_row_groups):
            statistics = {c["path_in_schema"]: c["statistics"] for c in file.metadata.row_group(group).to_dict()["columns"]}
            assert statistics["salary"]["max"] is None or statistics["salary"]["max"] < 2000


def test_plans_and_explanations_are_the_same_and_name_nothing_hidden(worlds: tuple[World, World]) -> None:
    def asked(world: World) -> list[str]:
        plan = world.raw.gateway(ReadServiceStub).PlanRead(
            read_service_pb2.PlanReadRequest(port=PORT), metadata=world.raw.metadata
        )
        explained = world.raw.control(DecisionServiceStub).Explain(
            decision_service_pb2.ExplainRequest(port=PORT), metadata=world.raw.metadata
        )
        assert plan.row_count_hint == 0
        assert plan.plan.row_filter == explained.plan.row_filter == "restricted"
        plan.plan.revision = explained.revision = explained.plan.revision = 0
        for texts in (plan.plan.reasons, explained.reasons, explained.plan.reasons):
            texts[:] = sorted(re.sub(r"g-[0-9a-f]+", "g-…", text) for text in texts)  # in the order of ids, which are random
        return [answer(lambda m=m: m) for m in (plan, explained)]  # type: ignore[misc]

    first, second = (asked(world) for world in worlds)
    assert first == second
    for text in first:
        assert "'red'" not in text
        assert not SECRET.search(text.encode())


def test_the_catalog_is_the_same_in_both_worlds(worlds: tuple[World, World]) -> None:
    def asked(world: World) -> list[str]:
        catalog, metadata = world.raw.control(ProductServiceStub), world.raw.metadata
        queries = ["", "people", PORT, "SECRET-a-00", "SECRET", "7331003", "salary", "note", "zzz"]
        found = [catalog.Discover(product_service_pb2.DiscoverRequest(query=query), metadata=metadata) for query in queries]
        shown = catalog.GetProduct(product_service_pb2.GetProductRequest(name="hr.people"), metadata=metadata)
        graph = world.raw.control(LineageServiceStub).GetLineage(GetLineageRequest(name=f"{PORT}.salary"), metadata=metadata)
        for reply in found:
            for hit in reply.hits:
                hit.ClearField("update_time")
        shown.ClearField("create_time")
        shown.ClearField("update_time")
        for origin in graph.origins:
            origin.ClearField("run_id")
        return [str(reply) for reply in (*found, shown, graph)]

    first, second = (asked(world) for world in worlds)
    assert first == second


def test_samples_of_a_failed_check_are_not_shown_to_who_may_not_read_them(worlds: tuple[World, World]) -> None:
    """A warning's samples are values of the data: a reader who may not see the rows must not find them in the release."""
    told = []
    for world in worlds:
        releases = [product.release() for product in (m.domain("hr").product("people") for m in (world.reader, world.owner))]
        seen, owned = ([q for q in release.quality if q.is_violation] for release in releases)
        assert [(q.check, q.status) for q in seen] == [(q.check, q.status) for q in owned]
        assert any(q.samples for q in owned)
        listed = [release.quality for release in world.reader.domain("hr").product("people").releases()]
        told.append(str([[(q.check, q.samples) for q in quality] for quality in (seen, *listed)]))
    assert told[0] == told[1]
    assert not SECRET.search("".join(told).encode())


def ask_everything(mesh: Mesh, domain: str, product: str, port: str) -> list[str]:
    """Every call that names a thing, as a caller without any right to it."""
    handle = mesh.domain(domain).product(product.partition(".")[2], contract(product, {"people": ["id: integer"]}))
    calls: list[Callable[[], Any]] = [
        lambda: mesh.show(domain), lambda: mesh.show(product), lambda: mesh.show(port),
        lambda: mesh.read(port), lambda: mesh.read(port, version=9), lambda: mesh.read(port, purpose="payroll"),
        lambda: mesh.read(port, purpose="made-up"), lambda: mesh.read(port, via="files"),
        lambda: mesh.read(port, columns=["salary"]),
        lambda: mesh.retrieve(port, "who earns what?"), lambda: mesh.retrieve(port, "who?", purpose="made-up"),
        lambda: mesh.retrieve(port, "who?", version=9),
        lambda: mesh.lineage(port), lambda: mesh.lineage(f"{port}.salary"), lambda: mesh.explain(port),
        lambda: mesh.explain(port, purpose="payroll"), lambda: mesh.explain(port, principal="user:ria"),
        lambda: mesh.request(product, reason="please"), lambda: mesh.request(port, columns=["salary"]),
        lambda: mesh.request(port, purpose="made-up"),
        lambda: mesh.grant("user:eve", port), lambda: mesh.grant("user:eve", port, rows="nonsense ="),
        lambda: mesh.grants(resource=product), lambda: mesh.products(domain), lambda: mesh.discover(port),
        lambda: mesh.discover(product),
        lambda: handle.release(), lambda: handle.release(9), lambda: handle.releases(), lambda: handle.contract(1),
        lambda: handle.publish(people=pl.DataFrame({"id": [1]}), progress=False),
        lambda: mesh.admin.update_domain(domain, description="mine"),
        lambda: mesh.admin.update_domain(domain, owners=["user:eve"]),
        *(lambda a=a, r=r: mesh.check(a, r) for a in ("discover", "read", "write", "grant") for r in (domain, product, port)),  # type: ignore[misc]
        lambda: mesh.check("read", f"{port}.salary"), lambda: mesh.check("read", port, purpose="payroll"),
        lambda: mesh.check("read", port, principal="user:ria"),
    ]  # fmt: skip
    return [re.sub(r"revision=\d+", "revision=…", answer(call)) for call in calls]


@pytest.mark.parametrize(
    ("real", "made_up"),
    [
        pytest.param(("hr", "hr.people", PORT), ("xy", "xy.nobody", "xy.nobody.persons"), id="everything made up"),
        pytest.param(("hr", "hr.people", PORT), ("hr", "hr.nobody", "hr.nobody.people"), id="product made up"),
        pytest.param(("hr", "hr.people", PORT), ("hr", "hr.people", "hr.people.nothing"), id="port made up"),
    ],
)
def test_a_stranger_cannot_tell_what_exists_from_what_does_not(
    worlds: tuple[World, World], real: tuple[str, str, str], made_up: tuple[str, str, str]
) -> None:
    with worlds[0].server.user("user:eve") as eve:
        both = []
        for names in (real, made_up):
            told = ask_everything(eve, *names)
            for name, word in zip(reversed(names), ("PORT", "PRODUCT", "DOMAIN"), strict=True):
                told = [re.sub(rf"\b{re.escape(name)}\b", word, text) for text in told]
            both.append(told)
    differing = [(one, other) for one, other in zip(*both, strict=True) if one != other]
    assert not differing, json.dumps(differing, indent=1)


def test_names_of_hidden_sources_do_not_show_in_lineage(worlds: tuple[World, World]) -> None:
    world = worlds[0]
    with world.server.admin() as admin:
        admin.admin.create_domain("open", owners=["user:hugo"])

    @world.owner.domain("open").transform(
        inputs=[PORT], output="heads", contract=contract("open.heads", {"heads": ["who: string"]})
    )
    def heads(people: pl.LazyFrame) -> pl.LazyFrame:
        return people.select(who=pl.col("name"))

    heads.run(progress=False)
    world.owner.grant("user:olaf", "open.heads")
    with world.server.user("user:olaf") as olaf:
        graph = olaf.lineage("open.heads.heads.who")
        shown = olaf.show("open.heads.heads")
        assert len(graph.nodes) >= 2
        assert "hr" not in re.findall(r"[a-z]+", str(graph) + str(shown))
        with pytest.raises(AccessDenied):
            olaf.lineage(f"{PORT}.name")
