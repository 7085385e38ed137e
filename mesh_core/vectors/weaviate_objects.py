"""Objects into Weaviate in batches: what fails is tried again, then named. Loaded only with the Weaviate store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from weaviate.classes.data import DataObject
from weaviate.exceptions import WeaviateBaseError, WeaviateTimeoutError

from mesh_core.vectors.store import StoreUnavailable
from mesh_core.vectors.weaviate_connection import has_no_answer

__all__ = ["as_stored", "insert_all"]

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
_MOST_NAMED = 10


def as_stored(found: Any) -> DataObject[Any, Any]:  # noqa: ANN401
    """An object that was read with its vector, to be stored again as it is."""
    properties = {name: value for name, value in found.properties.items() if value is not None}
    return DataObject(properties=properties, uuid=found.uuid, vector=found.vector["default"])


def insert_all(collection: Any, objects: Sequence[Any], *, what: str, named: str) -> None:  # noqa: ANN401
    """Every object is stored; those that fail are tried again, unless the server does not answer in time.

    Args:
        collection: One of the client's.
        objects: Its `DataObject`s, each with an id of its own, so that storing it again replaces it.
        what: What they are, in words.
        named: The property by which the error calls those that fail.

    Raises:
        StoreUnavailable: some could not be stored; they are named, with the reason for each.
        WeaviateBaseError: the server is away, or does not answer.
    """
    pending = list(objects)
    problems: Mapping[int, str] = {}
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS * attempt)
        try:
            errors = collection.data.insert_many(pending).errors
        except WeaviateBaseError as error:
            if isinstance(error, WeaviateTimeoutError) or (has_no_answer(error) and attempt == _ATTEMPTS - 1):
                raise
            problems = dict.fromkeys(range(len(pending)), str(error))
            continue
        if not errors:
            return
        pending = [pending[position] for position in sorted(errors)]
        problems = {place: errors[position].message for place, position in enumerate(sorted(errors))}
    raise StoreUnavailable(_report(pending, problems, what=what, named=named))


def _report(pending: Sequence[Any], problems: Mapping[int, str], *, what: str, named: str) -> str:
    by_reason: dict[str, list[str]] = {}
    for place, it in enumerate(pending):
        by_reason.setdefault(problems[place], []).append(repr(it.properties[named]))
    said = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        said.append(f"{', '.join(names[:_MOST_NAMED])}{more}: {reason}")
    return (
        f"{len(pending)} {what} could not be stored after {_ATTEMPTS} attempts ({'; '.join(said)}): "
        "repeat when the store is well."
    )
