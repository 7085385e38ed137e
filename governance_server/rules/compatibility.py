"""Compatibility: what a new contract would break for consumers of the old one.

BACKWARD, in the words of schema registries: whoever reads the old columns goes on reading. A breaking change needs a new major
version of the contract. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from domainmesh.v1 import product_pb2
from governance_server.rules.errors import IncompatibleContract, Problem

__all__ = ["breaking_changes", "check_compatible"]


def breaking_changes(old: product_pb2.Product, new: product_pb2.Product) -> Iterator[Problem]:
    """Every change that a reader of the old ports and columns would notice."""
    ports = {port.name: port for port in new.ports}
    for before in old.ports:
        after = ports.get(before.name)
        if after is None:
            yield Problem(before.name, "the port is gone")
        elif after.kind != before.kind:
            yield Problem(before.name, "the port became another kind of thing")
        else:
            yield from _column_changes(before, after)


def _column_changes(before: product_pb2.Port, after: product_pb2.Port) -> Iterator[Problem]:
    columns = {column.name: column for column in after.columns}
    for old in before.columns:
        new = columns.get(old.name)
        if new is None:
            yield Problem(f"{before.name}.{old.name}", "the column is gone")
        elif (new.logical_type, new.physical_type) != (old.logical_type, old.physical_type):
            was, now = old.physical_type or old.logical_type, new.physical_type or new.logical_type
            yield Problem(f"{before.name}.{old.name}", f"the type changed from {was or 'unstated'} to {now or 'unstated'}")
        elif old.is_required and not new.is_required:
            yield Problem(f"{before.name}.{old.name}", "the column may now be null")


def check_compatible(old: product_pb2.Product, new: product_pb2.Product) -> None:
    """Returns if nothing breaks, or the contract's major version says so. Raises: IncompatibleContract with every change."""
    if not old.version or _major(new.contract_version) > _major(old.contract_version):
        return
    problems = tuple(breaking_changes(old, new))
    if problems:
        raise IncompatibleContract(
            f"The contract breaks what readers of {old.name} rely on: keep it, or raise its version from {old.contract_version} "
            "to the next major one.",
            resource=old.name,
            problems=problems,
        )


def _major(version: str) -> int:
    head = version.lstrip("vV").partition(".")[0]
    return int(head) if head.isdecimal() else 0
