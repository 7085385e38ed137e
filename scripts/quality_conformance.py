"""Runs the quality conformance pack through datacontract-cli and writes what it found beside the pack, and the page's table.

`python scripts/quality_conformance.py` runs the peer (scripts/build-quality-peers puts it into the cache); with `--page-only` the
table of docs/quality.md is made anew from the kept findings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conformance.cases import CASES, contract_of, frame_of  # noqa: E402  # found through the line above

FINDINGS = ROOT / "tests" / "conformance" / "quality" / "datacontract-cli.json"
PAGE = ROOT / "docs" / "quality.md"
_MARKS = ("<!-- disagreements -->\n", "<!-- end -->\n")
_NATURAL = {"field_is_present", "field_type", "general"}


def run_peer() -> dict[str, Any]:
    """Case → what datacontract-cli found: its verdict, its number, or why it has none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-mesh" / "quality-peers" / "datacontract"
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            data = Path(folder) / f"{number}.parquet"
            frame_of(case).write_parquet(data)
            server = {"server": "local", "type": "local", "path": str(data), "format": "parquet"}
            text = yaml.safe_dump({**contract_of(case), "servers": [server]}, sort_keys=False, allow_unicode=True)
            (Path(folder) / f"{number}.yaml").write_text(text, encoding="utf-8")
        command = [str(cache / "bin" / "python"), str(ROOT / "scripts" / "conformance_peer.py"), folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    raw = json.loads(done.stdout)
    return {case["case"]: _finding(raw[str(number)]) for number, case in enumerate(CASES)}


def _finding(checks: Any) -> dict[str, Any]:  # noqa: ANN401 # the peer's JSON
    if isinstance(checks, str):
        return {"verdict": "error", "count": None}
    found = [check for check in checks if check["type"] not in _NATURAL]
    if not found:
        return {"verdict": "ignored", "count": None}
    counted = (found[0].get("diagnostics") or {}).get("value")
    return {"verdict": found[0]["result"], "count": counted}


def table(findings: dict[str, Any]) -> str:
    """The cases in which the peer's verdict or number is another one, as Markdown; and how many there are."""
    rows = []
    for case in CASES:
        found = findings[case["case"]]
        ours = "passed" if case["holds"] else "failed"
        is_share = case.get("rule", {}).get("unit") == "percent"
        agrees = found["verdict"] == ours and (found["count"] is None or is_share or found["count"] == case["count"])
        if not agrees:
            theirs = found["verdict"] + ("" if found["count"] is None else f", {found['count']:g}")
            rows.append(f"| {case['case']} | {ours}, {case['count']} | {theirs} | {case.get('why', '')} |")
    head = f"{len(CASES) - len(rows)} of {len(CASES)} cases agree with datacontract-cli 1.2.8; the others:\n\n"
    return head + "| case | ours | datacontract-cli | why ours |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def page_with(text: str, findings: dict[str, Any]) -> str:
    """The page with the table between its marks."""
    before, _, rest = text.partition(_MARKS[0])
    _, _, after = rest.partition(_MARKS[1])
    return f"{before}{_MARKS[0]}{table(findings)}{_MARKS[1]}{after}"


def main() -> None:
    """Findings and page are up to date."""
    if "--page-only" not in sys.argv:
        FINDINGS.write_text(json.dumps(run_peer(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    findings = json.loads(FINDINGS.read_text(encoding="utf-8"))
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), findings), encoding="utf-8")


if __name__ == "__main__":
    main()
