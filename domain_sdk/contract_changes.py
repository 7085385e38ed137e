"""`mesh.contracts`: what a new contract would change, whom that breaks, and the acceptance of those it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = [
    "AffectedConsumer",
    "AffectedKind",
    "CompatibilityMode",
    "ContractAcceptance",
    "ContractChange",
    "ContractChangeState",
    "ContractChanges",
    "ContractDifference",
    "ContractImpact",
]


class CompatibilityMode(StrEnum):
    """Whom a product's contract promises not to break."""

    UNSPECIFIED = "unspecified"
    BACKWARD = "BACKWARD"
    """Readers of the contract served go on with the next release."""
    FORWARD = "FORWARD"
    """Readers of the next contract can read the releases before it."""
    FULL = "FULL"
    """Both."""
    NONE = "NONE"
    """Nobody: changes are told and not gated."""


class AffectedKind(StrEnum):
    """How a consumer is affected."""

    UNSPECIFIED = "unspecified"
    DERIVED = "derived"
    READER = "reader"


class ContractChangeState(StrEnum):
    """Where a proposed contract change stands."""

    UNSPECIFIED = "unspecified"
    OPEN = "open"
    RELEASED = "released"
    OVERTAKEN = "overtaken"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ContractDifference:
    """One thing that differs between two contracts."""

    path: str
    """Where, like `orders.address.zip`; empty for the whole contract."""
    kind: str
    """Like `column removed` or `type`."""
    text: str
    breaks_backward: bool
    """True if readers of the contract served may fail on the next release."""
    breaks_forward: bool
    """True if readers of the next contract may fail on releases before it."""


@dataclass(frozen=True, slots=True)
class AffectedConsumer:
    """A consumer that a change would break; without a name if the caller may not see it."""

    kind: AffectedKind
    name: str
    """The port made of what changes, or the principal that read it; empty if hidden."""
    party: str
    """Who answers for it and may accept; empty if hidden."""
    columns: tuple[str, ...]
    changes: tuple[str, ...]
    """The paths of the differences that break it."""
    read_count: int
    last_read_time: datetime | None
    needs_acceptance: bool
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class ContractImpact:
    """What publishing with a contract would change, and whom that breaks, as far as the caller may see it."""

    product: str
    served_version: str
    """Empty before the first release."""
    wanted_version: str
    mode: CompatibilityMode
    """The promise in force: that of the contract served."""
    next_version: str
    """The lowest version that the differences allow."""
    differences: tuple[ContractDifference, ...]
    affected: tuple[AffectedConsumer, ...]
    digest: str
    """Of exactly these differences: what acceptances are bound to."""
    recorded_days: int
    """How many days of recorded reads were looked at."""
    refusals: tuple[str, ...] = ()
    """Why a release with this contract would be refused; empty if it would not be."""

    @property
    def hidden_count(self) -> int:
        """How many consumers the caller may not see."""
        return sum(not consumer.name for consumer in self.affected)

    @property
    def is_allowed(self) -> bool:
        """True if nothing of the contract keeps it from being published."""
        return not self.refusals


@dataclass(frozen=True, slots=True)
class ContractAcceptance:
    """One party's acceptance of a change."""

    party: str
    principal: str
    reason: str
    time: datetime | None
    is_on_behalf: bool
    """True if an administrator accepted in the party's place."""


@dataclass(frozen=True, slots=True)
class ContractChange:
    """A change of a contract that its publisher asks those it breaks to accept."""

    id: str
    impact: ContractImpact
    proposer: str
    reason: str
    state: ContractChangeState
    acceptances: tuple[ContractAcceptance, ...]
    time: datetime | None


class ContractChanges:
    """Contracts as they would change. Reached as `mesh.contracts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan(self, product: str, contract: str | Path) -> ContractImpact:
        """What publishing the product with this contract (path or text) would change, and whom that breaks; nothing is written.

        Raises:
            InvalidContract: the contract is not valid, or the mesh cannot serve it.
            AccessDenied: the caller may not write the product.
        """
        from domain_sdk import _contract_change_calls
        from domain_sdk.product import contract_text

        return _contract_change_calls.plan(self._transport, product, contract_text(contract))

    def propose(self, product: str, contract: str | Path, *, reason: str = "") -> ContractChange:
        """Everybody outside the domain whom this contract breaks is asked to accept exactly its changes.

        Raises:
            WrongState: nobody has to accept them.
            AccessDenied: the caller may not write the product.
        """
        from domain_sdk import _contract_change_calls
        from domain_sdk.product import contract_text

        return _contract_change_calls.propose(self._transport, product, contract_text(contract), reason)

    def get(self, id: str) -> ContractChange:
        """One change. Raises: AccessDenied."""
        from domain_sdk import _contract_change_calls

        return _contract_change_calls.get(self._transport, id)

    def list(self, product: str = "", *, only_open: bool = True, limit: int | None = None) -> list[ContractChange]:
        """The changes the caller may see, newest first."""
        from domain_sdk import _contract_change_calls

        return _contract_change_calls.list_changes(self._transport, product, only_open=only_open, limit=limit)

    def accept(self, id: str, *, party: str = "", reason: str = "") -> ContractChange:
        """The change is accepted for the party; for every one the caller answers for when it is empty.

        Raises:
            AccessDenied: the caller does not answer for it.
            WrongState: the change is no longer open.
        """
        from domain_sdk import _contract_change_calls

        return _contract_change_calls.accept(self._transport, id, party, reason)

    def withdraw_acceptance(self, id: str, *, party: str = "") -> ContractChange:
        """The acceptance counts no more. Raises: as `accept`."""
        from domain_sdk import _contract_change_calls

        return _contract_change_calls.withdraw_acceptance(self._transport, id, party)

    def withdraw(self, id: str) -> ContractChange:
        """The proposal is taken back. Raises: AccessDenied, WrongState."""
        from domain_sdk import _contract_change_calls

        return _contract_change_calls.withdraw(self._transport, id)
