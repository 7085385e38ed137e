"""Compatibility: whether a contract may follow the one that is served, by the mode that one promises and by semantic versions.

The mode in force is that of the contract served: nobody takes back a promise in the release that breaks it. Pure. ADR 0021 has
the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from governance_server.rules.contract_changes import ChangeKind, CompatibilityMode, ContractChange, digest_of
from governance_server.rules.contract_versions import Bump, ContractVersion, bump_between, parse_version, suggested
from governance_server.rules.errors import IncompatibleContract, Problem

__all__ = ["ContractStep", "check_step", "version_problem"]

_ZERO = ContractVersion(0, 0, 0, 1, ())


@dataclass(frozen=True, slots=True)
class ContractStep:
    """From the contract that is served to the one that is to follow. `served` is its version, empty before the first release."""

    product: str
    served: str
    wanted: str
    mode: CompatibilityMode
    changes: tuple[ContractChange, ...]

    @property
    def breaking(self) -> tuple[ContractChange, ...]:
        """The changes that break what the mode promises."""
        return tuple(change for change in self.changes if change.breaks(self.mode))

    @property
    def needed(self) -> Bump:
        """How far the version must go up, at least."""
        if not self.changes:
            return Bump.NONE
        if self.breaking:
            return Bump.MAJOR
        is_documented_only = all(change.kind is ChangeKind.DOCUMENTATION for change in self.changes)
        return Bump.PATCH if is_documented_only or self.mode is CompatibilityMode.NONE else Bump.MINOR

    @property
    def digest(self) -> str:
        """Of exactly these changes."""
        return digest_of(self.product, self.changes)

    @property
    def next_version(self) -> str:
        """The nearest version that is high enough."""
        return suggested(parse_version(self.served) or _ZERO, self.needed)


def version_problem(version: str) -> str:
    """Why the text is no version of a contract; empty if it is one."""
    if parse_version(version) is not None:
        return ""
    return f"{version!r} is no semantic version: write three numbers, like 1.0.0"


def check_step(step: ContractStep, broken: Callable[[ContractChange], str] = lambda change: "") -> None:
    """Returns if the version goes up as far as the changes ask.

    `broken` says in words whom a change breaks.

    Raises: IncompatibleContract with every change that asks for more.
    """
    problems = tuple(_problems(step, broken))
    if not problems:
        return
    what = (
        f"breaks what {step.mode.value} compatibility promises its readers" if step.breaking else "does not follow the one served"
    )
    raise IncompatibleContract(
        f"The contract of {step.product} {what}: raise its version from {step.served} to {step.next_version}, or take back what "
        "is listed.",
        resource=step.product,
        problems=problems,
    )


def _problems(step: ContractStep, broken: Callable[[ContractChange], str]) -> Iterator[Problem]:
    new = parse_version(step.wanted)
    if new is None:
        yield Problem("version", version_problem(step.wanted))
        return
    old = parse_version(step.served)
    if not step.served or old is None:  # a contract that was served before versions were checked
        return
    bump = bump_between(old, new)
    if bump is None:
        yield Problem("version", f"{step.wanted} goes back behind {step.served}, which is served")
    elif bump < step.needed:
        for change in step.breaking or step.changes:
            yield Problem(
                change.path or "contract", f"{change.text} (needs a {step.needed.name.lower()} version){broken(change)}"
            )
