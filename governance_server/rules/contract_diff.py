"""Everything that changed from one contract of a product to the next. Pure.

What breaks whom is told by how the sets of data lie that the two contracts admit. The table of rules is in `docs/concepts.md`
§3 and ADR 0021. Sources: Confluent Schema Registry and Avro for the words, ODCS 3.2 for what there is to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from governance_server.rules.column_changes import column_changes, renames
from governance_server.rules.contract_changes import (
    ChangeKind,
    CompatibilityMode,
    ContractChange,
    Place,
    change_of_fit,
)
from governance_server.rules.quality_changes import quality_changes
from governance_server.rules.stored_types import StoredType
from governance_server.rules.value_sets import Fit
from mesh_core.contract import Column, Contract, Port

__all__ = ["diff", "mode_of", "mode_problem"]

_MODES = {mode.value: mode for mode in CompatibilityMode}
_KEPT = {
    CompatibilityMode.NONE: frozenset({CompatibilityMode.NONE}),
    CompatibilityMode.BACKWARD: frozenset({CompatibilityMode.NONE, CompatibilityMode.BACKWARD}),
    CompatibilityMode.FORWARD: frozenset({CompatibilityMode.NONE, CompatibilityMode.FORWARD}),
    CompatibilityMode.FULL: frozenset(CompatibilityMode),
}
"""What each mode promises, among others."""

_Stored = Callable[[Column], StoredType]


def mode_of(contract: Contract) -> CompatibilityMode:
    """The contract's custom property `compatibility`; BACKWARD without one, and for a word that is no mode."""
    return _MODES.get(_mode_word(contract), CompatibilityMode.BACKWARD)


def mode_problem(contract: Contract) -> str:
    """Why the custom property `compatibility` says nothing; empty if it says something, or is not there."""
    if "compatibility" not in contract.custom_properties or _mode_word(contract) in _MODES:
        return ""
    return f"compatibility is {_mode_word(contract)[:40]!r}: write one of {', '.join(_MODES)}."


def _mode_word(contract: Contract) -> str:
    return str(contract.custom_properties.get("compatibility", "")).strip().upper()


def diff(old: Contract, new: Contract, stored: _Stored) -> tuple[ContractChange, ...]:
    """Every change, in the order of the old contract; one of kind documentation if nothing that binds changed but something did.

    `stored` tells the storage type of a column or of a part of one.
    """
    found = [*_ports(old, new, stored), *_mode(old, new), *_service_levels(old, new)]
    if not found and _rest(old.document) != _rest(new.document):
        found.append(ContractChange("", "", "", ChangeKind.DOCUMENTATION, f"{_sections(old, new)} changed"))
    return tuple(found)


def _ports(old: Contract, new: Contract, stored: _Stored) -> Iterator[ContractChange]:
    after = {port.name: port for port in new.ports}
    renamed = _renamed_ports(old, new)
    for port in old.ports:
        name = renamed.get(port.name, port.name)
        place = Place(port.name)
        if name not in after:
            yield ContractChange(port.name, "", port.name, ChangeKind.PORT_REMOVED, "the port is gone", True)
            continue
        if name != port.name:
            yield ContractChange(port.name, "", port.name, ChangeKind.PORT_RENAMED, f"the port is renamed to {name}", True, True)
        if after[name].kind is not port.kind:
            text = f"the port becomes a {after[name].kind.value}"
            yield ContractChange(port.name, "", port.name, ChangeKind.PORT_KIND, text, True, True)
            continue
        yield from _port(place, port, after[name], stored)
        was, now = (", ".join(_partitions(contract, called)) for contract, called in ((old, port.name), (new, name)))
        if was != now:
            text = f"the partitions change from ({was}) to ({now})"
            yield ContractChange(port.name, "", port.name, ChangeKind.PARTITIONING, text)
    known = {renamed.get(port.name, port.name) for port in old.ports}
    for port in new.ports:
        if port.name not in known:
            yield ContractChange(port.name, "", port.name, ChangeKind.PORT_ADDED, "the port is new")


def _renamed_ports(old: Contract, new: Contract) -> Mapping[str, str]:
    names_before, names_after = {port.name for port in old.ports}, {port.name for port in new.ports}
    by_id = {port.id: port.name for port in new.ports if port.id and port.name not in names_before}
    return {port.name: by_id[port.id] for port in old.ports if port.id and port.name not in names_after and port.id in by_id}


def _port(place: Place, old: Port, new: Port, stored: _Stored) -> Iterator[ContractChange]:
    yield from column_changes(place, old.columns, new.columns, stored)
    yield from _keys(place, old, new)
    yield from _computed(place, old, new)
    yield from quality_changes(place, old.quality, new.quality)


