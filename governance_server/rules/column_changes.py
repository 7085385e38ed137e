"""What changed in the columns of a port, nested fields, items, keys and values included. Pure.

A column keeps its identity by its name, or under a new one by its `id` (ODCS 3.1): without that mark a new name is a column
that went and another that came. A promise that admits less breaks no reader of the old contract, one that admits more does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from governance_server.rules.contract_changes import ChangeKind, ContractChange, Place, change_of_fit
from governance_server.rules.quality_changes import holds_of_nulls, quality_changes
from governance_server.rules.stored_types import StoredType, type_fit
from governance_server.rules.value_sets import ANYTHING, Fit, Interval, closed, fit_of, fit_of_sets, interval, joined, point
from mesh_core.contract import Column

__all__ = ["Columns", "column_changes", "renames"]

_LENGTHS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems"), "object": ("minProperties", "maxProperties")}
_ENDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_TEMPORAL = frozenset({"date", "timestamp", "time"})
_STATED = {
    "string": ("pattern", "format"),
    "vector": ("dimensions", "distanceMetric", "embeddingModel", "embeddingModelVersion", "normalized"),
}
_IDLE_FORMATS = frozenset({"password", "binary"})


@dataclass(frozen=True, slots=True)
class Columns:
    """How two lists of columns are compared: `stored` tells a column's storage type."""

    stored: Callable[[Column], StoredType]

    def changes(self, place: Place, old: Sequence[Column], new: Sequence[Column]) -> Iterator[ContractChange]:
        """Every change between the two lists."""
        renamed = renames(old, new)
        after = {column.name: column for column in new}
        for column in old:
            name = renamed.get(column.name, column.name)
            here = place.within(column.name)
            if name not in after:
                yield ContractChange(here.port, here.column, str(here), ChangeKind.COLUMN_REMOVED, f"{_noun(here)} is gone", True)
                continue
            if name != column.name:
                text = f"{_noun(here)} is renamed to {name}"
                yield ContractChange(here.port, here.column, str(here), ChangeKind.COLUMN_RENAMED, text, True, True)
            yield from self.of_column(here, column, after[name])
        known = {renamed.get(column.name, column.name) for column in old}
        yield from (_added(place.within(column.name), column) for column in new if column.name not in known)

    def of_column(self, place: Place, old: Column, new: Column) -> Iterator[ContractChange]:
        """Every change of one column."""
        before, after = self.stored(old), self.stored(new)
        fit = type_fit(before.word, after.word)
        if fit is not Fit.SAME:
            text = f"the type changes from {before.word} to {after.word}"
            yield change_of_fit(place, ChangeKind.TYPE, text, fit)
        yield from _required(place, old, new)
        if place.path != place.column:  # of whole columns the port tells: a key promises it, too
            yield from _unique(place, old, new)
        yield from quality_changes(place, old.quality, new.quality)
        if fit is not Fit.OTHER:
            yield from _value_changes(place, old, new, (before, after))
            yield from self._parts(place, old, new)

    def _parts(self, place: Place, old: Column, new: Column) -> Iterator[ContractChange]:
        if old.columns or new.columns:
            yield from self.changes(place, old.columns, new.columns)
        for name, was, now in (
            ("[]", old.items, new.items), ("key", old.map_key, new.map_key), ("value", old.map_value, new.map_value),
        ):  # fmt: skip
            if was is not None and now is not None:
                yield from self.of_column(place.within(name), was, now)
            elif was is not None or now is not None:
                fit = Fit.LOOSER if now is None else Fit.TIGHTER
                yield change_of_fit(place.within(name), ChangeKind.TYPE, "what it holds is stated otherwise", fit)


def column_changes(
    place: Place, old: Sequence[Column], new: Sequence[Column], stored: Callable[[Column], StoredType]
) -> Iterator[ContractChange]:
    """Every change of the columns of a port."""
    yield from Columns(stored).changes(place, old, new)


def renames(old: Sequence[Column], new: Sequence[Column]) -> Mapping[str, str]:
    """Old name → new name of the columns that have the same `id` under another name, which no column had before."""
    names_before, names_after = {column.name for column in old}, {column.name for column in new}
    by_id = {column.id: column.name for column in new if column.id and column.name not in names_before}
    gone = [column for column in old if column.id and column.name not in names_after]
    return {column.name: by_id[column.id] for column in gone if column.id in by_id}


def _noun(place: Place) -> str:
    return "the column" if place.path == place.column else "the field"


def _added(place: Place, column: Column) -> ContractChange:
    """Older data has no such column, which reads as nothing but nulls."""
    is_required = _is_required(column)
    text = f"{_noun(place)} is new" + (" and required" if is_required else "")
    refuses_null = is_required or not all(map(holds_of_nulls, column.quality))
    return ContractChange(place.port, place.column, str(place), ChangeKind.COLUMN_ADDED, text, breaks_forward=refuses_null)


def _is_required(column: Column) -> bool:
    return column.required or column.primary_key_position is not None


def _required(place: Place, old: Column, new: Column) -> Iterator[ContractChange]:
    if _is_required(old) != _is_required(new):
        text = "may now be null" if _is_required(old) else "may no longer be null"
        yield change_of_fit(place, ChangeKind.REQUIRED, text, Fit.LOOSER if _is_required(old) else Fit.TIGHTER)


