"""What only Weaviate has: batches of which some fail, tenants, keys, TLS, aliases, backups; each on a real server."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or
from mesh_core.vectors.identifiers import collection_identifier
from mesh_core.vectors.store import (
    AllowedScope,
    CollectionMismatch,
    CollectionUnfinished,
    Published,
    StoreUnavailable,
    open_store,
)
from mesh_core.vectors.weaviate_rows import attribute_property
from tests.integration.test_vector_stores import EVERYTHING, passage, unit
from tests.integration.weaviate_server import running_weaviate, weaviate_binary

pytestmark = pytest.mark.weaviate
PAGES = "finance.memos.pages"


@pytest.fixture
def store(weaviate_url: str) -> Iterator[Any]:
    with closing(open_store(weaviate_url)) as opened:
        opened.ensure_collection(PAGES, dimensions=8, attributes={})
        yield opened
        opened.drop_collection(PAGES)


def test_objects_that_fail_are_tried_again_and_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mesh_core.vectors import weaviate_objects

    monkeypatch.setattr(weaviate_objects, "_PAUSE_SECONDS", 0)

    class Flaky:
        def __init__(self, failures: list[list[int]]) -> None:
            self.data = self
            self.failures = failures
            self.batches: list[list[str]] = []

        def insert_many(self, objects: list[Any]) -> SimpleNamespace:
            self.batches.append([it.properties["name"] for it in objects])
            return SimpleNamespace(
                errors={position: SimpleNamespace(message="shard is busy") for position in self.failures.pop(0)}
            )

    a, b, c = (SimpleNamespace(properties={"name": name}) for name in "abc")
    flaky = Flaky([[0, 2], [1], []])
    weaviate_objects.insert_all(flaky, [a, b, c], what="passages", named="name")
    assert flaky.batches == [["a", "b", "c"], ["a", "c"], ["c"]]
    with pytest.raises(StoreUnavailable, match=r"1 passages could not be stored after 3 attempts \('b': shard is busy\)"):
        weaviate_objects.insert_all(Flaky([[1], [0], [0]]), [a, b], what="passages", named="name")


def test_an_object_that_the_server_refuses_is_named_with_the_reason(store: Any) -> None:
    from weaviate.classes.data import DataObject

    from mesh_core.vectors.weaviate_objects import insert_all

    collection = store._collections.use(PAGES)
    store.stage(PAGES, 1, [passage("first")])
    wrong = [
        DataObject(properties={"passage_id": f"p{n}", "valid_from": 1, "valid_to": 2}, vector=[1.0] * (8 if n else 9))
        for n in range(3)
    ]
    with pytest.raises(StoreUnavailable, match=r"1 passages .*'p0': .*(length|dimension)"):
        insert_all(collection, wrong, what="passages", named="passage_id")


def test_passages_lie_in_the_tenant_of_their_domain(store: Any) -> None:
    store.stage(PAGES, 1, [passage("memo")])
    tenants = store._client.collections.use(collection_identifier(PAGES)).tenants.get()
    assert list(tenants) == ["finance"]
    store.ensure_collection("sales.memos.pages", dimensions=8, attributes={})
    store.stage("sales.memos.pages", 1, [passage("offer", tags=("secret",))])
    sets = [store._collections.tag_sets(name).aggregate.over_all(total_count=True) for name in (PAGES, "sales.memos.pages")]
    assert [it.total_count for it in sets] == [1, 1]
    store.drop_collection("sales.memos.pages")


def test_a_rebuild_that_stopped_half_way_is_swept_up_by_the_next(store: Any) -> None:
    store.stage(PAGES, 1, [passage(f"p{number}") for number in range(20)])
    identifier = collection_identifier(PAGES)
    store._collections._create(PAGES, 2, dimensions=8, attributes={})
    assert store.count(PAGES, 1) == 20
    assert store.rebuild(PAGES) == 20
    assert [it for it in store._client.collections.list_all(simple=True) if it.startswith(identifier)] == [f"{identifier}__2"]
    assert store.count(PAGES, 1) == 20
    store.drop_collection(PAGES)
    assert not [it for it in store._client.collections.list_all(simple=True) if it.startswith(identifier)]


@pytest.mark.slow
def test_a_server_with_keys_refuses_strangers_and_keeps_its_passages_over_a_restart(tmp_path: Path) -> None:
    keys = {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "right",
        "AUTHENTICATION_APIKEY_USERS": "mesh",
    }
    with running_weaviate(weaviate_binary(), tmp_path, keys) as url:
        with closing(open_store(url, api_key="right")) as store:
            store.ensure_collection("a.b.c", dimensions=8, attributes={})
            store.stage("a.b.c", 1, [passage(f"p{number}", vector=unit(1, number)) for number in range(50)])
        for key in (None, "wrong"):
            with pytest.raises(StoreUnavailable), closing(open_store(url, api_key=key)) as store:
                store.count("a.b.c", 1)
    with running_weaviate(weaviate_binary(), tmp_path, keys) as url, closing(open_store(url, api_key="right")) as store:
        hits = store.search("a.b.c", text="", vector=unit(1), version=1, scope=EVERYTHING, limit=3)
    assert [hit.passage.id for hit in hits] == ["p0", "p1", "p2"]


@pytest.mark.slow
def test_a_server_that_indexes_what_it_acknowledged_later_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(StoreUnavailable, match=r"is run with ASYNC_INDEXING, .*: start it without\.$")
    with running_weaviate(weaviate_binary(), tmp_path, {"ASYNC_INDEXING": "true"}) as url, refused:
        open_store(url)


@pytest.mark.slow
def test_a_key_without_the_rights_to_statistics_and_tenants_is_told_of_with_the_rights_to_grant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "root,mesh",
        "AUTHENTICATION_APIKEY_USERS": "root,mesh",
        "AUTHORIZATION_RBAC_ENABLED": "true",
        "AUTHORIZATION_RBAC_ROOT_USERS": "root",
    }
    rights = [
        {"action": f"{verb}_{kind}", **places}
        for verb in ("create", "read", "update", "delete")
        for kind, places in (
            ("collections", {"collections": {"collection": "*"}}),
            ("data", {"data": {"collection": "*", "tenant": "*", "object": "*"}}),
            ("tenants", {"tenants": {"collection": "*", "tenant": "*"}}),
            ("aliases", {"aliases": {"collection": "*", "alias": "*"}}),
        )
        if (verb, kind) != ("update", "tenants")
    ]
    with running_weaviate(weaviate_binary(), tmp_path, keys) as url:
        _as_root(url, "/v1/authz/roles", {"name": "mesh", "permissions": rights})
        _as_root(url, "/v1/authz/users/mesh/assign", {"roles": ["mesh"], "userType": "db"})
        with closing(open_store(url, api_key="mesh")) as store:
            for version in (1, 2):
                store.ensure_collection("a.b.c", dimensions=8, attributes={})
                store.stage("a.b.c", version, [passage(f"p{number}", vector=unit(1, number)) for number in range(5)])
            hits = store.search(
                "a.b.c", text="", vector=unit(1), version=2, scope=EVERYTHING, limit=3, published=Published(5, 1, 5)
            )
    assert [hit.passage.id for hit in hits] == ["p0", "p1", "p2"]
    assert [it.getMessage() for it in caplog.records if "read_cluster" in it.getMessage()] == [
        "weaviate.statistics_unknown error=InsufficientPermissionsError: grant the API key of the mesh the right read_cluster, "
        "or passages that Weaviate lost when it was started anew are noticed up to an hour later, where it would be a minute."
    ]
    assert [it.getMessage() for it in caplog.records if "update_tenants" in it.getMessage()] == [
        "weaviate.tenant_not_settled collection=a.b.c: grant the API key of the mesh the right update_tenants, or new "
        "passages are ranked wrongly by their words until Weaviate has written them, up to a minute later."
    ]


def _as_root(url: str, path: str, body: dict[str, object]) -> None:
    address = url.partition("://")[2].partition("?")[0]
    headers = {"Authorization": "Bearer root", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}{path}", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request).close()


@pytest.mark.slow
@pytest.mark.parametrize("count", [50, 1000])
def test_a_small_collection_is_searchable_after_a_backup_was_restored(tmp_path: Path, count: int) -> None:
    settings = {"ENABLE_MODULES": "backup-filesystem", "BACKUP_FILESYSTEM_PATH": str(tmp_path / "backups")}
    random = np.random.default_rng(3)
    vectors = random.normal(size=(count, 8)).astype(np.float32)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    offered = [passage(f"p{number}", vector=vectors[number]) for number in range(count)]

    def found(store: Any) -> list[list[str]]:
        asked = [{"text": "", "vector": list(it), "version": 1, "scope": EVERYTHING, "limit": 10} for it in vectors[:20]]
        return [[hit.passage.id for hit in store.search(PAGES, **it)] for it in asked]

    with running_weaviate(weaviate_binary(), tmp_path / "one", settings) as url, closing(open_store(url)) as store:
        store.ensure_collection(PAGES, dimensions=8, attributes={})
        store.stage(PAGES, 1, offered)
        before = found(store)
        store._client.backup.create(backup_id="b1", backend="filesystem", wait_for_completion=True)
    with running_weaviate(weaviate_binary(), tmp_path / "two", settings) as url, closing(open_store(url)) as store:
        store._client.backup.restore(backup_id="b1", backend="filesystem", wait_for_completion=True)
        assert store.count(PAGES, 1) == count
        assert store.rebuild(PAGES) == count
        assert found(store) == before


@pytest.mark.slow
def test_passages_travel_over_tls_to_a_server_of_a_private_authority(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path)
    settings = {
        "TLS_CERTIFICATE": str(certificate),
        "TLS_PRIVATE_KEY": str(key),
        "GRPC_CERT_FILE": str(certificate),
        "GRPC_KEY_FILE": str(key),
    }
    program = textwrap.dedent(
        """
        import sys
        from contextlib import closing
        from mesh_core.vectors.store import open_store
        from tests.integration.test_vector_stores import EVERYTHING, passage, unit

        with closing(open_store(sys.argv[1])) as store:
            store.ensure_collection("a.b.c", dimensions=8, attributes={})
            store.stage("a.b.c", 1, [passage("safe", vector=unit(1))])
            hits = store.search("a.b.c", text="", vector=unit(1), version=1, scope=EVERYTHING, limit=3)
            print([hit.passage.id for hit in hits])
        """
    )
    with running_weaviate(weaviate_binary(), tmp_path, settings, certificate=certificate) as url:
        trusting = {"SSL_CERT_FILE": str(certificate), "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate)}
        command = [sys.executable, "-c", program, url]
        told = subprocess.run(command, env={**os.environ, **trusting}, capture_output=True, text=True, timeout=50)
        assert told.stdout.strip() == "['safe']", told.stderr
        stranger = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=50)
        assert "StoreUnavailable" in stranger.stderr
        assert "['safe']" not in stranger.stdout


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(kept)
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.slow
def test_a_module_of_weaviate_embeds_passages_and_questions(tmp_path: Path) -> None:
    from mesh_core.embedding import EmbedderUnavailable, open_embedder
    from tests.unit.test_embedding_endpoint import Endpoint

    endpoint = Endpoint()
    endpoint.answer = lambda texts: {"embeddings": [[len(text), 4.0, 0.0] for text in texts]}
    with running_weaviate(weaviate_binary(), tmp_path, {"ENABLE_MODULES": "text2vec-ollama"}) as url:
        base = f"apiEndpoint=http://127.0.0.1:{endpoint.server.server_port}"
        embedder: Any = open_embedder(f"{url}&module=text2vec-ollama&model=nomic&dimensions=3&{base}")
        assert (embedder.model, embedder.dimensions) == ("text2vec-ollama/nomic@3", 3)
        assert embedder.embed([]).shape == (0, 3)
        texts = ["abc", "A" * 300, *("x" * length for length in range(1, 200))]
        wanted = np.array([[len(text), 4.0, 0.0] for text in texts])
        np.testing.assert_allclose(
            embedder.embed(texts), wanted / np.linalg.norm(wanted, axis=1, keepdims=True), rtol=1e-5, atol=1e-6
        )
        assert {body["model"] for _, body, _ in endpoint.asked} == {"nomic"}
        assert "A" * 300 in {text for _, body, _ in endpoint.asked for text in body["input"]}
        endpoint.answer = lambda texts: {"embeddings": [[1.0, 2.0] for _ in texts]}
        with pytest.raises(EmbedderUnavailable, match=r"text2vec-ollama.*wrong size: 2"):
            embedder.embed(["abc"])
        endpoint.status = 500
        with pytest.raises(EmbedderUnavailable, match=r"could not embed with text2vec-ollama.*500"):
            embedder.embed(["abc"])
        absent: Any = open_embedder(f"{url}&module=text2vec-absent&model=m&dimensions=3")
        with pytest.raises(EmbedderUnavailable, match="ENABLE_MODULES"):
            absent.embed(["abc"])
        embedder.close()
        absent.close()
    endpoint.server.server_close()
    endpoint.server.shutdown()
    with pytest.raises(EmbedderUnavailable, match="state address, module, model and dimension"):
        open_embedder("weaviate://127.0.0.1:1?grpc_port=2")


@pytest.mark.parametrize("removed_by", ["erase", "prune", "unstage"])
def test_short_passages_come_before_long_ones_after_others_were_removed(store: Any, removed_by: str) -> None:
    long, short = (f"voucher {' '.join('paper' for _ in range(n))}" for n in (80, 4))
    offered = [passage(f"p{n:03}", text=long if n % 2 else short) for n in range(60)]
    gone = [passage(f"gone-{n}", text="a secret voucher") for n in range(20)]
    asked: dict[str, Any] = {"text": "voucher", "vector": unit(1), "scope": EVERYTHING, "limit": 30, "alpha": 0}
    store.stage(PAGES, 1, [*offered, *(gone if removed_by != "unstage" else ())])
    store.stage(PAGES, 2, offered if removed_by != "unstage" else [*offered, *gone])
    time.sleep(12)  # Weaviate has written to disk what there is: tests have it do so after 5 s
    if removed_by == "erase":
        assert store.erase(PAGES, lambda text: "secret" in text) == 20
    elif removed_by == "prune":
        assert store.prune(PAGES, [2]) == 20
    else:
        store.unstage(PAGES, 2)
    time.sleep(12)
    found = [hit.passage for hit in store.search(PAGES, version=2, **asked)]
    assert {it.text for it in found} == {short}
    assert store.count(PAGES, 2) == 60


def test_a_collection_that_does_not_know_what_its_passages_lack_is_unfinished_until_it_is_built_anew(store: Any) -> None:
    store.stage(PAGES, 1, [passage("old")])
    store._collections.add_property(PAGES, attribute_property("colour", str))  # as it was done before, and no more
    colour = Column("colour")

    def kept(expression: Expression) -> set[str]:
        found = store.search(PAGES, text="", vector=unit(1), version=1, scope=AllowedScope(expression), limit=9)
        return {it.passage.id for it in found}

    assert kept(Not(IsNull(colour))) == set()
    for _ in range(2):
        with pytest.raises(CollectionUnfinished, match="of 1 passages"):
            kept(IsNull(colour))
    store.rebuild(PAGES)
    assert kept(IsNull(colour)) == {"old"}


def test_what_a_new_attribute_needed_and_broke_off_is_made_up_for_at_the_next_publication(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def publish(version: int, *ids: str) -> Any:
        store.ensure_collection(PAGES, dimensions=8, attributes={"colour": str})
        store.stage(PAGES, version, [passage(name) for name in ids])
        return store._collections._target(PAGES)

    store.stage(PAGES, 1, [passage("old"), passage("past")])
    with monkeypatch.context() as patched:
        patched.setattr(store._collections, "rebuild", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(2, "old", "new")
    built_anew = publish(2, "old", "new")
    scope = AllowedScope(IsNull(Column("colour")))
    for version, ids in ((1, {"old", "past"}), (2, {"old", "new"})):
        hits = store.search(PAGES, text="", vector=unit(1), version=version, scope=scope, limit=9)
        assert {it.passage.id for it in hits} == ids
    assert publish(3, "old") == built_anew != f"{collection_identifier(PAGES)}__1"
    assert publish(4, "old") == built_anew


@pytest.mark.parametrize("is_cut", [False, True])
def test_negations_over_many_values_are_exact_and_leave_out_what_has_none(store: Any, is_cut: bool) -> None:
    values = [f"r{n:04}" for n in range(1100)]
    some = {"none": None, "star": "a*b", "blank": " ", "line": "r0\n1"}
    store.ensure_collection(PAGES, dimensions=8, attributes={"region": str, "size": int})
    offered = [passage(value, region=value, size=n) for n, value in enumerate(values if is_cut else values[:50])]
    offered += [passage(name, size=2000, **({} if value is None else {"region": value})) for name, value in some.items()]
    store.stage(PAGES, 1, offered)
    region, last = Column("region"), Compare(">=", Column("size"), Literal(45))

    def kept(expression: Expression) -> set[str]:
        scope = AllowedScope(And((expression, last)))
        return {it.passage.id for it in store.search(PAGES, text="", vector=unit(1), version=1, scope=scope, limit=2000)}

    regions = {it.id: it.attributes.get("region") for it in offered if int(it.attributes["size"]) >= 45}
    there = {name: value for name, value in regions.items() if value is not None}
    assert kept(Compare("!=", region, Literal("r0047"))) == there.keys() - {"r0047"}
    assert kept(Not(In(region, (Literal("r0047"), Literal(" "))))) == there.keys() - {"r0047", "blank"}
    assert kept(Not(In(region, (Literal("r0047"), Literal(None))))) == set()
    if is_cut:
        with pytest.raises(CollectionMismatch, match="NOT LIKE"):
            kept(Not(Like(region, "r004%")))
    else:
        assert kept(Not(Like(region, "r0%1"))) == there.keys() - {name for name in there if name[:2] + name[-1:] == "r01"} - {
            "line"
        }
        assert kept(Like(region, "a*%")) == {"star"}
    assert kept(Not(IsNull(region))) == there.keys()
    assert kept(Not(Or((Compare("=", region, Literal("r0047")), Compare("=", region, Literal("a*b")))))) == (
        there.keys() - {"r0047", "star"}
    )
    assert kept(Or((Compare("!=", region, Literal("r0047")), Compare("=", Column("size"), Literal(47))))) == there.keys()


def _said(number: int, *, most: int, word: str = "ferry") -> Any:
    """A passage of sixteen words, of which it says one the more often the more its number is like `most`."""
    often = 8 if number == most else 1
    return passage(f"p{number}", text=" ".join([word] * often + ["harbour"] * (16 - often)), vector=unit(1, number))


def test_what_was_just_published_is_found_by_its_words_whatever_weaviate_has_written(tmp_path: Path) -> None:
    """Not after the first hundred that hold them, which is what Weaviate 1.35 finds until it has written its segments."""

    def best(version: int, word: str) -> str:
        (hit,) = store.search(PAGES, text=word, vector=unit(1), version=version, scope=EVERYTHING, limit=1, alpha=0)
        return str(hit.passage.id)

    never = {"PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "600"}
    with running_weaviate(weaviate_binary(), tmp_path, never) as url, closing(open_store(url)) as store:
        store.ensure_collection(PAGES, dimensions=8, attributes={})
        store.stage(PAGES, 1, [_said(number, most=280) for number in range(300)])
        assert best(1, "ferry") == "p280"
        store.rebuild(PAGES)
        assert best(1, "ferry") == "p280"
        store.stage(PAGES, 2, [_said(number, most=270, word="tram") for number in range(300)])
        assert (best(1, "ferry"), best(2, "tram")) == ("p280", "p270")


def test_a_collection_whose_publication_was_killed_while_weaviate_wrote_is_published_again(store: Any) -> None:
    passages = [passage(f"p{number}", vector=unit(1, number)) for number in range(5)]
    store.stage(PAGES, 1, passages)
    used = store._client.collections.use(f"{collection_identifier(PAGES)}__1")
    used.tenants.deactivate("finance")  # and no more
    assert store.stage(PAGES, 1, passages).added == 5
    hits = store.search(PAGES, text="", vector=unit(1), version=1, scope=EVERYTHING, limit=1)
    assert [hit.passage.id for hit in hits] == ["p0"]


def test_an_older_collection_whose_first_publication_was_killed_while_weaviate_wrote_is_published_again(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weaviate.classes.config import Reconfigure
    from weaviate.classes.tenants import TenantActivityStatus

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    passages = [passage(f"p{number}", vector=unit(1, number)) for number in range(5)]
    used = store._client.collections.use(f"{collection_identifier(PAGES)}__1")
    used.config.update(multi_tenancy_config=Reconfigure.multi_tenancy(auto_tenant_activation=False))
    with monkeypatch.context() as patched:
        patched.setattr(type(used.tenants), "activate", killed)
        with pytest.raises(KeyboardInterrupt):
            store.stage(PAGES, 1, passages)
    assert used.tenants.get_by_name("finance").activity_status is not TenantActivityStatus.ACTIVE
    store.ensure_collection(PAGES, dimensions=8, attributes={"colour": str})
    assert store.stage(PAGES, 1, passages).added == 5
    assert store.count(PAGES, 1) == 5
