"""Data contracts: an ODCS document as frozen values.

Owns reading the YAML safely, judging it by the standard's own JSON Schema and giving its parts the mesh's words (a schema
object is a *port*, a property a *column*). Knows nothing of frames, storage, policy or the wire. Light to import: no
dataframe library.
Source: Open Data Contract Standard 3.0.0 to 3.2.0.
"""

from __future__ import annotations

from mesh_core.contract.load import load_contract
from mesh_core.contract.model import Column, Contract, InvalidContract, Port, PortKind, Rule, Violation
from mesh_core.contract.servable import servable_problems

__all__ = [
    "Column",
    "Contract",
    "InvalidContract",
    "Port",
    "PortKind",
    "Rule",
    "Violation",
    "load_contract",
    "servable_problems",
]
