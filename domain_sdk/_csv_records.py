"""Whether a CSV file is made of whole records: as many values in each as there are column names, every quote closed.

A reader that guesses here loses rows without a word: a quote that is never closed takes the rest of the file into one value, a
record that was cut off ends in nulls. Knows nothing of types. Imports numpy: loaded on first use.
Source: RFC 4180 section 2, with line feeds for line ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domain_sdk.errors import InvalidRequest

__all__ = ["refuse_broken_records"]

_QUOTE, _COMMA, _LINE, _RETURN = b'",\n\r'
_BEFORE_OPENING = np.array([_COMMA, _LINE, _QUOTE], dtype=np.uint8)
_AFTER_CLOSING = np.array([_COMMA, _LINE, _QUOTE, _RETURN], dtype=np.uint8)
_CHUNK_BYTES = 4 << 20
_MARK = b"\xef\xbb\xbf"


def refuse_broken_records(file: Path, *, name: str) -> None:
    """The file's records are whole; values can still be of any kind.

    Args:
        file: An uncompressed CSV file with a line of column names.
        name: The port's three-part name, for messages.

    Raises:
        InvalidRequest: a record is not; the first is told, counted from 1 without the column names.
    """
    records = _Records()
    try:
        for chunk in _chunks(file):
            records.read(chunk)
        records.end()
    except _Broken as broken:
        where = f"row {broken.record}" if broken.record else "the line of column names"
        raise InvalidRequest(f"{file} cannot be read as CSV: {where} {broken.words}", resource=name) from None


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        chunk = opened.read(_CHUNK_BYTES).removeprefix(_MARK)
        while chunk:
            yield chunk
            chunk = opened.read(_CHUNK_BYTES)


@dataclass(frozen=True, slots=True)
class _Broken(Exception):
    record: int
    words: str


class _Records:
    """What is known of the file as far as it was read."""

    def __init__(self) -> None:
        self._columns = 0
        """How many values a record has; 0 while its first line is read."""
        self._record = 0
        """The record being read; 0 is the line of column names."""
        self._commas = 0
        self._bytes = 0
        """Commas and bytes of the record being read."""
        self._is_open = False
        """Whether a quoted value goes on."""
        self._opened_in = 0
        self._last = _LINE

    def read(self, chunk: bytes) -> None:
        """The chunk follows what was read."""
        data = np.frombuffer(chunk, dtype=np.uint8)
        quotes = np.flatnonzero(data == _QUOTE)
        separators = np.flatnonzero((data == _COMMA) | (data == _LINE))
        returns = np.flatnonzero(data == _RETURN)
        if self._is_open or len(quotes):
            is_odd = np.bitwise_xor.accumulate((data == _QUOTE).view(np.uint8)).view(np.bool_)
            separators = separators[is_odd[separators] == self._is_open]
            returns = returns[is_odd[returns] == self._is_open]
        ends = np.flatnonzero(data[separators] == _LINE)
        lone = self._lone(data, returns)
        self._check_quotes(data[: lone + 1], quotes[quotes <= lone], separators[ends])
        if lone < len(data):
            self._refuse_return(lone, separators[ends])
        self._check_records(data, separators, ends)
        self._is_open ^= bool(len(quotes) % 2)
        self._last = int(data[-1])

    def end(self) -> None:
        """Nothing follows."""
        if self._is_open:
            raise _Broken(self._opened_in, 'opens a quote (") that is never closed.')
        if self._last == _RETURN:
            self._refuse_return(0, np.array([], dtype=np.intp))
        if self._bytes:
            self._check_values(self._commas + 1)

    def _lone(self, data: np.ndarray[Any, Any], returns: np.ndarray[Any, Any]) -> int:
        """Where the first carriage return outside quotes is without its line feed; the length if each has one."""
        if self._last == _RETURN and not self._is_open and data[0] != _LINE:
            return -1
        followed = returns[returns < len(data) - 1]
        lone = followed[data[followed + 1] != _LINE]
        return int(lone[0]) if len(lone) else len(data)

    def _refuse_return(self, at: int, ends: np.ndarray[Any, Any]) -> None:
        record = self._record + int(np.searchsorted(ends, at))
        words = "has a carriage return without a line feed: end lines with line feeds, and put values with line ends in quotes."
        raise _Broken(record, words)

    def _check_quotes(self, data: np.ndarray[Any, Any], quotes: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> None:
        if self._last == _QUOTE and not self._is_open and data[0] not in _AFTER_CLOSING:
            self._refuse_quote(0, ends)
        if not len(quotes):
            return
        opening, closing = quotes[int(self._is_open) :: 2], quotes[1 - int(self._is_open) :: 2]
        before = np.where(opening > 0, data[opening - 1], np.uint8(self._last))
        followed = closing[closing < len(data) - 1]
        bad = np.concatenate([
            opening[~np.isin(before, _BEFORE_OPENING)],
            followed[~np.isin(data[followed + 1], _AFTER_CLOSING)],
        ])  # fmt: skip
        if len(bad):
            self._refuse_quote(int(bad.min()), ends)
        if len(opening):
            self._opened_in = self._record + int(np.searchsorted(ends, opening[-1]))

    def _refuse_quote(self, at: int, ends: np.ndarray[Any, Any]) -> None:
        record = self._record + int(np.searchsorted(ends, at))
        raise _Broken(record, 'has a quote (") inside a value: put the whole value in quotes, and double those in it.')

    def _check_records(self, data: np.ndarray[Any, Any], separators: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> None:
        if not len(ends):
            self._commas += len(separators)
            self._bytes += len(data)
            return
        values = np.diff(ends, prepend=-1)
        values[0] += self._commas
        if not self._columns:
            self._columns = int(values[0])
        wrong = np.flatnonzero(values != self._columns)
        if len(wrong):
            self._record += int(wrong[0])
            at = int(separators[ends[wrong[0]]])
            before = int(separators[ends[wrong[0] - 1]]) if wrong[0] else -1 - self._bytes
            self._refuse_values(
                int(values[wrong[0]]), is_empty=at - before <= 1 + ((data[at - 1] if at else self._last) == _RETURN)
            )
        self._record += len(ends)
        self._commas = len(separators) - int(ends[-1]) - 1
        self._bytes = len(data) - int(separators[ends[-1]]) - 1

    def _check_values(self, values: int) -> None:
        if self._columns and values != self._columns:
            self._refuse_values(values, is_empty=False)

    def _refuse_values(self, values: int, *, is_empty: bool) -> None:
        if is_empty:
            raise _Broken(self._record, "is an empty line: remove it.")
        some = "1 value" if values == 1 else f"{values} values"
        raise _Broken(self._record, f"has {some}, and there are {self._columns} column names.")
