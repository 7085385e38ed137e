"""The product's main job through the command line alone, as a person and as a script would type it, against a real server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk._profiles import load_profiles
from domain_sdk.cli import main
from tests.servers import RunningServer

MESH = Path(sys.executable).with_name("mesh")
PORT = "shop.orders.orders"
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
id: shop.orders
name: Orders
version: 1.0.0
status: active
domain: shop
schema:
  - name: orders
    logicalType: object
    physicalType: table
    description: One row per order.
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: region, logicalType: string, required: true}
      - {name: email, logicalType: string, tags: [pii.email]}
"""
ROWS = [(1, "EMEA", "a@example.com"), (2, "AMER", "b@example.com"), (3, "EMEA", "c@example.com"), (4, "APAC", None)]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a contract and a file to publish, and no profile yet."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "contract.odcs.yaml").write_text(CONTRACT)
    pl.DataFrame(ROWS, schema=["id", "region", "email"], orient="row").write_csv(folder / "orders.csv")
    return folder


@pytest.fixture(scope="module")
def cli(place: Path) -> Iterator[Cli]:
    """Runs `mesh` in this process, with nothing of this machine's own profile or environment and without a terminal."""

    def run(*arguments: str, input: str = "") -> Done:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.stdin", io.StringIO(input))
            status = main(arguments)
        return Done(status, out.getvalue(), err.getvalue())

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("MESH_", "XDG_"))]:
            patch.delenv(name)
        for name, value in {"HOME": str(place), "XDG_CONFIG_HOME": str(place / "config"), "COLUMNS": "100"}.items():
            patch.setenv(name, value)
        patch.chdir(place)
        yield run


@pytest.fixture(scope="module")
def mesh(cli: Cli, server: RunningServer, place: Path) -> Cli:
    """`mesh("ana", …)` runs a command as ana, in a mesh that was set up by commands."""
    done = cli("login", "--url", server.url, "--profile", "admin", "--token-file", server.ready["administrator_token_file"])
    assert done.returncode == 0, done.stderr

    def run(who: str, *arguments: str) -> Done:
        return cli("--profile", who, *arguments)

    for arguments in (
        ("create-purpose", "forecasting"),
        ("create-principal", "user:olga"),
        ("create-principal", "user:ana", "--attribute", "region=EMEA"),
        ("create-domain", "shop", "--owner", "user:olga"),
        ("create-guardrail", "mask-email", "tag:pii.email", "--mask", "replace-with-null", "--exempt", "domain:shop"),
    ):
        done = run("admin", "admin", *arguments)
        assert done.returncode == 0, done.stderr
    assert run("admin", "grant", "*", "mesh", "--actions", "discover,request").returncode == 0
    for who in ("olga", "ana"):
        done = run("admin", "token", "create", f"user:{who}", "--output", str(place / f"{who}.token"))
        assert done.returncode == 0, done.stderr
        assert cli("login", "--url", server.url, "--profile", who, "--token-file", f"{who}.token").returncode == 0
    done = run("olga", "publish", "shop.orders", "--contract", "contract.odcs.yaml", "orders=orders.csv")
    assert done.returncode == 0, done.stderr
    assert "shop.orders version 1 is published" in done.stdout
    return run


def answer(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def refusal(done: Done, status: int = 1) -> dict[str, Any]:
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout == ""
    error: dict[str, Any] = json.loads(done.stderr)["error"]
    return error


def test_ask_approve_read_revoke(mesh: Cli, place: Path) -> None:
    assert PORT in [hit["name"] for hit in answer(mesh("ana", "discover", "orders", "--json"))]
    assert refusal(mesh("ana", "read", PORT, "--json"))["reason"] == "ACCESS_DENIED"
    assert mesh("ana", "check", "read", PORT, "--purpose", "forecasting").returncode == 1

    asked = answer(mesh("ana", "request", "shop.orders", "--purpose", "forecasting", "--until", "2099-01-01", "--json"))
    assert asked["state"] == "requested"
    assert asked["id"] in mesh("olga", "requests", "--state", "requested").stdout
    approved = answer(mesh("olga", "approve", asked["id"], "--rows", "region = 'EMEA'", "--json"))
    assert approved["state"] == "active"

    read = answer(mesh("ana", "read", PORT, "--purpose", "forecasting", "--json"))
    assert sorted((row["id"], row["region"], row["email"]) for row in read["rows"]) == [(1, "EMEA", None), (3, "EMEA", None)]
    assert mesh("ana", "check", "read", PORT, "--purpose", "forecasting").returncode == 0
    shown = mesh(
        "ana", "read", PORT, "--purpose", "forecasting", "--where", "id > 1", "--columns", "id,email", "--limit", "5"
    ).stdout
    assert "masked: email (replace-with-null)" in shown
    assert [line.split() for line in shown.splitlines()[2:3]] == [["3", "null"]]
    explained = mesh("ana", "explain", PORT, "--purpose", "forecasting").stdout
    assert "masked: replace-with-null" in explained
    assert "mask-email" in explained

    assert mesh("olga", "revoke", approved["grants"][0], "--reason", "done").returncode == 0
    assert refusal(mesh("ana", "read", PORT, "--purpose", "forecasting", "--json"))["reason"] in (
        "ACCESS_DENIED",
        "PURPOSE_NOT_HELD",
    )
    assert not list(place.glob(".*.part"))


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.ndjson"])
def test_a_read_to_a_file_gives_every_row(name: str, mesh: Cli, place: Path) -> None:
    written = answer(mesh("olga", "read", PORT, "--output", name, "--where", "region != 'APAC'", "--json"))
    assert written["rows"] == 3
    path = place / name
    frame = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".ndjson": pl.read_ndjson}[path.suffix](path)
    assert sorted(frame.rows()) == ROWS[:3]
    assert not list(place.glob(".*.part"))


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.ndjson"])
def test_a_read_to_a_file_may_give_no_row(name: str, mesh: Cli) -> None:
    assert answer(mesh("olga", "read", PORT, "--output", name, "--where", "id > 99", "--json"))["rows"] == 0


