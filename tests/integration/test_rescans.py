"""A rescan that passes stops a tag at a column of that version; if the next one fails, or is not asked for, the tag is back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from domain_sdk import InvalidContract, Mesh, PortEntry, Release
from domain_sdk.cli.app import run
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

TAG, SOURCE, PORT = "pii.email", "post.letters.letters", "press.quotes.quotes"
ASKED = "text: 'string', customProperties: [{property: rescan, value: [pii.email]}]"
PATCHES = itertools.count()
CLEAN, DIRTY = ["As agreed.", "Thank you, Ann"], ["As agreed.", "write to ann@example.com"]


@pytest.fixture(scope="module")
def press(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_guardrail("no-mails", f"tag:{TAG}", mask="replace-with-null", exempt=["user:pia"])
        for domain in ("post", "press"):
            admin.admin.create_domain(domain, owners=["user:pia"])
    with server.user("user:pia") as mesh:
        text = contract("post.letters", {"letters": ["id: integer", "text: 'string', tags: [pii.email]"]})
        rows = pl.DataFrame({"id": [1, 2], "text": DIRTY})
        mesh.domain("post").product("letters", text).publish(letters=rows, progress=False)
        mesh.grant("user:rob", "press")
        yield mesh


def derive(mesh: Mesh, values: list[str], *, column: str = ASKED) -> Release:
    """The quotes, made from the letters' text in a way that shows nothing but the values given here."""
    given = pl.DataFrame({"id": [1, 2], "value": values})

    def quotes(letters: pl.LazyFrame) -> pl.LazyFrame:
        joined = letters.join(given.lazy(), on="id")
        return joined.select("id", text=pl.when(pl.col("text").is_null()).then(pl.col("text")).otherwise(pl.col("value")))

    text = contract("press.quotes", {"quotes": ["id: integer", column]}, version=f"1.0.{next(PATCHES)}")
    made = mesh.domain("press").transform(inputs=[SOURCE], output="quotes", contract=text)(quotes)
    return made.run(progress=False)


def tags(mesh: Mesh, port: str = PORT) -> tuple[list[str], list[tuple[str, int, int]]]:
    shown = mesh.show(port)
    assert isinstance(shown, PortEntry)
    column = next(it for it in shown.columns if it.name == "text")
    return [it.tag for it in column.derived_tags], [(it.tag, it.rows, it.version) for it in column.rescans]


def read(mesh: Mesh, version: int | None = None) -> list[str | None]:
    found: list[str | None] = mesh.scan(PORT, version=version).sort("id").collect()["text"].to_list()
    return found


def explained(server: RunningServer, token: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run(["--url", server.url, "--token", token, "tags", "explain", f"{PORT}#text", *options]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_tag_ends_where_a_rescan_passes_and_is_back_with_a_version_whose_rescan_fails(
    server: RunningServer, press: Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    token = token_of(server, "user:rob")
    with server.user("user:rob") as rob:
        first = derive(press, CLEAN, column="text: string")
        assert tags(press) == ([TAG], [])
        assert read(rob) == [None, None]

        passed = derive(press, CLEAN)
        assert tags(press) == ([], [(TAG, 2, passed.version)])
        assert read(rob) == CLEAN
        assert read(rob, first.version) == [None, None], "evidence is of one version"
        result = next(it for it in passed.quality if it.check == f"rescan text {TAG}")
        assert (result.status.name, result.total_rows, result.failing_rows) == ("PASSED", 2, 0)
        assert f"none of the 2 values of version {passed.version} holds it" in explained(server, token, capsys)
        assert json.loads(explained(server, token, capsys, "--json"))["rescans"][0]["tag"] == TAG

        failed = derive(press, DIRTY)
        assert tags(press) == ([TAG], [])
        assert read(rob) == [None, None]
        assert read(rob, passed.version) == [None, None], "an older version is read by today's tags, too"
        result = next(it for it in failed.quality if it.check == f"rescan text {TAG}")
        assert (result.status.name, result.failing_rows) == ("FAILED", 1)
        assert f"(hidden from you) → {PORT}#text" in explained(server, token, capsys), "the way is told again"


def test_what_a_publisher_says_of_a_rescan_is_not_asked(
    server: RunningServer, press: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domain_sdk import publish
    from domain_sdk.release import QualityResult, QualityStatus

    def forged(self: Any, delivered: Any, lineage: Any) -> Any:
        from dataclasses import replace

        claim = QualityResult(PORT, "text", f"rescan text {TAG}", QualityStatus.PASSED, False, 0, 2, "none", ())
        return [replace(it, quality=(*it.quality, claim, claim)) for it in delivered]

    monkeypatch.setattr(publish.PersonalDataGate, "judged", forged)
    released = derive(press, DIRTY)
    assert [it.status.name for it in released.quality if it.check == f"rescan text {TAG}"] == ["FAILED"]
    assert tags(press)[0] == [TAG]
    assert derive(press, DIRTY, column="text: string")
    assert tags(press) == ([TAG], []), "nor is a rescan that the contract does not ask for"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("text: 'string', customProperties: [{property: rescan, value: [pii.name]}]", "no scan can show"),
        ("text: 'string', customProperties: [{property: rescan, value: 7}]", "names the tags"),
        ("text: 'string', tags: [pii.email], customProperties: [{property: rescan, value: pii.email}]", "drop one of the two"),
    ],
)
def test_a_rescan_that_nobody_can_do_is_refused(press: Mesh, column: str, why: str) -> None:
    with pytest.raises(InvalidContract, match="mend what is listed") as refused:
        derive(press, CLEAN, column=column)
    assert why in str(refused.value.violations)
