"""The mesh in git against a real server: plan, apply, drift, pruning, export, two persons, two people at once."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain_sdk import Mesh
from domain_sdk.cli import main
from domain_sdk.errors import AccessDenied, Conflict, InvalidRequest
from domain_sdk.folder import apply_source, plan_source, read_folder
from tests.integration.sdk_server import People, running_server

CENTRE = {
    "domains.yaml": 'domains:\n  - name: shop\n    title: Shop\n    owners: ["user:olga"]\n',
    "principals.yaml": (
        'principals:\n  - name: "user:olga"\n    title: Olga\n'
        '  - name: "user:ana"\n    groups: ["group:analysts"]\n    attributes:\n      region: EU\n'
    ),
    "purposes.yaml": "purposes:\n  - name: analytics\n  - name: forecasting\n    parent: analytics\n",
    "tags.yaml": "tags:\n  - tag: pii.email\n    description: Addresses.\n",
    "guardrails.yaml": (
        'guardrails:\n  - id: mask-mail\n    resource: "tag:pii.email"\n    mask: replace-with-null\n'
        '    exempt: ["domain:shop"]\n'
    ),
    "policies.yaml": 'grants:\n  - id: everyone\n    subject: "*"\n    resource: mesh\n    actions: [discover, request]\n',
}
POLICIES = """\
roles:
  - name: "role:clerk"
    members: ["user:ana"]
grants:
  - id: analysts-read
    subject: "group:analysts"
    resource: shop.orders
    actions: [discover, read]
    reason: They plan.
  - id: clerks-write
    subject: "role:clerk"
    resource: shop.orders
    actions: [write]
approval_rules:
  - id: forecasts
    subjects: ["group:analysts"]
    resource: shop.orders
    purpose: forecasting
    longest_days: 30
"""


def laid_out(root: Path, *, policies: str = POLICIES) -> Path:
    """A tree with the centre and the domain shop."""
    for path, text in {
        **{f"mesh/{name}": text for name, text in CENTRE.items()},
        "shop/domain.yaml": "name: shop\ndescription: What we sell.\n",
        "shop/policies.yaml": policies,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with running_server(tmp_path / "home") as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path, people: People) -> Path:
    """A tree that has been applied: the centre's by the administrator, shop by olga."""
    root = laid_out(tmp_path / "git")
    people.admin.changes.apply_folder(root / "mesh")
    people["user:olga"].changes.apply_folder(root / "shop")
    return root


def head(mesh: Mesh) -> int:
    return mesh.status().revision


def test_a_folder_becomes_the_mesh_and_applied_again_it_leaves_no_trace(people: People, tree: Path) -> None:
    admin, olga = people.admin, people["user:olga"]
    shop = admin.show("shop")
    assert (shop.name, shop.title, shop.description, shop.owners) == ("shop", "Shop", "What we sell.", ("user:olga",))
    assert {it.name: it.groups for it in admin.admin.principals()}["user:ana"] == ("group:analysts",)
    assert {it.id: (it.subject, it.actions, it.grantor) for it in olga.grants(resource="shop")} == {
        "shop:analysts-read": ("group:analysts", ("discover", "read"), "user:olga"),
        "shop:clerks-write": ("role:clerk", ("write",), "user:olga"),
    }
    assert people["user:ana"].check("write", "shop.orders")
    assert people["user:ana"].check("discover", "mesh")
    before = head(admin)
    assert admin.changes.plan_folder(tree / "mesh").is_empty
    assert olga.changes.plan_folder(tree / "shop").is_empty
    again = [*admin.changes.apply_folder(tree / "mesh"), *olga.changes.apply_folder(tree / "shop")]
    assert [it.changes for it in again] == [(), ()]
    assert head(admin) == before


def test_what_somebody_changes_by_hand_is_shown_as_drift_and_put_right(people: People, tree: Path) -> None:
    olga = people["user:olga"]
    olga.revoke("shop:analysts-read", reason="by hand")
    assert not people["user:ana"].check("read", "shop.orders")
    (planned,) = olga.changes.plan_folder(tree / "shop").sources
    assert planned.plan is not None
    (change,) = [it for it in planned.plan.changes if it.action != "unchanged"]
    assert (change.action, change.kind, change.name) == ("create", "grant", "shop:analysts-read")
    assert {it.field: (it.before, it.after) for it in change.drift}["subject"] == ("group:analysts", "")
    olga.changes.apply_folder(tree / "shop")
    assert people["user:ana"].check("read", "shop.orders")
    assert olga.changes.plan_folder(tree / "shop").is_empty