def test_a_refused_read_to_a_file_leaves_no_file(mesh: Cli, place: Path) -> None:
    assert mesh("ana", "read", PORT, "--output", "refused.parquet").returncode == 1
    assert not list(place.glob("*refused*"))


def test_a_broken_frame_is_refused_with_every_violation_in_one_block(mesh: Cli, place: Path) -> None:
    broken = pl.DataFrame({"id": [1, 1, None], "region": ["x", None, "y"], "email": ["a", "b", "c"]})
    broken.write_parquet(place / "broken.parquet")
    error = refusal(mesh("olga", "publish", "shop.orders", "orders=broken.parquet", "--json"))
    assert error["reason"] == "CONTRACT_VIOLATED"
    assert [violation["path"] for violation in error["violations"]] == [f"{PORT}: primaryKey", f"{PORT}: region.required"]
    preview = mesh("olga", "publish", "shop.orders", "orders=broken.parquet", "--dry-run")
    assert preview.returncode == 1
    assert "would be refused" in preview.stdout
    assert answer(mesh("olga", "show", "shop.orders", "--json"))["version"] == 1


def test_what_there_is_can_be_shown(mesh: Cli) -> None:
    assert "id key" in mesh("olga", "show", PORT).stdout
    assert mesh("olga", "show", "shop.orders", "--contract").stdout.strip() == CONTRACT.strip()
    assert [it["name"] for it in answer(mesh("olga", "show", "shop", "--json"))["products"]] == ["shop.orders"]
    assert [it["rows"] for it in answer(mesh("olga", "show", "shop.orders", "--json"))["releases"]] == [{"orders": 4}]
    assert "Releases, newest first" in mesh("ana", "show", "shop.orders").stdout
    assert "the domain 'nope'" in mesh("olga", "discover", "--domain", "nope").stdout
    for command in ("whoami", "status"):
        assert "profile olga (also saved: admin, ana" in " ".join(mesh("olga", command).stdout.split())
    assert PORT in mesh("olga", "lineage", PORT).stdout
    assert answer(mesh("olga", "whoami", "--json"))["name"] == "user:olga"
    assert answer(mesh("olga", "status", "--json"))["product_count"] == 1
    for what in ("domains", "principals", "purposes", "guardrails"):
        assert len(answer(mesh("admin", "admin", "list", what, "--json"))) >= 1
    assert "mask-email" in mesh("olga", "guardrails").stdout


def test_routine_requests_the_inbox_and_renewals_work_from_the_command_line(mesh: Cli) -> None:
    made = answer(
        mesh("olga", "approval-rules", "create", PORT, "--for", "user:ana", "--columns", "id,region", "--days", "30", "--json")
    )
    soon = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    quick = answer(mesh("ana", "request", PORT, "--columns", "id", "--until", soon, "--json"))
    assert (quick["state"], quick["decider"], quick["approvals"][0]["approval_rule"]) == ("active", "user:olga", made["id"])
    assert made["id"] in mesh("olga", "approval-rules", "list").stdout
    assert answer(mesh("olga", "approval-rules", "disable", made["id"], "--json"))["is_disabled"]
    shown = mesh("ana", "inbox").stdout
    assert "Ends soon: mesh renew ID --until DATE (1)" in shown
    assert "user:olga approved your request" in shown
    later = (datetime.now(UTC) + timedelta(days=50)).isoformat()
    renewal = answer(mesh("ana", "renew", quick["id"], "--until", later, "--reason", "Not done yet", "--json"))
    assert (renewal["state"], renewal["renews"]) == ("requested", quick["grants"][0])
    assert renewal["id"] in mesh("olga", "inbox").stdout
    assert renewal["id"] in mesh("olga", "requests", "--to-decide").stdout
    one = mesh("olga", "requests", renewal["id"]).stdout
    for words in ("whoever may grant", "waits", "filed", "Not done yet", "mesh approve"):
        assert words in one
    assert answer(mesh("olga", "approve", renewal["id"], "--json"))["state"] == "approved"
    assert answer(mesh("ana", "inbox", "--mark-read", "--json"))["notice_count"] >= 2
    assert answer(mesh("ana", "inbox", "--json"))["notice_count"] == 0
    assert answer(mesh("ana", "withdraw", quick["id"], "--json"))["state"] == "withdrawn"
    assert answer(mesh("ana", "requests", renewal["id"], "--json"))["state"] == "revoked"
    assert mesh("olga", "approval-rules", "delete", made["id"]).returncode == 0


