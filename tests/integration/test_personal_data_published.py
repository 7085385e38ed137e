"""Publishing tables with personal data: a column of it is tagged, inherits its tag, is accepted, or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from domain_sdk import ContractViolated, InvalidRequest, Mesh
from tests.integration.mesh_setup import contract, token_of
from tests.servers import RunningServer

PEOPLE = pl.DataFrame(
    {"id": range(6), "contact": [f"p{n}@example.org" for n in range(6)], "surname": ["Ng", "Li", "Roy", "Fox", "Day", "Orr"]}
)
COLUMNS = ["id: integer, required: true", "contact: string", "surname: string"]


@pytest.fixture(scope="module")
def olga(server: RunningServer) -> Iterator[Mesh]:
    with server.admin() as admin:
        admin.admin.create_principal("user:olga")
        admin.admin.create_domain("fair", owners=["user:olga"])
    with server.user("user:olga") as mesh:
        yield mesh


def test_an_untagged_column_of_addresses_is_refused_and_nothing_is_visible(olga: Mesh) -> None:
    product = olga.domain("fair").product("refused", contract("fair.refused", {"people": COLUMNS}))
    preview = product.preview(people=PEOPLE, progress=False)
    assert not preview.is_ok
    assert preview.proposed_tags == {"fair.refused.people.contact": "pii.email", "fair.refused.people.surname": "pii.name"}
    with pytest.raises(ContractViolated) as caught:
        product.publish(people=PEOPLE, progress=False)
    (violation,) = caught.value.violations
    assert "pii.email" in str(violation)
    assert "accept_pii=['contact']" in str(violation)
    assert "p0@" not in str(caught.value)
    assert [it.name for it in olga.domain("fair").products() if it.name == "fair.refused"] == []


def test_a_tagged_column_passes_and_a_likely_one_is_only_told_of(olga: Mesh) -> None:
    columns = ["id: integer, required: true", "contact: string, tags: [pii.email]", "surname: string"]
    release = (
        olga.domain("fair").product("tagged", contract("fair.tagged", {"people": columns})).publish(people=PEOPLE, progress=False)
    )
    assert release.proposed_tags == {"fair.tagged.people.surname": "pii.name"}


def test_a_classification_counts_as_a_tag(olga: Mesh) -> None:
    columns = [COLUMNS[0], "contact: string, classification: PII", COLUMNS[2]]
    olga.domain("fair").product("classed", contract("fair.classed", {"people": columns})).publish(people=PEOPLE, progress=False)


def test_an_accepted_column_is_published_and_the_acceptance_stays_in_the_journal(olga: Mesh) -> None:
    product = olga.domain("fair").product("accepted", contract("fair.accepted", {"people": COLUMNS}))
    product.publish(people=PEOPLE, accept_pii=["people.contact"], progress=False)
    (accepted,) = [it for it in product.release().quality if it.check == "pii.email"]
    assert (accepted.status, accepted.column) == ("recorded", "contact")
    assert "accepted" in accepted.message


def test_accepting_a_column_that_is_not_there_is_refused(olga: Mesh) -> None:
    product = olga.domain("fair").product("accepted", contract("fair.accepted", {"people": COLUMNS}))
    with pytest.raises(InvalidRequest, match="no such column"):
        product.publish(people=PEOPLE, accept_pii=["kontakt"], progress=False)


def test_a_tag_that_comes_along_lineage_is_enough_and_without_lineage_it_is_not(olga: Mesh) -> None:
    columns = ["id: integer, required: true", "contact: string, tags: [pii.email]", "surname: string, tags: [pii.name]"]
    olga.domain("fair").product("source", contract("fair.source", {"people": columns})).publish(people=PEOPLE, progress=False)
    text = contract("fair.copy", {"people": ["reach: string"]})
    copy = olga.scan("fair.source.people").select(reach=pl.col("contact"))
    release = olga.domain("fair").product("copy", text).publish(people=copy, progress=False)
    (inherited,) = [it for it in release.quality if it.check == "pii.email"]
    assert inherited.status == "passed"
    assert "fair.source.people.contact" in inherited.message
    with pytest.raises(ContractViolated):
        olga.domain("fair").product("copy", text).publish(people=copy.collect(), progress=False)
    eager = olga.domain("fair").product("copy", text)
    assert eager.publish(people=copy.collect(), inputs=["fair.source.people"], progress=False).version == 3


def test_the_command_line_refuses_proposes_and_accepts(server: RunningServer, olga: Mesh, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(contract("fair.cli", {"people": COLUMNS}))
    PEOPLE.write_csv(tmp_path / "people.csv")
    environment = {**os.environ, "MESH_URL": server.url, "MESH_TOKEN": token_of(server, "user:olga")}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        words = ["publish", "fair.cli", "--contract", str(tmp_path / "c.yaml"), f"people={tmp_path / 'people.csv'}", *more]
        mesh = Path(sys.executable).with_name("mesh")
        return subprocess.run([mesh, *words], capture_output=True, text=True, env=environment, timeout=60, check=False)

    refused = run()
    assert refused.returncode != 0
    assert "--accept-pii contact" in " ".join((refused.stdout + refused.stderr).split())
    accepted = run("--accept-pii", "contact", "--json")
    assert accepted.returncode == 0, accepted.stderr
    found = {it["check"]: it["status"] for it in json.loads(accepted.stdout)["quality"] if it["check"].startswith("pii")}
    assert found == {"pii.email": "recorded", "pii.name": "failed"}