def test_the_centre_and_a_domain_each_keep_their_share_of_a_domain(people: People, tree: Path) -> None:
    admin, olga = people.admin, people["user:olga"]
    (tree / "mesh/domains.yaml").write_text(CENTRE["domains.yaml"].replace("title: Shop", "title: The shop"))
    admin.changes.apply_folder(tree / "mesh")
    (planned,) = olga.changes.plan_folder(tree / "shop").sources
    assert planned.is_empty  # no drift either: the title was never hers
    assert planned.plan is not None
    assert not [it for it in planned.plan.changes if it.drift]
    (tree / "shop/domain.yaml").write_text("name: shop\ndescription: All we sell.\n")
    olga.changes.apply_folder(tree / "shop")
    assert admin.changes.plan_folder(tree / "mesh").is_empty
    shop = admin.show("shop")
    assert (shop.title, shop.description) == ("The shop", "All we sell.")


def test_what_the_folder_names_no_more_ends_and_what_it_never_named_stays(people: People, tree: Path) -> None:
    olga = people["user:olga"]
    by_hand = olga.grant("user:ana", "shop.orders", actions=["discover"])
    without = POLICIES.replace(POLICIES[POLICIES.index("  - id: clerks-write") : POLICIES.index("approval_rules")], "")
    laid_out(tree, policies=without)
    (planned,) = olga.changes.plan_folder(tree / "shop").sources
    assert planned.plan is not None
    assert [(it.action, it.name, it.is_pruned) for it in planned.plan.changes if it.action != "unchanged"] == [
        ("delete", "shop:clerks-write", True)
    ]
    assert planned.plan.unmanaged == (f"grant {by_hand.id}",)
    olga.changes.apply_folder(tree / "shop")
    assert {it.id: it.is_revoked for it in olga.grants(resource="shop")} == {
        "shop:analysts-read": False,
        "shop:clerks-write": True,
        by_hand.id: False,
    }
    assert not people["user:ana"].check("write", "shop.orders")


def test_a_half_bad_folder_changes_nothing_and_every_problem_is_told_at_its_line(people: People, tree: Path) -> None:
    olga, admin = people["user:olga"], people.admin
    bad = POLICIES.replace("purpose: forecasting", "purpose: forecastin").replace(
        "actions: [write]", "actions: [write]\n    rows: x"
    )
    laid_out(tree, policies=bad.replace("reason: They plan.", "reason: They plan more."))
    before = head(admin)
    with pytest.raises(InvalidRequest) as caught:
        olga.changes.apply_folder(tree / "shop")
    lines = (tree / "shop/policies.yaml").read_text().splitlines()
    told = {it.path: it.message for it in caught.value.violations}
    grant = f"policies.yaml:{lines.index('  - id: clerks-write') + 1}"
    rule = f"policies.yaml:{lines.index('  - id: forecasts') + 1}"
    assert "shop:clerks-write" in told[grant]
    assert "There is no purpose 'forecastin'" in told[rule]
    assert head(admin) == before
    assert all(it.reason != "They plan more." for it in olga.grants(resource="shop"))


def test_a_folder_is_not_for_who_does_not_administer_it(people: People, tree: Path) -> None:
    with pytest.raises(AccessDenied):
        people["user:ana"].changes.plan_folder(tree / "shop")
    with pytest.raises(AccessDenied):
        people["user:olga"].changes.apply_folder(tree / "mesh")


def test_an_export_says_what_is_and_applied_to_an_empty_mesh_it_is_exported_again_byte_for_byte(
    people: People, tree: Path, tmp_path: Path
) -> None:
    admin, olga = people.admin, people["user:olga"]
    olga.grant("user:ana", "shop.orders", actions=["read"], purpose="analytics", until="2099-01-01", reason='odd: "é" \u2028 #')
    for mesh, name in ((admin, "all"), (olga, "hers")):
        mesh.changes.export_folder(tmp_path / name)
    assert sorted(str(it.relative_to(tmp_path / "hers")) for it in (tmp_path / "hers").rglob("*.yaml")) == [
        "shop/domain.yaml",
        "shop/policies.yaml",
    ]
    assert contents(tmp_path / "all", "shop") == contents(tmp_path / "hers", "shop")
    before = head(admin)
    assert admin.changes.plan_folder(tmp_path / "all/mesh").is_empty
    assert olga.changes.plan_folder(tmp_path / "hers/shop").is_empty
    assert head(admin) == before
    with running_server(tmp_path / "empty") as others:
        others.admin.changes.apply_folder(tmp_path / "all/mesh")
        others["user:olga"].changes.apply_folder(tmp_path / "all/shop")
        others.admin.changes.export_folder(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "all")


