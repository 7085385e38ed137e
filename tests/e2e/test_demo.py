"""`mesh demo` as a newcomer runs it: the story is told, its claims hold, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain_sdk.demo.narrator import Narrator, StoryBroken
from domain_sdk.demo.story import QUESTION
from tests.e2e.test_cli_serve import MESH, assert_all_end, children

STORY = [
    "The central team sets up the mesh",
    "Domain teams publish their data products",
    "An analyst looks for data",
    "AccessDenied",
    'mesh.request("finance.revenue"',
    "mesh.approve(request.id",
    "rows of EMEA and no other",
    "not one e-mail address is shown",
    "sales.orders.orders.email → finance.revenue.revenue.contact",
    f'"{QUESTION}", limit=2)',
    "A customer may return an order within 30 days",
    "A customer wants money back",
    "a voucher, but no money",
    "the ledger is missing, and how to ask for it",
    "mesh.revoke(",
    "the very next read was denied",
    "└── sales.orders.orders",
    "The record is intact.",
    "claims of this story were checked",
]


def environment(tmp_path: Path) -> dict[str, str]:
    """One in which only the demo's own server can answer, and whose temporary files can be counted."""
    (tmp_path / "tmp").mkdir()
    foreign = {
        "MESH_URL": "http://127.0.0.1:9",
        "MESH_TOKEN": "foreign",
        "MESH_DATABASE": "sqlite:////nowhere/x.db",
        "MESH_HOST": "0.0.0.0",
    }
    return {
        **os.environ,
        **foreign,
        "TMPDIR": str(tmp_path / "tmp"),
        "COLUMNS": "100",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(MESH), "demo"], env=environment(tmp_path), capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stderr == ""
    place = 0
    for line in STORY:
        place = done.stdout.find(line, place)
        assert place >= 0, f"{line!r} is not told, or too early"
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list((tmp_path / "tmp").glob("mesh-demo-*")) == []
    assert not (tmp_path / "config").exists()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_kept_demo_can_be_logged_in_to_until_ctrl_c(tmp_path: Path) -> None:
    home = tmp_path / "home"
    given = {name: value for name, value in environment(tmp_path).items() if name not in ("MESH_URL", "MESH_TOKEN")}
    process = subprocess.Popen(
        [str(MESH), "demo", "--keep", "--json", "--home", str(home)], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":
                break
        told = json.loads(text)
        assert len(told["steps"]) == 13
        assert sum(len(step["claims"]) for step in told["steps"]) >= 25
        for name in ("ana", "carl", "fiona", "admin"):
            assert (home / f"{name}.token").stat().st_mode & 0o777 == 0o600
        for command in told["logins"]:
            assert command.startswith("mesh login --url http://127.0.0.1:")
            assert subprocess.run([str(MESH), *command.split()[1:]], env=given, capture_output=True, check=False).returncode == 0
        status = subprocess.run([str(MESH), "status", "--json"], env=given, capture_output=True, text=True, check=True)
        assert json.loads(status.stdout)["principal"] == "user:ana"
        below = children(process.pid)
        assert len(below) >= 2  # the server and its gateway, and what runs the SQL of the story
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert_all_end(below)
    assert (home / "mesh.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ctrl_c_in_the_middle_ends_the_server_and_removes_its_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(MESH), "demo"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Domain teams publish" in line:
            break
    time.sleep(0.5)
    below = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert_all_end(below)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_demo_refuses_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    done = subprocess.run([str(MESH), "demo", "--home", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not empty" in " ".join(done.stderr.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_claim_that_does_not_hold_breaks_the_story_loudly() -> None:
    narrator = Narrator(None)
    narrator.step("She reads")
    narrator.claim("one is one", True)
    with pytest.raises(StoryBroken, match="Step 1, “She reads”: this should be true but is not: the read is denied"):
        narrator.claim("the read is denied", False)


def test_without_the_sample_domains_the_demo_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['sample_domains'] = None\n"
        "from domain_sdk.cli import main\n"
        f"sys.exit(main(['demo', '--home', {str(tmp_path / 'home')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "sample domains are not installed" in " ".join(done.stderr.replace("│", " ").split())
