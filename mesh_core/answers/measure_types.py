"""Whether a measure is a number: of days and texts, too, a contract may define the last, but nothing is subtracted or divided."""

from __future__ import annotations

from mesh_core.contract.model import Port
from mesh_core.contract.semantic_check import DIALECT
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

__all__ = ["is_number"]

_STORED = {"date": "date", "timestamp": "timestamp", "time": "time", "string": "varchar", "boolean": "boolean"}


def is_number(measure: Measure, port: Port) -> bool:
    """False if the measure surely is a day, a time, a text or a truth, by the types of the port's columns."""
    from sqlglot import exp
    from sqlglot.optimizer.annotate_types import annotate_types

    try:
        whole = parsed_expression(measure.expression, DIALECT)
    except SqlNotUnderstood:
        return True  # where it is computed, that is told
    types = {it.name.casefold(): _STORED.get(it.logical_type or "", "double") for it in port.columns}

    def stored(node: exp.Expr) -> exp.Expr:
        return exp.cast(exp.null(), types.get(node.name.casefold(), "double")) if isinstance(node, exp.Column) else node

    made = annotate_types(whole.transform(stored), dialect=DIALECT).unnest()
    if isinstance(made, exp.Sub) and made.is_type("date"):
        return True  # days between two days
    return not made.is_type(*exp.DataType.TEXT_TYPES, *exp.DataType.TEMPORAL_TYPES, "time", "interval", "boolean")
