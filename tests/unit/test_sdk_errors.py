"""The error tree: one class a documented reason, and errors that read as one block."""

from __future__ import annotations

import pickle

import pytest

from domain_sdk import errors
from domain_sdk.errors import ContractViolated, MeshError, NotFound, PurposeNotHeld, Violation, error_class
from domainmesh.v1.error_reason_pb2 import ErrorReason

REASONS = [name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()]  # noqa: SIM118 # an enum wrapper, not a dict


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "UNSPECIFIED"])
def test_every_documented_reason_has_a_class_of_its_own(reason: str) -> None:
    assert error_class(reason) is not MeshError
    assert error_class(reason).reason == reason


def test_two_reasons_never_share_a_class() -> None:
    classes = [error_class(reason) for reason in REASONS]
    assert len(set(classes)) == len(classes)


def test_a_reason_of_a_later_server_is_still_a_mesh_error() -> None:
    assert error_class("INVENTED_LATER") is MeshError


def test_the_tree_in_the_module_docstring_names_every_class() -> None:
    drawn = errors.__doc__ or ""
    missing = [name for name in errors.__all__ if name not in drawn and name not in ("Violation", "error_class")]
    assert missing == []


def test_an_error_reads_as_one_block_with_every_violation_and_what_to_do() -> None:
    error = ContractViolated(
        "The data breaks the contract.",
        resource="finance.ledger",
        violations=[Violation("amount.required", "2 nulls"), Violation("", "no rows")],
        request_id="r-1",
    )
    assert str(error).splitlines() == [
        "The data breaks the contract.",
        "on: finance.ledger",
        "- amount.required: 2 nulls",
        "- no rows",
        "next: correct the data, or the contract if it promises too much, and publish again; nothing was published.",
        "request id: r-1",
    ]


def test_a_resource_that_the_message_names_is_not_repeated() -> None:
    assert str(NotFound("There is no finance.ledger.", resource="finance.ledger")) == "There is no finance.ledger."


def test_an_error_survives_a_trip_between_processes() -> None:
    error = PurposeNotHeld("no", resource="a.b.c", violations=[Violation("p", "m")], request_id="x")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is PurposeNotHeld
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
