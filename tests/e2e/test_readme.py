"""The README keeps its word: its tour runs as printed."""

from __future__ import annotations

import re

import pytest

from tests.servers import RunningServer
from tests.shared_data import ROOT


def test_the_tour_of_the_readme_runs_as_printed(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tours = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(tours) == 1
    assert len([line for line in tours[0].splitlines() if line.strip()]) <= 26
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MESH_URL", server.url)
    monkeypatch.setenv("MESH_TOKEN", server.admin_token)
    names: dict[str, object] = {}
    exec(compile(tours[0], "README.md", "exec"), names)  # the point of the test
    with pytest.raises(names["AccessDenied"]):  # type: ignore[call-overload]  # an exception class from the tour
        names["ana"].read("shop.orders.orders", purpose="forecasting")  # type: ignore[attr-defined]


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "AGENTS.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} → {target}")
    assert broken == []