def _unique(place: Place, old: Column, new: Column) -> Iterator[ContractChange]:
    if old.unique != new.unique:
        text = "may now hold a value twice" if old.unique else "may no longer hold a value twice"
        yield change_of_fit(place, ChangeKind.UNIQUE, text, Fit.LOOSER if old.unique else Fit.TIGHTER)


def _value_changes(place: Place, old: Column, new: Column, stored: tuple[StoredType, StoredType]) -> Iterator[ContractChange]:
    kind = ChangeKind.VECTOR if new.logical_type == "vector" else ChangeKind.VALUES
    for name, fit in _value_fits(old, new, stored):
        if fit is not Fit.SAME:
            words = "is another one" if fit is Fit.OTHER else f"admits {fit.value} than before"
            yield change_of_fit(place, kind, f"{name} {words}", fit)


def _value_fits(old: Column, new: Column, stored: tuple[StoredType, StoredType]) -> Iterator[tuple[str, Fit]]:
    """Each part of what a column's options and enum admit, by name, and how it lies to what they admitted."""
    yield "the list of allowed values", fit_of_sets(_enum(old), _enum(new))
    yield "the range of values", _range_fit((old, stored[0]), (new, stored[1]))
    for names in _LENGTHS.values():
        yield (
            "the length" if names[0] != "minProperties" else "the number of fields",
            fit_of([_length(old, names)], [_length(new, names)]),
        )
    yield "multipleOf", _multiple_fit(_multiple(old), _multiple(new))
    yield "uniqueItems", _flag_fit(old.options.get("uniqueItems"), new.options.get("uniqueItems"))
    yield "the object's required fields", _names_fit(old, new)
    for name in dict.fromkeys((*_STATED.get(old.logical_type or "", ()), *_STATED.get(new.logical_type or "", ()))):
        yield name, _stated_fit(_stated(old, name), _stated(new, name))
    if {old.logical_type, new.logical_type} & _TEMPORAL:
        zone = "defaultTimezone"
        yield zone, Fit.SAME if old.options.get(zone) == new.options.get(zone) else Fit.OTHER


def _enum(column: Column) -> frozenset[str] | None:
    return frozenset(json.dumps(value, sort_keys=True, default=str) for value in column.enum) if column.enum else None


def _range_fit(old: tuple[Column, StoredType], new: tuple[Column, StoredType]) -> Fit:
    if _bounds(*old) == _bounds(*new):
        return Fit.SAME
    try:
        before, after = _range(*old), _range(*new)
    except TypeError:  # ends of different kinds
        return Fit.OTHER
    return Fit.OTHER if before is None or after is None else fit_of([before], [after])


def _bounds(column: Column, stored: StoredType) -> tuple[object, ...]:
    return (*(column.options.get(name) for name in _ENDS), stored.bounds)


def _range(column: Column, stored: StoredType) -> Interval | None:
    """From minimum to maximum, within the bounds of the format; None if an end cannot be read. Raises: TypeError."""
    given = [column.options.get(name) for name in _ENDS]
    low, high, above, below = ends = [point(value) for value in given]
    if any(value is not None and end is None for value, end in zip(given, ends, strict=True)):
        return None
    found = Interval(Fraction(stored.bounds[0]), Fraction(stored.bounds[1])) if stored.bounds else ANYTHING
    found = joined(found, interval(low, high))
    found = joined(found, interval(above, below, is_low_open=True, is_high_open=True))
    is_whole = stored.word.startswith("int") or stored.word.endswith(",0)")
    return closed(found) if is_whole else found


def _length(column: Column, names: tuple[str, str]) -> Interval:
    low, high = (point(column.options.get(name)) for name in names)
    return Interval(low if isinstance(low, Fraction) and low > 0 else Fraction(0), high)


def _multiple(column: Column) -> Fraction | None:
    """None if every value is one."""
    found = point(column.options.get("multipleOf"))
    if not isinstance(found, Fraction) or not found or (column.logical_type == "integer" and 1 % found == 0):
        return None
    return found


def _multiple_fit(before: Fraction | None, after: Fraction | None) -> Fit:
    if before is None or after is None or before == after:
        return _stated_fit(before, after)
    return Fit.TIGHTER if after % before == 0 else Fit.LOOSER if before % after == 0 else Fit.OTHER


def _flag_fit(old: object, new: object) -> Fit:
    if bool(old) == bool(new):
        return Fit.SAME
    return Fit.LOOSER if old else Fit.TIGHTER


def _names_fit(old: Column, new: Column) -> Fit:
    before, after = (frozenset(map(str, column.options.get("required", ()))) for column in (old, new))
    if before == after:
        return Fit.SAME
    return Fit.LOOSER if after < before else Fit.TIGHTER if after > before else Fit.OTHER


def _stated(column: Column, name: str) -> object:
    value = column.options.get(name)
    return None if name == "format" and value in _IDLE_FORMATS else value


def _stated_fit(old: object, new: object) -> Fit:
    """Of a promise that is kept or not: what changed is taken for something else, as no comparison would be sure."""
    if old == new:
        return Fit.SAME
    return Fit.LOOSER if new is None else Fit.TIGHTER if old is None else Fit.OTHER
