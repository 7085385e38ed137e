"""One engine judges one file by one contract: `python quality_runner.py ENGINE CONTRACT FILE`, run by that engine's interpreter.

Prints a line of JSON: seconds for the checks (imports are over), how many gave a verdict, whether all passed, rows, peak memory.
Imports nothing of this repository but in the engine `mesh`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any


def _mesh(contract: str, source: str) -> dict[str, Any]:
    import polars as pl

    from mesh_core.contract import load_contract
    from mesh_core.quality import Outcome, check_frame

    begin = time.perf_counter()
    port = load_contract(Path(contract).read_text(encoding="utf-8")).ports[0]
    report = check_frame(pl.scan_parquet(source), port)
    judged = [it for it in report.results if it.outcome in (Outcome.PASSED, Outcome.FAILED)]
    return {"seconds": time.perf_counter() - begin, "checks": len(judged), "ok": report.is_ok, "rows": report.total_rows}


def _datacontract(contract: str, source: str) -> dict[str, Any]:
    import logging

    from datacontract.data_contract import DataContract

    logging.disable(logging.CRITICAL)
    begin = time.perf_counter()
    run = DataContract(data_contract_file=contract).test()
    seconds = time.perf_counter() - begin
    verdicts = [str(getattr(check.result, "value", check.result)) for check in run.checks]
    judged = [it for it in verdicts if it in ("passed", "failed")]
    return {"seconds": seconds, "checks": len(judged), "ok": "failed" not in verdicts, "rows": 0}


def _great_expectations(contract: str, source: str) -> dict[str, Any]:
    import great_expectations as gx
    import pandas as pd
    import yaml

    port = yaml.safe_load(Path(contract).read_text(encoding="utf-8"))["schema"][0]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    begin = time.perf_counter()
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("t").add_batch_definition_whole_dataframe("b")
    suite = context.suites.add(gx.ExpectationSuite(name="s"))
    for expectation in _expectations(gx.expectations, port):
        suite.add_expectation(expectation)
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="v", data=batch, suite=suite))
    frame = pd.read_parquet(source)
    decimals = [column["name"] for column in port["properties"] if "decimal" in column.get("physicalType", "")]
    frame[decimals] = frame[decimals].astype(float)  # as Python's Decimal objects it would take several times as long
    result = definition.run(batch_parameters={"dataframe": frame}, result_format="BASIC")
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "checks": len(result.results), "ok": bool(result.success), "rows": len(frame)}


def _expectations(e: Any, port: dict[str, Any]) -> list[Any]:  # noqa: ANN401 # the peer's own module
    made = []
    for column in port["properties"]:
        name, options = column["name"], column.get("logicalTypeOptions", {})
        if column.get("required") or column.get("primaryKey"):
            made.append(e.ExpectColumnValuesToNotBeNull(column=name))
        if "minimum" in options or "maximum" in options:
            bounds = {"min_value": options.get("minimum"), "max_value": options.get("maximum")}
            made.append(e.ExpectColumnValuesToBeBetween(column=name, **bounds))
        if "maxLength" in options:
            made.append(
                e.ExpectColumnValueLengthsToBeBetween(
                    column=name, min_value=options.get("minLength"), max_value=options["maxLength"]
                )
            )
        if "pattern" in options:
            made.append(e.ExpectColumnValuesToMatchRegex(column=name, regex=options["pattern"]))
        for rule in column.get("quality", ()):
            if rule["metric"] == "invalidValues":
                made.append(e.ExpectColumnValuesToBeInSet(column=name, value_set=rule["arguments"]["validValues"]))
            if rule["metric"] == "nullValues":
                made.append(e.ExpectColumnValuesToNotBeNull(column=name))
    keys = [column["name"] for column in port["properties"] if column.get("primaryKey")]
    if keys:
        made.append(e.ExpectCompoundColumnsToBeUnique(column_list=keys))
    made.append(e.ExpectTableRowCountToBeBetween(min_value=1))
    return made


_ENGINES = {"mesh": _mesh, "datacontract": _datacontract, "great-expectations": _great_expectations}

if __name__ == "__main__":
    found = _ENGINES[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({**found, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
