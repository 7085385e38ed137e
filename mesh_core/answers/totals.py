"""`How much did we order`, `total of orders`: the one sum that a port's contract defines, asked for by what the port is called.

Only where the contract leaves no choice: of all its measures one is a sum.
What `how much did orders grow` asks for is their number. Pure words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from mesh_core.answers.changes import says_change
from mesh_core.answers.keys import singular
from mesh_core.contract.model import Port
from mesh_core.contract.semantic_check import DIALECT
from mesh_core.contract.semantics import Measure
from mesh_core.sql_text import SqlNotUnderstood, parsed_expression

__all__ = ["is_sum", "with_totals"]

_HOW_MUCH = re.compile(r"\bhow much\b", re.IGNORECASE)
_TOTAL = re.compile(r"\b(?P<sum>total(?: (?:value|amount|sum))?|sum|value|worth) of (?:(?:all|the|our|their) )?", re.IGNORECASE)


def with_totals(question: str, ports: Mapping[str, Port]) -> dict[str, Port]:
    """The ports, each with its sum known by the port's own names where the question asks how much, or for their total."""
    forms = ["{}"] if _HOW_MUCH.search(question) and not says_change(question) else []
    forms += [match[0].lower() + "{}" for match in _TOTAL.finditer(question)]
    return {name: _with_total(port, forms) for name, port in ports.items()} if forms else dict(ports)


def _with_total(port: Port, forms: list[str]) -> Port:
    sums = [it for it in port.measures if it.position >= 0 and is_sum(it)]
    if len(sums) != 1:
        return port
    nouns = dict.fromkeys(it for name in (port.name, *port.synonyms) for it in (name, singular(name)))
    called = replace(sums[0], synonyms=(*sums[0].synonyms, *(form.format(noun) for form in forms for noun in nouns)))
    return replace(port, measures=tuple(called if it is sums[0] else it for it in port.measures))


def is_sum(measure: Measure, *, of_all_rows: bool = False) -> bool:
    """True if the measure adds a column or an expression up, of all rows or of some; surely of all, if that is asked."""
    from sqlglot import exp

    try:
        whole = parsed_expression(measure.expression, DIALECT)
    except SqlNotUnderstood:
        return False
    if of_all_rows and whole.find(exp.Filter, exp.Case, exp.If):
        return False
    counted = whole.this if isinstance(whole, exp.Filter) else whole
    return isinstance(counted, exp.Sum) and not isinstance(counted.this, exp.Distinct)
