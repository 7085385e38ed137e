"""A tree says exactly what it was written from, and the same state is the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain_sdk.errors import InvalidRequest
from domain_sdk.folder import Tree, files_of, store_files, tree_of
from domain_sdk.folder.yaml_writing import write_yaml
from domainmesh.v1 import approval_rule_pb2, domain_pb2, governed_tag_pb2, grant_pb2, principal_pb2
from domainmesh.v1.change_set_pb2 import DesiredResource
from mesh_core.contract.yaml_text import parse_yaml
from mesh_core.masks import Mask

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "yes",
        "No",
        "1.5",
        "0x10",
        "~",
        "null",
        "a: b",
        "- a",
        "# no",
        " a",
        "a ",
        "'",
        '"',
        "\\",
        "\x85",
        "\u2028",
        "\ufeff",
        "a,b",
    ]
)
NAME = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True).filter(lambda it: it != "mesh")
WORD = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,6}", fullmatch=True)
DOMAINS = ("finance", "sales")


def people(*kinds: str) -> st.SearchStrategy[str]:
    return st.builds("{}:{}".format, st.sampled_from(kinds), WORD)


def unique(values: st.SearchStrategy[str], *, least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(values, max_size=3, min_size=least, unique=True)


MASKS = st.dictionaries(TEXT.filter(bool), st.sampled_from([mask.value for mask in Mask]), max_size=2).map(
    lambda masks: [grant_pb2.ColumnMask(column=column, mask=mask) for column, mask in sorted(masks.items())]
)
SUBJECT = people("user", "group", "service", "role", "domain") | st.just("*")


@st.composite
def domains(draw: st.DrawFn) -> list[domain_pb2.Domain]:
    role = st.builds(domain_pb2.DomainRole, name=people("role"), members=unique(people("user", "group")))
    roles = st.lists(role, max_size=2, unique_by=lambda it: it.name).map(lambda found: sorted(found, key=lambda it: it.name))
    build = {
        "title": TEXT,
        "description": TEXT,
        "owners": unique(people("user", "group")),
        "members": unique(people("user", "service")),
        "roles": roles,
    }
    return [draw(st.builds(domain_pb2.Domain, name=st.just(name), **build)) for name in DOMAINS]


@st.composite
def grants(draw: st.DrawFn) -> grant_pb2.Grant:
    owner = draw(st.sampled_from([*DOMAINS, "mesh"]))
    slug = draw(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,6}", fullmatch=True))
    grant = grant_pb2.Grant(
        id=slug if slug.startswith("g-") else f"{'centre' if owner == 'mesh' else owner}:{slug}",
        subject=draw(SUBJECT),
        resource=draw(st.sampled_from([owner] if owner == "mesh" else [owner, f"{owner}.orders", f"{owner}.orders.Orders"])),
        actions=draw(unique(st.sampled_from(["discover", "request", "read", "write", "grant", "administer"]), least=1)),
        effect=draw(st.sampled_from([grant_pb2.EFFECT_ALLOW, grant_pb2.EFFECT_DENY])),
        purpose=draw(NAME | st.sampled_from(["", "*"])),
        columns=draw(unique(TEXT.filter(bool))),
        row_filter=draw(TEXT),
        masks=draw(MASKS),
        reason=draw(TEXT),
    )
    for field in (grant.start_time, grant.expire_time):
        if draw(st.booleans()):
            field.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))
            field.nanos = draw(st.integers(0, 999_999_999) | st.just(0))
    return grant


RULES = st.builds(
    lambda owner, slug, **rest: approval_rule_pb2.ApprovalRule(id=f"{owner}:{slug}", resource=f"{owner}.orders", **rest),
    st.sampled_from(DOMAINS),
    NAME.filter(lambda it: not it.startswith("g-")),
    subjects=unique(SUBJECT, least=1),
    purpose=NAME | st.just(""),
    longest_days=st.integers(0, 36_500),
    columns=unique(TEXT.filter(bool)),
    row_filter=TEXT,
    masks=MASKS,
    reason=TEXT,
    is_disabled=st.booleans(),
)
PRINCIPALS = st.builds(
    principal_pb2.Principal,
    name=people("user", "service", "group"),
    title=TEXT,
    groups=unique(people("group")),
    roles=unique(people("role")),
    purposes=unique(NAME),
    attributes=st.dictionaries(TEXT, TEXT, max_size=2),
    is_disabled=st.booleans(),
    is_administrator=st.booleans(),
)
PURPOSES = st.builds(principal_pb2.Purpose, name=NAME, parent=NAME | st.just(""), description=TEXT)
GUARDRAILS = st.builds(
    lambda rule, **rest: grant_pb2.Guardrail(**rest, **rule),
    st.one_of(
        st.builds(dict, mask=st.sampled_from([mask.value for mask in Mask])),
        st.builds(dict, row_filter=TEXT.filter(bool)),
        st.just({"deny_read": True}),
    ),
    id=st.from_regex(r"[A-Za-z0-9_-]{1,5}(\.[A-Za-z0-9_-]{1,5})?", fullmatch=True),
    description=TEXT,
    resource=st.sampled_from(["mesh", "tag:pii.*", "tag:pii.email", "sales.orders"]),
    exempt=unique(people("user", "domain") | st.just("purpose:invoicing")),
)
TAGS = st.builds(governed_tag_pb2.GovernedTag, tag=st.sampled_from(["pii", "pii.*", "pii.email"]), description=TEXT)
RELEASES = st.builds(
    governed_tag_pb2.TagRelease, object=TEXT.filter(bool), tag=st.sampled_from(["pii", "pii.email"]), reason=TEXT
)


def listed(values: st.SearchStrategy[Any], kind: str, *keys: str, least: int = 0) -> st.SearchStrategy[list[DesiredResource]]:
    found = st.lists(values, max_size=3, min_size=least, unique_by=lambda it: tuple(getattr(it, key) for key in keys))
    return found.map(lambda items: [DesiredResource(**{kind: it}) for it in items])


MESH = st.tuples(
    domains().map(lambda found: [DesiredResource(domain=it) for it in found]),
    listed(PRINCIPALS, "principal", "name", least=1),
    listed(PURPOSES, "purpose", "name"),
    listed(TAGS, "governed_tag", "tag"),
    listed(RELEASES, "tag_release", "object", "tag"),
    listed(GUARDRAILS, "guardrail", "id"),
    listed(grants(), "grant", "id"),
    listed(RULES, "approval_rule", "id"),
).map(lambda parts: [it for part in parts for it in part])


def stated(tree: Tree) -> list[DesiredResource]:
    """What the tree states, a domain's two halves joined."""
    found: dict[tuple[str, str], Any] = {}
    for message in (entry.resource for source in tree.sources for entry in source.entries):
        name = type(message).__name__
        identity = next(str(getattr(message, key)) for key in ("name", "id", "object", "tag") if hasattr(message, key))
        key = (name, f"{identity} {message.tag}" if name == "TagRelease" else identity)
        if key in found:
            assert name == "Domain"
            found[key].MergeFrom(message)
        else:
            found[key] = type(message)()
            found[key].CopyFrom(message)
    kinds = {"GovernedTag": "governed_tag", "TagRelease": "tag_release", "ApprovalRule": "approval_rule"}
    return [DesiredResource(**{kinds.get(name, name.lower()): message}) for (name, _), message in found.items()]


