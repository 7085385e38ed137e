"""The documentation says what the code does: tables are recomputed here, settings and commands looked up."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, cast

import polars as pl
import typer

from domain_sdk.cli.app import build
from domain_sdk.read import FILES_FROM_ROWS
from domainmesh.v1 import access_request_pb2, domain_pb2, grant_pb2, publication_pb2
from governance_server.config import load_settings
from governance_server.gateway.governed_frame import govern
from governance_server.gateway.table_source import TableSource
from governance_server.oidc_settings import OidcSettings, load_oidc_settings
from governance_server.policy.decider import Decider
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.rules.policy_facts import BASE_ROWS, domain_rows, grant_rows, guardrail_rows
from governance_server.rules.policy_rows import ACTIONS, Link, Row, Rule
from governance_server.rules.read_plans import ReadPlan
from mesh_core.contract import Port, load_contract
from mesh_core.contract.model import NON_BLOCKING
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import MAX_DEPTH, MAX_DIGITS, MAX_NODES, MAX_TEXT
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.sql import parse_filter
from mesh_core.lineage import BREAKING_FUNCTIONS
from mesh_core.masks import Mask, allowed_masks, join
from mesh_core.masks.values import mask_value
from mesh_core.quality.check import Kind
from mesh_core.types import normalise, storage_schema
from tests.shared_data import ROOT

CONCEPTS = (ROOT / "docs" / "concepts.md").read_text()
TABLES = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", CONCEPTS, re.MULTILINE)]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows_of(*headings: str) -> list[list[str]]:
    """The rows of the table with these first headings, the check mark apart."""
    for lines in TABLES:
        if [cell.replace("✓", "").strip() for cell in cells(lines[0])][: len(headings)] == list(headings):
            return [cells(line) for line in lines[2:]]
    raise AssertionError(f"the page has no table {headings}")


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_action_is_described() -> None:
    assert {quoted(row[0])[0] for row in rows_of("action")} == ACTIONS


def test_the_rights_without_a_grant_are_those_of_the_code() -> None:
    domain = domain_pb2.Domain(name="shop", owners=["user:owner"], members=["user:member"])
    rows = [*BASE_ROWS, *domain_rows(domain)]
    parents = {
        "administrator": {"role:administrator"},
        "owner": {row.parent for row in rows if isinstance(row, Link) and row.child == "user:owner"},
        "member": {row.parent for row in rows if isinstance(row, Link) and row.child == "user:member"},
    }
    for who, _, actions in rows_of("who"):
        given = {row.act for row in rows if isinstance(row, Rule) and row.sub in parents[who]}
        assert given == set(quoted(actions)), who


def test_every_state_of_a_publication_is_described() -> None:
    states = {name.removeprefix("PUBLICATION_STATE_") for name in publication_pb2.PublicationState.keys()}  # noqa: SIM118  # an enum wrapper
    assert {quoted(row[0])[0] for row in rows_of("state")} == states - {"UNSPECIFIED"}


def test_every_state_of_a_request_is_described() -> None:
    states = {name.removeprefix("ACCESS_REQUEST_STATE_") for name in access_request_pb2.AccessRequestState.keys()}  # noqa: SIM118  # an enum wrapper
    assert {quoted(row[0])[0] for row in rows_of("state of a request")} == states - {"UNSPECIFIED"}


def test_the_functions_that_stop_a_tag_are_those_of_the_code() -> None:
    line = next(line for line in CONCEPTS.splitlines() if line.startswith("- an aggregation"))
    stopping, passing = line.split("never")
    assert set(quoted(stopping)) == BREAKING_FUNCTIONS
    assert BREAKING_FUNCTIONS.isdisjoint(quoted(passing))


def test_every_check_is_described() -> None:
    assert {name for row in rows_of("check") for name in quoted(row[0])} == {kind.value for kind in Kind}


def test_the_severities_that_do_not_block_are_those_of_the_code() -> None:
    start = CONCEPTS.index("- `severity`")
    assert set(quoted(CONCEPTS[start : CONCEPTS.index("does not block", start)])) - {"severity"} == NON_BLOCKING


# -- types ---------------------------------------------------------------------------------------------------------------------


def port_of(*properties: str) -> Port:
    """A port whose columns c0, c1, … say what the properties say, in YAML."""
    listed = "\n".join(f"      - {{name: c{index}, {text}}}" for index, text in enumerate(properties))
    head = "kind: DataContract\napiVersion: v3.2.0\nid: x\nname: X\nversion: 1.0.0\nstatus: active\n"
    return load_contract(f"{head}schema:\n  - name: t\n    properties:\n{listed}\n").ports[0]


def test_the_storage_types_are_those_of_the_code() -> None:
    said = rows_of("the contract says")
    schema = storage_schema(port_of(*(quoted(row[0])[0] for row in said)))
    assert [str(field.type) for field in schema] == [quoted(row[1])[0] for row in said]


def test_a_frame_is_held_or_refused_as_described() -> None:
    for dtype, values, contract, outcome in rows_of("frame"):
        column = pl.Series("c0", ast.literal_eval(f"[{values}]")).cast(getattr(pl, quoted(dtype)[0]))
        problems = normalise(pl.LazyFrame([column]), port_of(quoted(contract)[0])).problems
        rows = sum(problem.rows for problem in problems)
        assert outcome == ("held" if not problems else f"{rows} refused" if rows else "refused"), (dtype, values, contract)


# -- masks ---------------------------------------------------------------------------------------------------------------------


RAW = {"date": date.fromisoformat, "timestamp": datetime.fromisoformat, "time": time.fromisoformat}


def masked(raw: Any, mask: Mask, logical_type: str) -> str:
    if mask not in allowed_masks(logical_type):
        return "–"
    if mask in (Mask.SHA_256_GLOBAL, Mask.SHA_256_QUERY_LOCAL):
        return "hash"
    value = mask_value(raw, mask, logical_type)
    return "null" if value is None else f"`{value}`"


def test_every_mask_is_shown_with_what_comes_out() -> None:
    lines = next(lines for lines in TABLES if cells(lines[0])[:2] == ["mask", "string"])
    types = cells(lines[0])[1:]
    raw_row, *rest = (cells(line) for line in lines[2:])
    assert {quoted(row[0])[0] for row in rest} == set(Mask)
    raws = []
    for name, text in zip(types, raw_row[1:], strict=True):
        shown = text.strip("`")
        raws.append(RAW[name](shown) if name in RAW else shown if name in ("string", "other") else ast.literal_eval(shown))
    for row in rest:
        mask = Mask(quoted(row[0])[0])
        wanted = [masked(raw, mask, "object" if name == "other" else name) for name, raw in zip(types, raws, strict=True)]
        assert row[1:] == wanted, mask


def test_the_order_of_masks_is_as_described() -> None:
    ordered = {
        (Mask.SHA_256_GLOBAL, Mask.SHA_256_QUERY_LOCAL),
        (Mask.TRUNCATE_TO_MONTH, Mask.TRUNCATE_TO_YEAR),
        *((mask, Mask.REPLACE_WITH_NULL) for mask in Mask),
    }
    for left in Mask:
        for right in Mask:
            stricter = right if left == right or (left, right) in ordered else left if (right, left) in ordered else None
            assert join(left, right) == (stricter or Mask.REPLACE_WITH_NULL)


# -- row filters ---------------------------------------------------------------------------------------------------------------


COLUMNS = {"region": "string", "name": "string", "amount": "number"}


def is_accepted(text: str) -> bool:
    try:
        parse_filter(text, COLUMNS)
    except InvalidExpression:
        return False
    return True


def test_filters_are_accepted_or_refused_as_described() -> None:
    for row in rows_of("filter", "accepted"):
        assert row[1] == ("yes" if is_accepted(quoted(row[0])[0]) else "no"), row[0]


def test_filters_meet_null_and_nan_as_described() -> None:
    values = {"null": None, "NaN": math.nan}
    for row in rows_of("filter", "value of `x`"):
        value = values[row[1]] if row[1] in values else ast.literal_eval(row[1])
        frame = pl.DataFrame({"x": [value]}, schema={"x": pl.Float64 if isinstance(value, float) else pl.Int64})
        result = frame.select(to_polars(parse_filter(quoted(row[0])[0]), frame.schema)).item()
        assert {None: "null", True: "true", False: "false"}[result] == row[2], row[0]


def test_the_caps_of_filters_are_those_of_the_code() -> None:
    line = CONCEPTS[CONCEPTS.index("Caps ✓") :].splitlines()[0]
    assert [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", line)] == [
        MAX_DEPTH,
        MAX_NODES,
        MAX_TEXT,
        MAX_DIGITS,
    ]


# -- the worked example --------------------------------------------------------------------------------------------------------


PORT = "hr.staff.people"


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def policy() -> Iterator[Row]:
    for name, rows, columns, masks in rows_of("grant", "rows"):
        grant = grant_pb2.Grant(
            id=name, subject="user:ana", resource=PORT, actions=["read"], effect=grant_pb2.EFFECT_ALLOW, row_filter=rows,
            columns=words(columns),
        )  # fmt: skip
        for pair in words(masks):
            column, mask = pair.split(" = ")
            grant.masks.add(column=column, mask=mask)
        yield from grant_rows(grant)
    yield from guardrail_rows(grant_pb2.Guardrail(id="mail", resource="tag:pii", mask="mask-alphanum"))
    yield Link("g2", f"{PORT}#email", "tag:pii.email")


def test_the_worked_example_is_computed_as_shown() -> None:
    tables = [lines for lines in TABLES if cells(lines[0]) == ["name", "team", "salary", "email"]]
    raw, shown = ([cells(line) for line in lines[2:]] for lines in tables)
    frame = pl.DataFrame(raw, schema=["name", "team", "salary", "email"], orient="row").with_columns(
        pl.col("salary").cast(pl.Int64)
    )
    engine = IndexedEngine()
    rows = list(policy())
    engine.load((r for r in rows if isinstance(r, Rule)), (r for r in rows if isinstance(r, Link)), revision=1)
    plan = Decider(engine).plan(
        "user:ana", PORT, columns=frame.columns, purpose="unspecified", now="2026-11-23T18:00:00Z", subject_attributes={},
        filters={row[0]: parse_filter(row[1]) for row in rows_of("grant", "rows")},
    )  # fmt: skip
    assert isinstance(plan, ReadPlan)
    source = TableSource(cast("Any", None), frame.lazy(), frame.schema)
    seen = govern(source, plan, frame.columns, joined=None, salt=bytes(32)).frame.collect()
    assert [["null" if value is None else str(value) for value in row] for row in seen.rows()] == shown


# -- settings and commands -----------------------------------------------------------------------------------------------------


PAGES = [ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_the_settings_have_the_defaults_that_the_guide_says() -> None:
    settings = load_settings({"HOME": "/home/kim"})
    fields = {"MESH_DATABASE": "database_url", "MESH_VECTORS": "vectors_url"}
    said = re.findall(r"^\| `(MESH_[A-Z_]+)` \| ([^|]*) \| [^|]* \|$", OPERATIONS, re.MULTILINE)
    own = [(name, default) for name, default in said if not name.startswith("MESH_OIDC_")]
    assert len(own) == len(dataclasses.fields(settings))  # the level of logs is none, the identity provider's are their own
    for name, default in own:
        if name in ("MESH_LOG_LEVEL", "MESH_HOME"):
            continue
        value = getattr(settings, fields.get(name, name.removeprefix("MESH_").lower()))
        shown = "none" if value is None else f"`{value}`".replace(str(settings.home), "<home>")
        assert default == shown, name


def test_the_settings_of_the_identity_provider_have_the_defaults_that_the_guide_says() -> None:
    given = {"MESH_OIDC_ISSUER": "https://id.example", "MESH_OIDC_AUDIENCE": "mesh"}
    settings = load_oidc_settings(given)
    said = re.findall(r"^\| `MESH_OIDC_([A-Z_]+)` \| ([^|]*) \| [^|]* \|$", OPERATIONS, re.MULTILINE)
    assert len(said) == len(dataclasses.fields(OidcSettings))
    for name, default in said:
        value = getattr(settings, name.lower())
        text = " ".join(value) if isinstance(value, tuple) else str(value)
        assert default == ("none" if not text or f"MESH_OIDC_{name}" in given else f"`{text}`"), name


def test_reads_go_by_files_from_the_size_that_the_guide_says() -> None:
    assert f"from {FILES_FROM_ROWS:,} rows on" in OPERATIONS


def test_every_command_in_the_documentation_exists() -> None:
    command: Any = typer.main.get_command(build())
    wrong = []
    for page in PAGES:
        text = page.read_text()
        blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
        shown = re.findall(r"`(?:\.venv/bin/)?mesh ([^`\n]+)`", text) + re.findall(r"^mesh ([^#\n]+)", blocks, re.MULTILINE)
        for line in shown:
            wrong += [f"{page.name}: mesh {line}: {problem}" for problem in unknown_words(command, line.split())]
    assert wrong == []


def unknown_words(command: Any, given: list[str]) -> Iterator[str]:
    """The sub-command or options of the words that do not exist."""
    here = command
    for word in given:
        if hasattr(here, "commands") and not word.startswith(("-", "…")):
            if word not in here.commands:
                yield f"no command {word}"
                return
            here = here.commands[word]
    known = {option for level in (command, here) for parameter in level.params for option in parameter.opts} | {"--help"}
    yield from (f"no option {word}" for word in given if word.startswith("--") and word not in known)
