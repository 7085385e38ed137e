"""What failed is told in one block, or as JSON, with an exit status; tracebacks are for who asks for them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from domain_sdk.cli import main, output
from domain_sdk.cli.failures import Interruption, from_mesh_error, report
from domain_sdk.errors import ContractViolated, MeshError, Violation
from domain_sdk.mesh import Mesh

VIOLATIONS = [Violation("$.schema[0]", "name is missing."), Violation("entries: unique", "3 rows share \x1b[31mkeys.")]


@pytest.fixture(autouse=True)
def nobody_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("MESH_URL", "MESH_TOKEN", "MESH_DEBUG"):
        monkeypatch.delenv(name, raising=False)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def connect(*arguments: object, **more: object) -> Mesh:
        raise error

    monkeypatch.setattr(Mesh, "connect", connect)


def test_an_error_is_one_block_with_every_violation_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    error = ContractViolated("The data breaks the contract.", resource="finance.ledger", violations=VIOLATIONS, request_id="r1")
    assert report(from_mesh_error(error), as_json=False) == 1
    told = capsys.readouterr()
    assert told.out == ""
    shown = " ".join(told.err.replace("│", " ").split())
    assert "Contract violated" in shown
    assert "The data breaks the contract." in shown
    assert "on finance.ledger" in shown
    assert "• $.schema[0]: name is missing." in shown
    assert "• entries: unique: 3 rows share" in shown
    assert "next correct the data" in shown
    assert "request id r1" in shown


def test_control_characters_of_data_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report(from_mesh_error(ContractViolated("broken", violations=VIOLATIONS)), as_json=False)
    assert "\x1b" not in capsys.readouterr().err
    assert output.cell("a\x1b]0;title\x07b\u202ec").plain == "a\ufffd]0;title\ufffdb\ufffdc"


def test_markup_in_data_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    report(from_mesh_error(MeshError("no [bold]such[/bold] thing [/]")), as_json=False)
    assert "no [bold]such[/bold] thing [/]" in capsys.readouterr().err


def test_an_error_as_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    error = ContractViolated("The data breaks the contract.", resource="finance.ledger", violations=VIOLATIONS)
    assert report(from_mesh_error(error), as_json=True) == 1
    told = capsys.readouterr()
    assert told.out == ""
    document = json.loads(told.err)["error"]
    assert document["reason"] == "CONTRACT_VIOLATED"
    assert document["resource"] == "finance.ledger"
    assert [violation["path"] for violation in document["violations"]] == ["$.schema[0]", "entries: unique"]
    assert document["exit_status"] == 1


def test_of_many_violations_the_first_hundred_are_shown_and_json_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    many = [Violation(f"scan{number:04}.bin", "it is not read.") for number in range(1, 2_001)]
    error = from_mesh_error(ContractViolated("No document can be published.", violations=many))
    report(error, as_json=False)
    shown = capsys.readouterr().err
    assert shown.count("it is not read.") == 100
    assert "scan0100.bin" in shown
    assert "and 1,900 more: --json gives all of them" in shown
    report(error, as_json=True)
    assert len(json.loads(capsys.readouterr().err)["error"]["violations"]) == 2_000


def test_nobody_logged_in_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 1
    assert "mesh login" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["read"], "Missing argument 'PORT'"),
        (["read", "a.b.c", "--limit", "0"], "--limit"),
        (["read", "a.b.c", "--output", "rows.xlsx"], ".parquet, .csv, .ndjson"),
        (["read", "a.b.c", "--columns", "a,,b"], "empty column name"),
        (["status", "--url", "http://127.0.0.1:1"], "mesh --url … status"),
        (["approve", "r1", "--mask", "email"], "is not COLUMN=MASK"),
        (["publish", "finance.ledger", "beans.csv"], "is not PORT=PATH"),
        (["serve", "--home", "/etc/hosts"], "/etc/hosts is not a folder"),
        (["read", "a.b.c", "--columns", "month,month"], "month was given twice"),
        (["--token", "", "status"], "--token: It is empty"),
        (["--profile", " ", "status"], "--profile: It is empty"),
        (["approve", "r1", "--rows", ""], "--rows: It is empty, and would narrow nothing"),
        (["grant", "user:ana", "finance", "--rows", " "], "--rows: It is empty"),
        (["grant", "user:ana", "finance", "--columns", ""], "--columns: It is empty"),
        (["grant", "user:ana", "finance", "--purpose", ""], "--purpose: It is empty"),
        (["grant", "user:ana", "finance", "--until", ""], "--until: It is empty"),
        (["approval-rules", "create", "finance", "--for", "user:ana", "--rows", ""], "--rows: It is empty"),
        (["token", "create", "--until", ""], "--until: It is empty"),
        (["approve", "r1", "--mask", "email=show-last-4", "--mask", "email=x"], "given twice"),
        (["publish", "finance", "entries=x"], "finance.ledger"),
        (["check", "look", "finance"], "discover, request, read"),
        (["grant", "user:ana", "finance", "--actions", "reed"], "no such action"),
        (["admin", "create-guardrail", "g", "tag:pii"], "exactly one"),
        (["admin", "create-principal", "user:bea", "--administrator"], "then `mesh token create user:bea`"),
        (["admin", "update-principal", "user:ana"], "Nothing to change"),
        (["changes", "finance.ledger.entries"], "`mesh read finance.ledger.entries --changes-since VERSION`"),
        (["--token", "a", "--token-file", "b", "status"], "not both"),
        (["--token-file", "no-such-file", "--url", "http://127.0.0.1:1", "status"], "cannot be read"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in " ".join(told.err.replace("│", " ").split())
    assert "--help" in told.err


def test_json_among_the_global_options_is_told_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "status"]) == 2
    assert "comes behind the command" in json.loads(capsys.readouterr().err)["error"]["next_step"]


@pytest.mark.parametrize("as_json", [False, True])
def test_text_that_the_terminals_encoding_lacks_is_escaped(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="latin-1") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    output.open_streams()
    output.answer({"title": "Smile \N{GRINNING FACE} café"}, lambda: output.cell("Smile \N{GRINNING FACE} café"), as_json=as_json)
    report(from_mesh_error(MeshError("no \N{GRINNING FACE}")), as_json=as_json)
    out, err = (stream.buffer.getvalue().decode("latin-1") for stream in streams.values())  # type: ignore[attr-defined]
    if as_json:
        assert json.loads(out) == {"title": "Smile \N{GRINNING FACE} café"}
        assert json.loads(err)["error"]["message"] == "no \N{GRINNING FACE}"
    else:
        assert out.rstrip() == r"Smile \U0001f600 café"
        assert r"no \U0001f600" in err


def test_a_closed_standard_output_is_no_defect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--help"]) == 0
    assert "defect" not in capsys.readouterr().err


def test_wrong_usage_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["reason"] == "USAGE"


def test_an_unforeseen_error_is_a_block_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, ZeroDivisionError("oops"))
    assert main(["status"]) == 1
    told = capsys.readouterr().err
    assert "Unexpected error" in told
    assert "MESH_DEBUG=1" in told
    assert "Traceback" not in told


def test_mesh_debug_lets_errors_through(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, MeshError("oops"))
    monkeypatch.setenv("MESH_DEBUG", "1")
    with pytest.raises(MeshError, match="oops"):
        main(["status"])


def test_ctrl_c_says_what_to_do_where_the_command_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, Interruption("Run it again."))
    assert main(["status"]) == 130
    assert capsys.readouterr().err == "Interrupted. Run it again.\n"
    assert main(["status", "--json"]) == 130
    assert json.loads(capsys.readouterr().err)["error"]["next_step"] == "Run it again."


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["status"]) == 130
    assert "Interrupted." in capsys.readouterr().err


@pytest.mark.parametrize("loading", ["domain_sdk", "domain_sdk.access", "domain_sdk.cli.app", "typer", "rich"])
def test_ctrl_c_while_the_command_is_still_loading_exits_with_130_without_a_traceback(loading: str) -> None:
    script = (
        "import os, signal, sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {loading!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "from mesh_command import main\n"
        "sys.exit(main())\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "Interrupted.\n")


def test_ctrl_c_is_told_as_json_to_who_asked_for_it_whenever_it_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["status", "--json"]) == 130
    told = capsys.readouterr().err
    assert json.loads(told)["error"]["reason"] == "INTERRUPTED"
    script = "import sys, mesh_command; mesh_command._end()"
    early = subprocess.run([sys.executable, "-c", script, "--json"], capture_output=True, text=True, timeout=50, check=False)
    assert (early.returncode, early.stderr) == (130, told)


def test_the_console_script_is_what_ends_so() -> None:
    (script,) = entry_points(group="console_scripts", name="mesh")
    assert script.value == "mesh_command:main"


def test_a_file_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, PermissionError(13, "Permission denied", "/somewhere"))
    assert main(["status"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "Permission denied" in told
    assert "/somewhere" in told


def test_serving_without_the_server_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "sqlmodel" else object())
    assert main(["serve"]) == 1
    assert "domain-mesh[server]" in capsys.readouterr().err


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_server_that_does_not_start_ends_with_its_own_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MESH_PORT", "abc")
    assert main(["serve", "--home", str(tmp_path / "home"), *how]) == 2
    assert "MESH_PORT='abc' is not a number" in capfd.readouterr().err


@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_is_told_to_be_one_select(capsys: pytest.CaptureFixture[str], query: str) -> None:
    assert main(["sql", query, "--json"]) == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert (
        error["message"] == "The query is empty: write one SELECT over ports, like SELECT count(*) FROM finance.ledger.entries."
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ask", "What is due?", "--about", " "], "It is empty"),
        (["measure", "--by", "tier"], "--by of which measure?"),
        (["measure", "--period", "2026", "--explain"], "--period, --explain of which measure?"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, AssertionError("nothing is to be asked of a server"))
    assert main(arguments) == 2
    assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())
