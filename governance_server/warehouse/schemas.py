"""Comparing Arrow schemas by what a Delta table stores, not by the Arrow flavour a writer happened to note in the footer."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

__all__ = ["schema_differences", "stored_schema"]

_UTC = frozenset({"UTC", "Etc/UTC", "+00:00", "Z"})


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The same columns in the one flavour per stored type: string, binary, list, time zone UTC, no dictionaries, no metadata."""
    return pa.schema([pa.field(f.name, _stored_type(f.type), nullable=f.nullable) for f in schema])


def schema_differences(actual: pa.Schema, wanted: pa.Schema) -> list[str]:
    """One sentence for each way `actual` is not the wanted storage schema: names, types, order. Empty if it is."""
    have, want = stored_schema(actual), stored_schema(wanted)
    counts = Counter(have.names)
    wanted_names = set(want.names)
    differences = [f"the column {name} occurs more than once." for name in sorted(counts) if counts[name] > 1]
    differences += [f"the column {name} is missing." for name in want.names if name not in counts]
    differences += [f"the column {name} is not in the contract." for name in have.names if name not in wanted_names]
    if differences:
        return differences
    for field in want:
        found = have.field(field.name).type
        if not found.equals(field.type):
            differences.append(f"the column {field.name} is {found}, the contract asks for {field.type}.")
    if have.names != want.names:
        differences.append(f"the columns are in the order {', '.join(have.names)}; the contract's is {', '.join(want.names)}.")
    return differences


def _stored_type(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(data_type):
        return _stored_type(data_type.value_type)
    if pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type):
        return pa.string()
    if pa.types.is_large_binary(data_type) or pa.types.is_binary_view(data_type):
        return pa.binary()
    if pa.types.is_timestamp(data_type) and data_type.tz in _UTC:
        return pa.timestamp(data_type.unit, "UTC")
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type) or pa.types.is_list_view(data_type):
        return pa.list_(pa.field("element", _stored_type(data_type.value_type)))
    if pa.types.is_struct(data_type):
        fields = [data_type.field(i) for i in range(data_type.num_fields)]
        return pa.struct([pa.field(f.name, _stored_type(f.type)) for f in fields])
    if pa.types.is_map(data_type):
        return pa.map_(_stored_type(data_type.key_type), _stored_type(data_type.item_type))
    return data_type
