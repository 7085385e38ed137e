r"""Quality checks: what a contract promises of its data, judged in one pass over batches.

`compile_checks` turns a port into checks (values without any dataframe in them), `Checker` evaluates them batch by batch in
bounded memory, `Report` holds every result at once. Knows nothing of storage, policy or the wire. Imports polars: import it on
first use.

Semantics, where ODCS leaves a choice or its engines disagree:

- **Null** fails only `required`, the primary key, `nullValues` and a `missingValues` that lists it. It satisfies every
  option, enum, pattern and unique check, and is never an invalid or a duplicate value, as in SQL.
- **required** is judged by null, an absent optional column counts as all null. The columns of a primary key are required.
- **unique, primary key, duplicateValues** count the rows beyond the first of each value: 1, 1, 1, 2, 3 has two. That is the
  number of rows to remove. A composite value with a null in it is no duplicate. Exact: hashes only nominate candidates.
- **missingValues** counts the listed values, null only when listed; without a list, nulls.
- **invalidValues** counts non-null values outside `validValues` or not matching `pattern`; with both, either fault counts.
- **pattern** matches anywhere in the value (ECMA-262); anchor it with `^` and `$`. `\d` and `\w` are ASCII.
- **minLength, maxLength** count Unicode code points (bytes of a binary).
- **minimum, maximum** never admit NaN. Temporal bounds are ISO 8601 or in the column's own `format`.
- **mustBeBetween** includes both ends and **mustNotBeBetween** excludes exactly that interval. The standard's text reads
  exclusive, every engine we know implements inclusive.
- **percent** is of all rows, nulls included; of an empty frame it is 0.
- **severity** info, warning, warn, low, minor or trivial never blocks; any other, and none, does.
- **sql** rules and **foreign keys** go by whole ports: the server runs them. A **custom** rule's engine runs it, if it is there.
- **What cannot be evaluated** is never "passed": text and unknown formats are *recorded*, a rule is *not run*. The latter blocks
  only if the rule's severity is written and not a mild one.
- **normalized** holds of a vector whose squared length is 1 within a hundredth.
- **Checks inside** objects, arrays and maps count the rows with at least one fault.

Source: ODCS 3.2 quality, `logicalTypeOptions`, `enum`.
"""

from __future__ import annotations

from mesh_core.quality.batches import check_frame, frame_batches
from mesh_core.quality.check import LIBRARY, Check, Kind
from mesh_core.quality.checker import Checker, SchemaChanged
from mesh_core.quality.compile import compile_checks
from mesh_core.quality.report import MASKED, CheckResult, Outcome, Report, Sample

__all__ = [
    "LIBRARY",
    "MASKED",
    "Check",
    "CheckResult",
    "Checker",
    "Kind",
    "Outcome",
    "Report",
    "Sample",
    "SchemaChanged",
    "check_frame",
    "compile_checks",
    "frame_batches",
]