def test_the_journal_is_verified_and_listed(mesh: Cli) -> None:
    proof = mesh("admin", "audit", "verify")
    assert proof.returncode == 0
    assert "The record is intact." in proof.stdout
    logs = {log["stream"]: log for log in answer(mesh("admin", "audit", "verify", "--json"))["logs"]}
    assert logs["journal"]["hash"] in proof.stdout.replace("\n", "").replace(" ", "")
    kinds = {change["kind"] for change in answer(mesh("admin", "audit", "changes", "--kind", "guardrail", "--json"))}
    assert kinds == {"guardrail.created"}
    assert "go on with --after 2," in mesh("admin", "audit", "changes", "--limit", "2").stdout
    revision = answer(mesh("admin", "status", "--json"))["revision"]
    newest = answer(mesh("admin", "audit", "changes", "--last", "2", "--json"))
    assert [change["revision"] for change in newest] == [revision - 1, revision]
    assert refusal(mesh("ana", "audit", "changes", "--json"))["reason"] == "ACCESS_DENIED"
    assert answer(mesh("admin", "repair", "--json")) == {"committed": [], "aborted": []}


def test_a_revoked_token_is_refused(mesh: Cli, cli: Cli, server: RunningServer) -> None:
    made = answer(mesh("admin", "token", "create", "user:ana", "--json"))
    login = ("login", "--url", server.url, "--profile", "again", "--token-file", "-")
    assert cli(*login, input=made["secret"] + "\n").returncode == 0
    assert made["token"]["id"] in [token["id"] for token in answer(mesh("again", "token", "list", "--json"))]
    assert mesh("again", "token", "revoke", made["token"]["id"]).returncode == 0
    assert refusal(mesh("again", "whoami", "--json"))["reason"] == "UNAUTHENTICATED"
    assert mesh("again", "logout", "--profile", "again").returncode == 0
    assert refusal(mesh("again", "whoami", "--json"))["reason"] == "NOT_CONFIGURED"


def test_login_never_takes_the_administrators_token_by_itself(cli: Cli, server: RunningServer, place: Path) -> None:
    home = place / ".domain-mesh"
    home.mkdir(exist_ok=True)
    (home / "admin.token").write_text(server.admin_token)
    before = sorted((place / "config").rglob("*"))
    for arguments in (("login", "--url", server.url), ("--url", server.url, "login")):
        done = cli(*arguments)
        assert done.returncode == 2
        assert "There is no token" in done.stderr
    assert cli("--url", "http://127.0.0.1:9", "status").returncode == 1
    assert sorted((place / "config").rglob("*")) == before
    (home / "admin.token").unlink()


def test_a_refused_login_saves_nothing(cli: Cli, server: RunningServer) -> None:
    error = refusal(cli("login", "--url", server.url, "--profile", "bad", "--token-file", "-", "--json", input="nonsense\n"))
    assert error["reason"] == "UNAUTHENTICATED"
    assert "nonsense" not in str(error)
    assert "bad" not in load_profiles().by_name


def test_without_a_terminal_there_are_no_colour_codes(mesh: Cli) -> None:
    for arguments in (("olga", "show", PORT), ("ana", "read", PORT)):
        done = subprocess.run([str(MESH), "--profile", *arguments], capture_output=True, text=True, check=False)
        assert PORT in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        assert max(map(len, (done.stdout + done.stderr).splitlines())) <= 100


def test_a_server_that_does_not_answer_is_named(cli: Cli) -> None:
    error = refusal(cli("--url", "http://127.0.0.1:9", "--token", "x", "status", "--json"))
    assert error["reason"] == "SERVER_UNREACHABLE"
    assert "127.0.0.1:9" in error["message"]
    assert "mesh serve" in error["next_step"]


@pytest.mark.usefixtures("mesh")
def test_a_reader_who_has_enough_is_no_error() -> None:
    line = f"{MESH} --profile admin audit changes --limit 500 --json | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_csv_that_does_not_hold_what_the_contract_types_is_refused_in_words(mesh: Cli, place: Path) -> None:
    (place / "odd.csv").write_text("id,region,email\n1,EMEA,a@example.com\nx7,EMEA,b@example.com\n")
    error = refusal(mesh("olga", "publish", "shop.orders", "orders=odd.csv", "--json"))
    assert error["reason"] in ("INVALID", "CONTRACT_VIOLATED")
    assert "x7" in str(error)
    assert answer(mesh("olga", "show", "shop.orders", "--json"))["version"] == 1
