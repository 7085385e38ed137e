"""Contracts as the server meets them: parsing with the server's own error, and what keeps one from being served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from governance_server.rules.compatibility import version_problem
from governance_server.rules.contract_diff import mode_problem
from governance_server.rules.conversations import conversation_problems
from governance_server.rules.errors import InvalidContractText, Problem
from governance_server.rules.expectations import policy_problem
from governance_server.rules.personalisation import personalisation_problems
from governance_server.rules.retention import retention_problems

if TYPE_CHECKING:
    from mesh_core.contract import Contract

__all__ = ["parse_contract", "unservable"]


def parse_contract(text: str) -> Contract:
    """The contract. Raises: InvalidContractText with every violation."""
    from mesh_core.contract import InvalidContract, load_contract

    try:
        return load_contract(text)
    except InvalidContract as error:
        problems = [Problem(v.path, v.message) for v in error.violations]
        raise InvalidContractText("The contract is not a valid ODCS document: mend what is listed.", problems=problems) from error


def unservable(contract: Contract) -> list[Problem]:
    """Everything that keeps the valid contract from being published; empty if nothing does."""
    from governance_server.publishing.delivery import unstorable
    from mesh_core.contract import servable_problems
    from mesh_core.contract.rescan import rescan_problems

    problems = [Problem(p.path, p.message) for p in servable_problems(contract)]
    if text := version_problem(contract.version):
        problems.append(Problem("$.version", f"{text}."))
    problems.extend(Problem("$.customProperties", text) for text in (mode_problem(contract), policy_problem(contract)) if text)
    problems += [Problem("$.customProperties", it) for it in retention_problems(contract.custom_properties)]
    problems += [Problem(path, text) for path, text in rescan_problems(contract)]
    problems += [Problem("$.customProperties", it) for it in conversation_problems(contract)]
    problems += [Problem("$.customProperties", it) for it in personalisation_problems(contract.custom_properties)]
    for index, port in enumerate(contract.ports):
        if not port.columns:
            problems.append(Problem(f"$.schema[{index}]", "a port needs properties: policy is decided column by column"))
        elif text := unstorable(port):
            problems.append(Problem(f"$.schema[{index}]", text))
    return problems