def _computed(place: Place, old: Port, new: Port) -> Iterator[ContractChange]:
    """Changes of measures and computed dimensions: one that is gone, or means something else, breaks who asks for it by name."""
    before, after = _meanings(old), _meanings(new)
    for name, (what, meaning) in before.items():
        if name not in after:
            yield ContractChange(place.port, name, name, ChangeKind.COMPUTED, f"the {what} is gone", True)
        elif after[name] != (what, meaning):
            text = f"the {what} changes from {meaning} to {after[name][1]}"
            yield ContractChange(place.port, name, name, ChangeKind.COMPUTED, text, True, True)
    for name, (what, _) in after.items():
        if name not in before:
            yield ContractChange(place.port, name, name, ChangeKind.COMPUTED, f"the {what} is new")


def _meanings(port: Port) -> dict[str, tuple[str, str]]:
    """Name → what is computed, and how with its unit and time."""
    found = {it.name: ("dimension", it.expression) for it in port.dimensions if it.expression}
    for it in port.measures:
        parts = (it.expression, it.unit and f"in {it.unit}", (time := port.time_dimension(it)) and f"over {time}")
        found[it.name] = ("measure", " ".join(filter(None, parts)))
    return found


def _keys(place: Place, old: Port, new: Port) -> Iterator[ContractChange]:
    """Changes of what is unique: a key keeps its promise if some part of it is still unique by itself."""
    renamed = renames(old.columns, new.columns)
    before, after = _key(old, renamed), _key(new, {})
    promised, kept = _unique_sets(old, renamed), _unique_sets(new, {})
    if before != after:
        was, now = ", ".join(before) or "none", ", ".join(after) or "none"
        text = f"the primary key changes from ({was}) to ({now})"
        is_reordered = frozenset(before) == frozenset(after)  # whoever merges by it addresses its columns by position
        loses = is_reordered or (bool(before) and not _implied(frozenset(before), kept))
        gains = is_reordered or (bool(after) and not _implied(frozenset(after), promised))
        yield ContractChange(place.port, "", place.port, ChangeKind.PRIMARY_KEY, text, loses, gains)
    columns = {column.name: column for column in new.columns}
    for column in old.columns:
        found = columns.get(renamed.get(column.name, column.name))
        if found is not None and column.unique != found.unique:
            here, only = place.within(column.name), frozenset({found.name})
            fit = Fit.SAME
            if column.unique and not _implied(only, kept):
                fit = Fit.LOOSER
            elif found.unique and not _implied(only, promised):
                fit = Fit.TIGHTER
            text = "may now hold a value twice" if column.unique else "may no longer hold a value twice"
            yield change_of_fit(here, ChangeKind.UNIQUE, text, fit)


def _key(port: Port, renamed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(renamed.get(column.name, column.name) for column in port.primary_key)


def _unique_sets(port: Port, renamed: Mapping[str, str]) -> frozenset[frozenset[str]]:
    """The sets of columns that hold no value twice, under their new names."""
    single = {frozenset({renamed.get(column.name, column.name)}) for column in port.columns if column.unique}
    key = frozenset(_key(port, renamed))
    return frozenset(single | ({key} if key else set()))


def _implied(columns: frozenset[str], unique: frozenset[frozenset[str]]) -> bool:
    return any(known <= columns for known in unique)


def _partitions(contract: Contract, port: str) -> tuple[str, ...]:
    """The columns the port is partitioned by, by `partitionKeyPosition`, then by the order of writing."""
    entries = next(entry.get("properties", ()) for entry in contract.document["schema"] if entry["name"] == port)
    keyed = [(index, entry) for index, entry in enumerate(entries) if entry.get("partitioned")]

    def order(item: tuple[int, Mapping[str, Any]]) -> tuple[bool, int, int]:
        declared = item[1].get("partitionKeyPosition", -1)
        return declared < 1, declared, item[0]

    return tuple(entry["name"] for _, entry in sorted(keyed, key=order))


def _mode(old: Contract, new: Contract) -> Iterator[ContractChange]:
    """A promise that is taken back breaks whoever relied on it; the old one binds this very release still."""
    before, after = mode_of(old), mode_of(new)
    if before is not after:
        is_kept = before in _KEPT[after]
        loses_backward = not is_kept and before in (CompatibilityMode.BACKWARD, CompatibilityMode.FULL)
        loses_forward = not is_kept and before in (CompatibilityMode.FORWARD, CompatibilityMode.FULL)
        text = f"the compatibility mode changes from {before.value} to {after.value}"
        yield ContractChange("", "", "", ChangeKind.MODE, text, loses_backward, loses_forward)


def _service_levels(old: Contract, new: Contract) -> Iterator[ContractChange]:
    if list(old.sla) != list(new.sla):
        yield ContractChange("", "", "", ChangeKind.SERVICE_LEVEL, "slaProperties changed")


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "version"}


def _sections(old: Contract, new: Contract) -> str:
    before, after = _rest(old.document), _rest(new.document)
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return ", ".join(names)
