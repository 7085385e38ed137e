"""Runs the quality conformance pack through datacontract-cli and prints its numbers as JSON.

Run by its own interpreter (scripts/build-quality-peers makes it): `python scripts/conformance_peer.py FOLDER`, where FOLDER holds
for each case `<n>.parquet` and `<n>.yaml`.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from datacontract.data_contract import DataContract


def _told(check: Any) -> dict[str, Any]:  # noqa: ANN401 # the peer's own class
    return {
        "name": check.name,
        "type": str(check.type),
        "result": str(getattr(check.result, "value", check.result)),
        "reason": check.reason,
        "diagnostics": getattr(check, "diagnostics", None),
    }


def main(folder: str) -> None:
    """Prints, for each case, what the peer found: case number → checks, or the error."""
    logging.disable(logging.CRITICAL)
    found: dict[str, Any] = {}
    for path in sorted(Path(folder).glob("*.yaml"), key=lambda it: int(it.stem)):
        try:
            run = DataContract(data_contract_file=str(path)).test()
            found[path.stem] = [_told(check) for check in run.checks]
        except Exception as error:  # noqa: BLE001 # whatever the peer raises is what it has to say
            found[path.stem] = f"{type(error).__name__}: {error}"
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
