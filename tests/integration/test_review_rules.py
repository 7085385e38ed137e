"""What an adversary tries with the rules themselves: locking the centre out, outliving an expiry, dropping tags, looking back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from domain_sdk import AccessDenied, InvalidRequest, Mesh, MeshError
from domainmesh.v1 import access_request_pb2, grant_pb2
from domainmesh.v1.access_request_service_pb2 import ApproveAccessRequestRequest, CreateAccessRequestRequest
from domainmesh.v1.access_request_service_pb2_grpc import AccessRequestServiceStub
from domainmesh.v1.grant_service_pb2 import CreateGrantRequest, GetGrantRequest
from domainmesh.v1.grant_service_pb2_grpc import GrantServiceStub
from domainmesh.v1.product_service_pb2 import GetContractRequest, GetProductRequest, ListProductsRequest
from domainmesh.v1.product_service_pb2_grpc import ProductServiceStub
from tests.servers import RunningServer

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def mesh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of this module."""
    running = RunningServer(tmp_path_factory.mktemp("rules") / "mesh")
    yield running
    running.stop()


@pytest.fixture
def domain(mesh_server: RunningServer) -> str:
    """A new domain, owned by `user:owner-of-it`."""
    name = f"d{next(_NUMBERS)}"
    mesh_server.user("user:owner").close()
    with mesh_server.admin() as admin:
        admin.admin.create_domain(name, owners=["user:owner"])
    return name


def contract(columns: str, *, version: str = "1.0.0", port_tags: str = "[]") -> str:
    """An ODCS contract of one table, `t`."""
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nid: p\nversion: {version}\nstatus: active\nschema:\n"
        f"  - name: t\n    physicalType: table\n    tags: {port_tags}\n    properties:\n{columns}"
    )


TAGGED = "      - {name: mail, logicalType: string, tags: [pii.email]}\n      - {name: n, logicalType: integer}\n"
BARE = "      - {name: mail, logicalType: string}\n      - {name: n, logicalType: integer}\n"
ROWS = pl.DataFrame({"mail": ["a@b.example", "c@d.example"], "n": [1, 2]})


def publish(mesh: Mesh, product: str, text: str, rows: pl.DataFrame = ROWS) -> int:
    """The version published."""
    domain, _, name = product.partition(".")
    accepted = ["mail"] if "mail" in rows.columns else []
    return mesh.domain(domain).product(name, contract=text).publish(t=rows, accept_pii=accepted).version


@pytest.fixture(scope="module")
def guardrail(mesh_server: RunningServer) -> None:
    """Whatever is tagged pii is null for everybody."""
    with mesh_server.admin() as admin:
        admin.admin.create_guardrail("pii", resource="tag:pii.*", mask="replace-with-null")


def test_a_domain_owner_cannot_deny_the_centre_the_right_to_govern(mesh_server: RunningServer, domain: str) -> None:
    with mesh_server.user("user:owner") as owner:
        for action in ("grant", "administer"):
            with pytest.raises(InvalidRequest, match="grant and administer"):
                owner.grant("*", domain, actions=[action], deny=True)
        denial = owner.grant("user:mallory", domain, actions=["read"], deny=True)
    with mesh_server.admin() as admin:
        assert admin.revoke(denial.id).id == denial.id


def test_an_expiry_of_zero_is_an_expiry_and_not_forever(mesh_server: RunningServer, domain: str) -> None:
    with mesh_server.user("user:owner") as owner, mesh_server.user("user:asker") as asker:
        publish(owner, f"{domain}.p", contract(BARE))
        owner.grant("user:asker", domain, actions=["discover", "request"])
        stub, decide = (mesh._transport.control(AccessRequestServiceStub) for mesh in (asker, owner))
        long_ago = CreateAccessRequestRequest(
            access_request=access_request_pb2.AccessRequest(resource=f"{domain}.p", reason="r", expire_time=Timestamp())
        )
        with pytest.raises(InvalidRequest):
            asker._transport.call(stub.CreateAccessRequest, long_ago)
        request = asker.request(f"{domain}.p", reason="r", until="2099-01-01")
        forever = ApproveAccessRequestRequest(id=request.id, expire_time=Timestamp())
        with pytest.raises(InvalidRequest):
            owner._transport.call(decide.ApproveAccessRequest, forever)


@pytest.mark.parametrize("field", ["expire_time", "start_time"])
@pytest.mark.parametrize("seconds", [10**15, -(10**15)])
def test_a_time_off_the_calendar_is_bad_input(mesh_server: RunningServer, domain: str, field: str, seconds: int) -> None:
    with mesh_server.user("user:owner") as owner:
        grant = grant_pb2.Grant(
            subject="user:x", resource=domain, actions=["read"], effect=1, **{field: Timestamp(seconds=seconds)}
        )
        with pytest.raises(InvalidRequest):
            owner._transport.call(owner._transport.control(GrantServiceStub).CreateGrant, CreateGrantRequest(grant=grant))


def test_who_lost_the_right_to_see_a_product_does_not_see_its_past_either(mesh_server: RunningServer, domain: str) -> None:
    product = f"{domain}.p"
    with mesh_server.user("user:owner") as owner, mesh_server.user("user:visitor") as visitor:
        publish(owner, product, contract(BARE))
        grant = owner.grant("user:visitor", domain, actions=["discover", "grant"])
        visitor.show(product)
        then = visitor.revision
        owner.revoke(grant.id)
        stub = visitor._transport.control(ProductServiceStub)
        with pytest.raises(AccessDenied):
            visitor._transport.call(stub.GetProduct, GetProductRequest(name=product, as_of=then))
        with pytest.raises(AccessDenied):
            visitor._transport.call(stub.GetContract, GetContractRequest(product=product, as_of=then))
        listed = visitor._transport.call(stub.ListProducts, ListProductsRequest(domain=domain, as_of=then))
        assert not listed.products
        other = owner.grant("user:somebody", domain, actions=["read"])
        grants = visitor._transport.control(GrantServiceStub)
        with pytest.raises(AccessDenied):
            visitor._transport.call(grants.GetGrant, GetGrantRequest(id=other.id, as_of=owner.revision))


