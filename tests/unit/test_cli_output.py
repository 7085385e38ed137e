"""How values look: JSON for scripts, tables for people, the data itself left exact."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import typer
from rich.console import Console, RenderableType

import sample_domains
from domain_sdk._delivery import deliver
from domain_sdk.access import ExplainedColumn, Explanation, ReadPlan, VisibleColumn, WayKind, WayOut
from domain_sdk.access_requests import AccessRequest, AccessRequestState, ApproverLevel
from domain_sdk.catalog import ColumnEntry, DerivedTag, PortEntry, PortKind
from domain_sdk.cli.catalog_views import explanation_view, lineage_view, shown_view
from domain_sdk.cli.identity import _caller_details
from domain_sdk.cli.output import plain, table
from domain_sdk.cli.publishing import _preview, open_ports
from domain_sdk.cli.reading import frame_view, parse_where, passages_view
from domain_sdk.cli.session import Session, read_token
from domain_sdk.cli.table_files import open_table
from domain_sdk.cli.tokens import write_secret
from domain_sdk.collections import Passage
from domain_sdk.errors import InvalidExpression
from domain_sdk.identity import Principal
from domain_sdk.lineage import LineageEdge, LineageGraph, LineageNode
from domain_sdk.questions import Shown
from domain_sdk.read import PlannedScan
from domain_sdk.release import Preview, QualityResult, QualityStatus
from mesh_core.contract import load_contract

NOON = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)


def printed(shown: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plan(*columns: VisibleColumn, hidden: int = 0, rows: str = "") -> ReadPlan:
    return ReadPlan("a.b.c", "user:ana", "forecasting", 7, columns, hidden, rows, (), has_obligations=True)


def test_plain_values_are_what_json_has() -> None:
    texts = dict.fromkeys(("resource", "purpose", "reason", "decider", "decision_reason", "row_filter"), "")
    state = AccessRequestState.DENIED
    request = AccessRequest(
        id="r1", requester="user:ana", columns=("x",), until=NOON, state=state, grants=(), masks={"x": "y"},
        create_time=None, decide_time=None, fetch=len, **texts,
    )  # fmt: skip
    document = json.loads(json.dumps(plain(request)))
    assert document["state"] == "denied"
    assert document["until"] == "2026-05-04T12:30:15.123456+00:00"
    assert document["masks"] == {"x": "y"}
    assert "fetch" not in document
    assert plain([Decimal("1.50"), date(2026, 1, 2), b"\x01\xff", True, None, 0.5]) == [
        "1.50",
        "2026-01-02",
        "01ff",
        True,
        None,
        0.5,
    ]


def test_names_in_the_first_column_are_not_folded_at_100_columns() -> None:
    shown = printed(table(("name", "text"), [("sales.customers.customers", "word " * 60)]))
    assert "sales.customers.customers" in shown
    assert max(map(len, shown.splitlines())) <= 100


WORDS = [("r-4780120dc05a6714", "requested", "finance.revenue", "Plan for next year and the one after")]
HEADINGS = ("id", "state", "asks for", "reason")


def test_a_table_breaks_no_word_at_any_width_that_holds_them() -> None:
    for width in range(20, 120):
        shown = printed(table(HEADINGS, WORDS), width=width)
        assert max(map(len, shown.splitlines())) <= width
        for word in ("id", "state", "asks", "reason", *" ".join(WORDS[0]).split()):
            assert word in shown.split() or width < 32, (width, word)


def test_a_table_that_does_not_fit_tells_every_row_as_lines() -> None:
    lines = [" ".join(line.split()) for line in printed(table(HEADINGS, WORDS * 2), width=50).splitlines()]
    block = [
        "id r-4780120dc05a6714",
        "state requested",
        "asks for finance.revenue",
        "reason Plan for next year and the one after",
    ]
    assert lines == [*block, "", *block]


def test_a_heading_is_not_folded_to_the_width_of_its_table() -> None:
    assert printed(table(("a",), [("b",)], title="finance.revenue is published"), width=60).startswith(
        "finance.revenue is published"
    )


def test_the_footer_names_masks_of_shown_columns_only() -> None:
    frame = pl.DataFrame({"a": [1]})
    masked = plan(VisibleColumn("a", "", False), VisibleColumn("b", "replace-with-null", False))
    shown = printed(frame_view(frame, PlannedScan(frame.schema, masked, 3, 0), limit=1))
    assert "the first row of a.b.c" in shown
    assert "masked" not in shown


def test_rows_are_shown_exactly_with_what_policy_left_out() -> None:
    frame = pl.DataFrame({"at": [NOON], "amount": [Decimal("2.50")], "mail": [None]}, schema_overrides={"mail": pl.String})
    columns = (
        VisibleColumn("at", "", False),
        VisibleColumn("amount", "", True),
        VisibleColumn("mail", "replace-with-null", False),
    )
    shown = printed(frame_view(frame, PlannedScan(frame.schema, plan(*columns, hidden=2, rows="x = 1"), 3, 0), limit=20))
    assert "2026-05-04 12:30:15.123456+00:00" in shown
    assert "2.50" in shown
    assert "null" in shown
    for line in ("1 row of a.b.c, version 3, as user:ana, for forecasting", "rows kept by policy: x = 1",
                 "masked: mail (replace-with-null)", "shown on some rows only: amount", "hidden: 2 columns"):  # fmt: skip
        assert line in shown


def test_an_explanation_says_of_every_column_how_it_is_shown_why_and_what_would_change_it() -> None:
    columns = (
        ExplainedColumn("a", Shown.CLEAR, "", ("g-1 gives it",)),
        ExplainedColumn("b", Shown.PARTLY, "", ("g-1 gives it", "g-2 gives it")),
        ExplainedColumn("c", Shown.MASKED, "show-first-4", ("guard masks it",)),
        ExplainedColumn("d", Shown.HIDDEN, "", ("no rule gives it",)),
    )
    ways = (
        WayOut(WayKind.END_DENIAL, "End g-3.", "g-3", "", (), "user:olga"),
        WayOut(WayKind.ASK, "Ask for it.", "", "", (), ""),
    )
    found = Explanation(
        True, plan(hidden=1, rows="restricted"), ("g1: because", ": bare"), "", 7, columns, ways,
        (ApproverLevel(1, ("user:olga", "user:otto"), False, (), False),), "mesh request a.b.c",
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in printed(explanation_view("a.b.c", found)).splitlines()]
    for line in ("a clear g-1 gives it", "b on some rows only g-1 gives it; g-2 gives it", "d hidden no rule gives it",
                 "c masked: show-first-4 guard masks it", "rows some (the rule is not yours to see)", "because g1: because",
                 "bare", "to see more End g-3. Set by user:olga.", "Ask for it.",
                 "approved by user:olga or user:otto"):  # fmt: skip
        assert line in lines


def test_a_derived_tag_is_shown_with_its_way_back_to_the_origin() -> None:
    tag = DerivedTag("pii.email", ("sales.o.o#email", "mid.m.m#mail", "fin.r.r#contact"))
    column = ColumnEntry("contact", "string", "", "", False, 0, (), (tag,))
    port = PortEntry("fin.r.r", PortKind.TABLE, "", (column,), (), 5, "", 0)
    shown = printed(shown_view(port, []))
    assert shown.index("pii.email") < shown.index("← mid.m.m.mail") < shown.index("← sales.o.o.email")
    assert "← fin.r.r" not in shown


def test_a_cyclic_lineage_is_drawn_once() -> None:
    nodes = (LineageNode("a.b.c", False, "table", ()), LineageNode("d.e.f", False, "table", ()), LineageNode("x", True, "", ()))
    edges = (LineageEdge("d.e.f", "a.b.c", "", "", False), LineageEdge("a.b.c", "d.e.f", "", "", False),
             LineageEdge("x", "d.e.f", "DIRECT", "IDENTITY", True))  # fmt: skip
    shown = printed(lineage_view(LineageGraph(nodes, edges, is_complete=False)))
    assert "(hidden from you)  (identity, masked)" in shown
    assert "--depth" in shown
    assert shown.count("d.e.f") == 2  # once on each side


def test_a_lineage_without_a_way_says_that_nothing_lies_between() -> None:
    shown = printed(lineage_view(LineageGraph((), (), is_complete=True), "a.b.c", "d.e.f"))
    assert shown.strip() == "Nothing lies between: no way that you may see leads from a.b.c to d.e.f."


def test_a_deep_lineage_does_not_exhaust_the_stack() -> None:
    nodes = tuple(LineageNode(f"n.p.{number}", False, "table", ()) for number in range(300))
    edges = tuple(LineageEdge(f"n.p.{number + 1}", f"n.p.{number}", "", "", False) for number in range(299))
    assert "n.p.0" in printed(lineage_view(LineageGraph(nodes, edges, is_complete=True)), width=2000)


def test_a_passage_is_one_paragraph_and_lists_stay_lists() -> None:
    def passage(text: str) -> Passage:
        return Passage(1, text, "a.md", "Title", "Title > Part", 0, 9, 4, (), "id", "a.b.c", 1)

    shown = printed(passages_view([passage("one\ntwo\n\n- three\n- four")]))
    assert "one two" in shown
    assert "- three  " in shown
    assert "1. Title › Part" in shown
    assert "a.md, page 4, characters 0–9, version 1" in shown


def test_the_place_of_a_passage_is_told_whole_however_long_its_documents_name_is() -> None:
    name = "/".join(["quarterly reports of the group"] * 5) + ".pdf"
    shown = printed(passages_view([Passage(1, "one", name, "T", "T", 0, 9, 4, (), "id", "a.b.c", 1)]), width=60)
    told = " ".join(line.strip("│ ") for line in shown.splitlines())
    assert f"{name}, page 4, characters 0–9, version 1" in told


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("n > 1", [2, 3]),
        ("n = 1 or s like 'c%'", [1, 3]),
        ("d >= DATE '2026-01-02'", [2]),
        ("s is null", [2]),
        ("n between 2 and 3", [2, 3]),
    ],
)
def test_a_where_keeps_the_rows_that_sql_keeps(sql: str, kept: list[int]) -> None:
    frame = pl.DataFrame({"n": [1, 2, 3], "s": ["a", None, "cd"], "d": [date(2026, 1, 1), date(2026, 1, 2), None]})
    assert frame.filter(parse_where(sql, frame.schema, port="a.b.c"))["n"].to_list() == kept


@pytest.mark.parametrize(
    ("sql", "said"),
    [("nn = 1", "did you mean 'n'"), ("d < '2026-01-01'", "DATE '2027-01-31'"), ("n = 1; drop table x", "second statement"),
     ("subject.region = 'x'", "row filters of grants"), ("sleep(9) = 1", "function call"), ("n =", "--where")],
)  # fmt: skip
def test_a_where_that_cannot_be_used_says_why(sql: str, said: str) -> None:
    with pytest.raises(InvalidExpression, match=said) as raised:
        parse_where(sql, pl.Schema({"n": pl.Int64, "d": pl.Date}), port="a.b.c")
    assert raised.value.resource == "a.b.c"


@pytest.mark.parametrize(
    ("name", "write"),
    [("t.parquet", pl.DataFrame.write_parquet), ("t.csv", pl.DataFrame.write_csv), ("t.ndjson", pl.DataFrame.write_ndjson),
     ("t.arrow", pl.DataFrame.write_ipc)],
)  # fmt: skip
def test_a_table_file_is_opened_by_its_ending(name: str, write: Callable[[pl.DataFrame, Path], None], tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    write(frame, tmp_path / name)
    opened = open_table(str(tmp_path / name))
    assert (opened.collect() if isinstance(opened, pl.LazyFrame) else pl.concat(opened.frames())).equals(frame)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").touch()
    for name, said in (("t.xlsx", "none of"), ("missing.csv", "not a file")):
        with pytest.raises(typer.BadParameter, match=said):
            open_table(str(tmp_path / name))


def test_a_csv_is_read_with_the_types_of_the_contract(tmp_path: Path) -> None:
    contract = (Path(sample_domains.__file__).parent / "finance" / "ledger" / "contract.odcs.yaml").read_text()
    (tmp_path / "entries.csv").write_text("entry_id,account,booked_on,amount\n1,0042,2026-01-31,1.10\n")
    (tmp_path / "accounts.csv").write_text("account,title\n0042,Sales\n")
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("entries", "accounts")}
    opened = {name: frame.collect().rows() for name, frame in open_ports(paths, contract, "finance.ledger").items()}
    assert opened == {"entries": [(1, "0042", date(2026, 1, 31), Decimal("1.10"))], "accounts": [("0042", "Sales")]}


def test_a_csv_with_column_names_only_is_an_empty_table_of_the_contracts_types(tmp_path: Path) -> None:
    contract = (Path(sample_domains.__file__).parent / "finance" / "ledger" / "contract.odcs.yaml").read_text()
    (tmp_path / "entries.csv").write_text("entry_id,account,booked_on,amount\n")
    opened = open_ports({"entries": str(tmp_path / "entries.csv")}, contract, "finance.ledger")["entries"].collect()
    assert opened.height == 0
    assert opened.schema["booked_on"] == pl.Date
    assert opened.schema["amount"].is_decimal()


def test_an_empty_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    with pytest.raises(typer.BadParameter, match="begins with a line of column names"):
        open_table(str(tmp_path / "t.csv"))


def test_a_port_that_the_contract_lacks_is_named_before_any_file_is_looked_for() -> None:
    contract = (Path(sample_domains.__file__).parent / "policy" / "handbook" / "contract.odcs.yaml").read_text()
    with pytest.raises(typer.BadParameter, match=r"policy\.handbook has no port pagse: its contract has pages\."):
        open_ports({"pagse": "docs"}, contract, "policy.handbook")


def test_a_collection_is_given_as_paths() -> None:
    contract = (Path(sample_domains.__file__).parent / "policy" / "handbook" / "contract.odcs.yaml").read_text()
    assert open_ports({"pages": "documents/*.md"}, contract, "policy.handbook") == {"pages": "documents/*.md"}


def test_a_path_of_documents_that_is_not_there_is_wrong_usage() -> None:
    contract = (Path(sample_domains.__file__).parent / "policy" / "handbook" / "contract.odcs.yaml").read_text()
    with pytest.raises(typer.BadParameter, match="nodir is no file or folder"):
        open_ports({"pages": "nodir"}, contract, "policy.handbook")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,day,note\n1,2026-01-01,x\n", ""),
        ("id,day\n1,2026-01-01\n", "a.b.t: the column note is not in what was given and becomes null."),
        ("id\n1\n", "a.b.t: the columns day, note are not in what was given and become null."),
    ],
)
def test_optional_columns_that_a_file_lacks_are_told_of(text: str, told: str, tmp_path: Path) -> None:
    port = load_contract(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a.b\nversion: 1.0.0\nstatus: active\nschema:\n- name: t\n  properties:\n"
        "  - {name: id, logicalType: integer}\n  - {name: day, logicalType: date}\n  - {name: note, logicalType: string}\n"
    ).ports[0]
    (tmp_path / "t.csv").write_text(text)
    for folder in (None, tmp_path):
        made = deliver(port, "a.b.t", tmp_path / "t.csv", folder=folder, hook=lambda *_: None)
        seen = printed(_preview(Preview("a.b", made.quality, ())), width=200)
        assert told in seen
        assert ("not in what was given" in seen) == bool(told)


def test_one_broken_rule_is_one_rule() -> None:
    broken = QualityResult("a.b.t", "id", "required", QualityStatus.FAILED, True, 1, 2, "1 of 2 rows", ())
    assert "refused: 1 rule broken" in printed(_preview(Preview("a.b", (broken,), ())), width=200)
    assert "refused: 2 rules broken" in printed(_preview(Preview("a.b", (broken, broken), ())), width=200)


def test_a_secret_is_written_for_its_owner_only_and_never_over_a_file(tmp_path: Path) -> None:
    write_secret(tmp_path / "token", "secret")
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert read_token(str(tmp_path / "token")) == "secret"
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "token", "other")


@pytest.mark.parametrize("content", ["", "two words", "\n\n"])
def test_a_file_that_holds_no_single_token_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(typer.BadParameter):
        read_token(str(tmp_path / "token"))


def test_a_session_does_not_show_its_token() -> None:
    assert "secret" not in repr(Session(url="http://127.0.0.1:1", token="secret"))


def test_who_asks_who_it_is_learns_where_purposes_of_grants_are_shown() -> None:
    carl = Principal("user:carl", "", ("group:service-desk",), (), (), {}, False, False, None, "")
    assert "`mesh sees` shows all" in printed(_caller_details(carl, ""), width=200)


def test_what_an_erasure_searched_is_counted() -> None:
    from domain_sdk.cli.erasing import _searched

    assert _searched(["crm.a.people.email"]) == "1 column of 1 product"
    assert _searched(["crm.a.people.email", "crm.a.orders.buyer", "hr.b.letters"]) == "2 columns and 1 collection of 2 products"
