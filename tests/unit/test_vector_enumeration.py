from __future__ import annotations

import fnmatch
import itertools
import operator

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or
from mesh_core.vectors.enumeration import enumerated

VALUES = {"a": ["", "EU", "US", "eu"], "b": ["x", "y"]}
OPERATORS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

_names = st.sampled_from(["a", "b"])
_texts = st.sampled_from(["", "EU", "US", "x", "other"]).map(Literal)
_leaves = st.one_of(
    st.builds(Compare, st.sampled_from(sorted(OPERATORS)), _names.map(Column), _texts),
    st.builds(lambda name, op: Compare(op, Column(name), Column(name)), _names, st.sampled_from(["=", "!="])),
    st.builds(In, _names.map(Column), st.lists(st.one_of(_texts, st.just(Literal(None))), min_size=1, max_size=3).map(tuple)),
    st.builds(Like, _names.map(Column), st.sampled_from(["E%", "%", "_", "%U"])),
    st.builds(IsNull, _names.map(Column)),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner), st.builds(lambda x, y: And((x, y)), inner, inner), st.builds(lambda x, y: Or((x, y)), inner, inner)
    ),
    max_leaves=8,
)


def truth(node: Expression, row: dict[str, str | None]) -> bool | None:
    """SQL's three-valued logic, written anew for this test."""
    match node:
        case Literal(value):
            return value  # type: ignore[return-value]
        case Not(operand):
            found = truth(operand, row)
            return None if found is None else not found
        case And(operands) | Or(operands):
            found = [truth(operand, row) for operand in operands]
            decisive = isinstance(node, Or)
            return decisive if decisive in found else None if None in found else not decisive
        case IsNull(Column(name)):
            return row[name] is None
        case Compare(op, Column(name), right):
            other = row[right.name] if isinstance(right, Column) else right.value  # type: ignore[union-attr]
            return None if row[name] is None or other is None else OPERATORS[op](row[name], other)
        case In(Column(name), candidates):
            listed = [candidate.value for candidate in candidates]  # type: ignore[union-attr]
            return None if row[name] is None else True if row[name] in listed else None if None in listed else False
        case Like(Column(name), pattern):
            glob = pattern.replace("%", "*").replace("_", "?")
            return None if row[name] is None else fnmatch.fnmatchcase(row[name], glob)  # type: ignore[type-var]
    raise AssertionError(node)


@settings(max_examples=500, deadline=None)
@given(_trees)
def test_the_same_rows_are_true_and_no_negation_is_left_but_that_of_null(tree: Expression) -> None:
    listed = enumerated(tree, VALUES.get)
    for a, b in itertools.product([None, *VALUES["a"]], [None, *VALUES["b"]]):
        row = {"a": a, "b": b}
        assert (truth(listed, row) is True) is (truth(tree, row) is True)
    assert "Not(" not in repr(listed).replace("Not(operand=IsNull(", "")
    assert "!=" not in repr(listed)


def test_a_field_that_is_no_text_keeps_its_negation_for_the_compiler() -> None:
    tree = Not(In(Column("n"), (Literal(1),)))
    assert enumerated(tree, VALUES.get) == tree