@pytest.mark.usefixtures("guardrail")
def test_dropping_a_tag_in_a_new_release_does_not_unmask_the_old_one(mesh_server: RunningServer, domain: str) -> None:
    product = f"{domain}.p"
    with mesh_server.user("user:owner") as owner:
        first = publish(owner, product, contract(TAGGED))
        assert owner.read(f"{product}.t")["mail"].null_count() == 2
        with mesh_server.admin() as admin:
            admin.admin.release_tag(f"{product}.t#mail", "pii.email", reason="no person behind it any more")
        publish(owner, product, contract(BARE, version="1.1.0"))
        assert owner.read(f"{product}.t", version=first)["mail"].null_count() == 2
        assert owner.read(f"{product}.t", version=first, via="files")["mail"].null_count() == 2
        assert owner.read(f"{product}.t")["mail"].null_count() == 0


@pytest.mark.usefixtures("guardrail")
def test_a_tag_of_a_whole_table_flows_down_lineage_as_those_of_its_columns_do(mesh_server: RunningServer, domain: str) -> None:
    with mesh_server.user("user:owner") as owner:
        publish(owner, f"{domain}.source", contract(BARE, port_tags="[pii]"))
        publish(owner, f"{domain}.other", contract(BARE, port_tags="[tidy]"))
        for source in ("source", "other"):
            edges = {"t": {name: [f"{domain}.{source}.t#{name}"] for name in ("mail", "n")}}
            derived = owner.domain(domain).product(f"from-{source}", contract=contract(BARE))
            derived.publish(t=ROWS, lineage=edges, accept_pii=["mail"])
        assert owner.read(f"{domain}.from-source.t")["mail"].null_count() == 2
        assert owner.read(f"{domain}.from-other.t")["mail"].null_count() == 0
    with mesh_server.admin() as admin:
        admin.admin.create_guardrail(f"tidy-{domain}", resource="tag:tidy", mask="replace-with-null")
        with mesh_server.user("user:owner") as owner:
            assert owner.read(f"{domain}.from-other.t")["mail"].null_count() == 2
        admin.admin.delete_guardrail(f"tidy-{domain}")
        with mesh_server.user("user:owner") as owner:
            assert owner.read(f"{domain}.from-other.t")["mail"].null_count() == 0


MEMOS = (
    "apiVersion: v3.2.0\nkind: DataContract\nid: memos\nversion: 1.0.0\nstatus: active\nschema:\n"
    "  - name: pages\n    physicalType: collection\n    properties:\n"
    "      - {name: document, logicalType: string}\n      - {name: title, logicalType: string}\n"
    "      - {name: heading, logicalType: string}\n      - {name: text, logicalType: string}\n"
    "      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 384}}\n"
)


def write_memos(folder: Path) -> str:
    """Two documents about the same thing."""
    folder.mkdir()
    (folder / "open.md").write_text("# Open\n\nTravel advances are paid on Friday.\n")
    (folder / "secret.md").write_text("# Secret\n\nTravel advances of the board are paid in gold.\n")
    return str(folder / "*.md")


def test_a_passage_shows_a_field_only_where_one_grant_gives_it_with_the_row(
    mesh_server: RunningServer, domain: str, tmp_path: Path
) -> None:
    with mesh_server.user("user:owner") as owner, mesh_server.user("user:reader") as reader:
        owner.domain(domain).product("memos", contract=MEMOS).publish(pages=write_memos(tmp_path / "memos"))
        port = f"{domain}.memos.pages"
        owner.grant("user:reader", port, actions=["read"], columns=["text", "heading"])
        owner.grant("user:reader", port, actions=["read"], columns=["document", "title"], rows="title = 'Open'")
        hits = reader.retrieve(port, "travel advances", limit=5)
        assert len(hits) == 2
        shown = {hit.document for hit in hits}
        assert not any("secret" in name for name in shown)
        assert "Secret" not in {hit.title for hit in hits}


def test_a_check_of_a_column_needs_the_purpose_as_a_read_does(mesh_server: RunningServer, domain: str) -> None:
    product = f"{domain}.p"
    with mesh_server.admin() as admin:
        admin.admin.create_purpose(f"why-{domain}")
    with mesh_server.user("user:owner") as owner:
        publish(owner, product, contract(BARE))
        assert owner.check("read", f"{product}.t.mail")
        assert not owner.check("read", f"{product}.t.mail", purpose=f"why-{domain}")
        with pytest.raises(MeshError):
            owner.read(f"{product}.t", purpose=f"why-{domain}")


NESTED = (
    "      - name: person\n        logicalType: object\n        properties:\n"
    "          - {name: mail, logicalType: string, tags: [pii.email]}\n      - {name: n, logicalType: integer}\n"
)


@pytest.mark.usefixtures("guardrail")
def test_a_tag_inside_a_nested_column_masks_the_column(mesh_server: RunningServer, domain: str) -> None:
    rows = pl.DataFrame({"person": [{"mail": "a@b.example"}], "n": [1]})
    with mesh_server.user("user:owner") as owner:
        publish(owner, f"{domain}.p", contract(NESTED), rows)
        assert owner.read(f"{domain}.p.t")["person"].null_count() == 1