def in_order(resources: Iterable[DesiredResource]) -> list[bytes]:
    return sorted(it.SerializeToString(deterministic=True) for it in resources)


@settings(deadline=None, max_examples=60)
@given(MESH)
def test_what_is_written_is_read_back_and_written_again_byte_for_byte(resources: list[DesiredResource]) -> None:
    files = files_of(resources, {})
    tree, problems = tree_of(files)
    assert problems == []
    assert in_order(stated(tree)) == in_order(resources)
    assert files_of(stated(tree), {}) == files


@settings(deadline=None, max_examples=20)
@given(MESH, st.randoms())
def test_the_order_in_which_resources_come_does_not_count(resources: list[DesiredResource], random: Any) -> None:
    shuffled = list(resources)
    random.shuffle(shuffled)
    assert files_of(shuffled, {}) == files_of(resources, {})


PLAIN = st.recursive(
    TEXT | st.booleans() | st.integers(-(10**30), 10**30),
    lambda inner: (
        st.dictionaries(TEXT, inner, max_size=3) | st.lists(TEXT | st.dictionaries(TEXT, inner, min_size=1), max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT, PLAIN, min_size=1, max_size=4), TEXT)
@example({"a": ["x" * 200, "y"], "": {"b": []}}, "")
def test_any_document_is_read_back_as_it_was(document: dict[str, Any], comment: str) -> None:
    written = write_yaml(document, comment=[" ".join(comment.split()) if comment.isprintable() else ""])
    assert parse_yaml(written.decode()) == document


def test_an_export_looks_as_somebody_would_write_it() -> None:
    grant = grant_pb2.Grant(
        id="sales:analysts-read",
        subject="group:analysts",
        resource="sales.orders.orders",
        actions=["discover", "read"],
        effect=grant_pb2.EFFECT_ALLOW,
        row_filter="region = 'EMEA'",
        masks=[grant_pb2.ColumnMask(column="email", mask="show-last-4")],
        reason="Plan for next year.",
    )
    grant.expire_time.FromJsonString("2027-01-01T00:00:00Z")
    domain = domain_pb2.Domain(name="sales", title="Sales", description="Orders and customers.", owners=["user:sam"])
    files = files_of([DesiredResource(domain=domain), DesiredResource(grant=grant)], {"sales.orders": "apiVersion: v3.1.0\r\n"})
    assert list(files) == ["sales/domain.yaml", "sales/orders/contract.odcs.yaml", "sales/policies.yaml"]
    assert files["sales/orders/contract.odcs.yaml"] == b"apiVersion: v3.1.0\r\n"
    assert files["sales/policies.yaml"].decode() == (
        "# Grants, roles and approval rules; applied with `mesh apply`.\n"
        "grants:\n"
        "  - id: analysts-read\n"
        '    subject: "group:analysts"\n'
        "    resource: sales.orders.orders\n"
        "    actions: [discover, read]\n"
        "    rows: \"region = 'EMEA'\"\n"
        "    masks:\n"
        "      email: show-last-4\n"
        "    until: 2027-01-01\n"
        "    reason: Plan for next year.\n"
    )


def test_a_folder_that_holds_something_is_left_alone_unless_forced(tmp_path: Path) -> None:
    store_files(tmp_path / "x", {"sales/domain.yaml": b"name: sales\n", "sales/policies.yaml": b"grants: []\n"})
    for name in ("README.md", "sales/pipeline.py", "sales/policies.test.yaml"):
        (tmp_path / "x" / name).write_text("mine")
    with pytest.raises(InvalidRequest, match="not empty, so nothing was written"):
        store_files(tmp_path / "x", {"finance/domain.yaml": b"name: finance\n"})
    assert not (tmp_path / "x" / "finance").exists()
    assert store_files(tmp_path / "x", {"sales/domain.yaml": b"name: s\n"}, force=True) == ["sales/domain.yaml"]
    left = sorted(str(it.relative_to(tmp_path / "x")) for it in (tmp_path / "x").rglob("*") if it.is_file())
    assert left == ["README.md", "sales/domain.yaml", "sales/pipeline.py", "sales/policies.test.yaml"]
    assert (tmp_path / "x" / "sales/domain.yaml").read_bytes() == b"name: s\n"
