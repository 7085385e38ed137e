"""The impact gate and expectations in the command line, from a refused contract to an accepted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk.cli.app import run
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

COLUMNS = ["id: integer", "amount: number"]
FRAME = pl.DataFrame({"id": [1], "amount": [1.0]})

Said = Callable[..., tuple[int, Any]]


@pytest.fixture
def said(server: RunningServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Runs a command as somebody; gives its exit status and what its JSON says."""
    tokens = {name: token_of(server, name) for name in ("user:olga", "user:ana")}
    monkeypatch.setenv("MESH_URL", server.url)

    def command(who: str, *words: str) -> tuple[int, Any]:
        monkeypatch.setenv("MESH_TOKEN", tokens[who])
        capsys.readouterr()
        status = run([*words, "--json"])
        told = capsys.readouterr()
        return status, json.loads(told.out or told.err)

    return command


def test_a_publisher_asks_and_a_consumer_agrees(server: RunningServer, said: Said, tmp_path: Path) -> None:
    with server.admin() as admin, server.user("user:olga") as olga, server.user("user:ana") as ana:
        admin.admin.create_domain("shop", owners=["user:olga"])
        text = contract("shop.orders", {"orders": COLUMNS})
        olga.domain("shop").product("orders", text).publish(orders=FRAME, progress=False)
        olga.grant("user:ana", "shop.orders")
        ana.read("shop.orders.orders")
    (tmp_path / "shop/orders").mkdir(parents=True)
    (tmp_path / "shop/domain.yaml").write_text("name: shop\n")
    wanted = tmp_path / "shop/orders/contract.odcs.yaml"
    wanted.write_text(contract("shop.orders", {"orders": COLUMNS[:1]}, version="2.0.0"))
    given = ("shop.orders", "--contract", str(wanted))

    status, impact = said("user:olga", "impact", *given)
    assert (status, [it["name"] for it in impact["affected"]]) == (1, ["user:ana"])
    _, plan = said("user:olga", "plan", str(tmp_path))
    (checked,) = plan["sources"][0]["contracts"]
    assert checked["verdict"] == "incompatible"
    assert "user:ana" in str(checked["violations"])

    status, change = said("user:olga", "propose", *given, "--reason", "nobody sums it")
    assert status == 0
    _, inbox = said("user:ana", "inbox")
    assert [it["id"] for it in inbox["contract_changes"]] == [change["id"]]
    _, listed = said("user:ana", "contract-changes")
    assert [it["reason"] for it in listed] == ["nobody sums it"]
    assert said("user:ana", "accept", change["id"])[0] == 0
    assert said("user:ana", "accept", change["id"], "--withdraw")[0] == 0
    assert said("user:olga", "impact", *given)[0] == 1
    said("user:ana", "accept", change["id"])
    assert said("user:olga", "impact", *given)[0] == 0
    _, plan = said("user:olga", "plan", str(tmp_path))
    assert [it["verdict"] for it in plan["sources"][0]["contracts"]] == ["compatible"]
    assert said("user:olga", "withdraw-change", change["id"])[1]["state"] == "withdrawn"


def test_a_consumer_says_what_it_expects_and_takes_it_back(said: Said, tmp_path: Path) -> None:
    status, made = said("user:ana", "expect", "shop.orders.orders", "amount >= 0", "--reason", "we sum it")
    assert (status, made["columns"]) == (0, ["amount"])
    pl.DataFrame({"id": [1], "amount": [-1.0]}).write_parquet(tmp_path / "orders.parquet")
    status, preview = said("user:olga", "publish", "shop.orders", f"orders={tmp_path / 'orders.parquet'}", "--dry-run")
    (found,) = preview["expectations"]
    assert (status, found["principal"], found["status"], found["failing_rows"]) == (
        0,
        "user:ana",
        "broken",
        1,
    )  # told, as it warns
    assert [it["id"] for it in said("user:olga", "expectations", "shop.orders")[1]] == [made["id"]]
    assert said("user:olga", "withdraw-expectation", made["id"])[0] == 1
    assert said("user:ana", "withdraw-expectation", made["id"])[0] == 0
    assert said("user:ana", "expectations", "--mine")[1] == []
