from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.dataset_names import DatasetName, dataset_node, is_outside, job_node, parse_node
from mesh_core.names import column_object


def test_a_port_is_its_own_name() -> None:
    assert dataset_node("mesh", "finance.ledger.entries") == "finance.ledger.entries"
    assert not is_outside("finance.ledger.entries#amount")


def test_other_datasets_keep_namespace_and_name() -> None:
    assert dataset_node("s3://bucket", "raw/orders") == "s3://bucket|raw/orders"
    assert is_outside("s3://bucket|raw/orders#id")


def test_what_is_no_port_of_the_mesh_is_outside_it() -> None:
    assert dataset_node("mesh", "finance.ledger") == "mesh|finance.ledger"


@pytest.mark.parametrize("name", ["a|b", "a#b", "100%", "%23", "%7C", "ä b"])
def test_odd_names_are_told_again(name: str) -> None:
    assert parse_node(dataset_node(name, name)) == DatasetName(name, name)


@given(st.text(), st.text(), st.text())
def test_every_name_and_column_is_told_again(namespace: str, name: str, column: str) -> None:
    node, _, found = column_object(job_node(namespace, name), column).partition("#")
    assert found == column
    assert parse_node(node) == DatasetName(namespace, name)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_two_datasets_never_share_a_node(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (job_node(*one) == job_node(*other)) == (one == other)
