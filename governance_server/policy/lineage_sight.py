"""What of lineage a caller may know of: ports it may discover, and outside the mesh what its owner's discoverers may.

A dataset or job outside the mesh belongs to the domain that registered its namespace; what nobody registered is the central
team's to see.
"""

from __future__ import annotations

from collections.abc import Container

from governance_server.caller import Caller
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.rules.policy_rows import domain_of
from mesh_core.dataset_names import DatasetName, is_outside, parse_node
from mesh_core.names import MESH

__all__ = ["LineageSight"]

_JOB = "job:"


class LineageSight:
    """One caller's view, at one moment."""

    def __init__(self, policy: PolicyProjection, caller: Caller) -> None:
        self._visible = policy.visibility(caller)
        self._facts = policy.facts()
        self._sees_unowned = policy.check(caller, "administer", MESH).allowed
        self._named: frozenset[str] | None = None

    def port_of(self, node: str) -> str:
        """The port that a dataset is known to be, else its node."""
        return self._facts.observed.port_of(node)

    def datasets_of(self, port: str) -> list[str]:
        """The datasets that are known to be the port (or dataset) under other names."""
        return self._facts.observed.datasets_of(port)

    def sees(self, node: str) -> bool:
        """True if the caller may know the port, dataset, job or column object."""
        if not is_outside(node):
            return self._visible.allows(node)
        return self.sees_job(parse_node(node.partition("#")[0].removeprefix(_JOB)))

    def exceptions(self, within: str) -> tuple[Container[str], ...] | None:
        """In which are the objects of a product or port that may not be known just because it may: a rule or a tag is on them.

        None if any may be one.
        """
        if is_outside(within):
            return ()
        if self._visible.narrowed is not None or self._visible.linked is None:
            return None
        if self._named is None:
            self._named = self._visible.named()
        return self._visible.linked(domain_of(within)), self._named

    def sees_job(self, named: DatasetName) -> bool:
        """True if the caller may know the job (or dataset) outside the mesh."""
        owner = self._facts.owners.owner_of(*named)
        return self._visible.allows(owner) if owner else self._sees_unowned

    def require(self, node: str) -> None:
        """Returns if the caller may know the node. Raises: AccessDenied."""
        if not self.sees(node):
            raise denied("discover", node)

    def require_job(self, named: DatasetName) -> None:
        """Returns if the caller may know the job. Raises: AccessDenied."""
        if not self.sees_job(named):
            raise denied("discover", f"job {named.name}")