def contents(root: Path, part: str = "") -> dict[str, bytes]:
    return {str(it.relative_to(root)): it.read_bytes() for it in sorted((root / part).rglob("*.yaml"))}


def test_two_people_who_apply_at_once_get_one_of_the_two_folders_whole(people: People, tree: Path, tmp_path: Path) -> None:
    olga = people["user:olga"]
    sources = []
    for name in ("left", "right"):
        changed = POLICIES.replace("They plan.", f"{name} says so.").replace("longest_days: 30", f"longest_days: {len(name)}")
        (source,) = read_folder(laid_out(tmp_path / name, policies=changed) / "shop").sources
        planned = plan_source(olga._transport, source).plan
        assert planned is not None
        sources.append((source, planned.etag))

    def applied(pair: int) -> str:
        source, etag = sources[pair]
        try:
            return apply_source(olga._transport, source, etag=etag).state
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(applied, (0, 1)))
    assert sorted(outcomes) == ["applied", "conflict"]
    winner = tmp_path / ("left", "right")[outcomes.index("applied")] / "shop"
    assert olga.changes.plan_folder(winner).is_empty


def test_ctrl_c_leaves_all_or_nothing(people: People, tmp_path: Path) -> None:
    many = "".join(
        f'  - id: g{n}\n    subject: "user:u{n}"\n    resource: shop.orders\n    actions: [discover]\n' for n in range(300)
    )
    root = laid_out(tmp_path / "git", policies=f"grants:\n{many}")
    people.admin.changes.apply_folder(root / "mesh")
    olga = people["user:olga"]
    settings = {**os.environ, "MESH_URL": people.url, "MESH_TOKEN": people.admin.admin.create_token("user:olga").secret}
    command = [str(Path(sys.executable).with_name("mesh")), "apply", str(root / "shop"), "--yes"]
    for delay_seconds in (0.2, 0.6, 0.8, 1.0, 60.0):  # the last is let through
        with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(delay_seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        assert len(olga.grants(resource="shop")) in (0, 300)
    assert len(olga.grants(resource="shop")) == 300


def test_a_central_folder_waits_for_a_second_administrator(people: People, tree: Path) -> None:
    admin = people.admin
    bea = people["user:bea"]
    admin.admin.update_principal("user:bea", is_administrator=True)
    (tree / "mesh/guardrails.yaml").write_text(CENTRE["guardrails.yaml"].replace("replace-with-null", "mask-alphanum"))
    (planned,) = admin.changes.plan_folder(tree / "mesh").sources
    assert planned.plan is not None
    assert (planned.plan.needs_second_person, planned.plan.approvers) == (True, ("user:bea",))
    (proposed,) = admin.changes.apply_folder(tree / "mesh", reason="Owners want to see the form.")
    assert proposed.state == "proposed"
    assert [it.mask for it in admin.guardrails()] == ["replace-with-null"]
    bea.changes.approve(proposed.id)
    assert [it.mask for it in admin.guardrails()] == ["mask-alphanum"]
    assert admin.changes.plan_folder(tree / "mesh").is_empty


def test_the_commands_tell_the_plan_ask_and_end_with_the_right_status(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = laid_out(tmp_path / "git")
    monkeypatch.setenv("MESH_URL", people.url)
    monkeypatch.setenv("MESH_TOKEN", people.admin.admin.create_token().secret)
    assert main(["plan", str(root / "mesh")]) == 2
    shown = capsys.readouterr().out
    assert "+ guardrail mask-mail   mesh/guardrails.yaml:2" in shown or "+ guardrail mask-mail   guardrails.yaml:2" in shown
    assert "to create" in shown
    assert main(["apply", str(root / "mesh"), "--json"]) == 2  # nobody can be asked
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert main(["apply", str(root / "mesh")]) == 1
    assert "Nothing was applied." in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["apply", str(root / "mesh")]) == 2
    assert "give --yes" in capsys.readouterr().err
    assert main(["apply", str(root / "mesh"), "--yes", "--json"]) == 0
    (done,) = json.loads(capsys.readouterr().out)["change_sets"]
    assert (done["source"], done["state"]) == ("centre", "applied")
    assert main(["plan", str(root / "mesh"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"][0]["source"] == "centre"
    monkeypatch.setenv("MESH_TOKEN", people.admin.admin.create_token("user:olga").secret)
    assert main(["apply", str(root), "--only", "shop", "--yes"]) == 0
    assert "domain:shop: applied as c-" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["export", str(tmp_path / "out")]) == 1
    assert "not empty" in capsys.readouterr().err
    (root / "shop/policies.yaml").write_text("grants:\n  - id: a\n")
    assert main(["plan", str(root / "shop")]) == 1
    assert "policies.yaml:2" in capsys.readouterr().err
