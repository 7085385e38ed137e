from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance_server.lineage.json_parts import array_parts
from governance_server.rules.errors import Invalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_the_parts_of_an_array_are_its_elements_byte_for_byte(values: list[object], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    parts = [part.text for part in array_parts(text)]
    assert [json.loads(part.decode("utf-8", "surrogatepass")) for part in parts] == values
    assert all(part in text for part in parts)


@pytest.mark.parametrize("text", [b"", b"{}", b"[", b"[1", b"[1,]", b"[,1]", b'["a]', b"[1]]", b"[1][2]", b"[[1]", b'{"a": [1]}'])
def test_what_is_no_array_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid):
        array_parts(text)


def test_a_long_text_costs_its_length_only() -> None:
    text = b'["' + b"\\\\" * 500_000 + b'", ' + b"[" * 100_000 + b"]" * 100_000 + b"]"
    assert len(array_parts(text)) == 2


EVENT_KEYS = st.sampled_from(["eventTime", "run", "job", "inputs", "x"])
EVENTS = st.dictionaries(EVENT_KEYS, JSON | st.lists(st.dictionaries(EVENT_KEYS, JSON, max_size=2), max_size=3), min_size=1)


@given(st.lists(EVENTS | JSON, max_size=5), st.sampled_from([None, 1]))
def test_events_are_told_apart_whatever_lies_within_them(values: list[object], indent: int | None) -> None:
    parts = array_parts(json.dumps(values, indent=indent).encode())
    assert [json.loads(part.text) for part in parts] == values
    assert all(part.content is None or part.content == json.loads(part.text) for part in parts)
