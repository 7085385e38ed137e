"""How two steps become one: the rules that decide where a tag stops must not depend on the grouping of steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.lineage import Subtype, Transformation, TransformationType

_STEPS = st.builds(
    lambda subtype, function, masking: Transformation.of(
        subtype, function=function if subtype is Subtype.AGGREGATION else "", masking=masking
    ),
    st.sampled_from(Subtype),
    st.sampled_from(["sum", "max", "count", "list"]),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("subtype", "type_"),
    [(s, "DIRECT") for s in ("IDENTITY", "TRANSFORMATION", "AGGREGATION")]
    + [(s, "INDIRECT") for s in ("JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL")],
)
def test_each_subtype_has_the_type_of_the_specification(subtype, type_):
    assert Transformation.of(Subtype(subtype)).type == TransformationType(type_)


@given(_STEPS, _STEPS, _STEPS)
def test_steps_compose_in_any_grouping(first, second, third):
    assert third.after(second.after(first)) == third.after(second).after(first)


@given(_STEPS, _STEPS)
def test_values_flow_through_two_steps_only_if_through_each(outer, inner):
    both = outer.after(inner)
    assert both.is_direct == (outer.is_direct and inner.is_direct)
    if both.is_direct:
        assert both.is_breaker == (outer.is_breaker or inner.is_breaker)
