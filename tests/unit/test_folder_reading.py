"""A folder is read whole or refused whole, with every problem of every file at its line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from domain_sdk.errors import InvalidRequest
from domain_sdk.folder import read_folder, tree_of
from domain_sdk.folder.layout import CENTRE_FILES, DOMAIN_FILES
from domain_sdk.folder.schema import schema_text
from domainmesh.v1 import domain_pb2, grant_pb2
from mesh_core.masks import Mask

DOMAIN = b"name: sales\ndescription: Orders.\n"
GRANT = """\
  - id: {id}
    subject: "group:analysts"
    resource: sales.orders
    actions: [discover, read]
"""


def problems_of(**files: str | bytes) -> list[str]:
    """`path:line: message` of each problem; `policies` stands for `sales/policies.yaml`."""
    given = {"sales/domain.yaml": DOMAIN}
    given |= {f"sales/{name}.yaml": text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return [f"{it.place}: {it.message}" for it in sorted(tree_of(given)[1])]


def test_a_domain_folder_is_its_description_its_roles_and_its_grants() -> None:
    policies = (
        'roles:\n  - name: "role:clerk"\n    members: ["user:ana"]\ngrants:\n  - id: clerks\n    subject: "role:clerk"\n'
        "    resource: sales.orders.orders\n    actions: [read]\n    purpose: invoicing\n    columns: [id, email]\n"
        "    rows: \"region = 'EU'\"\n"
        "    masks:\n      email: show-last-4\n    since: 2026-01-01\n    until: 2027-01-01T12:30:00Z\n"
        "    reason: They call customers.\n"
    )
    tree, problems = tree_of({"domain.yaml": DOMAIN, "policies.yaml": policies.encode()})
    assert problems == []
    (source,) = tree.sources
    domain, grant = (entry.resource for entry in source.entries)
    assert (source.name, source.folder, [str(it.place) for it in source.entries]) == (
        "domain:sales",
        "",
        ["domain.yaml:1", "policies.yaml:5"],
    )
    assert domain == domain_pb2.Domain(
        name="sales", description="Orders.", roles=[domain_pb2.DomainRole(name="role:clerk", members=["user:ana"])]
    )
    expected = grant_pb2.Grant(
        id="sales:clerks",
        subject="role:clerk",
        resource="sales.orders.orders",
        actions=["read"],
        effect=grant_pb2.EFFECT_ALLOW,
        purpose="invoicing",
        columns=["id", "email"],
        row_filter="region = 'EU'",
        masks=[grant_pb2.ColumnMask(column="email", mask="show-last-4")],
        reason="They call customers.",
    )
    expected.start_time.FromJsonString("2026-01-01T00:00:00Z")
    expected.expire_time.FromJsonString("2027-01-01T12:30:00Z")
    assert grant == expected


def test_the_sample_domains_are_read() -> None:
    tree = read_folder(Path(__file__).parents[2] / "sample_domains")
    assert [source.name for source in tree.sources] == [
        "centre",
        "domain:finance",
        "domain:policy",
        "domain:sales",
        "domain:service",
    ]
    assert [it.product for source in tree.sources for it in source.contracts] == [
        "finance.ledger",
        "finance.revenue",
        "policy.handbook",
        "sales.customers",
        "sales.orders",
        "service.customer360",
    ]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ("grant: []\n", "sales/policies.yaml:1: grant: there is no such key: did you mean grants?"),
        ("grants: []\ngrants: []\n", "sales/policies.yaml:2: the key 'grants' stands twice in one mapping; keep one."),
        ("grants: {}\n", "sales/policies.yaml:1: grants: must be a list, not a mapping."),
        ("grants:\n\t- id: a\n", "sales/policies.yaml:2: this is not YAML: a tab stands where only spaces may indent."),
        ("- 1\n", "sales/policies.yaml:1: must be a mapping, not a list."),
        ("", "sales/policies.yaml: the text is empty."),
        ("grants: []\n---\ngrants: []\n", "sales/policies.yaml:2: a second document begins; a file is one document."),
        ("grants: !!python/name:os.system\n", "tag:yaml.org,2002:python/name:os.system is not read; remove it."),
        (
            "<<<<<<< HEAD\ngrants: []\n=======\ngrants: []\n>>>>>>> theirs\n",
            "sales/policies.yaml:1: a merge conflict is not resolved: decide it and remove its markers.",
        ),
        (
            "grants:\n" + GRANT.format(id="a") + GRANT.format(id="a"),
            "sales/policies.yaml:6: a stands twice, first on line 2: keep one.",
        ),
        ("grants:\n" + GRANT.format(id="2"), "sales/policies.yaml:2: grants[0].id: must be a text, not the number 2; put it in"),
        ("grants:\n" + GRANT.format(id="a\n    untill: x"), "sales/policies.yaml:3: grants[0].untill: there is no such key: did"),
        ("grants:\n" + GRANT.format(id="a\n    columns: []"), "sales/policies.yaml:3: grants[0].columns: must not be empty."),
        ("grants:\n" + GRANT.format(id="a\n    until: soon"), "sales/policies.yaml:3: grants[0].until: 'soon' is not a day like"),
        ("grants:\n" + GRANT.format(id="a\n    until: 2027-02-30"), "sales/policies.yaml:2: '2027-02-30' is no day and no time"),
        (
            "grants:\n" + GRANT.format(id="a").replace("sales.orders", "finance.ledger"),
            "sales/policies.yaml:4: finance.ledger is not sales's: the folder of sales holds grants on sales only.",
        ),
        ("grants:\n" + GRANT.format(id="a").replace("sales.orders", "mesh"), "mesh is not sales's"),
        (
            "grants:\n" + GRANT.format(id="a").replace("read]", "peek]"),
            "sales/policies.yaml:5: grants[0].actions[1]: 'peek' is none",
        ),
        (
            "grants:\n" + GRANT.format(id="a").replace("discover, read", "read, read"),
            "sales/policies.yaml:5: grants[0].actions: 'read' stands twice: keep one.",
        ),
        ("grants:\n  - id: a\n", "sales/policies.yaml:2: grants[0]: subject is missing."),
        ("grants: [" * 100, "nesting is deeper than 64 levels."),
    ],
)
def test_what_is_wrong_is_one_clear_sentence_at_its_line(policies: str, expected: str) -> None:
    assert any(expected in found for found in problems_of(policies=policies)), problems_of(policies=policies)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbfgrants: []\n", ":1: the file begins with a byte order mark: save it as UTF-8 without one."),
        ("grants: []\n".encode("utf-16"), ":1: the file begins with a byte order mark: save it as UTF-8 without one."),
        (b"grants: []\n# caf\xe9\n", ":2: byte 16 is not UTF-8: save the file as UTF-8."),
        (b"grants: []\x00\n", ":1: this is not YAML"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, expected: str) -> None:
    (problem,) = problems_of(policies=data)
    assert problem.startswith(f"sales/policies.yaml{expected}"), problem


def test_anchors_that_multiply_are_refused_in_no_time() -> None:
    layers = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    started = time.process_time()
    (problem,) = problems_of(policies=f"a0: &a0 [x]\n{layers}")
    assert "nodes once aliases are expanded" in problem
    assert time.process_time() - started < 10


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    for path, text in {
        "sales/domain.yaml": "name: Sales\n",
        "sales/policies.yaml": "grants:\n  - id: a\n",
        "sales/policies.test.yaml": "test: []\n",
        "sales/orders/contract.odcs.yaml": "apiVersion: v3.1.0\nkind: DataContract\n",
        "mesh/guardrails.yaml": "guardrails:\n  - id: x\n    resource: mesh\n    mask: hash\n    rows: a\n",
        "mesh/principals.yaml": "principals:\n  - name: ana\n",
        "finance/policies.yaml": "grants: []\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    with pytest.raises(InvalidRequest) as caught:
        read_folder(tmp_path)
    places = {it.path.partition(":")[0] for it in caught.value.violations}
    assert places == {
        "sales/domain.yaml",
        "sales/policies.yaml",
        "sales/policies.test.yaml",
        "sales/orders/contract.odcs.yaml",
        "mesh/guardrails.yaml",
        "mesh/principals.yaml",
        "finance/policies.yaml",
    }
    told = str(caught.value)
    assert "give exactly one of mask, rows and deny_read" in told
    assert "'hash' is none of" in told
    assert "nothing was sent" in told


def test_a_contract_is_judged_by_the_standard_at_its_line() -> None:
    text = b"apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - nmae: orders\n"
    problems = tree_of({"domain.yaml": DOMAIN, "orders/contract.odcs.yaml": text})[1]
    assert any(it.place.line == 7 and "'nmae' is not a field of ODCS" in it.message for it in problems), problems


def test_a_file_that_is_misspelt_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "domain.yaml").write_bytes(DOMAIN)
    for name in ("policy.yaml", "policies.yml", "Policies.yaml"):
        (tmp_path / name).write_text("grants: []\n")
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    with pytest.raises(InvalidRequest) as caught:
        read_folder(tmp_path)
    assert [it.path for it in caught.value.violations] == ["Policies.yaml", "policies.yml", "policy.yaml"]
    assert all("did you mean policies.yaml?" in it.message for it in caught.value.violations)


def test_a_huge_file_is_refused_unread_and_a_pipe_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "domain.yaml").write_bytes(DOMAIN)
    with (tmp_path / "policies.yaml").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    os.mkfifo(tmp_path / "policies.test.yaml")
    with pytest.raises(InvalidRequest) as caught:
        read_folder(tmp_path)
    assert [str(it) for it in caught.value.violations] == [
        "policies.test.yaml: it is no file.",
        "policies.yaml: it has 52,428,800 bytes; at most 4,194,304 are read.",
    ]


def test_two_folders_of_one_domain_are_refused() -> None:
    problems = tree_of({"a/domain.yaml": DOMAIN, "b/domain.yaml": DOMAIN})[1]
    assert [f"{it.place}: {it.message}" for it in problems] == ["b: domain:sales is stated in a already: keep one of them."]


def test_a_folder_without_anybody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="1 problem"):
        read_folder(tmp_path)
    with pytest.raises(InvalidRequest, match="is no folder"):
        read_folder(tmp_path / "absent")


def test_every_file_has_a_schema_that_ships_and_knows_every_mask() -> None:
    for schema in {*DOMAIN_FILES.values(), *CENTRE_FILES.values()}:
        assert schema_text(schema).startswith("{")
    for schema in ("policies", "guardrails"):
        assert all(f'"{mask.value}"' in schema_text(schema) for mask in Mask)
