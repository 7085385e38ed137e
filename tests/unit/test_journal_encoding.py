from __future__ import annotations

import contextlib
import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainmesh.v1 import journal_pb2
from governance_server.journal.body import BodyUnreadable, decode_body, encode_body
from governance_server.journal.chain import GENESIS, Link, link_hash
from governance_server.rules.apply import ResourceWrite, domain_of

TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
WRITES = st.lists(st.builds(ResourceWrite, kind=TEXT, name=TEXT, body=st.none() | st.binary(max_size=300)), max_size=6)
LINKS = st.builds(
    Link,
    revision=st.integers(1, 2**63 - 1),
    time_us=st.integers(-(2**63), 2**63 - 1),
    principal=TEXT,
    request_id=TEXT,
    kind=TEXT,
    subject=TEXT,
    previous_hash=st.binary(min_size=32, max_size=32),
    body_digest=st.binary(min_size=32, max_size=32),
)


@given(WRITES)
def test_a_stored_body_is_what_protobuf_itself_would_write(writes: list[ResourceWrite]) -> None:
    message = journal_pb2.ChangeBody(
        writes=[
            journal_pb2.ResourceWrite(kind=write.kind, name=write.name, resource=write.body or b"", is_removed=write.body is None)
            for write in writes
        ]
    )
    assert encode_body(writes) == message.SerializeToString(deterministic=True)
    assert decode_body(message.SerializeToString()) == tuple(writes)


@given(WRITES.filter(bool), st.data())
def test_a_body_that_breaks_off_is_refused_or_is_another_body(writes: list[ResourceWrite], data: st.DataObject) -> None:
    body = encode_body(writes)
    shorter = body[: data.draw(st.integers(0, len(body) - 1))]
    with contextlib.suppress(BodyUnreadable):
        assert decode_body(shorter) != tuple(writes)


def test_a_field_of_a_newer_release_is_refused_and_not_dropped() -> None:
    with pytest.raises(BodyUnreadable, match="newer release"):
        decode_body(b"\x0a\x05\x0a\x01k\x28\x01")


def test_the_hash_covers_the_documented_bytes() -> None:
    link = Link(7, 1_000_000, "user:ana", "r", "grant.created", "finance.ledger", GENESIS, hashlib.sha256(b"body").digest())
    framed = [struct.pack(">I", len(text)) + text for text in (b"user:ana", b"r", b"grant.created", b"finance.ledger")]
    head = b"domainmesh.change.v1\0" + b"\0\0\0\x20" + bytes(32) + struct.pack(">Qq", 7, 1_000_000)
    expected = head + b"".join(framed) + b"\0\0\0\x20" + hashlib.sha256(b"body").digest()
    assert link_hash(link) == hashlib.sha256(expected).digest()


@given(LINKS, LINKS)
def test_two_different_links_have_different_hashes(left: Link, right: Link) -> None:
    assert (link_hash(left) == link_hash(right)) == (left == right)


@given(LINKS, st.text("ab", min_size=1, max_size=5))
def test_text_moved_from_one_field_to_the_next_changes_the_hash(link: Link, text: str) -> None:
    left = replace(link, kind=link.kind + text)
    right = replace(link, subject=text + link.subject)
    assert link_hash(left) != link_hash(right)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("finance", "finance"),
        ("finance.ledger", "finance"),
        ("finance/grants/7", "finance"),
        ("finance.ledger.entries#amount", "finance"),
        ("user:ana.smith", ""),
        ("7", ""),
        ("Finance.x", ""),
        ("", ""),
    ],
)
def test_a_resource_belongs_to_the_domain_its_name_starts_with(name: str, domain: str) -> None:
    assert domain_of(name) == domain
